"""What a cell and its trace give for the same numbers: results and gradients, in float64."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from programs import Array, prepared
from torch import Tensor, nn

from recurra.program.differentiate import differentiate
from recurra.program.program import Program
from recurra.program.reference import run, run_adjoint
from recurra.program.trace import Traced, trace

K, H, B = 4, 6, 3
ODD = (float("nan"), float("inf"), -float("inf"), 0.0, -0.0, 1.0, -1.0, 0.5, -0.5, 3.0, -3.0, 6.0)


class Step(nn.Module):
    """A cell of one state with `equations(self, x, h)` giving the new state."""

    def __init__(self, equations: Callable[..., Tensor], **parameters: Tensor | nn.Module) -> None:
        super().__init__()
        self.equations = equations
        for name, value in parameters.items():
            if isinstance(value, nn.Module):
                self.add_module(name, value)
            else:
                self.register_parameter(name, nn.Parameter(value))

    def forward(self, x: Tensor, h: Tensor) -> tuple[Tensor, tuple[Tensor]]:
        h = self.equations(self, x, h)
        return h, (h,)


def tensors(module: nn.Module) -> dict[str, Tensor]:
    return dict(module.named_parameters()) | dict(module.named_buffers())


def numbers(tensor: Tensor | None, like: Tensor | None = None) -> Array:
    if tensor is None:
        assert like is not None
        return np.zeros(tuple(like.shape))
    array: npt.NDArray[Any] = tensor.detach().numpy().astype(np.float64)
    return array


def of_torch(module: nn.Module, x: Tensor, state: Sequence[Tensor], seeds: Sequence[Array]) -> Any:
    """Return the cell's results, and the gradients of their sum times seeds."""
    x, *state = (t.detach().clone().requires_grad_() for t in (x, *state))
    y, new = module(x, *state)
    sources = [x, *state, *module.parameters()]
    loss = sum(
        ((r * torch.as_tensor(s)).sum() for r, s in zip((y, *new), seeds, strict=True)),
        torch.zeros(()),
    )
    grads = [None] * len(sources)
    if loss.requires_grad:
        grads = torch.autograd.grad(loss, sources, allow_unused=True)
    return [numbers(r) for r in (y, *new)], [
        numbers(g, t) for g, t in zip(grads, sources, strict=True)
    ]


def of_program(
    module: nn.Module,
    traced: Traced,
    x: Tensor,
    state: Sequence[Tensor],
    seeds: Sequence[Array],
    rewrite: Callable[[Program], Program] = prepared,
) -> Any:
    """Return the program's results, and the gradients of their sum times seeds."""
    program = rewrite(traced.program)
    leaves = traced.leaves(tensors(module))
    arrays = [numbers(leaf) for leaf in leaves]
    drawn = [numbers(random.draw(1, B, x)) for random in traced.randoms]
    result = run(program, [numbers(x)[None], *drawn], [numbers(s) for s in state], arrays)
    found = run_adjoint(differentiate(program), program, result, [seeds[0][None]], list(seeds[1:]))
    grads: list[Tensor | None] = [None] * len(list(module.parameters()))
    pairs = [
        (leaf, torch.as_tensor(np.zeros(leaf.shape) if g is None else g))
        for leaf, g in zip(leaves, found.parameters, strict=True)
        if leaf.requires_grad
    ]
    if pairs:
        outs, ds = zip(*pairs, strict=True)
        grads = list(torch.autograd.grad(outs, list(module.parameters()), ds, allow_unused=True))
    dx = found.inputs[0]
    gradients = [np.zeros(tuple(x.shape)) if dx is None else dx[0], *found.states]
    gradients += [numbers(g, p) for g, p in zip(grads, module.parameters(), strict=True)]
    return [result.outputs[0][0], *result.states], gradients


def assert_agrees(
    module: nn.Module,
    input_size: int = K,
    state_sizes: Mapping[str, int] | None = None,
    x: Tensor | None = None,
    state: Sequence[Tensor] | None = None,
    gradients: bool = True,
    scale: float = 1.0,
) -> Traced:
    """Compare a cell with its trace, on random numbers unless there are others."""
    module = module.double()
    sizes = {"h": H} if state_sizes is None else state_sizes
    draw = torch.Generator().manual_seed(1)

    def normal(*shape: int) -> Tensor:
        return scale * torch.randn(*shape, generator=draw, dtype=torch.float64)

    x = normal(B, input_size) if x is None else x
    state = [normal(B, n) for n in sizes.values()] if state is None else state
    traced = trace(module, input_size, sizes, torch.float64)
    rows = (*traced.program.outputs, *traced.program.new_states)
    seeds = [numbers(normal(len(x), traced.program.values[i].size)) for i in rows]
    results, grads = of_torch(module, x, state, seeds)
    found, found_grads = of_program(module, traced, x, state, seeds)
    for wanted, given in zip(results, found, strict=True):
        np.testing.assert_allclose(given, wanted, rtol=1e-9, atol=1e-12)
    if gradients:
        for wanted, given in zip(grads, found_grads, strict=True):
            known = ~np.isnan(wanted)
            np.testing.assert_allclose(given[known], wanted[known], rtol=1e-6, atol=1e-11)
    return traced


def assert_pointwise(function: Callable[[Tensor], Tensor], x: Tensor | None = None) -> None:
    """Compare a function of the state, on numbers odd and even, each feature by itself."""
    odd = torch.tensor(ODD, dtype=torch.float64) if x is None else x
    plain = torch.linspace(-4, 4, 23, dtype=torch.float64)
    for row in (odd, plain):
        h = torch.stack([row, row.flip(0)])
        step = Step(lambda _, x, h: function(h))
        rest = torch.zeros(2, 1, dtype=torch.float64)
        assert_agrees(step, 1, {"h": len(row)}, rest, [h], gradients=False)
        h = torch.where(h == h, h, 0.25)  # at NaN torch's gradients are sometimes 0
        assert_agrees(step, 1, {"h": len(row)}, rest, [h])
