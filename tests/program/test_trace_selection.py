"""Choices by what the features are: values, indices and gradients are torch's, ties and NaN too."""

import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor
from tracing import H, K, Step, assert_agrees

from recurra.errors import TraceError
from recurra.program.trace import trace

TABLE = torch.randn(H, 3, dtype=torch.float64)
BOUNDS = torch.tensor([-1.0, -0.5, 0.0, 0.5, 1.0], dtype=torch.float64)


def weighed(found: Any, h: Tensor) -> Tensor:
    """Return values plus the indices that came with them, as one."""
    values, index = found
    return values + 0.1 * index.to(h.dtype)


# Functions of a state of six features, giving six, or what broadcasts to that.
CHOICES: dict[str, Callable[[Any, Tensor], Tensor]] = {
    "max": lambda m, h: weighed(h.max(-1, keepdim=True), h) * h,
    "max of an axis": lambda m, h: weighed(torch.max(h.view(-1, 2, 3), 1), h).repeat(1, 2),
    "max names": lambda m, h: h * h.max(dim=1, keepdim=True).values,
    "min": lambda m, h: weighed(torch.min(h, 1, keepdim=True), h) + h,
    "min of an axis": lambda m, h: weighed(h.view(-1, 3, 2).min(2), h).repeat(1, 2),
    "maximum of two": lambda m, h: torch.max(h, h.flip(1)) + h.min(h * 2),
    "aminmax": lambda m, h: h * (h.aminmax(dim=1, keepdim=True).max),
    "argmax": lambda m, h: h * h.argmax(-1, keepdim=True).to(h.dtype),
    "argmin": lambda m, h: h * torch.argmin(h.view(-1, 2, 3), dim=2).double().repeat(1, 3),
    "winner takes all": lambda m, h: h * F.one_hot(h.argmax(1), 6),
    "one_hot float": lambda m, h: F.one_hot(h.argmax(1), num_classes=6).to(h.dtype) * h + h,
    "straight through": lambda m, h: through(h.softmax(-1)),
    "sort": lambda m, h: weighed(h.sort(-1), h),
    "sort descending": lambda m, h: weighed(torch.sort(h, 1, descending=True), h),
    "sort stable": lambda m, h: weighed(torch.sort(h, dim=1, stable=True), h),
    "sort of an axis": lambda m, h: weighed(h.view(-1, 3, 2).sort(1), h).flatten(1),
    "argsort": lambda m, h: h * h.argsort(1).to(h.dtype),
    "topk": lambda m, h: weighed(h.topk(3), h).repeat(1, 2),
    "topk least": lambda m, h: weighed(torch.topk(h, 2, dim=-1, largest=False), h).repeat(1, 3),
    "k winners": lambda m, h: torch.where(h >= h.topk(2, -1).values[:, -1:], h, 0.0),
    "gather": lambda m, h: h.gather(1, h.argsort(1)) + h,
    "gather of an axis": lambda m, h: (
        h.view(-1, 2, 3).gather(2, h.view(-1, 2, 3).argmax(2, keepdim=True)).flatten(1).repeat(1, 3)
    ),
    "take_along_dim": lambda m, h: torch.take_along_dim(h, h.argsort(1), 1),
    "embedding": lambda m, h: F.embedding(h.argmax(1), m.W).repeat(1, 2),
    "embedding of several": lambda m, h: F.embedding(h.topk(2).indices, m.W).flatten(1),
    "embedding padding": lambda m, h: F.embedding(h.argmax(1), m.W, 2).repeat(1, 2) * h,
    "index_select": lambda m, h: m.W.index_select(0, h.argmax(1)).repeat(1, 2) * h,
    "bucketize": lambda m, h: h * torch.bucketize(h, BOUNDS).to(h.dtype),
    "bucketize right": lambda m, h: h + torch.bucketize(h, BOUNDS, right=True).to(h.dtype),
    "searchsorted": lambda m, h: h * torch.searchsorted(BOUNDS, h, side="right").to(h.dtype),
    "compared index": lambda m, h: torch.where((h.argmax(1) > 2)[:, None], h, -h),
    "whole zeros": lambda m, h: h + F.one_hot(torch.zeros_like(h[:, 0]).long(), 6),
}


def through(p: Tensor) -> Tensor:
    hard = F.one_hot(p.argmax(-1), 6).to(p.dtype)
    return hard - p.detach() + p


ROWS = torch.tensor(
    [
        [0.5, -1.0, 2.0, 0.1, 1.5, -0.3],
        [1.0, 1.0, 0.0, 1.0, 0.0, -1.0],
        [0.0, -0.0, 0.0, 0.0, 0.0, 0.0],
        [math.inf, 1.0, math.inf, -math.inf, 0.5, -math.inf],
    ],
    dtype=torch.float64,
)


@pytest.mark.parametrize("name", CHOICES)
def test_a_choice_is_torchs_and_so_is_its_gradient(name: str) -> None:
    step = Step(lambda m, x, h: CHOICES[name](m, h), W=TABLE)
    assert_agrees(step)
    x = torch.zeros(len(ROWS), K, dtype=torch.float64)
    # Which of equal features topk takes torch does not say.
    rows = ROWS[:1] if "topk" in name or "k winners" in name or "several" in name else ROWS
    assert_agrees(step, x=x[: len(rows)], state=[rows], gradients=False)
    finite = rows.clamp(-9, 9)
    assert_agrees(step, x=x[: len(rows)], state=[finite])


@pytest.mark.parametrize("name", ["max", "min", "argmax", "argmin", "sort", "sort descending"])
def test_nan_is_where_torch_has_it(name: str) -> None:
    rows = ROWS.clone()
    rows[:, 3] = math.nan
    rows[1, 4] = math.nan
    x = torch.zeros(len(rows), K, dtype=torch.float64)
    step = Step(lambda m, x, h: CHOICES[name](m, h))
    assert_agrees(step, x=x, state=[rows], gradients=False)


def test_an_index_outside_a_table_gives_nan_where_torch_would_raise() -> None:
    def equations(m: Any, x: Tensor, h: Tensor) -> Tensor:
        return F.embedding(h.argmax(1), m.W[:3]).repeat(1, 2)

    traced = trace(Step(equations, W=TABLE), K, {"h": H}, torch.float64)
    assert "ge" in {i.op for i in traced.program.loop}


# fmt: off
REFUSED: dict[str, tuple[Callable[..., Any], str]] = {
    "no classes": (lambda m, x, h: F.one_hot(h.argmax(1)), "name it"),
    "long sort": (lambda m, x, h: h.repeat(1, 20).sort(1).values[:, :6], "faster sorted by torch"),
    "large table": (lambda m, x, h: F.embedding(h.argmax(1), m.L)[:, :6], "the loop is faster"),
    "nonzero": (lambda m, x, h: h.nonzero(), "size depends on the numbers"),
    "mask": (lambda m, x, h: torch.masked_select(h, h > 0), "size depends"),
    "table by a row": (lambda m, x, h: m.W[h.argmax(1)].repeat(1, 2), "F.embedding"),
    "row by a row": (lambda m, x, h: h[:, h.argmax(1)], "x.gather"),
    "scatter": (lambda m, x, h: h.scatter(1, h.argsort(1), h), "torch.where"),
}
# fmt: on


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_refused_says_what_to_write(name: str) -> None:
    equations, reason = REFUSED[name]
    with pytest.raises(TraceError, match=reason):
        trace(Step(equations, W=TABLE.float(), L=torch.randn(4000, 64)), K, {"h": H})
