"""Sums over any axis, transposes and products of rows in the core, beside the loop."""

from collections.abc import Callable, Iterator

import pytest
import torch
from torch import Tensor, nn

from every_kind import on
from recurra import Recurrent, explain

_core = pytest.importorskip("recurra._core")

N = 24
Step = Callable[[Tensor, Tensor], Tensor]
STEPS: dict[str, Step] = {
    "a sum over an axis that is not the last": lambda x, h: (h.unsqueeze(2) * x.unsqueeze(1)).sum(
        1
    ),
    "the largest along the first axis": lambda x, h: h.view(-1, 4, 6).amax(1).repeat(1, 4) + x,
    "a mean in the middle": lambda x, h: (
        h.view(-1, 2, 3, 4).mean(2, keepdim=True) * x.view(-1, 2, 3, 4)
    ).flatten(1),
    "a sum over two axes apart": lambda x, h: (
        h.view(-1, 2, 3, 4).sum((1, 3), keepdim=True) * x.view(-1, 2, 3, 4)
    ).flatten(1),
    "a softmax in the middle": lambda x, h: (
        torch.softmax(h.view(-1, 6, 4), 1) * x.view(-1, 6, 4)
    ).flatten(1),
    "a transpose": lambda x, h: h.view(-1, 4, 6).transpose(1, 2).flatten(1) * x,
    "a permutation": lambda x, h: h.view(-1, 2, 3, 4).permute(0, 3, 2, 1).flatten(1) * x,
    "every second feature": lambda x, h: torch.cat([h[:, 1::2], h[:, ::2]], -1) * x,
    "columns": lambda x, h: (
        torch.cat([h.view(-1, 8, 3)[:, :, 1:].flatten(1), h.view(-1, 8, 3)[:, :, 0]], -1) * x
    ),
    "features by turns": lambda x, h: torch.stack([h[:, :12], x[:, 12:]], -1).flatten(1),
    "copies": lambda x, h: h[:, :3].repeat_interleave(8, 1) * x + h[:, :3].repeat(1, 8),
    "copies in the middle": lambda x, h: (
        h[:, :6].view(-1, 2, 1, 3).expand(-1, 2, 4, 3).flatten(1) * x
    ),
    "bmm": lambda x, h: torch.bmm(h.view(-1, 6, 4), x.view(-1, 4, 6))[:, 1:5].flatten(1),
    "bmm of a transpose": lambda x, h: torch.bmm(
        h.view(-1, 4, 6).transpose(1, 2), x.view(-1, 4, 6)
    )[:, 1:5].flatten(1),
    "bmm by a transpose": lambda x, h: (h.view(-1, 6, 4) @ x.view(-1, 6, 4).mT)[:, 1:5].flatten(1),
    "bmm of two transposes": lambda x, h: (h.view(-1, 4, 6).mT @ x.view(-1, 6, 4).mT)[
        :, 1:5
    ].flatten(1),
    "products of heads": lambda x, h: (
        h.view(-1, 2, 3, 4) @ x.view(-1, 2, 4, 3) @ h.view(-1, 2, 3, 4)
    ).flatten(1),
    "products with one matrix for all heads": lambda x, h: (
        h.view(-1, 2, 3, 4) @ x[:, :16].view(-1, 1, 4, 4)
    ).flatten(1),
    "vectors and matrices": lambda x, h: torch.cat(
        [
            (h[:, :4].unsqueeze(1) @ x.view(-1, 4, 6)).squeeze(1),
            (x.view(-1, 6, 4) @ h[:, :4].unsqueeze(2)).squeeze(2),
            torch.einsum("bij,bj->bi", h.view(-1, 6, 4), x[:, :4]),
            torch.einsum("bij,bi->bj", h.view(-1, 4, 6), x[:, :4]),
        ],
        -1,
    ),
    "an outer product": lambda x, h: torch.einsum("bi,bj->bji", h[:, :6], x[:, :4]).flatten(1),
    "outer products of heads": lambda x, h: torch.einsum(
        "bgi,bgj->bgij", h[:, :6].view(-1, 2, 3), x[:, :8].view(-1, 2, 4)
    ).flatten(1),
    "einsum of letters in any order": lambda x, h: (
        torch.einsum("bigj,bkgj->bkig", h.view(-1, 3, 2, 4), x.view(-1, 3, 2, 4))
        .flatten(1)
        .repeat(1, 2)[:, :24]
    ),
    "einsum that sums what only one has": lambda x, h: torch.einsum(
        "bij,bki->bk", h.view(-1, 6, 4), x.view(-1, 4, 6)
    ).repeat(1, 6),
    "einsum of one": lambda x, h: torch.einsum("bij->bji", h.view(-1, 6, 4)).flatten(1) * x,
    "a product of rows": lambda x, h: torch.einsum("bi,bi->b", h, x).unsqueeze(1).expand(-1, N),
}


class Cell(nn.Module):
    """h = tanh(W · step(x, h))."""

    def __init__(self, step: Step, size: int = N, wide: int = N) -> None:
        super().__init__()
        self.state_sizes = {"h": size}
        self.step, self.out = step, nn.Linear(wide, size)

    def forward(self, x: Tensor, h: Tensor) -> tuple[Tensor, Tensor]:
        h = torch.tanh(self.out(self.step(x, h)))
        return h, h


@pytest.fixture(params=_core.simd_choices())
def simd(request: pytest.FixtureRequest) -> Iterator[str]:
    """Run the test on each instruction set that this processor has."""
    before = _core.simd()
    _core.use_simd(request.param)
    yield request.param
    _core.use_simd(before)


def assert_as_the_loop(cell: nn.Module, sizes: tuple[int, int], B: int) -> None:
    """Hold the core's values and gradients to the loop's, in both precisions."""
    for dtype, bound in ((torch.float64, 1e-12), (torch.float32, 2e-5)):
        layer = Recurrent(cell, *sizes).to(dtype)
        x = torch.randn(3, B, sizes[0], dtype=dtype, requires_grad=True)
        state = [torch.randn(1, B, sizes[1], dtype=dtype, requires_grad=True)]
        pairs = zip(on("native", layer, x, state), on("eager", layer, x, state), strict=True)
        for found, wanted in pairs:
            error = (found - wanted).abs().max() / wanted.abs().max().clamp(min=1)
            assert error <= bound, (dtype, float(error))


@pytest.mark.parametrize("name", STEPS)
def test_values_and_gradients_are_the_loops(name: str) -> None:
    for B in (1, 5):
        assert_as_the_loop(Cell(STEPS[name]), (N, N), B)


@pytest.mark.parametrize("name", [name for name in STEPS if "letters" not in name])
def test_no_feature_is_moved_by_itself(name: str) -> None:
    (cell,) = explain(Recurrent(Cell(STEPS[name]), N, N)).cells
    assert cell.work is not None
    assert len(cell.work.program.loop) <= 12


def test_every_size_is_right_on_every_instruction_set(simd: str) -> None:
    generator = torch.Generator().manual_seed(0)
    for case in range(12):
        g, m, k, n = (int(torch.randint(1, 38, (), generator=generator)) for _ in range(4))
        g = 1 + g % 3

        def step(
            x: Tensor, h: Tensor, g: int = g, m: int = m, k: int = k, n: int = n, case: int = case
        ) -> Tensor:
            a, b = h[:, : g * m * k], x[:, : g * k * n]
            a = a.view(-1, g, k, m).mT if case % 3 == 1 else a.view(-1, g, m, k)
            b = b.view(-1, g, n, k).mT if case % 3 == 2 else b.view(-1, g, k, n)
            y = a @ b  # (g, m, n)
            parts = (y.sum(2), y.sum(3), y.amax(2), y.mT.flatten(1, 2).sum(2))
            return torch.cat([y.flatten(1), *(p.flatten(1) for p in parts)], -1) / k**0.5

        wide = g * m * n + g * n + g * m + g * n + g * n
        assert_as_the_loop(Cell(step, g * m * k, wide), (g * k * n, g * m * k), 3)


def test_what_is_added_to_a_product_is_added_to_it() -> None:
    def step(x: Tensor, S: Tensor) -> Tensor:
        k, v = x[:, :6], x[:, 6:12]
        return (0.9 * S.view(-1, 6, 6) + v.unsqueeze(2) @ k.unsqueeze(1)).flatten(1)

    assert_as_the_loop(Cell(step, 36, 36), (12, 36), 4)
