"""The tools of torch that take a model apart: each works, or says what does."""

import copy
import warnings
from collections.abc import Callable

import pytest
import torch
import torch.nn.utils.parametrize as parametrize
from torch import Tensor, nn

import recurra
from recurra import Recurrent
from recurra.errors import ArgumentError, ArgumentTypeError, RecurraWarning

T, B, I, H = 4, 3, 3, 4  # noqa: E741 - the axes' names
LAYERS: dict[str, Callable[[], nn.Module]] = {
    "LSTM": lambda: recurra.LSTM(I, H, num_layers=2, bidirectional=True),
    "GRU": lambda: recurra.GRU(I, H),
    "RNN": lambda: recurra.RNN(I, H, nonlinearity="relu"),
    "Recurrent": lambda: Recurrent("lstm", I, H, num_layers=2),
}
DROP_INS = [name for name in LAYERS if name != "Recurrent"]


class Around(nn.Module):
    """A model that has the layer as a part."""

    def __init__(self, layer: nn.Module) -> None:
        super().__init__()
        self.layer = layer

    def forward(self, x: Tensor) -> Tensor:
        out, _ = self.layer(x)
        return out * 2


@pytest.fixture
def x() -> Tensor:
    return torch.randn(T, B, I)


@pytest.mark.filterwarnings("ignore::torch.jit.TracerWarning", "ignore:`torch.jit.trace`")
@pytest.mark.filterwarnings("ignore:.*torch.jit.*:DeprecationWarning")
@pytest.mark.parametrize("name", LAYERS)
def test_jit_trace_gives_a_module_that_passes_its_check_and_learns(name: str, x: Tensor) -> None:
    layer = LAYERS[name]()
    traced, other = torch.jit.trace(layer, (x,)), torch.randn(T, B + 2, I)
    torch.testing.assert_close(traced(other)[0], layer(other)[0])
    traced(other)[0].square().sum().backward()
    assert all(p.grad is not None and p.grad.any() for p in traced.parameters())


@pytest.mark.filterwarnings("ignore:.*torch.jit.*:DeprecationWarning")
@pytest.mark.parametrize("name", DROP_INS)
def test_jit_script_compiles_a_drop_in_as_torchs(name: str, x: Tensor) -> None:
    model = Around(LAYERS[name]())
    weights = list(model.layer.parameters())
    scripted = torch.jit.script(model)
    torch.testing.assert_close(scripted(x), model(x))
    assert all(a is b for a, b in zip(model.layer.parameters(), weights, strict=True))


@pytest.mark.filterwarnings("ignore:.*torch.jit.*:DeprecationWarning")
def test_jit_script_refuses_the_others_and_says_what_works() -> None:
    with pytest.raises(ArgumentError, match=r"torch\.jit\.trace"):
        torch.jit.script(recurra.RNN(I, H, nonlinearity=torch.sin))
    with pytest.raises(ArgumentError, match=r"torch\.jit\.trace"):
        torch.jit.script(Recurrent("gru", I, H))
    layer = recurra.GRU(I, H)
    nn.utils.parametrizations.weight_norm(layer, "weight_hh_l0")
    with pytest.raises(ArgumentError, match="remove_parametrizations"):
        torch.jit.script(layer)


@pytest.mark.parametrize("strict", [True, False])
@pytest.mark.parametrize("name", LAYERS)
def test_export_takes_every_layer(name: str, strict: bool, x: Tensor) -> None:
    layer = LAYERS[name]()
    exported = torch.export.export(layer, (x,), strict=strict).module()
    torch.testing.assert_close(exported(x)[0], layer(x)[0])


@pytest.mark.parametrize("name", DROP_INS)
def test_compile_takes_a_drop_in_whole_where_dynamo_is_allowed_to(name: str, x: Tensor) -> None:
    torch._dynamo.reset()
    layer = LAYERS[name]()
    with torch._dynamo.config.patch(allow_rnn=True):
        run = torch.compile(layer, backend="eager", fullgraph=True)
        torch.testing.assert_close(run(x)[0], layer(x)[0])
    torch._dynamo.reset()


def test_compile_does_not_take_an_rnn_for_torchs_that_is_not(x: Tensor) -> None:
    torch._dynamo.reset()
    layer = recurra.RNN(I, H, nonlinearity=torch.sin)
    with torch._dynamo.config.patch(allow_rnn=True):
        torch.testing.assert_close(torch.compile(layer, backend="eager")(x)[0], layer(x)[0])
        torch._dynamo.reset()
        with pytest.raises(torch._dynamo.exc.Unsupported, match=r"recurra\.Recurrent"):
            torch.compile(layer, backend="eager", fullgraph=True)(x)
    torch._dynamo.reset()


@pytest.mark.parametrize("name", LAYERS)
def test_fx_has_the_layer_as_one_node(name: str, x: Tensor) -> None:
    model = Around(LAYERS[name]())
    traced = torch.fx.symbolic_trace(model)
    assert [n.target for n in traced.graph.nodes if n.op == "call_module"] == ["layer"]
    torch.testing.assert_close(traced(x), model(x))
    with pytest.raises(ArgumentTypeError, match=r"torch\.export"):
        torch.fx.symbolic_trace(model.layer)


@pytest.mark.filterwarnings("ignore:.*torch.ao:DeprecationWarning", "ignore::DeprecationWarning")
@pytest.mark.parametrize("name", DROP_INS)
def test_dynamic_quantisation_says_that_it_leaves_a_drop_in_as_it_is(name: str, x: Tensor) -> None:
    layer = LAYERS[name]()
    with pytest.warns(RecurraWarning, match=r"recurra\.export\.to_torch"):
        torch.ao.quantization.quantize_dynamic(Around(layer), {nn.LSTM, nn.GRU}, torch.qint8)
    assert not hasattr(layer, "qconfig")  # it was done to a copy
    with warnings.catch_warnings():
        warnings.simplefilter("error", RecurraWarning)
        copy.deepcopy(layer)(x)


class Counted(nn.Module):
    """A parametrisation that counts how often it is evaluated."""

    count = 0

    def forward(self, weight: Tensor) -> Tensor:
        Counted.count += 1
        return torch.tanh(weight)


@pytest.mark.parametrize("name", DROP_INS)
def test_a_call_evaluates_each_parametrisation_of_a_drop_in_once(name: str, x: Tensor) -> None:
    layer = LAYERS[name]()
    names = [name for name, _ in layer.named_parameters()]
    for weight in names:
        parametrize.register_parametrization(layer, weight, Counted())
    for _ in range(2):
        Counted.count = 0
        layer(x)
        assert Counted.count == len(names)


@pytest.mark.parametrize("first", ["a call", "a look at the weight"])
@pytest.mark.parametrize("kind", ["lstm", "gru", "min_gru"])
def test_a_first_call_within_cached_leaves_the_weights_what_they_are(
    kind: str, first: str, x: Tensor
) -> None:
    layer = Recurrent(kind, I, H)
    gates = layer.cells[0].gates
    name = "weight" if kind == "min_gru" else "weight_hh"
    parametrize.register_parametrization(gates, name, Counted())
    with parametrize.cached():
        if first != "a call":
            assert type(getattr(gates, name)) is Tensor
        outs = [layer(x)[0], layer(x)[0]]
        weight = getattr(gates, name)
        assert type(weight) is Tensor
        torch.testing.assert_close(weight, torch.tanh(gates.parametrizations[name].original))
    for out in outs:
        torch.testing.assert_close(out, layer(x)[0])
    with torch.no_grad():
        gates.parametrizations[name].original.mul_(2)
    assert not torch.allclose(layer(x)[0], outs[0])
    assert "natively" in str(recurra.explain(layer))
