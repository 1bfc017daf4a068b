"""`torch.autograd.Function`: its forward gives the values, its own backward the gradients."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.autograd import Function
from torch.autograd.function import once_differentiable
from tracing import H, K, Step, assert_agrees

from recurra import Recurrent, explain, use_backend
from recurra.errors import TraceError
from recurra.program.check import check
from recurra.program.own_backward import forward_only, without_the_dead
from recurra.program.simplify import simplify
from recurra.program.trace import trace


class Spike(Function):
    """A step whose gradient is that of a fast sigmoid."""

    @staticmethod
    def forward(ctx: Any, v: Tensor, slope: float = 5.0) -> Tensor:
        ctx.save_for_backward(v)
        ctx.slope = slope
        return (v > 0).to(v.dtype)

    @staticmethod
    def backward(ctx: Any, d: Tensor) -> Any:
        (v,) = ctx.saved_tensors
        return d / (1 + ctx.slope * v.abs()) ** 2, None


class Reversed(Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        return x.view_as(x)

    @staticmethod
    def backward(ctx: Any, d: Tensor) -> Tensor:
        return -0.5 * d


class Silent(Reversed):
    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        return x


class Clipped(Silent):
    @staticmethod
    def backward(ctx: Any, d: Tensor) -> Tensor:
        return d.clamp(-0.2, 0.2)


class Exponential(Function):
    """Saves its result, by the newer form."""

    @staticmethod
    def forward(x: Tensor, scale: float) -> Tensor:
        return torch.exp(x) * scale

    @staticmethod
    def setup_context(ctx: Any, inputs: Any, output: Tensor) -> None:
        ctx.save_for_backward(output)

    @staticmethod
    def backward(ctx: Any, d: Tensor) -> Any:
        return d * ctx.saved_tensors[0] * 2, None


class Product(Function):
    """Two inputs, one of which asks whether it is needed; something kept on ctx."""

    @staticmethod
    def forward(ctx: Any, a: Tensor, b: Tensor) -> Tensor:
        ctx.twice = torch.tanh(a) * 2
        ctx.save_for_backward(a, b)
        return a * b

    @staticmethod
    def backward(ctx: Any, d: Tensor) -> Any:
        a, b = ctx.saved_tensors
        return (d * b * ctx.twice if ctx.needs_input_grad[0] else None), d * a


class Once(Spike):
    @staticmethod
    @once_differentiable
    def backward(ctx: Any, d: Tensor) -> Any:
        return d * ctx.saved_tensors[0], None


class TwoResults(Function):
    """Of which one has a gradient."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Any:
        mask = x > 0
        ctx.mark_non_differentiable(mask)
        ctx.save_for_backward(mask)
        return x * mask, mask

    @staticmethod
    def backward(ctx: Any, d: Tensor, _: Any) -> Tensor:
        return d * ctx.saved_tensors[0]


class OfWeights(Function):
    @staticmethod
    def forward(ctx: Any, w: Tensor) -> Tensor:
        return torch.sign(w)

    @staticmethod
    def backward(ctx: Any, d: Tensor) -> Tensor:
        return d * 2


early = Spike.apply  # taken before anything is traced

CELLS: dict[str, Callable[[Any, Tensor, Tensor], Tensor]] = {
    "spike": lambda m, x, h: Spike.apply(torch.tanh(x) @ m.W + h),
    "slope": lambda m, x, h: Spike.apply(x @ m.W + h, 25.0),
    "early": lambda m, x, h: early(x @ m.W - h) * h,
    "reset": lambda m, x, h: 0.9 * h + x @ m.W - Spike.apply(h - 0.5).detach() * 0.5,
    "reversed": lambda m, x, h: Reversed.apply(torch.tanh(x @ m.W + h)),
    "silent": lambda m, x, h: Silent.apply(torch.tanh(x @ m.W + h)) * 2,
    "of the state itself": lambda m, x, h: Silent.apply(h) + h,
    "clipped": lambda m, x, h: Clipped.apply(torch.tanh(x @ m.W + h)),
    "saved result": lambda m, x, h: Exponential.apply(0.1 * (x @ m.W + h), 0.5),
    "product": lambda m, x, h: Product.apply(x @ m.W, h) + h,
    "nested": lambda m, x, h: Product.apply(Spike.apply(x @ m.W), Reversed.apply(h)),
    "once": lambda m, x, h: Once.apply(x @ m.W + h),
    "two results": lambda m, x, h: masked(x @ m.W + h),
    "weights": lambda m, x, h: torch.tanh(x @ OfWeights.apply(m.W) + h),
    "no gradients": lambda m, x, h: without(h) + x @ m.W,
    "slices": lambda m, x, h: torch.cat([Spike.apply(h[:, :3]), x @ m.W[:, 3:]], 1),
}


def masked(z: Tensor) -> Tensor:
    y, mask = TwoResults.apply(z)
    return y + mask.to(y.dtype)


def without(h: Tensor) -> Tensor:
    with torch.no_grad():
        return Spike.apply(h) * 2


@pytest.mark.parametrize("name", CELLS)
def test_a_function_gives_its_own_gradients(name: str) -> None:
    assert_agrees(Step(CELLS[name], W=torch.randn(K, H)))


def results(layer: nn.Module, x: Tensor, twice: bool) -> list[Tensor]:
    x = x.clone().requires_grad_()
    sources = [x, *layer.parameters()]
    out, (h,) = layer(x, lengths=torch.tensor([5, 2]))
    loss = out.square().sum() + h.sum()
    first = torch.autograd.grad(loss, sources, create_graph=twice)
    if not twice:
        return [out, *first]
    second = torch.autograd.grad(sum(d.square().sum() for d in first), sources)
    return [out, *first, *second]


@pytest.mark.parametrize("name", ["spike", "reversed", "saved result", "nested", "product"])
def test_natively_they_are_the_loops_and_so_are_second_derivatives(name: str) -> None:
    class Own(Step):
        state_sizes = {"h": H}  # noqa: RUF012

    layer = Recurrent(Own(CELLS[name], W=torch.randn(K, H)), K, H).double()
    x = torch.randn(5, 2, K, dtype=torch.float64)
    assert explain(layer).cells[0].backend == "native"
    assert str(explain(layer))
    for twice in (False, True):
        found = []
        for backend in ("eager", "native"):
            with use_backend(backend):
                found.append(results(layer, x, twice))
        for a, b in zip(*found, strict=True):
            torch.testing.assert_close(a, b, rtol=1e-9, atol=1e-12)


def test_what_runs_forward_leaves_the_gradients_out() -> None:
    program = trace(Step(CELLS["nested"], W=torch.randn(K, H)), K, {"h": H}).program
    kept = forward_only(simplify(program))
    assert {i.op for i in program.loop} >= {"arriving", "own_backward"}
    assert not {i.op for i in kept.loop} & {"arriving", "own_backward"}
    assert forward_only(kept) is kept
    alive = without_the_dead(kept, ())
    assert len(alive.loop) < len(kept.loop)
    check(alive)


def test_gradients_of_its_own_are_cut_off_where_they_should_be() -> None:
    class Own(Step):
        state_sizes = {"h": H}  # noqa: RUF012

    cell = Own(CELLS["spike"], W=torch.randn(K, H))
    layer = Recurrent(cell, K, H, truncate=2).double()
    x = torch.randn(6, 2, K, dtype=torch.float64, requires_grad=True)
    found = []
    for backend in ("eager", "native"):
        with use_backend(backend):
            found.append(torch.autograd.grad(layer(x)[0].square().sum(), [x, cell.W]))
    for a, b in zip(*found, strict=True):
        torch.testing.assert_close(a, b)


class Dirty(Reversed):
    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        ctx.mark_dirty(x)
        return x.mul_(2)


class Pair(Reversed):
    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Any:
        return x * 1, x * 2


class Scaled(Product):
    """The gradient of a parameter, which is a sum over the batch."""

    @staticmethod
    def backward(ctx: Any, d: Tensor) -> Any:
        a, b = ctx.saved_tensors
        return d * b, (d * a)[0]


@pytest.mark.parametrize(
    ("function", "reason"),
    [
        (lambda m, x, h: Dirty.apply(h + 1), "writes into its inputs"),
        (lambda m, x, h: sum(Pair.apply(h)), "2 tensors with gradients"),
        (lambda m, x, h: Scaled.apply(h, m.b), "batch axis|parameter"),
    ],
    ids=["dirty", "two results", "parameter"],
)
def test_what_cannot_be_followed_is_refused(function: Any, reason: str) -> None:
    with pytest.raises(TraceError, match=reason):
        trace(Step(function, b=torch.rand(H)), K, {"h": H})


def test_functions_are_torchs_own_again_after_a_trace() -> None:
    trace(Step(CELLS["spike"], W=torch.randn(K, H)), K, {"h": H})
    assert "apply" not in torch.autograd.function._SingleLevelFunction.__dict__
    x = torch.randn(3, requires_grad=True)
    Reversed.apply(x).sum().backward()
    assert x.grad is not None
    assert x.grad.tolist() == [-0.5] * 3
