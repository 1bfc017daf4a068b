"""Every pointwise op with a parameter in each of its places: what the loop gives, to all orders.

The derivative of such an op may need work that is done on parameters alone (p - 1 for x ** p).
"""

import itertools
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from recurra import Cell, Recurrent, explain, use_backend
from recurra.program.ops import OPS

pytest.importorskip("recurra._core")

SIZE = 3
# Functions that torch has no operation of are reached through one another.
_CALLS: dict[str, Callable[..., Tensor]] = {
    "where": lambda c, a, b: torch.where(c > 0.9, a, b),
    "sub": torch.sub,
}
_TESTS = ("gt", "ge", "lt", "le", "eq", "ne")
_PLACES = [
    (name, places)
    for name, op in OPS.items()
    if op.pointwise and op.arity in (2, 3)
    for places in itertools.product((False, True), repeat=op.arity or 0)
    if any(places) and not all(places)
]


class Combined(Cell):
    """A cell whose state goes through one op, beside parameters."""

    def __init__(self, name: str, places: tuple[bool, ...]) -> None:
        super().__init__(SIZE, {"h": SIZE})
        self.name, self.places = name, places
        for k in range(len(places)):
            self.register_parameter(f"p{k}", nn.Parameter(torch.tensor([0.6, 1.4, 0.9])))

    def forward(self, x: Tensor, h: Tensor) -> tuple[Tensor, tuple[Tensor]]:
        u = torch.sigmoid(x + h) + 0.4
        own = [u, u * x, u + x]
        operands = [
            self.get_parameter(f"p{k}") if place else own[k] for k, place in enumerate(self.places)
        ]
        function = _CALLS.get(self.name) or getattr(torch, self.name)
        made = function(*operands)
        h = torch.tanh(made.to(x.dtype) + u if self.name in _TESTS else made)
        return h, (h,)


def results(layer: nn.Module, x: Tensor) -> list[Tensor]:
    """Return what a layer gives, its gradients and the gradients of their squares' sum."""
    x = x.clone().requires_grad_()
    sources = [x, *layer.parameters()]
    out, _ = layer(x)
    first = torch.autograd.grad(out.square().sum(), sources, create_graph=True, allow_unused=True)
    again = torch.autograd.grad(layer(x)[0].square().sum(), sources, allow_unused=True)
    kept = [d for d in first if d is not None and d.requires_grad]
    second = torch.autograd.grad(sum(d.square().sum() for d in kept), sources, allow_unused=True)
    found = (*first, *again, *second)
    return [out, *(s.new_zeros(s.shape) if d is None else d
                   for d, s in zip(found, sources * 3, strict=True))]  # fmt: skip


@pytest.mark.parametrize(("name", "places"), _PLACES)
def test_a_parameter_may_be_any_operand(name: str, places: tuple[bool, ...]) -> None:
    layer = Recurrent(Combined(name, places), SIZE, SIZE).double()
    x = torch.rand(4, 2, SIZE, dtype=torch.float64) + 0.2
    assert explain(layer).cells[0].backend == "native"
    assert str(explain(layer))
    with use_backend("eager"):
        wanted = results(layer, x)
    with use_backend("native"):
        found = results(layer, x)
    for given, right in zip(found, wanted, strict=True):
        torch.testing.assert_close(given, right, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("places", [(True, False), (False, True)])
def test_so_it_may_where_gradients_are_cut_off_and_in_a_compiled_layer(
    places: tuple[bool, bool],
) -> None:
    x = torch.rand(5, 2, SIZE, dtype=torch.float64)
    cell = Combined("pow", places)
    for options in ({"truncate": 2}, {"clip_state_grad": 0.1}, {"checkpoint": 2}, {}):
        layer = Recurrent(cell, SIZE, SIZE, **options).double()
        found = []
        for backend in ("eager", "native"):
            with use_backend(backend):
                run = layer if options else torch.compile(layer, backend="aot_eager")
                out, _ = run(x)
                found.append(torch.autograd.grad(out.square().sum(), list(layer.parameters())[:2],
                                                 allow_unused=True))  # fmt: skip
        for given, right in zip(*found, strict=True):
            assert (given is None) == (right is None)
            if given is not None and right is not None:
                torch.testing.assert_close(given, right, rtol=1e-9, atol=1e-12)
