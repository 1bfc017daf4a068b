"""What `gradient_flow` leaves of a model: everything, as it was, whether it ends or raises."""

import copy
import random
import threading
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import recurra
from recurra import gradient_flow

KINDS = [nn.LSTM, nn.GRU, nn.RNN, recurra.LSTM]


class Net(nn.Module):
    """A model that changes all that a model can change while it runs."""

    def __init__(self, kind: type[nn.RNNBase], copyable: bool, fails: bool) -> None:
        super().__init__()
        self.norm = nn.BatchNorm1d(3)
        self.layer = kind(3, 4, 2, dropout=0.3)  # type: ignore[call-arg, arg-type]
        self.head = nn.Linear(4, 2)
        self.fails, self.calls = fails, 0
        if not copyable:
            self.lock = threading.Lock()

    def forward(self, x: Tensor) -> Tensor:
        self.calls += 1
        self.last, _ = self.layer(self.norm(x.flatten(0, 1)).view_as(x))
        np.random.rand()  # noqa: NPY002 - what a user's model may draw from
        random.random()
        self.training = not self.training
        if self.fails:
            raise KeyError("the model's own")
        found: Tensor = self.head(torch.dropout(self.last, 0.5, True))
        return found


def standing(model: nn.Module) -> dict[object, Any]:
    """Return everything that a run may change: by the tensor itself, its version and its values."""
    found: dict[object, Any] = {
        "torch": torch.get_rng_state(),
        "numpy": copy.deepcopy(np.random.get_state()),  # noqa: NPY002
        "python": random.getstate(),
        "gradients": torch.is_grad_enabled(),
    }
    for name, module in model.named_modules():
        found[name, "class"] = type(module)
        for key, value in vars(module).items():
            found[name, key] = repr(value)
        for key, t in (*module._parameters.items(), *module._buffers.items()):
            assert t is not None
            gradient = None if t.grad is None else (id(t.grad), t.grad.clone())
            found[name, key] = id(t), t._version, t.requires_grad, t.detach().clone(), gradient
    return found


def same(a: Any, b: Any) -> bool:
    if isinstance(a, Tensor):
        return torch.equal(a, b)
    if isinstance(a, np.ndarray):
        return np.array_equal(a, b)
    if isinstance(a, tuple):
        return len(a) == len(b) and all(map(same, a, b))
    return bool(a == b)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("copyable", [True, False])
@pytest.mark.parametrize("fails", [True, False])
def test_nothing_is_changed(kind: type[nn.RNNBase], copyable: bool, fails: bool) -> None:
    model = Net(kind, copyable, fails)
    model.head.weight.requires_grad_(False)
    model.layer.weight_ih_l0.grad = torch.ones_like(model.layer.weight_ih_l0)
    model.layer.register_forward_hook(lambda *_: None)
    x = torch.randn(5, 3, 3)
    before = standing(model)
    if fails:
        with pytest.raises(KeyError):
            gradient_flow(model, x)
    else:
        gradient_flow(model, x)
    after = standing(model)
    assert [key for key in before | after if not same(before.get(key), after.get(key))] == []


def test_a_model_whose_copy_is_itself_stays_in_its_dtype() -> None:
    class Single(nn.LSTM):
        def __deepcopy__(self, memo: dict[int, Any]) -> "Single":
            return self

    model = Single(3, 4)
    gradient_flow(model, torch.randn(5, 3, 3))
    assert model.weight_ih_l0.dtype == torch.float32


@pytest.mark.parametrize("kind", KINDS)
def test_a_frozen_layer_has_the_flow_of_a_trained_one(kind: type[nn.RNNBase]) -> None:
    layer, x = kind(3, 4, 2), torch.randn(6, 2, 3)  # type: ignore[call-arg, arg-type]
    wanted = gradient_flow(layer, x, compare=False)
    found = gradient_flow(layer.requires_grad_(False), x, compare=False)
    np.testing.assert_array_equal(found.norms, wanted.norms)
    for name, norms in wanted.state_norms.items():
        np.testing.assert_array_equal(found.state_norms[name], norms)
