from typing import Any

import numpy as np
import pandas as pd
import pydantic
import pytest

from recurra.errors import ArgumentError, DataError
from recurra.tasks.writing.targets import Form, Target, Writing, read_contents


def learned(form: Form, contents: list[Any], tokens: str = "char", **options: Any) -> Writing:
    conditions = options.get("conditions", [None] * len(contents))
    targets = [Target(*pair) for pair in zip(contents, conditions, strict=True)]
    return Writing.learn(form, targets, tokens, pieces=300)


@pytest.mark.parametrize("tokens", ["char", "word", "bpe"])
def test_texts_come_back_from_their_numbers(tokens: str) -> None:
    texts = ["the red cat, small", "a dog", "Ünïcode 3"]
    writing = learned("text", texts, tokens)
    assert [writing.decode(writing.encode(text)) for text in texts] == texts
    assert writing.longest == max(len(writing.cut(text)) for text in texts)


@pytest.mark.parametrize(
    "labels", [[3, 1, 3, 2], [True, False], ["yes", "no"], [1.0, 2.0], [-5, 10**12]]
)
def test_labels_come_back_in_their_type(labels: list[Any]) -> None:
    form, contents = read_contents(np.array(labels) if labels[0] != "yes" else labels, 10)
    writing = learned(form, contents)
    made = writing.collect([writing.decode(writing.encode(content)) for content in contents])
    assert list(made) == labels
    if form == "labels":
        assert made.dtype == np.array(labels).dtype
        assert writing.longest == 1


def test_each_condition_is_a_beginning_of_its_own() -> None:
    writing = learned("text", ["ab", "cd", "ef"], conditions=["y", "x", "y"])
    assert writing.conditions == ["x", "y"]
    starts = writing.starts(["x", "y", "x"])
    assert starts[0] == starts[2] != starts[1]
    assert min(starts) == writing.size - 2
    assert learned("text", ["ab"]).starts([None, None]) == [2, 2]


def test_conditions_are_checked() -> None:
    writing = learned("text", ["ab", "cd"], conditions=["x", "y"])
    assert writing.check_conditions("x", 3) == ["x"] * 3
    with pytest.raises(ArgumentError, match="one of x, y"):
        writing.check_conditions(None, 2)
    with pytest.raises(DataError, match="2 labels for 3"):
        writing.check_conditions(["x", "y"], 3)
    with pytest.raises(ArgumentError, match="'z' was never learned"):
        writing.check_conditions(["x", "z"], 2)


def test_targets_are_read_from_lists_arrays_and_columns() -> None:
    for y in (
        ["a", "b"],
        np.array(["a", "b"]),
        np.array(["a", "b"], object),
        pd.Series(["a", "b"]),
    ):
        assert read_contents(y, 5) == ("text", ["a", "b"])
    assert read_contents(pd.Series([1, 2]), 5) == ("labels", [1, 2])
    assert read_contents([["a", "bc"], []], 5) == ("symbols", [["a", "bc"], []])


@pytest.mark.parametrize(
    ("y", "message"),
    [
        (["a", "bbbbbb"], "y, row 1: 6 symbols, starting 'bbbbbb'; max_target_length is 5"),
        ([1.5, 2.5, 3.7], "Unknown label type"),
        ([1.0, float("nan")], "row 1: the label is missing"),
        ("ab", "y must be a list of targets"),
        ([["a"], [1]], "y, row 1"),
    ],
)
def test_targets_that_cannot_be_written_are_refused(y: Any, message: str) -> None:
    with pytest.raises(DataError, match=message):
        read_contents(y, 5)


def test_a_record_that_contradicts_itself_is_refused() -> None:
    record = learned("labels", [1, 2]).model_dump()
    assert Writing.model_validate(record).symbols == ("1", "2")
    for change in ({"symbols": ["1", "3"]}, {"labels": None}, {"form": "text"}, {"longest": -1}):
        with pytest.raises(pydantic.ValidationError):
            Writing.model_validate({**record, **change})
