"""Several processes train the model that one would: weights, record, carried state, stopping."""

import math
import sys
from typing import Any

import pytest
import torch
from runs import chunks
from together import together
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

from recurra.data.batches import LengthBatches
from recurra.data.chunks import Chunk, Chunks
from recurra.errors import ArgumentError, DivergenceError
from recurra.layers import Recurrent
from recurra.training import Callback, Trainer
from recurra.training.processes import Processes
from recurra.training.range_test import range_test

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="there is no fork")

Row = tuple[Tensor, Tensor]


class Model(nn.Module):
    """Predicts a number at each step, in float64; one weight never has a gradient."""

    def __init__(self, dropout: float = 0.0) -> None:
        super().__init__()
        self.layer = Recurrent("gru", 2, 4)
        self.head = nn.Linear(4, 1)
        self.drop = nn.Dropout(dropout)
        self.unused = nn.Parameter(torch.ones(1))
        self.register_buffer("seen", torch.zeros(()))
        self.double()

    def forward(self, x: Tensor, state: Any = None, **options: Any) -> tuple[Tensor, Any]:
        out, state = self.layer(x.double(), state, **options)
        if self.training:
            self.seen += x.sum()
        return self.head(self.drop(out)).squeeze(-1), state


def row_loss(model: nn.Module, batch: Row) -> tuple[Tensor, float]:
    x, lengths = batch
    found, _ = model(x, lengths=lengths)
    real = torch.arange(len(x)).unsqueeze(1) < lengths
    return (found - x.sum(-1)).square()[real].sum(), float(lengths.sum())


def chunk_loss(model: nn.Module, chunk: Chunk, state: Any) -> tuple[Tensor, float, Any]:
    found, state = model(chunk.x, state, lengths=chunk.lengths, reset=chunk.reset)
    return (found - chunk.y).square()[chunk.real].sum(), chunk.weight, state


def rows(n: int, seed: int | None, *, scale: float = 1.0) -> LengthBatches[Row]:
    """Return batches of four; of 13 rows the last has one."""
    draw = torch.Generator().manual_seed(n)
    lengths = torch.randint(2, 9, (n,), generator=draw).tolist()
    x = [scale * torch.randn(T, 2, generator=draw) for T in lengths]

    def make(chosen: Tensor) -> Row:
        each = [x[k] for k in chosen.tolist()]
        return nn.utils.rnn.pad_sequence(each), torch.tensor([len(row) for row in each])

    order = None if seed is None else torch.Generator().manual_seed(seed)
    return LengthBatches(lengths, make, batch_size=4, generator=order)


def long(n: int, B: int) -> Chunks:
    draw = torch.Generator().manual_seed(n)
    x = torch.randn(n, 2, generator=draw)
    return Chunks(x, x.sum(-1), chunk=5, batch_size=B)


def trained(
    carry: bool = False,
    *,
    train: Any = None,
    dropout: float = 0.0,
    seed: int = 0,
    rate: float = 0.05,
    **options: Any,
) -> dict[str, Any]:
    torch.manual_seed(seed)
    model = Model(dropout)
    loss, valid = (chunk_loss, long(23, 3)) if carry else (row_loss, rows(5, None))
    if train is None:
        train = long(63, 3) if carry else rows(13, 7)
    optimizer = torch.optim.AdamW(model.parameters(), lr=rate, weight_decay=0.1)
    made = Trainer(model, loss, optimizer, carry=carry, clip=(0.0, 1.0), **options)
    history = made.fit(train, valid, epochs=6)
    return {
        "weights": {name: p.tolist() for name, p in model.named_parameters()},
        "buffers": [b.tolist() for b in model.buffers()],
        "norms": history.gradient_norms,
        "losses": [(e.train_loss, e.valid_loss) for e in history.epochs],
        "stopped": history.stopped,
    }


def near(a: Any, b: Any) -> None:
    """Fail unless two results are the same, but for rounding."""
    if isinstance(a, dict):
        assert list(a) == list(b)
        for name in a:
            if name != "buffers":
                near(a[name], b[name])
    elif isinstance(a, list | tuple):
        assert len(a) == len(b)
        for one, other in zip(a, b, strict=True):
            near(one, other)
    else:
        assert a == b if isinstance(a, str) else a == pytest.approx(b, rel=1e-11, abs=1e-12)


@pytest.mark.parametrize("world", [2, 3])
@pytest.mark.parametrize("carry", [False, True])
def test_it_is_the_training_of_one_process(carry: bool, world: int) -> None:
    alone = trained(carry, clip_by="layer", patience=2)
    each = together(world, lambda _: trained(carry, clip_by="layer", patience=2))
    near(each[0], alone)
    assert all(one == each[0] for one in each)
    assert each[0]["weights"]["unused"] == [1.0]  # no gradient, no decay


def test_patience_ends_all_at_the_same_epoch() -> None:
    options = {"patience": 1, "rate": 0.5, "clip_by": "total"}
    alone = trained(**options)
    assert alone["stopped"] == "patience"
    for one in together(2, lambda _: trained(**options)):
        near(one, alone)


def test_all_begin_with_the_weights_of_the_first() -> None:
    for one in together(2, lambda p: trained(seed=p.rank)):
        near(one, trained(seed=0))


def test_each_drops_out_other_features_and_the_same_every_time() -> None:
    masks: list[list[bool]] = []

    class Masks(Callback):
        def on_batch_end(self, trainer: Trainer, loss: float, gradient_norm: float) -> None:
            masks.append((torch.rand(20) < 0.5).tolist())

    def work(_: Processes) -> Any:
        masks.clear()
        return trained(dropout=0.5, callbacks=[Masks()]), list(masks)

    (a, of_a), (b, of_b) = together(2, work)
    assert a == b
    assert of_a != of_b
    assert together(2, work) == [(a, of_a), (b, of_b)]


def test_other_data_in_one_process_is_refused_in_all() -> None:
    def work(processes: Processes) -> Any:
        return trained(train=rows(13, 7, scale=1.0 + processes.rank))

    for error in together(2, work):
        assert isinstance(error, ArgumentError)
        assert str(error).startswith("process 1 has other data or settings than process 0 (data: ")


def test_batches_that_cannot_be_shared_are_refused() -> None:
    def work(_: Processes) -> Any:
        return trained(train=DataLoader(TensorDataset(torch.zeros(4, 3, 2)), batch_size=2))

    for error in together(2, work):
        assert isinstance(error, ArgumentError)
        assert "a DataLoader cannot be shared among 2 processes: give it a method share" in str(
            error
        )
    for error in together(2, lambda _: trained(True, train=long(63, 1))):
        assert isinstance(error, ArgumentError)
        assert "batch_size=1: 2 processes need at least a row each" in str(error)


def test_sparse_gradients_are_refused() -> None:
    def work(_: Processes) -> Any:
        model = nn.EmbeddingBag(3, 2, sparse=True)
        made = Trainer(model, lookup, torch.optim.SGD(model.parameters(), 0.1))
        return made.fit(rows(13, 7), epochs=1)

    def lookup(model: nn.Module, batch: Row) -> tuple[Tensor, float]:
        return model(torch.tensor([[0, 1]])).sum(), 1.0

    for error in together(2, work):
        assert isinstance(error, ArgumentError)
        assert "a sparse gradient of (3, 2) cannot be summed" in str(error)


def test_a_loss_that_is_not_finite_in_one_share_ends_all() -> None:
    train = rows(13, 7)

    def work(processes: Processes) -> Any:
        def loss(model: nn.Module, batch: Row) -> tuple[Tensor, float]:
            total, weight = row_loss(model, batch)
            return total * (math.nan if processes.rank else 1.0), weight

        model = Model()
        return Trainer(model, loss, torch.optim.SGD(model.parameters(), 0.1)).fit(train, epochs=1)

    for error in together(2, work):
        assert isinstance(error, DivergenceError)
        assert "the loss became nan in epoch 1, step 1" in str(error)


def test_what_the_batches_draw_may_differ_without_harm() -> None:
    """Batches that draw from the order's generator as they are made: each epoch begins alike."""

    def work(_: Processes) -> Any:
        train = rows(13, 7)
        made = train._make

        def drawing(chosen: Tensor) -> Row:
            torch.rand(len(chosen), generator=train._generator)
            return made(chosen)

        train._make = drawing  # type: ignore[method-assign]
        return trained(train=train)

    one, other = together(2, work)
    assert one == other
    assert len(one["losses"]) == 6


def test_a_range_test_suggests_the_same_in_all() -> None:
    def work(_: Processes | None = None) -> Any:
        torch.manual_seed(0)
        model = Model()
        trainer = Trainer(model, row_loss, torch.optim.SGD(model.parameters(), 0.1))
        found = range_test(trainer, rows(13, 7), steps=20)
        return found.suggestion, found.losses

    alone = work()
    one, other = together(2, work)
    assert one == other
    assert one[1] == pytest.approx(alone[1], rel=1e-9)
    assert one[0] == alone[0]


def test_shares_hold_every_row_once() -> None:
    whole = [b[1].sum().item() for b in rows(13, 7)]
    shares = [list(rows(13, 7).share(rank, 3)) for rank in range(3)]
    assert [len(share) for share in shares] == [4, 4, 4]
    sums = [
        sum(int(b[1].sum()) for b in each if b is not None) for each in zip(*shares, strict=True)
    ]
    assert sums == whole
    assert sum(b is None for share in shares for b in share) == 2  # a last batch of one row


def test_each_share_of_chunks_goes_on_with_its_own_rows() -> None:
    each = list(chunks())
    for rank in range(2):
        share = list(chunks().share(rank, 2))
        assert len(share) == len(each)
        for part, chunk in zip(share, each, strict=True):
            assert part is not None
            T = int(part.lengths.max())
            assert torch.equal(part.x, chunk.x[:T, rank::2])
            assert torch.equal(part.reset, chunk.reset[:T, rank::2])
