"""Gradients that go back k steps and no further, for any cell that torch can differentiate.

A run's graph is made once. Its gradients of all ages together are those of k + 1 passes through
it: pass r carries what the outputs at r, r + (k + 1), r + 2 (k + 1), ... send back. No two of them
are within k steps of one another, so that a border every k + 1 steps, which no gradient crosses,
keeps each to its k steps.
"""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from recurra.backends import eager
from recurra.backends.clip import refuse_twice
from recurra.backends.for_each import for_each
from recurra.backends.steps import State, SteppedCell, Steps
from recurra.program.window import Window


def run(cell: SteppedCell, steps: Steps) -> tuple[Tensor, State]:
    """Return what `eager.run` returns (the outputs once an age where their gradients come so)."""
    window = steps.window
    assert window is not None
    x = steps.x
    weights = [*cell.parameters()] if isinstance(cell, nn.Module) else []
    tensors = (x, *steps.state, *steps.fresh, *weights)
    filled = x.shape[-3] and x.shape[-2]  # no steps or no rows have no gradients to cut
    if filled and torch.is_grad_enabled() and any(t.requires_grad for t in tensors):
        out, *last = _Windowed.apply(cell, steps, *tensors)  # type: ignore[no-untyped-call]
        return out, tuple(last)
    out, last = eager.run(cell, _plain(steps, by_age(x)[0], steps.state, steps.fresh))
    return for_each_age(out, window), last


def by_age(tensor: Tensor) -> tuple[Tensor, ...]:
    """Return the (T, B, n) of each age, or the one there is."""
    return tensor.unbind(0) if tensor.dim() == 4 else (tensor,)


def for_each_age(out: Tensor, window: Window | None) -> Tensor:
    """Return the outputs, once for each age if their gradients come by age."""
    if window is None or not window.arrives:
        return out
    return out.expand(window.ages, *out.shape)


def _plain(steps: Steps, x: Tensor, state: State, fresh: State) -> Steps:
    return Steps(x, state, steps.lengths, steps.restart, fresh, steps.reverse)


class _Borders:
    """Where no gradient of a state goes on, in the pass that is being made."""

    def __init__(self, window: Window, reverse: bool) -> None:
        self.window, self.reverse, self.which = window, reverse, 0

    def age(self, t: int) -> int:
        """Return the age at step t of what the pass carries."""
        return (t + self.which if self.reverse else self.which - t) % self.window.ages

    def gate(self, t: int, state: State) -> State:
        """Return the state; its gradient from step t is dropped if it is of age k there."""
        return tuple(self._watched(t, s) if s.requires_grad else s for s in state)

    def _watched(self, t: int, s: Tensor) -> Tensor:
        s = s.view_as(s)  # the tensor itself may be an output, too

        def drop(d: Tensor) -> Tensor | None:
            return torch.zeros_like(d) if self.age(t) == self.window.steps else None

        s.register_hook(drop)  # type: ignore[no-untyped-call]
        return s


class _Windowed(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, cell: SteppedCell, steps: Steps, *tensors: Tensor) -> tuple[Tensor, ...]:
        window, n, m = steps.window, len(steps.state), len(steps.fresh)
        assert window is not None
        own = [t.detach() for t in (by_age(tensors[0])[0], *tensors[1 : 1 + n + m])]
        for t, given in zip(own, tensors, strict=False):
            t.requires_grad_(given.requires_grad)
        ctx.borders = _Borders(window, steps.reverse)
        with torch.enable_grad():
            plain = _plain(steps, own[0], tuple(own[1 : 1 + n]), tuple(own[1 + n :]))
            out, last = eager.run(cell, plain, gate=ctx.borders.gate)
        ctx.steps, ctx.results, ctx.leaves = plain, (out, *last), [*own, *tensors[1 + n + m :]]
        ctx.leaving = window.leaves and tensors[0].dim() == 4
        return (for_each_age(out.detach(), window), *(s.detach() for s in last))

    @staticmethod
    def backward(ctx: Any, dout: Tensor, *dlast: Tensor) -> tuple[Tensor | None, ...]:
        if torch.is_grad_enabled():
            refuse_twice()

        def once(given: Sequence[Tensor]) -> Sequence[Tensor | None]:
            return _all_ages(ctx, given[0], given[1:])

        return None, None, *for_each(once, (dout, *dlast))


def _all_ages(ctx: Any, dout: Tensor, dlast: Sequence[Tensor]) -> list[Tensor | None]:
    """Return the gradients of what a run was given, from those of all ages."""
    borders: _Borders = ctx.borders
    leaves = [t for t in ctx.leaves if t.requires_grad]
    x = ctx.leaves[0]
    dx = x.new_zeros(borders.window.ages, *x.shape)
    sums: list[Tensor | None] = [None] * len(leaves)
    for which in range(borders.window.ages):
        borders.which = which
        found = _pass(borders, ctx.steps, ctx.results, leaves, by_age(dout), dlast)
        if x.requires_grad and found[0] is not None:
            for t, d in enumerate(found[0]):
                dx[borders.age(t), t] = d
        for i, d in enumerate(found):
            if d is not None:
                sums[i] = d if (before := sums[i]) is None else before + d
    given = iter(sums)
    results = [next(given) if t.requires_grad else None for t in ctx.leaves]
    if x.requires_grad and ctx.leaving:
        results[0] = dx
    return results


def _pass(
    borders: _Borders,
    steps: Steps,
    results: Sequence[Tensor],
    leaves: Sequence[Tensor],
    douts: Sequence[Tensor],
    dlast: Sequence[Tensor],
) -> tuple[Tensor | None, ...]:
    """Return the gradients of one pass; `douts` are by age, or of age 0 alone."""
    T, B, _ = steps.x.shape
    ages = [borders.age(t) for t in range(T)]
    zeros = douts[0].new_zeros(douts[0].shape[1:])
    dout = [douts[age][t] if age < len(douts) else zeros for t, age in enumerate(ages)]
    lengths = torch.full((B,), T) if steps.lengths is None else steps.lengths.cpu()
    end = torch.zeros_like(lengths) if steps.reverse else (lengths - 1).clamp(min=0)
    ends_here = torch.tensor([borders.age(t) == 0 for t in end.tolist()]).unsqueeze(-1)
    ends_here = ends_here.to(steps.x.device)
    given = [torch.stack(dout) if T else douts[0], *(torch.where(ends_here, d, 0) for d in dlast)]
    pairs = [(y, d) for y, d in zip(results, given, strict=True) if y.requires_grad]
    if not pairs:  # no output depends on what is learned
        return (None,) * len(leaves)
    ys, ds = zip(*pairs, strict=True)
    return torch.autograd.grad(ys, leaves, ds, retain_graph=True, allow_unused=True)
