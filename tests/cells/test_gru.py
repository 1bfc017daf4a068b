"""The GRU in its two forms against its formulas, written out in NumPy."""

import numpy as np
import pytest
import torch
from torch import nn

from recurra.cells import GRU

INPUT, HIDDEN = 3, 4


def sigmoid(v: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-v))


@pytest.mark.parametrize("bias", [True, False], ids=["bias", "no-bias"])
@pytest.mark.parametrize("reset_after", [True, False], ids=["after", "before"])
def test_a_step_is_the_formulas(reset_after: bool, bias: bool) -> None:
    cell = GRU(INPUT, HIDDEN, bias=bias, reset_after=reset_after).double()
    if bias:
        nn.init.normal_(cell.gates.bias_ih)
        nn.init.normal_(cell.gates.bias_hh)
    x = torch.randn(5, INPUT, dtype=torch.float64)
    h = torch.randn(5, HIDDEN, dtype=torch.float64)
    output, (new,) = cell(x, h)

    w = {name: p.detach().numpy() for name, p in cell.gates.named_parameters()}
    (W_r, W_z, W_n), (U_r, U_z, U_n) = (np.split(w[k], 3) for k in ("weight_ih", "weight_hh"))
    zero = np.zeros(3 * HIDDEN)
    b_r, b_z, b_n = np.split(w.get("bias_ih", zero), 3)
    c_r, c_z, c_n = np.split(w.get("bias_hh", zero), 3)
    X, H = x.numpy(), h.numpy()
    r = sigmoid(X @ W_r.T + b_r + H @ U_r.T + c_r)
    z = sigmoid(X @ W_z.T + b_z + H @ U_z.T + c_z)
    inner = r * (H @ U_n.T + c_n) if reset_after else (r * H) @ U_n.T + c_n
    n = np.tanh(X @ W_n.T + b_n + inner)
    np.testing.assert_allclose(new.detach().numpy(), (1 - z) * n + z * H, rtol=1e-10, atol=1e-12)
    assert output is new


def test_the_two_forms_are_not_the_same() -> None:
    after, before = GRU(INPUT, HIDDEN), GRU(INPUT, HIDDEN, reset_after=False)
    before.load_state_dict(after.state_dict())
    x, h = torch.randn(5, INPUT), torch.randn(5, HIDDEN)
    assert not torch.allclose(after(x, h)[0], before(x, h)[0])


def test_torch_has_a_kernel_for_its_own_form_only() -> None:
    kernel = GRU(INPUT, HIDDEN).torch_kernel()
    assert kernel is not None
    assert kernel[0] == "gru"
    assert GRU(INPUT, HIDDEN, reset_after=False).torch_kernel() is None


def test_the_repr_shows_the_form() -> None:
    assert "reset_after=False" in repr(GRU(INPUT, HIDDEN, reset_after=False))
