"""What a cell's equations depend on is looked at in every call: a changed cell runs as changed."""

import math
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from types import SimpleNamespace

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.fx.experimental.proxy_tensor import make_fx

from every_kind import build, on
from recurra import Recurrent, use_backend
from recurra.cells import Elman
from recurra.errors import BackendError

pytest.importorskip("recurra._core")

EXACT = {"rtol": 1e-10, "atol": 1e-12}
T, B, I, H = 6, 5, 3, 4  # noqa: E741 - the axes' names


@dataclass
class Settings:
    scale: float = 1.0


class Scaled(nn.Module):
    """A cell with a factor that is kept in many ways."""

    state_sizes = ("h",)

    def __init__(self, input_size: int, hidden_size: int) -> None:
        super().__init__()
        self.inner = nn.Linear(input_size + hidden_size, hidden_size)
        self.plain = 1.0
        self.listed = [1.0]
        self.named = {"scale": 1.0}
        self.settings = Settings()
        self.space = SimpleNamespace(scale=1.0)
        self.array = np.ones(1)
        self.tensor = torch.ones(hidden_size, dtype=torch.float64)
        self.function: Callable[[Tensor], Tensor] = torch.tanh

    def forward(self, x: Tensor, h: Tensor) -> tuple[Tensor, tuple[Tensor]]:
        scale = self.plain * self.listed[0] * self.named["scale"] * self.settings.scale
        scale = scale * self.space.scale * float(self.array[0])
        h = self.function(self.tensor * self.inner(torch.cat([x, h], -1)) * scale)
        return h, (h,)


def doubled_forward(self: Scaled, x: Tensor, h: Tensor) -> tuple[Tensor, tuple[Tensor]]:
    h = torch.tanh(2 * self.inner(torch.cat([x, h], -1)))
    return h, (h,)


def set_weight(m: Scaled) -> None:
    m.inner.weight = nn.Parameter(2 * m.inner.weight.detach())


CHANGES: dict[str, Callable[[Scaled], object]] = {
    "attribute": lambda m: setattr(m, "plain", 2.0),
    "item of a list": lambda m: m.listed.__setitem__(0, 2.0),
    "item of a dict": lambda m: m.named.update(scale=2.0),
    "field of a dataclass": lambda m: setattr(m.settings, "scale", 2.0),
    "field of a namespace": lambda m: setattr(m.space, "scale", 2.0),
    "array in place": lambda m: m.array.__imul__(2),
    "tensor in place": lambda m: m.tensor.mul_(2),
    "function": lambda m: setattr(m, "function", torch.sin),
    "weight": set_weight,
    "weight in place": lambda m: m.inner.weight.data.mul_(2),
    "forward": lambda m: setattr(m, "forward", doubled_forward.__get__(m)),
    "parametrization": lambda m: nn.utils.parametrizations.spectral_norm(m.inner, eps=0.1),
}


@pytest.mark.parametrize("what", CHANGES)
def test_a_changed_cell_runs_as_it_is_now(what: str) -> None:
    layer = Recurrent(Scaled, I, H).double()
    x = torch.randn(T, B, I, dtype=torch.float64, requires_grad=True)
    (module,) = (m for m in layer.modules() if isinstance(m, Scaled))
    before = on("auto", layer, x)
    CHANGES[what](module)
    module.eval()  # a spectral norm moves on at every step otherwise
    found, wanted = on("auto", layer, x), on("eager", layer, x)
    torch.testing.assert_close(found, wanted, **EXACT)
    assert not torch.equal(found[0], before[0])


def test_a_class_whose_forward_is_replaced_runs_the_new_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    layer, x = Recurrent(Scaled, I, H).double(), torch.randn(T, B, I, dtype=torch.float64)
    before, _ = layer(x)
    monkeypatch.setattr(Scaled, "forward", doubled_forward)
    assert not torch.allclose(layer(x)[0], before)


def test_one_activation_after_another_is_run() -> None:
    layer, x = build("elman", I, H, torch.float64), torch.randn(T, B, I, dtype=torch.float64)
    (cell,) = layer.cells
    assert isinstance(cell, Elman)
    seen = []
    for name in ("tanh", "relu", "gelu", "tanh"):
        cell.activation = Elman(I, H, activation=name).activation
        with use_backend("native"):
            seen.append(layer(x)[0])
        with use_backend("eager"):
            torch.testing.assert_close(seen[-1], layer(x)[0], **EXACT)
    assert torch.equal(seen[0], seen[3])
    assert not torch.allclose(seen[0], seen[1])
    assert not torch.allclose(seen[1], seen[2])
    ((_, known),) = cell.programs.known.items()
    assert len(known) == 3


class Dropped(nn.Module):
    """A cell with dropout on its input and zoneout on its state."""

    state_sizes = ("h",)

    def __init__(self, input_size: int, hidden_size: int) -> None:
        super().__init__()
        self.inner = nn.Linear(input_size + hidden_size, hidden_size)

    def forward(self, x: Tensor, h: Tensor) -> tuple[Tensor, tuple[Tensor]]:
        x = F.dropout(x, 0.5, self.training)
        new = torch.tanh(self.inner(torch.cat([x, h], -1)))
        if self.training:
            new = torch.where(torch.rand_like(h) < 0.25, h, new)
        return new, (new,)


def test_dropout_and_zoneout_act_in_training_only() -> None:
    layer = Recurrent(Dropped, I, H).double()
    x = torch.randn(200, 50, I, dtype=torch.float64, requires_grad=True)
    quiet = layer.eval()(x)[0]
    assert torch.equal(layer(x)[0], quiet)
    with use_backend("native"):
        out, _ = layer.train()(x)
        again, _ = layer(x)
        (dx,) = torch.autograd.grad(out.sum(), x)
    assert not torch.equal(out, again)
    kept = (out[1:] == out[:-1]).double().mean()  # rows' features that were zoned out
    assert abs(float(kept) - 0.25) < 5 * math.sqrt(0.25 * 0.75 / out.numel())
    # x has no effect where it was dropped, or where all features are held over
    assert 0.5 <= float((dx == 0).double().mean()) < 0.55
    assert torch.equal(layer.eval()(x)[0], quiet)


@pytest.mark.parametrize("child", [False, True], ids=["cell", "child"])
def test_a_hook_that_comes_later_is_called_and_may_go_again(child: bool) -> None:
    layer, x = Recurrent(Scaled, I, H).double(), torch.randn(T, B, I, dtype=torch.float64)
    (module,) = (m for m in layer.modules() if isinstance(m, Scaled))
    wanted, calls = layer(x)[0], []
    handle = (module.inner if child else module).register_forward_hook(lambda *a: calls.append(1))
    layer(x)
    assert len(calls) == T
    handle.remove()
    assert torch.equal(layer(x)[0], wanted)
    assert len(calls) == T


def test_a_hook_on_all_modules_that_comes_later_is_called() -> None:
    layer, x = Recurrent(Scaled, I, H).double(), torch.randn(T, B, I, dtype=torch.float64)
    layer(x)
    calls = []
    handle = nn.modules.module.register_module_forward_hook(lambda m, *a: calls.append(type(m)))
    try:
        layer(x)
    finally:
        handle.remove()
    assert calls.count(Scaled) == T


def test_weights_that_become_one_or_two_again_are_taken_as_they_are() -> None:
    layer, x = build("gru", H, H, torch.float64), torch.randn(T, B, H, dtype=torch.float64)
    x.requires_grad_()
    gates = layer.cells[0].gates
    own, before = gates.weight_hh, on("native", layer, x)
    for weight in (gates.weight_ih, nn.Parameter(own.detach().clone())):
        gates.weight_hh = weight
        found, wanted = on("native", layer, x), on("eager", layer, x)
        torch.testing.assert_close(found, wanted, **EXACT)
    assert torch.equal(found[0], before[0])


class Precise(Scaled):
    """A cell that asks for the precision it runs in."""

    def forward(self, x: Tensor, h: Tensor) -> tuple[Tensor, tuple[Tensor]]:
        digits = -math.log10(torch.finfo(x.dtype).eps)
        h = torch.tanh(self.inner(torch.cat([x, h], -1)) / digits)
        return h, (h,)


def test_a_converted_layer_is_traced_anew() -> None:
    layer, x = Recurrent(Precise, I, H), torch.randn(T, B, I, requires_grad=True)
    layer.double().float()
    single = on("auto", layer, x)
    layer.double()
    x = x.detach().double().requires_grad_()
    found, wanted = on("auto", layer, x), on("eager", layer, x)
    torch.testing.assert_close(found, wanted, **EXACT)
    assert not torch.allclose(found[0], single[0].double(), rtol=1e-3)


def test_weights_of_another_kind_never_reach_the_core() -> None:
    # In a process of its own: what is refused here would read past the end of memory.
    code = """
import torch, recurra
layer, x = recurra.Recurrent("fcn", 3, 4), torch.randn(5, 2, 3)
before = layer(x)[0]
linear = layer.cells[0].net_hh.layers[0]
weight = linear.weight
for kind in ({"dtype": torch.float64}, {"dtype": torch.bfloat16}, {"device": "meta"}):
    linear.weight = torch.nn.Parameter(torch.ones(4, 4, **kind))
    try:
        with recurra.use_backend("native"):
            layer(x)
    except recurra.errors.BackendError as error:
        print("refused")
linear.weight = weight
print(torch.equal(layer(x)[0], before))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    wanted = (0, ["refused"] * 3 + ["True"])
    assert (done.returncode, done.stdout.split()) == wanted, done.stderr


class Factor(nn.Module):
    """A cell without weights, whose one tensor is a buffer or no more than an attribute."""

    state_sizes = ("h",)

    def __init__(self, input_size: int, hidden_size: int, buffer: bool) -> None:
        super().__init__()
        factor = torch.arange(1, hidden_size + 1) / hidden_size
        if buffer:
            self.register_buffer("factor", factor)
        else:
            self.factor = factor

    def forward(self, x: Tensor, h: Tensor) -> tuple[Tensor, tuple[Tensor]]:
        h = torch.tanh(h + self.factor * x)
        return h, (h,)


@pytest.mark.parametrize("buffer", [True, False], ids=["buffer", "attribute"])
def test_a_tensor_of_lower_precision_than_x_is_raised_to_it(buffer: bool) -> None:
    layer = Recurrent(Factor, H, H, buffer=buffer)
    for dtype in (torch.float32, torch.float64, torch.float32):
        x = torch.randn(T, B, H, dtype=dtype)
        with use_backend("native"):
            found, _ = layer(x)
        with use_backend("eager"):
            torch.testing.assert_close(found, layer(x)[0])


def test_states_of_another_dtype_never_reach_the_core() -> None:
    layer, x = Recurrent("gru", I, H, learn_initial_state=True), torch.randn(T, B, I)
    layer(x)
    layer.initial_state[0] = nn.Parameter(torch.ones(1, H, dtype=torch.float64))
    with use_backend("native"), pytest.raises(BackendError, match="of another dtype or device"):
        layer(x)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.filterwarnings("ignore::torch.jit.TracerWarning")
def test_what_records_torchs_operations_sees_every_one_of_them() -> None:
    layer = build("gru", I, H)
    first, other = torch.randn(2, T, B, I)
    with torch.no_grad():
        wanted = layer(other)[0]
        recorded = [
            make_fx(lambda x: layer(x)[0])(first),
            torch.jit.trace(layer, first, check_trace=False),
            torch.compile(lambda x: layer(x)[0], backend="eager"),
        ]
        for each in recorded:
            found = each(other)
            found = found if isinstance(found, Tensor) else found[0]
            torch.testing.assert_close(found, wanted, rtol=1e-5, atol=1e-6)


def test_a_weight_that_became_sparse_is_no_longer_run_as_a_dense_one() -> None:
    layer, x = Recurrent("gru", 2, 3), torch.randn(4, 1, 2)
    with use_backend("native"):
        layer(x)
        gates = layer.cells[0].gates
        gates.weight_ih = nn.Parameter(gates.weight_ih.detach().to_sparse())
        with pytest.raises(BackendError, match=r"layout sparse_coo"):
            layer(x)
