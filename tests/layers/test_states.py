"""States that are no vector of real numbers, or not of one size in all layers."""

import copy
import io
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from recurra import Cell, Recurrent, explain, gradient_flow, use_backend
from recurra.errors import ShapeError

T, B, I, H = 6, 4, 3, 5  # noqa: E741 - the axes' names
F64 = {"rtol": 1e-12, "atol": 1e-13}


class Memory(Cell):
    """Linear attention: S' = 0.9·S + k·vᵀ, y = S'ᵀ·q; a state of (rows, H) beside a vector."""

    def __init__(self, input_size: int, hidden_size: int, rows: int = 2) -> None:
        super().__init__(input_size, {"S": (rows, hidden_size), "n": 1}, hidden_size)
        self.q = nn.Linear(input_size, rows)
        self.k = nn.Linear(input_size, rows)
        self.v = nn.Linear(input_size, hidden_size)

    def forward(self, x: Tensor, S: Tensor, n: Tensor) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        S = 0.9 * S + torch.tanh(self.k(x)).unsqueeze(2) * self.v(x).unsqueeze(1)
        n = 0.5 * n + 1
        return (self.q(x).unsqueeze(2) * S).sum(1) / n, (S, n)


class PlainMemory(nn.Module):
    """The same, as a module that has never heard of us."""

    def __init__(self, input_size: int, hidden_size: int) -> None:
        super().__init__()
        self.memory = Memory(input_size, hidden_size)

    def forward(self, x: Tensor, state: Any) -> Any:
        out, new = self.memory(x, *state)
        return out, new


class Flat(Cell):
    """The same, its state flat: what the others are compared with."""

    def __init__(self, input_size: int, hidden_size: int) -> None:
        super().__init__(input_size, {"S": 2 * hidden_size, "n": 1}, hidden_size)
        self.memory = Memory(input_size, hidden_size)

    def forward(self, x: Tensor, S: Tensor, n: Tensor) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        out, (S, n) = self.memory(x, S.unflatten(-1, (2, H)), n)
        return out, (S.flatten(1), n)


MATRICES = {
    "cell": (Memory, {}),
    "module": (PlainMemory, {"state_sizes": {"S": (2, H), "n": 1}}),
}
CALLS: dict[str, dict[str, Any]] = {
    "plain": {},
    "stacked": {"num_layers": 3},
    "both directions": {"num_layers": 2, "bidirectional": True},
    "learned": {"num_layers": 2, "learn_initial_state": True},
    "checkpoints": {"checkpoint": 2},
    "clipped": {"clip_state_grad": 0.01},
    "truncated": {"truncate": 2, "num_layers": 2},
}


def copied(layer: Recurrent, like: Recurrent) -> None:
    """Give a layer the weights of one that has the same in the same order."""
    for own, other in zip(layer.parameters(), like.parameters(), strict=True):
        own.data = other.data.clone().view(own.shape)


def results(layer: Recurrent, x: Tensor, state: Any = None, **call: Any) -> list[Tensor]:
    x = x.clone().requires_grad_()
    out, last = layer(x, state, **call)
    (out.square().sum() + sum(s.square().sum() for s in last)).backward()
    found = [out, *last, x.grad, *(p.grad for p in layer.parameters())]
    return [torch.zeros(()) if f is None else f for f in found]


@pytest.mark.usefixtures("backend")
@pytest.mark.parametrize("given", ["nothing", "lengths", "resets"])
@pytest.mark.parametrize("how", CALLS)
@pytest.mark.parametrize("form", MATRICES)
def test_a_matrix_state_runs_as_its_flat_form_does(form: str, how: str, given: str) -> None:
    kind, sizes = MATRICES[form]
    mine = Recurrent(kind, I, H, **sizes, **CALLS[how]).double()
    flat = Recurrent(Flat, I, H, **CALLS[how]).double()
    copied(flat, mine)
    x = torch.randn(T, B, I, dtype=torch.float64)
    call: dict[str, Any] = {
        "nothing": {},
        "lengths": {"lengths": [6, 0, 3, 1]},
        "resets": {"reset": torch.rand(T, B) < 0.3},
    }[given]
    cells = len(mine.cells)
    S, n = (torch.randn(cells, B, *shape, dtype=torch.float64) for shape in ((2, H), (1,)))
    for state, other in ((None, None), ((S, n), (S.flatten(2), n))):
        mine.zero_grad(), flat.zero_grad()
        a, b = results(mine, x, state, **call), results(flat, x, other, **call)
        assert a[1].shape == (cells, B, 2, H)
        for one, two in zip(a, b, strict=True):
            torch.testing.assert_close(one.reshape(two.shape), two, **F64)


@pytest.mark.parametrize("form", MATRICES)
def test_a_matrix_state_is_native_streams_saves_and_is_measured(form: str) -> None:
    kind, sizes = MATRICES[form]
    layer = Recurrent(kind, I, H, 2, learn_initial_state=True, **sizes)
    nn.init.normal_(layer.initial_state[0])
    assert {cell.backend for cell in explain(layer).cells} == {"native"}
    assert layer.initial_state[0].shape == (2, 2, H)
    x = torch.randn(T, B, I)
    out, (S, n) = layer(x)
    stream = layer.stream(B)
    assert torch.equal(torch.cat([stream.push(x[:4]), stream.push(x[4:])]), out)
    assert torch.equal(stream.state[0], S)
    stream.state = (torch.zeros_like(S), n)
    assert torch.equal(stream.push(x), layer(x, (torch.zeros_like(S), n))[0])
    stream.reset()
    assert torch.equal(stream.push(x), out)
    file = io.BytesIO()
    torch.save(layer.state_dict(), file)
    file.seek(0)
    other = Recurrent(kind, I, H, 2, learn_initial_state=True, **sizes)
    other.load_state_dict(torch.load(file))
    assert torch.equal(other(x)[0], out)
    assert torch.equal(copy.deepcopy(layer)(x)[0], out)
    flat = Recurrent(Flat, I, H, 2, learn_initial_state=True)
    copied(flat, layer)
    assert str(gradient_flow(layer, x)) == str(gradient_flow(flat, x))
    for wrong in (S.flatten(2), S[:1], S.transpose(0, 1), S.double(), "S", None):
        with pytest.raises(ShapeError, match="state 'S'"):
            layer(x, (wrong, n))


class Rotating(nn.Module):
    """A linear recurrent unit: s' = λ⊙s + B·x with complex s, y = Re(C·s')."""

    def __init__(self, input_size: int, hidden_size: int) -> None:
        super().__init__()
        self.turn = nn.Parameter(torch.polar(torch.full((H,), 0.9), torch.linspace(0.1, 2, H)))
        self.B = nn.Parameter(torch.randn(H, input_size, dtype=torch.complex64))
        self.C = nn.Parameter(torch.randn(hidden_size, H, dtype=torch.complex64))

    def forward(self, x: Tensor, s: Tensor) -> tuple[Tensor, Tensor]:
        s = self.turn * s + x.to(self.B.dtype) @ self.B.T
        return (s @ self.C.T).real, s


class RotatingCell(Cell):
    """The same as a Cell."""

    def __init__(self, input_size: int, hidden_size: int) -> None:
        super().__init__(input_size, {"s": (H, torch.complex64)}, hidden_size)
        self.unit = Rotating(input_size, hidden_size)

    def forward(self, x: Tensor, s: Tensor) -> tuple[Tensor, tuple[Tensor]]:
        out, s = self.unit(x, s)
        return out, (s,)


class Turning(Cell):
    """The same in pairs of real numbers: what the others are compared with."""

    def __init__(self, input_size: int, hidden_size: int) -> None:
        super().__init__(input_size, {"re": H, "im": H}, hidden_size)
        self.unit = Rotating(input_size, hidden_size)

    def forward(self, x: Tensor, re: Tensor, im: Tensor) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        out, s = self.unit(x, torch.complex(re, im))
        return out, (s.real, s.imag)


COMPLEX = {
    "found by the step": (Rotating, {}),
    "named": (Rotating, {"state_sizes": ("s",)}),
    "said": (Rotating, {"state_sizes": {"s": (H, torch.complex64)}}),
    "cell": (RotatingCell, {}),
}


@pytest.mark.parametrize("given", ["nothing", "lengths", "resets"])
@pytest.mark.parametrize("how", CALLS)
@pytest.mark.parametrize("form", COMPLEX)
def test_a_complex_state_runs_as_two_real_ones_do(form: str, how: str, given: str) -> None:
    if how == "clipped":
        pytest.skip("the norm of two states is not that of each")
    kind, sizes = COMPLEX[form]
    mine, pairs = (Recurrent(k, I, H, **s, **CALLS[how]) for k, s in ((kind, sizes), (Turning, {})))
    weights = [[p for n, p in m.named_parameters() if "initial" not in n] for m in (mine, pairs)]
    for own, other in zip(*weights, strict=True):
        own.data = other.data.clone()
    x, cells = torch.randn(T, B, I), len(mine.cells)
    call: dict[str, Any] = {
        "nothing": {},
        "lengths": {"lengths": [6, 0, 3, 1]},
        "resets": {"reset": torch.rand(T, B) < 0.3},
    }[given]
    s = torch.randn(cells, B, H, dtype=torch.complex64)
    for state, other in ((None, None), (s, (s.real, s.imag))):
        mine.zero_grad(), pairs.zero_grad()
        out, (last,) = mine(x, state, **call)
        assert out.dtype is torch.float32
        assert last.dtype is torch.complex64
        two, (re, im) = pairs(x, other, **call)
        torch.testing.assert_close(out, two)
        torch.testing.assert_close(last, torch.complex(re, im))
        (out.square().sum() + last.abs().square().sum()).backward()
        (two.square().sum() + re.square().sum() + im.square().sum()).backward()
        for own, other_one in zip(*weights, strict=True):
            torch.testing.assert_close(own.grad, other_one.grad, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("form", COMPLEX)
def test_a_complex_state_streams_is_learned_and_says_why_it_is_no_program(form: str) -> None:
    kind, sizes = COMPLEX[form]
    layer = Recurrent(kind, I, H, 2, learn_initial_state=True, **sizes)
    nn.init.normal_(layer.initial_state[0])
    assert layer.initial_state[0].dtype is torch.complex64
    x = torch.randn(T, B, I)
    out, (last,) = layer(x)
    stream = layer.stream(B)
    torch.testing.assert_close(torch.cat([stream.push(x[:4]), stream.push(x[4:])]), out)
    torch.testing.assert_close(stream.state[0], last)
    assert "is complex" in explain(layer).cells[0].reason
    for wrong in (last.real, last.to(torch.complex128), torch.view_as_real(last)):
        with pytest.raises(ShapeError, match=r"state '[sh]'"):
            layer(x, wrong)
    with pytest.raises(ShapeError, match=r"weights are torch.float32: convert x by [^ ]*32\)\.$"):
        layer(x.double())


class Recalling(Cell):
    """Carries what came in, so that its second state is as large as x."""

    def __init__(self, input_size: int, hidden_size: int) -> None:
        super().__init__(input_size, {"h": hidden_size, "last": input_size})
        self.inner = nn.Linear(2 * input_size + hidden_size, hidden_size)

    def forward(self, x: Tensor, h: Tensor, last: Tensor) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        h = torch.tanh(self.inner(torch.cat([x, h, last], -1)))
        return h, (h, 0.5 * last + x)


class RecallingModule(nn.Module):
    """The same, as a module that says its states."""

    def __init__(self, input_size: int, hidden_size: int) -> None:
        super().__init__()
        self.state_sizes = {"h": hidden_size, "last": input_size}
        self.cell = Recalling(input_size, hidden_size)

    def forward(self, x: Tensor, state: Any) -> Any:
        return self.cell(x, *state)


@pytest.mark.usefixtures("backend")
@pytest.mark.parametrize("directions", [1, 2])
@pytest.mark.parametrize("kind", [Recalling, RecallingModule])
def test_layers_whose_states_differ_in_size_run_one_over_the_other(
    kind: type[nn.Module], directions: int
) -> None:
    layer = Recurrent(kind, I, H, 2, bidirectional=directions == 2, learn_initial_state=True)
    layer = layer.double()
    for parameter in layer.initial_state.parameters():
        nn.init.normal_(parameter)
    x = torch.randn(T, B, I, dtype=torch.float64)
    call = {"lengths": torch.tensor([6, 0, 3, 1]), "reset": torch.rand(T, B) < 0.3}
    sizes = [I] * directions + [H * directions] * directions
    for state in (None, "given"):
        if state is not None:
            h = torch.randn(2 * directions, B, H, dtype=torch.float64)
            state = (h, [torch.randn(B, n, dtype=torch.float64) for n in sizes])
        out, (h, last) = layer(x, state, **call)
        assert h.shape == (2 * directions, B, H)
        assert isinstance(last, tuple)
        assert [tuple(s.shape) for s in last] == [(B, n) for n in sizes]
        below = x
        for k in range(2):
            outs = []
            for d in range(directions):
                j = k * directions + d
                one = Recurrent(layer.cells[j], below.shape[-1], H)
                start = layer.fresh_state(x, B) if state is None else state
                if d == 0:
                    fresh = [s[j] for s in layer.fresh_state(x, B)]
                    o, end = run_alone(one, below, [s[j] for s in start], fresh, **call)
                    outs.append(o)
                    torch.testing.assert_close(h[j], end[0], **F64)
                    torch.testing.assert_close(last[j], end[1], **F64)
            if directions == 2:
                break
            below = outs[0]
        if directions == 1:
            torch.testing.assert_close(out, below, **F64)


def run_alone(
    layer: Recurrent, x: Tensor, start: list[Tensor], fresh: list[Tensor], **call: Tensor
) -> tuple[Tensor, list[Tensor]]:
    """Run one forward cell step by step, with lengths and resets written out."""
    cell = layer.cells[0]
    rows, ends = [], []
    for b in range(B):
        state, outs = [s[b : b + 1] for s in start], []
        for t in range(T):
            if t >= int(call["lengths"][b]):
                outs.append(torch.zeros(1, cell.output_size, dtype=x.dtype))
                continue
            if call["reset"][t, b]:
                state = [s[b : b + 1] for s in fresh]
            o, state = cell(x[t, b : b + 1], *state)
            outs.append(o)
        rows.append(torch.stack(outs))
        ends.append(state)
    return torch.cat(rows, 1), [torch.cat(s) for s in zip(*ends, strict=True)]


def test_a_stack_of_differing_states_streams_saves_and_trains() -> None:
    layer = Recurrent(Recalling, I, H, 3, learn_initial_state=True)
    for parameter in layer.initial_state.parameters():
        nn.init.normal_(parameter)
    assert {cell.backend for cell in explain(layer).cells} == {"native"}
    x = torch.randn(T, B, I)
    out, state = layer(x)
    stream = layer.stream(B)
    assert torch.equal(torch.cat([stream.push(x[:4]), stream.push(x[4:])]), out)
    for mine, theirs in zip(
        (stream.state[0], *stream.state[1]), (state[0], *state[1]), strict=True
    ):
        assert torch.equal(mine, theirs)
    stream.state = state
    assert torch.equal(stream.push(x), layer(x, state)[0])
    names = [name for name in layer.state_dict() if name.startswith("initial_state")]
    assert names == ["initial_state.0", *(f"initial_state.1.{k}" for k in range(3))]
    other = Recurrent(Recalling, I, H, 3, learn_initial_state=True)
    other.load_state_dict(layer.state_dict())
    assert torch.equal(other(x)[0], out)
    assert torch.equal(copy.deepcopy(layer)(x)[0], out)
    for options in ({"truncate": 2}, {"checkpoint": 2}, {"clip_state_grad": 0.1}):
        each = Recurrent(Recalling, I, H, 3, learn_initial_state=True, **options)
        each.load_state_dict(layer.state_dict())
        assert torch.equal(each(x)[0], out)
        each(x, reset=torch.rand(T, B) < 0.5)[0].sum().backward()
        assert all(p.grad is not None for p in each.parameters())


def test_a_state_that_does_not_fit_layers_that_differ_is_refused() -> None:
    layer = Recurrent(Recalling, I, H, 2)
    x = torch.randn(T, B, I)
    h, last = layer(x)[1]
    for wrong, message in (
        (h, "one value for each of .h, last., got 1"),
        ((h, last[0]), r"tuple of tensors of \(4, 3\), \(4, 5\), got \(4, 3\)"),
        ((h, last[:1]), "got 1 values"),
        ((h, (last[1], last[0])), r"'last' must be of \(B, size\) = \(4, 3\), got \(4, 5\)"),
        ((h, 3), "got int"),
        ((h, "ab"), "got"),
        ((h, (None, None)), "got NoneType"),
    ):
        with pytest.raises(ShapeError, match=message):
            layer(x, wrong)


class Mixed(nn.Module):
    """A module whose parameters are of several dtypes; it computes in that of `weight`."""

    def __init__(self, input_size: int, hidden_size: int, first: Tensor) -> None:
        super().__init__()
        self.first = nn.Parameter(first, requires_grad=False)
        self.weight = nn.Parameter(torch.randn(hidden_size, input_size + hidden_size))

    def forward(self, x: Tensor, h: Tensor) -> Tensor:
        scale = self.first.to(x.dtype).sum()
        return torch.tanh(torch.cat([x, h], -1) @ self.weight.T * scale)


@pytest.mark.usefixtures("backend")
@pytest.mark.parametrize(
    "first",
    [torch.tensor([2]), torch.ones(1, dtype=torch.float64), torch.ones(1, dtype=torch.bfloat16)],
    ids=["whole numbers", "float64", "bfloat16"],
)
def test_x_is_of_the_dtype_that_the_cell_computes_with(first: Tensor) -> None:
    layer = Recurrent(Mixed, I, H, 2, learn_initial_state=True, first=first)
    out, (h,) = layer(torch.randn(T, B, I))
    assert out.dtype is h.dtype is layer.initial_state[0].dtype is torch.float32
    stream = layer.stream(B)
    assert stream.push(torch.randn(T, B, I)).dtype is torch.float32
    with pytest.raises(ShapeError, match=r"x is torch.float64.*weights are torch.float32"):
        layer(torch.randn(T, B, I, dtype=torch.float64))
    double = layer.double()
    assert double(torch.randn(T, B, I, dtype=torch.float64))[0].dtype is torch.float64


class Bare(nn.Module):
    """Without parameters; `weight` is a buffer if it is given."""

    def __init__(self, input_size: int, hidden_size: int, weight: Tensor | None = None) -> None:
        super().__init__()
        self.register_buffer("weight", weight)

    def forward(self, x: Tensor, h: Tensor) -> Tensor:
        return torch.tanh(h + (x.sum(-1, keepdim=True) if self.weight is None else x @ self.weight))


def test_a_cell_without_parameters_takes_any_real_x_or_its_buffers_dtype() -> None:
    layer = Recurrent(Bare, I, H)
    for dtype in (torch.float32, torch.float64):
        assert layer(torch.randn(T, B, I, dtype=dtype))[0].dtype is dtype
    fixed = Recurrent(Bare, I, H, weight=torch.randn(I, H, dtype=torch.float64))
    assert fixed(torch.randn(T, B, I, dtype=torch.float64))[0].dtype is torch.float64
    with pytest.raises(ShapeError, match=r"x is torch.float32, but the layer's weights are"):
        fixed(torch.randn(T, B, I))


def test_an_eager_matrix_state_gives_the_same() -> None:
    layer = Recurrent(Memory, I, H, 2).double()
    x = torch.randn(T, B, I, dtype=torch.float64)
    out, (S, _) = layer(x)
    with use_backend("eager"):
        other, (other_S, _) = layer(x)
    torch.testing.assert_close(out, other, **F64)
    torch.testing.assert_close(S, other_S, **F64)
