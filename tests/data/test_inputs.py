import re
from typing import Any

import numpy as np
import pandas as pd
import pytest
import scipy.sparse

from recurra.data.inputs import read_inputs
from recurra.errors import ArgumentTypeError, DataError, RecurraError


@pytest.mark.parametrize(
    "X",
    [
        ["good", "", "bad"],
        ("good", "", "bad"),
        np.array(["good", "", "bad"]),
        np.array(["good", "", "bad"], dtype=object),
        pd.Series(["good", "", "bad"]),
    ],
    ids=["list", "tuple", "array", "objects", "column"],
)
def test_texts_are_read_from_any_list(X: Any) -> None:
    inputs = read_inputs(X)
    assert inputs.kind == "text"
    assert list(inputs.rows) == ["good", "", "bad"]
    assert all(type(row) is str for row in inputs.rows)


def test_lists_of_words_are_symbols() -> None:
    inputs = read_inputs([["I", "am"], ("he",), []])
    assert inputs.kind == "symbols"
    assert inputs.rows == [["I", "am"], ["he"], []]


@pytest.mark.parametrize(
    "X", [np.ones((4, 3)), np.ones((4, 3)).tolist(), pd.DataFrame(np.ones((4, 3)))]
)
def test_a_table_of_numbers_is_series_of_one_feature(X: Any) -> None:
    inputs = read_inputs(X)
    assert (inputs.kind, inputs.features, inputs.columns, len(inputs)) == ("numbers", 1, 3, 4)
    assert inputs.rows[0].shape == (3, 1)


def test_an_array_of_three_dimensions_is_sequences_of_features() -> None:
    inputs = read_inputs(np.ones((4, 3, 2), dtype=np.float32))
    assert (inputs.features, inputs.columns, len(inputs)) == (2, None, 4)


def test_arrays_of_unequal_lengths_are_read_one_by_one() -> None:
    inputs = read_inputs([np.ones(3), np.ones(5), np.ones(0)])
    assert [row.shape for row in inputs.rows] == [(3, 1), (5, 1), (0, 1)]
    assert inputs.columns is None
    assert [r.shape for r in read_inputs([np.ones((3, 2)), np.ones((1, 2))]).rows] == [
        (3, 2),
        (1, 2),
    ]
    assert [len(row) for row in read_inputs([[1, 2, 3], [4.5]]).rows] == [3, 1]


def test_what_is_given_is_neither_changed_nor_held_to() -> None:
    X = np.ones((2, 3))
    X.setflags(write=False)
    inputs = read_inputs(X)
    assert inputs.rows[0].dtype == np.float64
    assert np.array_equal(X, np.ones((2, 3)))


@pytest.mark.parametrize(
    ("X", "said"),
    [
        ("one text", "X must be a list of sequences, got str."),
        (7, "X must be a list of sequences, got int."),
        ({"a": 1}, "X must be a list of sequences, got dict."),
        ([], "X is empty"),
        (np.zeros((0, 3)), "X is empty"),
        (np.zeros((3, 0)), "0 feature(s) (shape=(3, 0)) while a minimum of 1 is required"),
        (np.zeros(3), "Reshape your data"),
        (np.zeros((2, 2, 2, 2)), "got shape (2, 2, 2, 2)"),
        (["a", 3], "X, row 1: texts and other things are mixed, got '3'"),
        ([["a"], ["b", None]], "X, row 1: symbols must be strings, got 'None'"),
        ([[1.0], [np.nan, 2.0]], "X, row 1 holds NaN (at (0,))"),
        (np.array([[1.0, np.inf]]), "X holds infinity (inf) (at (0, 1))"),
        (np.ones((2, 2)) * 1j, "Complex data not supported"),
        ([np.ones((2, 3)), np.ones((2, 4))], "X, row 1: 4 features a step, but row 0 has 3."),
        ([np.ones(2), np.ones((2, 2, 2))], "X, row 1: a sequence is an array (T,) or (T, F)"),
        ([[1, 2], [3, {}]], "X, row 1: every argument must be a string or a number"),
        (np.array(["2020-01-01"], dtype="datetime64[D]").reshape(1, 1), "numbers were expected"),
    ],
)
def test_what_is_no_list_of_sequences_is_refused_with_its_place(X: Any, said: str) -> None:
    with pytest.raises(RecurraError, match=re.escape(said)):
        read_inputs(X)


def test_sparse_matrices_and_objects_are_refused_by_type() -> None:
    with pytest.raises(ArgumentTypeError, match="sparse matrix, and dense data is required"):
        read_inputs(scipy.sparse.csr_array(np.eye(3)))
    with pytest.raises(TypeError, match="argument must be a string or a number"):
        read_inputs(np.array([[1.0, {}]], dtype=object))


def test_a_model_takes_the_form_it_was_fitted_on() -> None:
    table = read_inputs(np.ones((2, 3)))
    table.must_be("numbers", 1, 3, "Model")
    read_inputs([np.ones(7)]).must_be("numbers", 1, 3, "Model")  # a list of series, of any length
    with pytest.raises(DataError, match="X has 3 features, but Model is expecting 4 features"):
        table.must_be("numbers", 1, 4, "Model")
    with pytest.raises(DataError, match="X has 1 features a step, but Model is expecting 2"):
        table.must_be("numbers", 2, None, "Model")
    with pytest.raises(DataError, match="X holds numbers, but Model was fitted on text"):
        table.must_be("text", 0, None, "Model")
