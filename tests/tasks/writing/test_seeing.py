import numpy as np
import pydantic
import pytest
import torch

from recurra.errors import DataError
from recurra.tasks.writing.seeing import Seeing, read_pictures


def test_pictures_become_channels_first_in_their_own_type() -> None:
    X = np.arange(2 * 8 * 9 * 3, dtype=np.uint8).reshape(2, 8, 9, 3)
    inputs = read_pictures(X)
    assert inputs.rows[1].shape == (3, 8, 9)
    assert inputs.rows[0].dtype == np.uint8
    assert np.array_equal(inputs.rows[1][2], X[1, :, :, 2])
    assert (inputs.features, inputs.columns) == (3, None)
    grey = read_pictures([X[0, :, :, 0], X[1, :, :, 0]])
    assert grey.rows[1].shape == (1, 8, 9)


def test_a_table_holds_a_vector_in_each_row() -> None:
    for X in ([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]], np.array([[1.0, 2, 3], [4, 5, 6]])):
        inputs = read_pictures(X)
        assert [row.tolist() for row in inputs.rows] == [[1, 2, 3], [4, 5, 6]]
        assert (inputs.features, inputs.columns) == (3, 3)


def test_what_is_read_has_mean_0_and_deviation_1_by_weight() -> None:
    draw = np.random.default_rng(0)
    X = draw.normal(5, 3, (6, 8, 8, 2)) * [1, 1e-6]
    weights = np.array([1.0, 2, 3, 1, 1, 1])
    rows = list(read_pictures(X).rows)
    seeing = Seeing.see(rows, weights)
    batch, lengths = seeing.batch(rows, torch.device("cpu"))
    assert batch.dtype == torch.float32
    assert lengths.shape == (6,)
    w = torch.tensor(weights / weights.sum()).view(-1, 1, 1, 1)
    mean = (batch.double() * w).mean((2, 3)).sum(0)
    square = (batch.double() ** 2 * w).mean((2, 3)).sum(0)
    torch.testing.assert_close(mean, torch.zeros(2).double(), atol=1e-4, rtol=0)
    torch.testing.assert_close(square, torch.ones(2).double(), atol=1e-4, rtol=0)


def test_what_never_changes_becomes_0() -> None:
    rows = list(read_pictures(np.full((3, 8, 8), 200, np.uint8)).rows)
    batch, _ = Seeing.see(rows, np.ones(3)).batch(rows, torch.device("cpu"))
    assert batch.abs().max() < 1e-12


def test_pictures_of_another_size_or_a_table_are_refused() -> None:
    seeing = Seeing.see(list(read_pictures(np.zeros((2, 9, 8, 3))).rows), np.ones(2))
    for other, message in (
        (np.zeros((1, 9, 9, 3)), "pictures of 9 x 9 pixels and 3 colours, but It was fitted on"),
        (np.zeros((1, 9, 8)), "1 colours"),
        (np.zeros((2, 5)), "vectors of 5 features, but It was fitted on pictures of 9 x 8"),
    ):
        with pytest.raises(DataError, match=message):
            seeing.read(other, "It")


def test_a_record_that_contradicts_itself_is_refused() -> None:
    rows = list(read_pictures(np.zeros((2, 9, 8, 3))).rows)
    record = Seeing.see(rows, np.ones(2)).model_dump()
    assert Seeing.model_validate(record).shape == [3, 9, 8]
    for change in ({"shape": [3, 9]}, {"mean": [0.0]}, {"shape": [3, 0, 8]}, {"features": 2}):
        with pytest.raises(pydantic.ValidationError):
            Seeing.model_validate({**record, **change})
