"""The drop-ins as modules: copies, swapped weights, transforms, threads."""

import copy
import pickle
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch
from torch import Tensor, nn
from torch.func import functional_call, grad, jvp, vmap
from torch.nn.utils.parametrizations import weight_norm

import recurra

T, B, I, H = 5, 4, 3, 5  # noqa: E741 - the axes' names
EXACT = {"rtol": 1e-10, "atol": 1e-12}

every_class = pytest.mark.parametrize("name", ["RNN", "GRU", "LSTM"])
pytestmark = pytest.mark.usefixtures("backend")
# A backend that is named refuses what it cannot run; "auto" leaves it to torch.
or_left_to_torch = pytest.mark.parametrize("backend", ["eager", "auto", "no core"], indirect=True)


def build(name: str, **options: object) -> nn.RNNBase:
    return getattr(recurra, name)(I, H, 2, bidirectional=True, **options)


@pytest.mark.parametrize(
    "twin", [copy.deepcopy, lambda layer: pickle.loads(pickle.dumps(layer))], ids=["copy", "pickle"]
)
@every_class
def test_a_copy_gives_the_same_bits_and_shares_nothing(
    name: str, twin: Callable[[nn.RNNBase], nn.RNNBase]
) -> None:
    layer = build(name)
    x = torch.randn(T, B, I)
    out = layer(x)[0]
    other = twin(layer)
    assert type(other) is type(layer)
    assert torch.equal(other(x)[0], out)
    with torch.no_grad():
        for parameter in other.parameters():
            parameter.zero_()
    assert torch.equal(layer(x)[0], out)
    assert not torch.equal(other(x)[0], out)


def test_an_rnn_with_a_module_for_activation_is_copied_with_it() -> None:
    layer = recurra.RNN(I, H, nonlinearity=nn.PReLU())
    assert "nonlinearity.weight" in layer.state_dict()
    x = torch.randn(T, B, I)
    out = layer(x)[0]
    for other in (copy.deepcopy(layer), pickle.loads(pickle.dumps(layer))):
        assert torch.equal(other(x)[0], out)
        other.nonlinearity.weight.data.fill_(-3.0)
        assert not torch.equal(other(x)[0], out)
        assert torch.equal(layer(x)[0], out)


@every_class
def test_it_can_be_converted_to_double_precision_and_back(name: str) -> None:
    layer = build(name)
    x = torch.randn(T, B, I)
    single = layer(x)[0]
    torch.testing.assert_close(single.double(), layer.double()(x.double())[0], rtol=1e-5, atol=1e-6)
    assert torch.equal(layer.float()(x)[0], single)


@or_left_to_torch
@every_class
def test_on_the_meta_device_it_gives_shapes(name: str) -> None:
    out, state = build(name, device="meta")(torch.zeros(T, B, I, device="meta"))
    assert (out.shape, out.device.type) == ((T, B, 2 * H), "meta")
    assert {s.shape for s in (state if name == "LSTM" else [state])} == {(4, B, H)}


@or_left_to_torch
@pytest.mark.parametrize("x_dtype", [torch.float32, torch.bfloat16])
@every_class
def test_under_autocast_it_runs_near_its_single_precision_result(
    name: str, x_dtype: torch.dtype
) -> None:
    layer = build(name)
    x, h = torch.randn(T, B, I), torch.randn(4, B, H)
    hx = (h, h) if name == "LSTM" else h
    with torch.autocast("cpu", dtype=torch.bfloat16):
        low, _ = layer(x.to(x_dtype), hx)
    torch.testing.assert_close(low.float(), layer(x, hx)[0], rtol=0, atol=0.02)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@every_class
def test_a_functional_call_computes_with_the_weights_it_is_given(
    name: str, dtype: torch.dtype
) -> None:
    layer, other = build(name), build(name).to(dtype)
    x = torch.randn(T, B, I, dtype=dtype)
    kept = {key: p.detach().clone() for key, p in layer.named_parameters()}
    weights = {key: p.detach().requires_grad_() for key, p in other.named_parameters()}
    out = functional_call(layer, weights, (x,))[0]
    assert torch.equal(out, other(x)[0])
    assert out.dtype == dtype
    gradients = torch.autograd.grad(out.sum(), list(weights.values()))
    wanted = torch.autograd.grad(other(x)[0].sum(), list(other.parameters()))
    assert all(map(torch.equal, gradients, wanted))
    assert all(torch.equal(p, kept[key]) for key, p in layer.named_parameters())
    assert layer(x.float())[0].dtype == torch.float32


@or_left_to_torch
@every_class
def test_vmap_runs_an_ensemble_over_its_stacked_parameters(name: str) -> None:
    # A size that no other test uses: nothing may be left to be made under vmap.
    members = [getattr(recurra, name)(I, 7, 2, bidirectional=True).double() for _ in range(3)]
    stacked = {
        key: torch.stack([dict(m.named_parameters())[key].detach() for m in members])
        for key in dict(members[0].named_parameters())
    }
    x = torch.randn(T, B, I, dtype=torch.float64)

    def run(weights: dict[str, Tensor]) -> Tensor:
        return functional_call(members[0], weights, (x,))[0]

    torch.testing.assert_close(vmap(run)(stacked), torch.stack([m(x)[0] for m in members]), **EXACT)
    per_member = vmap(grad(lambda weights: run(weights).square().sum()))(stacked)
    for k, member in enumerate(members):
        wanted = torch.autograd.grad(member(x)[0].square().sum(), list(member.parameters()))
        found = [per_member[key][k] for key, _ in member.named_parameters()]
        torch.testing.assert_close(found, list(wanted), **EXACT)


@or_left_to_torch
@pytest.mark.filterwarnings("ignore:`torch.jit.script` is deprecated")  # in torch's own jvp
@every_class
def test_forward_mode_gives_the_derivative_along_a_direction(name: str) -> None:
    layer = build(name).double()
    x, direction = torch.randn(2, T, B, I, dtype=torch.float64)
    weights = dict(layer.named_parameters())
    _, found = jvp(lambda v: functional_call(layer, weights, (v,))[0], (x,), (direction,))
    step = 1e-6
    with torch.no_grad():
        wanted = (layer(x + step * direction)[0] - layer(x - step * direction)[0]) / (2 * step)
    torch.testing.assert_close(found, wanted, rtol=1e-7, atol=1e-8)


@every_class
def test_a_parametrized_weight_is_used_and_its_originals_get_the_gradients(name: str) -> None:
    layer = build(name).double()
    x = torch.randn(T, B, I, dtype=torch.float64)
    before = layer(x)[0]
    weight_norm(layer, "weight_hh_l0")
    torch.testing.assert_close(layer(x)[0], before, **EXACT)
    scale = layer.parametrizations.weight_hh_l0.original0
    with torch.no_grad():
        scale.mul_(2)
    plain = build(name).double()
    weights = {key: getattr(layer, key) for key, _ in plain.named_parameters()}
    wanted = functional_call(plain, weights, (x,))[0]
    torch.testing.assert_close(layer(x)[0], wanted, **EXACT)
    assert not torch.allclose(wanted, before)
    layer(x)[0].square().sum().backward()
    assert torch.count_nonzero(scale.grad) == scale.numel()


@every_class
def test_replaced_and_frozen_weights_are_used(name: str) -> None:
    layer, other = build(name), build(name)
    x = torch.randn(T, B, I)
    for key, parameter in other.named_parameters():
        setattr(layer, key, nn.Parameter(parameter.detach().clone(), requires_grad=False))
    out = layer(x)[0]
    assert torch.equal(out, other(x)[0])
    assert not out.requires_grad


@every_class
def test_hooks_on_the_layer_are_called_once(name: str) -> None:
    layer = build(name)
    calls = []
    layer.register_forward_pre_hook(lambda *args: calls.append("before"))
    layer.register_forward_hook(lambda *args: calls.append("after"))
    layer(torch.randn(T, B, I))
    assert calls == ["before", "after"]


@every_class
def test_many_threads_share_one_module(name: str, backend: str) -> None:
    layer = build(name)
    inputs = [torch.randn(T, B, I, requires_grad=True) for _ in range(8)]

    def work(x: Tensor) -> list[Tensor]:
        with recurra.use_backend(backend):  # a block holds for its own thread
            for _ in range(4):
                out = layer(x)[0]
                gradients = torch.autograd.grad(out.square().sum(), [x, *layer.parameters()])
        return [out, *gradients]

    wanted = [work(x) for x in inputs]
    # The number of threads inside an operation is each thread's own, and moves the last bit.
    with ThreadPoolExecutor(8, initializer=torch.set_num_threads, initargs=(1,)) as pool:
        found = list(pool.map(work, inputs))
    for mine, its in zip(found, wanted, strict=True):
        torch.testing.assert_close(mine, its, rtol=0, atol=0)


@every_class
def test_the_second_derivatives_are_those_of_torchs_layer(name: str) -> None:
    layer = build(name).double()
    theirs = getattr(nn, name)(I, H, 2, bidirectional=True, dtype=torch.float64)
    theirs.load_state_dict(layer.state_dict())
    x = torch.randn(T, B, I, dtype=torch.float64, requires_grad=True)
    found = []
    for module in (layer, theirs):
        (dx,) = torch.autograd.grad(module(x)[0].square().sum(), x, create_graph=True)
        found.append(torch.autograd.grad(dx.square().sum(), [x, *module.parameters()]))
    torch.testing.assert_close(*found, **EXACT)
