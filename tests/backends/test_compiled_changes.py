"""Under torch.compile: what a cell reads and is changed after the first call is seen."""

import argparse
import gc
import weakref
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from every_kind import same_bits
from recurra import Recurrent, use_backend

# Torch's, where a graph breaks between tensors that have gradients.
pytestmark = pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor")
pytest.importorskip("recurra._core")
operator = pytest.importorskip("recurra.backends.operator")

T, B, I, H = 5, 3, 3, 4  # noqa: E741 - the axes' names
GLOBAL = nn.modules.module
OUTSIDE = [1.0]


@pytest.fixture(autouse=True)
def _no_graphs_left() -> Iterator[None]:
    torch._dynamo.reset()
    yield
    torch._dynamo.reset()


@dataclass
class Settings:
    scale: float = 1.0


class Plain:
    def __init__(self) -> None:
        self.scale = 1.0


class Mine(nn.Module):
    """A cell that takes numbers from wherever Python has them."""

    shift = 0.0

    def __init__(self, input_size: int, hidden_size: int) -> None:
        super().__init__()
        self.state_sizes = {"h": hidden_size}
        self.inner = nn.Linear(input_size + hidden_size, hidden_size)
        self.drop = nn.Dropout(0.3)
        self.phi = torch.tanh
        self.k, self.power, self.on = 1.0, 1, True
        self.names, self.sizes = {"scale": 1.0}, [1.0, 2.0]
        self.space, self.plain, self.data = argparse.Namespace(scale=1.0), Plain(), Settings()
        self.register_buffer("bias", torch.zeros(hidden_size))

    def turn(self, h: Tensor) -> Tensor:
        return h

    def forward(self, x: Tensor, h: Tensor) -> tuple[Tensor, Tensor]:
        both = self.drop(self.inner(torch.cat([x, h], -1))) + self.bias
        scale = self.k * self.names["scale"] * self.sizes[0] * self.data.scale * OUTSIDE[0]
        both = both * scale * self.space.scale * self.plain.scale + self.shift
        h = self.turn(self.phi(both))
        for _ in range(self.power):
            h = h * 0.9
        h = h if self.on else -h
        return h, h


def turned(h: Tensor) -> Tensor:
    return h.flip(-1)


def doubled(*given: object) -> object:
    result = given[-1]
    return (result[0] * 2, result[1]) if isinstance(result, tuple) else result * 2


MINE: dict[str, Callable[[Mine], object]] = {
    "a float": lambda c: setattr(c, "k", 3.0),
    "a whole number": lambda c: setattr(c, "power", 3),
    "a bool": lambda c: setattr(c, "on", False),
    "a function": lambda c: setattr(c, "phi", torch.sin),
    "a dict": lambda c: c.names.update(scale=3.0),
    "a list": lambda c: c.sizes.__setitem__(0, 3.0),
    "a Namespace": lambda c: setattr(c.space, "scale", 3.0),
    "a plain object": lambda c: setattr(c.plain, "scale", 3.0),
    "a dataclass": lambda c: setattr(c.data, "scale", 3.0),
    "an object in its place": lambda c: setattr(c, "plain", argparse.Namespace(scale=3.0)),
    "a method": lambda c: setattr(c, "turn", turned),
    "its mode": lambda c: c.train(),
    "its dropout's mode": lambda c: c.drop.train(),
    "its dropout": lambda c: (c.drop.train(), setattr(c.drop, "p", 0.9)),
    "a module in another's place": lambda c: setattr(c, "inner", nn.Linear(I + H, H)),
    "a parameter": lambda c: setattr(c.inner, "weight", nn.Parameter(torch.randn(H, I + H))),
    "a parameter's numbers": lambda c: c.inner.weight.data.mul_(3.0),
    "a buffer": lambda c: setattr(c, "bias", torch.ones(H)),
    "a hook on the cell": lambda c: c.register_forward_hook(doubled),
    "a hook on a part": lambda c: c.inner.register_forward_hook(doubled),
    "a hook before the cell": lambda c: c.register_forward_pre_hook(
        lambda m, args: tuple(a * 2 for a in args)
    ),
    "gradients": lambda c: c.requires_grad_(False),
}


def check(run: Callable[..., object], layer: Recurrent, x: Tensor) -> list[Tensor]:
    """Hold a call to what the layer gives without a compiler; return it."""
    # Dropout draws all steps' numbers at once, which the loop does step by step.
    backend = "auto" if any(m.training for m in drops(layer)) else "eager"
    every = []
    for call in (run, layer):
        torch.manual_seed(3)
        with use_backend(backend):
            out, last = call(x)
        gradient = torch.autograd.grad(out.square().sum(), x)
        every.append([v.detach() for v in (out, *last, *gradient)])
    torch.testing.assert_close(*every)
    return every[0]


def drops(layer: nn.Module) -> list[nn.Module]:
    return [m for m in layer.modules() if isinstance(m, nn.Dropout)]


def before_and_after(
    layer: Recurrent, change: Callable[[], object], **options: object
) -> tuple[list[Tensor], list[Tensor]]:
    x = torch.randn(T, B, I, requires_grad=True)
    run = torch.compile(layer, backend="eager", **options)
    first = check(run, layer, x)
    change()
    return first, check(run, layer, x)


@pytest.mark.parametrize("what", MINE)
def test_what_a_cell_of_the_users_own_reads_is_seen_when_it_changes(what: str) -> None:
    layer = Recurrent(Mine, I, H).eval()
    cell = layer.cells[0].module
    first, then = before_and_after(layer, lambda: MINE[what](cell), fullgraph=True)
    assert torch.equal(first[0], then[0]) == (what == "gradients")


def test_a_class_attribute_and_a_global_are_seen_when_they_change() -> None:
    layer = Recurrent(Mine, I, H).eval()
    try:
        first, then = before_and_after(layer, lambda: setattr(Mine, "shift", 1.0), fullgraph=True)
        assert not torch.equal(first[0], then[0])
    finally:
        Mine.shift = 0.0
    torch._dynamo.reset()
    try:
        first, then = before_and_after(
            Recurrent(Mine, I, H).eval(), lambda: OUTSIDE.__setitem__(0, 2.0), fullgraph=True
        )
        assert not torch.equal(first[0], then[0])
    finally:
        OUTSIDE[0] = 1.0


@pytest.mark.parametrize(
    ("kind", "change"),
    [
        ("lstm", lambda c: setattr(c, "squash_cell", True)),
        ("elman", lambda c: setattr(c, "activation", "relu")),
        ("elman", lambda c: setattr(c, "activation", torch.sin)),
        ("gru", lambda c: setattr(c, "reset_after", False)),
        ("gru", lambda c: c.gates.register_forward_pre_hook(lambda m, a: (a[0] * 2, *a[1:]))),
        ("janet", lambda c: setattr(c, "beta", 5.0)),
        ("co_rnn", lambda c: setattr(c, "gamma", 1.0)),
    ],
)
def test_what_our_own_cells_read_is_seen_when_it_changes(
    kind: str, change: Callable[[nn.Module], object]
) -> None:
    layer = Recurrent(kind, I, H, bidirectional=True)
    first, then = before_and_after(layer, lambda: change(layer.cells[1]), fullgraph=True)
    assert not torch.equal(first[0], then[0])


@pytest.mark.filterwarnings("ignore:Using `torch.compile")
@pytest.mark.parametrize("kind", ["lstm", Mine])
def test_a_hook_on_all_modules_that_comes_and_goes_is_seen(kind: object) -> None:
    layer, x = Recurrent(kind, I, H).eval(), torch.randn(T, B, I, requires_grad=True)
    run = torch.compile(layer, backend="aot_eager", fullgraph=True)
    first = check(run, layer, x)
    hook = GLOBAL.register_module_forward_hook(
        lambda m, _, out: doubled(out) if m is layer.cells[0] else None
    )
    try:
        then = check(run, layer, x)
    finally:
        hook.remove()
    assert not torch.equal(first[0], then[0])
    assert same_bits(check(run, layer, x), first)


@pytest.mark.parametrize("name", ["k", "power"])
def test_a_number_that_changes_at_every_call_is_the_one_used(name: str) -> None:
    layer, x = Recurrent(Mine, I, H).eval(), torch.randn(T, B, I, requires_grad=True)
    run = torch.compile(layer, backend="aot_eager")
    for step in range(1, 12):  # past torch's limit of recompilations
        setattr(layer.cells[0].module, name, step if name == "power" else 1 / step)
        check(run, layer, x)


def test_a_dtype_that_changes_is_seen() -> None:
    layer = Recurrent("lstm", I, H)
    run = torch.compile(layer, backend="aot_eager", fullgraph=True)
    for dtype in (torch.float32, torch.float64, torch.float32):
        found = check(run, layer.to(dtype), torch.randn(T, B, I, dtype=dtype, requires_grad=True))
        assert found[0].dtype == dtype


@pytest.mark.parametrize("backend", ["eager", "aot_eager"])
@pytest.mark.parametrize("kind", ["lstm", "elman", "gru", "janet"])
def test_autocast_gives_the_dtype_that_it_gives_without_a_compiler(kind: str, backend: str) -> None:
    layer, x = Recurrent(kind, I, H), torch.randn(T, B, I)
    run = torch.compile(layer, backend=backend)
    before = run(x)[0]
    with torch.autocast("cpu", torch.bfloat16):
        found, wanted = (call(x) for call in (run, layer))
    for a, b in zip((found[0], *found[1]), (wanted[0], *wanted[1]), strict=True):
        assert a.dtype == b.dtype
        torch.testing.assert_close(a, b, rtol=0.02, atol=0.02)
    assert torch.equal(run(x)[0], before)
    assert not torch.equal(found[0].float(), before)


class Holding(nn.Module):
    """A cell that computes with a tensor it has not registered."""

    state_sizes = {"h": H}  # noqa: RUF012

    def __init__(self, input_size: int, hidden_size: int) -> None:
        super().__init__()
        self.inner = nn.Linear(input_size, hidden_size)
        self.held = [torch.tensor(1.0)]

    def forward(self, x: Tensor, h: Tensor) -> tuple[Tensor, Tensor]:
        h = torch.tanh(self.inner(x) + h * self.held[0])
        return h, h


@pytest.mark.parametrize("in_place", [False, True])
def test_a_tensor_that_is_not_registered_is_seen_when_it_changes(in_place: bool) -> None:
    layer = Recurrent(Holding, I, H)
    held = layer.cells[0].module.held

    def change() -> None:
        if in_place:
            held[0].fill_(5.0)
        else:
            held[0] = torch.tensor(5.0)

    first, then = before_and_after(layer, change, fullgraph=True)
    assert not torch.equal(first[0], then[0])


class Breaking(Mine):
    """A cell whose code Dynamo does not follow."""

    def turn(self, h: Tensor) -> Tensor:
        torch._dynamo.graph_break()
        return F.relu(h)


def test_a_cell_that_dynamo_cannot_follow_runs_in_python_with_no_draw_more() -> None:
    layer = Recurrent(Breaking, I, H)
    cell = layer.cells[0].module
    first, then = before_and_after(layer, lambda: setattr(cell, "k", 3.0))
    assert not torch.equal(first[0], then[0])
    first, then = before_and_after(layer, lambda: setattr(cell.drop, "p", 0.9))
    assert not torch.equal(first[0], then[0])


def test_nothing_of_the_step_that_was_looked_at_is_left_in_the_graph() -> None:
    graphs: list[list[str]] = []

    def compile_graph(graph: torch.fx.GraphModule, _: object) -> Callable[..., object]:
        graphs.append([str(n.target) for n in graph.graph.nodes if n.op == "call_function"])
        return graph.forward

    torch.compile(Recurrent(Mine, I, H), backend=compile_graph, fullgraph=True)(
        torch.randn(T, B, I)
    )
    (names,) = graphs
    assert not [n for n in names if any(op in n for op in ("linear", "tanh", "dropout", "cat"))]
    assert len([n for n in names if "flat_apply" in n]) == 1


@pytest.mark.filterwarnings("ignore:`torch.jit.script` is deprecated")  # torch's own use of it
def test_transforms_of_functions_go_through_the_loop() -> None:
    layer = Recurrent("gru", I, H)
    x, towards = torch.randn(2, T, B, I), torch.randn(2, T, B, I)

    def both(f: Callable[..., object]) -> tuple[object, object]:
        return torch.compile(f, backend="eager")(x), f(x)

    torch.testing.assert_close(*both(torch.func.vmap(lambda x: layer(x)[0])))
    torch.testing.assert_close(*both(torch.func.grad(lambda x: layer(x[0])[0].sum())))
    torch.testing.assert_close(
        *both(lambda x: torch.func.jvp(lambda x: layer(x[0])[0], (x,), (towards,)))
    )


def test_a_cell_that_is_gone_leaves_no_program_and_an_equal_one_no_other_number() -> None:
    def compiled() -> weakref.ref[nn.Module]:
        layer = Recurrent("gru", I, H)
        torch.compile(layer, backend="aot_eager")(torch.randn(T, B, I))
        return weakref.ref(layer.cells[0])

    compiled()
    torch._dynamo.reset()
    gc.collect()
    cells, kinds = len(operator._cells), len(operator._kinds)
    for _ in range(3):
        cell = compiled()
        torch._dynamo.reset()
        gc.collect()
        assert cell() is None
    assert (len(operator._cells), len(operator._kinds)) == (cells, kinds)
