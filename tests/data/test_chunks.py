"""An endless sequence in chunks: nothing is lost, rows go on where they ended."""

import pytest
import torch

from recurra.data.chunks import Chunks
from recurra.errors import ArgumentError, ShapeError


@pytest.mark.parametrize("N", [7, 12, 13, 25])
@pytest.mark.parametrize("batch_size", [1, 2, 5])
@pytest.mark.parametrize("chunk", [1, 4, 100])
def test_every_step_comes_once_in_its_rows_order(N: int, batch_size: int, chunk: int) -> None:
    sequence = torch.arange(N)
    chunks = Chunks(sequence, chunk=chunk, batch_size=batch_size)
    rows: list[list[int]] = [[] for _ in range(batch_size)]
    count = 0
    for piece in chunks:
        count += 1
        assert piece.x.shape[0] <= chunk
        assert piece.x.shape[1] == batch_size
        assert piece.weight == piece.real.sum()
        assert torch.equal(piece.y[piece.real], piece.x[piece.real] + 1)
        for b in range(batch_size):
            rows[b] += piece.x[: piece.lengths[b], b].tolist()
    assert count == len(chunks)
    assert [item for row in rows for item in row] == list(range(N - 1))
    lengths = [len(row) for row in rows]
    assert max(lengths) - min(lengths) <= 1


def test_documents_begin_where_they_are_said_to() -> None:
    starts = torch.zeros(10, dtype=torch.bool)
    starts[[0, 3, 8]] = True
    values, y = torch.randn(10, 2), torch.arange(10.0)
    found = [
        (float(piece.y[t, b]), bool(piece.reset[t, b]))
        for piece in Chunks(values, y, chunk=2, batch_size=3, starts=starts)
        for b in range(3)
        for t in range(int(piece.lengths[b]))
    ]
    assert sorted(found) == [(float(t), bool(starts[t])) for t in range(10)]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"chunk": 0}, "got chunk=0, batch_size=1"),
        ({"chunk": 2, "batch_size": 0}, "got chunk=2, batch_size=0"),
        ({"chunk": 2, "batch_size": 5}, "4 steps to predict need .* batch_size <= 4"),
    ],
)
def test_sizes_that_make_no_chunks_are_refused(options: dict[str, int], message: str) -> None:
    with pytest.raises(ArgumentError, match=message):
        Chunks(torch.arange(5), **options)


def test_an_empty_sequence_is_refused() -> None:
    with pytest.raises(ArgumentError, match="0 steps to predict"):
        Chunks(torch.arange(1), chunk=3)


@pytest.mark.parametrize("wrong", ["y", "starts", "dtype"])
def test_tensors_that_do_not_belong_together_are_refused(wrong: str) -> None:
    y = torch.zeros(4 if wrong == "y" else 5)
    starts = torch.zeros(4 if wrong == "starts" else 5, dtype=torch.bool)
    with pytest.raises(ShapeError, match="one item a step of 5"):
        Chunks(torch.arange(5), y, chunk=2, starts=starts.int() if wrong == "dtype" else starts)
