"""The forms that a module may have as a cell: found by trying, and run as the equations say."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import pytest
import torch
from torch import Tensor, nn

from recurra import Cell, Recurrent, explain

T, B, I, H = 6, 4, 3, 5  # noqa: E741 - the axes' names


class Base(nn.Module):
    """Two states, an output that is neither; each form below is another face of this step."""

    def __init__(self, input_size: int, hidden_size: int) -> None:
        super().__init__()
        torch.manual_seed(7 + input_size)
        self.inner = nn.Linear(input_size + hidden_size, 2 * hidden_size)

    def step(self, x: Tensor, h: Tensor, c: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        f, z = self.inner(torch.cat([x, h], -1)).chunk(2, -1)
        c = torch.sigmoid(f) * c + torch.tanh(z)
        h = torch.tanh(c) - 0.1 * h
        return h * c, h, c


class Own(Cell):
    """The same step as a Cell: what the others are compared with."""

    def __init__(self, input_size: int, hidden_size: int) -> None:
        super().__init__(input_size, {"h": hidden_size, "c": hidden_size})
        self.base = Base(input_size, hidden_size)

    def forward(self, x: Tensor, h: Tensor, c: Tensor) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        out, h, c = self.base.step(x, h, c)
        return out, (h, c)


class Pair(NamedTuple):
    h: Tensor
    c: Tensor


@dataclass
class Both:
    h: Tensor
    c: Tensor


class TupleForm(Base):
    def forward(self, x: Tensor, state: Any) -> Any:
        h, c = state
        out, h, c = self.step(x, h, c)
        return out, (h, c)


class IndexedForm(Base):
    """Takes its state by number, as rows of a tensor could be taken by mistake."""

    def forward(self, x: Tensor, state: Any, mask: Tensor | None = None) -> Any:
        out, h, c = self.step(x, state[0], state[1])
        return out, (h, c)


class OptionalForm(Base):
    def forward(self, x: Tensor, hx: Any = None) -> Any:
        if hx is None:
            hx = (x.new_zeros(x.shape[0], H), x.new_zeros(x.shape[0], H))
        out, h, c = self.step(x, *hx)
        return out, (h, c)


class ListForm(Base):
    def forward(self, x: Tensor, state: Any) -> Any:
        if not isinstance(state, list):
            raise TypeError("a list of states")
        out, h, c = self.step(x, *state)
        return out, [h, c]


class KeywordForm(Base):
    def forward(self, x: Tensor, *, hx: Any) -> Any:
        out, h, c = self.step(x, *hx)
        return out, (h, c)


class LaterForm(Base):
    """Its second argument is no state."""

    def forward(self, x: Tensor, mask: Tensor | None = None, hidden: Any = None) -> Any:
        if hidden is None:
            hidden = (x.new_zeros(x.shape[0], H), x.new_zeros(x.shape[0], H))
        out, h, c = self.step(x if mask is None else x * mask, *hidden)
        return out, (h, c)


class NamedForm(Base):
    def forward(self, x: Tensor, *, h: Tensor, c: Tensor) -> Any:
        out, h, c = self.step(x, h, c)
        return out, {"h": h, "c": c}


class ApartForm(Base):
    def forward(self, x: Tensor, h: Tensor, c: Tensor) -> Any:
        out, h, c = self.step(x, h, c)
        return out, (h, c)


class FlatForm(Base):
    def forward(self, x: Tensor, h: Tensor, c: Tensor) -> Any:
        return self.step(x, h, c)


class ReversedForm(Base):
    def forward(self, x: Tensor, state: Any) -> Any:
        h, c = state
        out, h, c = self.step(x, h, c)
        return (h, c), out


class DictForm(Base):
    def forward(self, x: Tensor, state: Mapping[str, Tensor]) -> Any:
        out, h, c = self.step(x, state["h"], state["c"])
        return out, {"c": c, "h": h}


class NamedTupleForm(Base):
    def forward(self, x: Tensor, state: Pair | None = None) -> Any:
        if state is None:
            state = Pair(x.new_zeros(x.shape[0], H), x.new_zeros(x.shape[0], H))
        out, h, c = self.step(x, state.h, state.c)
        return out, state._replace(h=h, c=c)


class DataclassForm(Base):
    def forward(self, x: Tensor, state: Both | None = None) -> Any:
        if state is None:
            state = Both(x.new_zeros(x.shape[0], H), x.new_zeros(x.shape[0], H))
        out, h, c = self.step(x, state.h, state.c)
        return out, Both(h, c)


FORMS: dict[str, type[Base]] = {
    kind.__name__.removesuffix("Form"): kind
    for kind in (
        TupleForm, IndexedForm, OptionalForm, ListForm, KeywordForm, LaterForm, NamedForm,
        ApartForm, FlatForm, ReversedForm, DictForm, NamedTupleForm, DataclassForm,
    )
}  # fmt: skip

CALLS: dict[str, tuple[dict[str, Any], Callable[[], dict[str, Any]]]] = {
    "plain": ({}, dict),
    "lengths": ({}, lambda: {"lengths": torch.tensor([6, 0, 3, 1])}),
    "resets": ({}, lambda: {"reset": torch.rand(T, B) < 0.3}),
    "both directions": ({"bidirectional": True}, lambda: {"lengths": torch.tensor([2, 6, 0, 5])}),
    "stacked": ({"num_layers": 3}, lambda: {"reset": torch.rand(T, B) < 0.3}),
    "learned": ({"num_layers": 2, "learn_initial_state": True}, dict),
    "checkpoints": ({"checkpoint": 2}, lambda: {"lengths": torch.tensor([6, 0, 3, 1])}),
}


def layers(form: type[nn.Module], **options: Any) -> tuple[Recurrent, Recurrent]:
    """Return a layer of the form and one of the Cell, with the same weights."""
    mine = Recurrent(form, I, H, state_sizes=("h", "c"), **options).double()
    own = Recurrent(Own, I, H, **options).double()
    own.load_state_dict({k.replace(".module.", ".base."): v for k, v in mine.state_dict().items()})
    return mine, own


def results(layer: Recurrent, x: Tensor, **call: Any) -> list[Tensor]:
    x = x.clone().requires_grad_()
    out, last = layer(x, **call)
    (out.square().sum() + sum(s.sum() for s in last)).backward()
    return [out, *last, x.grad, *(p.grad for p in layer.parameters())]


@pytest.mark.usefixtures("backend")
@pytest.mark.parametrize("how", CALLS)
@pytest.mark.parametrize("form", FORMS)
def test_every_form_runs_as_its_equations_do(form: str, how: str) -> None:
    options, call = CALLS[how]
    mine, own = layers(FORMS[form], **options)
    x, given = torch.randn(T, B, I, dtype=torch.float64), call()
    for a, b in zip(results(mine, x, **given), results(own, x, **given), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-13, atol=1e-14)


@pytest.mark.parametrize("form", FORMS)
def test_every_form_runs_natively_and_along_a_stream(form: str) -> None:
    mine, own = layers(FORMS[form], num_layers=2)
    assert {cell.backend for cell in explain(mine).cells} == {"native"}
    assert {cell.cell for cell in explain(mine).cells} == {FORMS[form].__name__}
    x = torch.randn(T, B, I, dtype=torch.float64)
    stream = mine.stream(B)
    pieces = torch.cat([stream.push(x[:2]), stream.push(x[2]).unsqueeze(0), stream.push(x[3:])])
    out, last = own(x)
    torch.testing.assert_close(pieces, out, rtol=1e-13, atol=1e-14)
    torch.testing.assert_close(stream.state, last, rtol=1e-13, atol=1e-14)


ASKED = ("Optional", "Later", "NamedTuple", "Dataclass", "Tuple", "Indexed", "Apart", "Flat",
         "Keyword", "Reversed", "List")  # fmt: skip


@pytest.mark.parametrize("form", ASKED)
def test_a_module_that_does_not_say_its_states_is_asked_for_them(form: str) -> None:
    layer = Recurrent(FORMS[form], I, H, num_layers=2)
    assert layer.state_sizes == {"h": H, "c": H}
    known = Recurrent(FORMS[form], I, H, num_layers=2, state_sizes=("h", "c"))
    x = torch.randn(T, B, I)
    assert torch.equal(layer(x)[0], known(x)[0])
