"""The core under torch.compile: one node of the graph, the same bits as without."""

from collections.abc import Callable, Iterator

import pytest
import torch
from functorch.compile import make_boxed_func
from torch import Tensor, nn

import recurra
from every_kind import same_bits
from recurra import Recurrent
from recurra.backends.compiled import Way
from recurra.backends.interpret import set_up
from recurra.errors import ShapeError

pytest.importorskip("recurra._core")
operator = pytest.importorskip("recurra.backends.operator")
Kind = operator.Kind

T, B, I, H = 5, 3, 3, 4  # noqa: E741 - the axes' names


@pytest.fixture(autouse=True)
def _no_graphs_left() -> Iterator[None]:
    torch._dynamo.reset()
    yield
    torch._dynamo.reset()


class Leaky(nn.Module):
    """A cell of the user's own, in the form of `recurra.Cell`."""

    def __init__(self, input_size: int, hidden_size: int) -> None:
        super().__init__()
        self.state_sizes = {"h": hidden_size}
        self.inner = nn.Linear(input_size + hidden_size, hidden_size)
        self.leak = nn.Parameter(torch.tensor(0.3))

    def new(self, both: Tensor) -> Tensor:
        return torch.tanh(self.inner(both))

    def forward(self, x: Tensor, h: Tensor) -> tuple[Tensor, Tensor]:
        leak = torch.sigmoid(self.leak)
        h = leak * h + (1 - leak) * self.new(torch.cat([x, h], -1))
        return h * h, h


class Untraceable(Leaky):
    """One that is no program for the machine."""

    def new(self, both: Tensor) -> Tensor:
        return torch.special.bessel_j0(self.inner(both).detach()) + super().new(both)


def counted(graphs: list[list[str]]) -> Callable[..., Callable[..., object]]:
    """Return a backend of torch.compile that notes the operations of each graph it gets."""

    def compile_graph(graph: torch.fx.GraphModule, inputs: list[Tensor]) -> Callable[..., object]:
        graphs.append([str(node.target) for node in graph.graph.nodes])
        return make_boxed_func(graph.forward)

    return torch._dynamo.backends.common.aot_autograd(fw_compiler=compile_graph)


def results(
    run: Callable[..., tuple[Tensor, tuple[Tensor, ...]]], layer: nn.Module, x: Tensor
) -> list[Tensor]:
    out, last = run(x)
    last = last if isinstance(last, tuple) else (last,)
    loss = (out**2).sum() + sum((s**3).sum() for s in last)
    gradients = torch.autograd.grad(loss, [x, *layer.parameters()])
    return [v.detach() for v in (out, *last, *gradients)]


def compiled_and_not(
    layer: Recurrent, backend: object = "aot_eager", **options: object
) -> tuple[list[Tensor], list[Tensor]]:
    x = torch.randn(T, B, I, requires_grad=True)
    run = torch.compile(lambda x: layer(x, **options), fullgraph=True, backend=backend)
    return results(run, layer, x), results(lambda x: layer(x, **options), layer, x)


LENGTHS, RESET = torch.tensor([5, 0, 3]), torch.tensor([[0, 0, 1, 0, 0]] * B).t().bool()
EVERY = {
    "lstm": ("lstm", {}, {}),
    "stacked": (
        "lstm",
        {"num_layers": 2, "bidirectional": True},
        {"lengths": LENGTHS, "reset": RESET},
    ),
    "learned state": ("gru", {"learn_initial_state": True}, {"reset": RESET}),
    "own cell": (Leaky, {}, {"lengths": LENGTHS}),
    "own cell, both ways": (Leaky, {"bidirectional": True}, {"reset": RESET}),
}


@pytest.mark.parametrize("name", EVERY)
def test_a_compiled_layer_gives_the_bits_of_an_eager_call(name: str) -> None:
    cell, layer_options, options = EVERY[name]
    layer = Recurrent(cell, I, H, **layer_options)
    found, wanted = compiled_and_not(layer, **options)
    assert same_bits(found, wanted)
    assert all(v.abs().sum() > 0 for v in found)


def test_a_run_over_time_is_one_operation_of_the_graph() -> None:
    graphs: list[list[str]] = []
    layer = Recurrent("lstm", I, H, num_layers=2)
    found, wanted = compiled_and_not(layer, counted(graphs))
    assert same_bits(found, wanted)
    forward, backward = graphs
    assert forward.count("recurra.forward.default") == 2
    assert backward.count("recurra.backward.default") == 2
    assert not [name for name in forward if "tanh" in name]


def test_weights_that_changed_after_compiling_are_the_ones_used() -> None:
    layer, x = Recurrent("gru", I, H), torch.randn(T, B, I, requires_grad=True)
    run = torch.compile(layer, fullgraph=True, backend="aot_eager")
    before = results(run, layer, x)
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.mul_(1.5)
    found = results(run, layer, x)
    assert same_bits(found, results(layer, layer, x))
    assert not torch.equal(found[0], before[0])


def test_without_gradients_the_bits_are_the_same() -> None:
    layer, x = Recurrent("lstm", I, H, bidirectional=True), torch.randn(T, B, I)
    with torch.no_grad():
        out, last = torch.compile(layer, fullgraph=True, backend="aot_eager")(x)
        wanted, wanted_last = layer(x)
    assert same_bits([out, *last], [wanted, *wanted_last])


def test_a_cell_that_cannot_be_traced_falls_to_the_eager_loop() -> None:
    graphs: list[list[str]] = []
    layer = Recurrent(Untraceable, I, H)
    found, wanted = compiled_and_not(layer, counted(graphs), lengths=LENGTHS)
    assert "recurra.forward.default" not in graphs[0]
    torch.testing.assert_close(found, wanted, rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("lengths", [[6, 1, 1], [-1, 2, 5]])
def test_wrong_lengths_are_refused_when_the_graph_runs(lengths: list[int]) -> None:
    layer, x = Recurrent("gru", I, H), torch.randn(T, B, I)
    run = torch.compile(
        lambda x, lengths: layer(x, lengths=lengths), fullgraph=True, backend="aot_eager"
    )
    out, _ = run(x, LENGTHS)
    assert same_bits([out], [layer(x, lengths=LENGTHS)[0]])
    with pytest.raises(ShapeError, match="lengths must lie between 0 and T=5"):
        run(x, torch.tensor(lengths))
    out, _ = run(x, LENGTHS)
    assert same_bits([out], [layer(x, lengths=LENGTHS)[0]])


@pytest.mark.parametrize("kind", ["LSTM", "GRU"])
def test_the_drop_ins_give_the_right_numbers_though_dynamo_does_not_trace_them(kind: str) -> None:
    layer = getattr(recurra, kind)(I, H)
    x = torch.randn(T, B, I, requires_grad=True)
    found, wanted = (
        results(run, layer, x) for run in (torch.compile(layer, backend="aot_eager"), layer)
    )
    assert same_bits(found, wanted)


@pytest.mark.parametrize("masked", [False, True], ids=["plain", "lengths-reset"])
def test_the_operations_are_what_torch_wants_of_one(masked: bool) -> None:
    layer = Recurrent("gru", I, H)
    cell = layer.cells[0]
    prepared = operator._cells[operator._number(cell, torch.float32)].prepared
    weights = set_up(
        prepared.compiled.program, prepared.traced.leaves(dict(cell.named_parameters()))
    )
    state = [torch.randn(B, H, requires_grad=True) for _ in range(1 + masked)]  # start, fresh
    tensors = [
        torch.randn(T, B, I, requires_grad=True),
        *state,
        *(w.detach().requires_grad_() for w in weights.values()),
    ]
    masks = (LENGTHS, RESET) if masked else (None, None)
    way = Way(gradients=True, dx=True, restarts=masked)
    kind = Kind(prepared.compiled, way, tuple(weights), 1, 0, reverse=False, clean=True)
    rest = (*masks, operator.number_of(kind))
    arguments = (tensors, *rest)
    passed = torch.library.opcheck(torch.ops.recurra.forward.default, arguments)
    assert len(passed) == 4
    assert set(passed.values()) == {"SUCCESS"}
    *outputs, kept = (t.detach() for t in torch.ops.recurra.forward(*arguments))
    arguments = ([t.detach() for t in tensors], kept, outputs, *rest)
    passed = torch.library.opcheck(torch.ops.recurra.backward.default, arguments)
    assert len(passed) == 4
    assert set(passed.values()) == {"SUCCESS"}
