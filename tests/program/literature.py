"""Cells of the literature as a user would write them: plain modules, no word of Recurra.

`CELLS` gives each as a function of (input_size, hidden_size), with the names of its states; the
first state is the output unless a cell says otherwise.
"""

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

Made = tuple[nn.Module, tuple[str, ...]]
CELLS: dict[str, Callable[[int, int], Made]] = {}


class Equations(nn.Module):
    """A module whose step is a function of itself, x and the states."""

    def __init__(self, step: Callable[..., Any], K: int, H: int, x_gates: int, h_gates: int):
        super().__init__()
        self.step, self.H = step, H
        self.W = nn.Linear(K, x_gates * H)
        self.U = nn.Linear(H, max(h_gates, 1) * H)
        self.V = nn.Linear(H, H)
        self.M = nn.Linear(H, 4 * H, bias=False)
        self.p = nn.Parameter(torch.randn(3, H))
        self.a = nn.Parameter(torch.tensor(0.3))
        self.b = nn.Parameter(torch.randn(H))
        self.matrix = nn.Parameter(torch.randn(H, H))

    def forward(self, x: Tensor, *state: Tensor) -> tuple[Tensor, tuple[Tensor, ...]]:
        new = self.step(self, x, *state)
        new = new if isinstance(new, tuple) else (new,)
        return new[0], new


def cell(x_gates: int, h_gates: int, *states: str) -> Callable[[Any], Any]:
    """Put a step in `CELLS`, with so many gates of x and of h."""

    def add(step: Callable[..., Any]) -> Callable[..., Any]:
        names = states or ("h",)
        CELLS[step.__name__] = lambda K, H: (Equations(step, K, H, x_gates, h_gates), names)
        return step

    return add


@cell(1, 0)
def antisymmetric(m: Any, x: Tensor, h: Tensor) -> Any:
    A = m.matrix - m.matrix.T - 0.1 * torch.eye(m.H).to(m.matrix)
    return h + 0.5 * torch.tanh(m.W(x) + h @ A.t())


@cell(2, 0)
def gated_antisymmetric(m: Any, x: Tensor, h: Tensor) -> Any:
    A = m.matrix - m.matrix.T - 0.1 * torch.eye(m.H).to(m.matrix)
    z, g = (m.W(x) + F.linear(h, A).repeat(1, 2)).chunk(2, -1)
    return h + 0.5 * torch.sigmoid(z) * torch.tanh(g)


@cell(1, 1)
def atr(m: Any, x: Tensor, h: Tensor) -> Any:
    p, q = m.W(x), m.U(h)
    return torch.sigmoid(p + q) * p + torch.sigmoid(p - q) * h


@cell(3, 0)
def bistable(m: Any, x: Tensor, h: Tensor) -> Any:
    x_a, x_z, x_h = m.W(x).split(m.H, dim=1)
    a, z = 1 + torch.tanh(x_a + m.p[0] * h), torch.sigmoid(x_z + m.p[1] * h)
    return z * h + (1 - z) * torch.tanh(x_h + a * h)


@cell(3, 2)
def neuromodulated(m: Any, x: Tensor, h: Tensor) -> Any:
    (x_a, x_z, x_h), (h_a, h_z) = m.W(x).chunk(3, 1), m.U(h).chunk(2, 1)
    a, z = 1 + (x_a + h_a).tanh(), (x_z + h_z).sigmoid()
    return z * h + (1 - z) * (x_h + a * h).tanh()


@cell(3, 2)
def cfn(m: Any, x: Tensor, h: Tensor) -> Any:
    (x_t, x_e, x_h), (h_t, h_e) = m.W(x).chunk(3, 1), m.U(h).chunk(2, 1)
    return torch.sigmoid(x_t + h_t) * torch.tanh(h) + torch.sigmoid(x_e + h_e) * torch.tanh(x_h)


@cell(1, 1, "h", "c")
def cornn(m: Any, x: Tensor, h: Tensor, c: Tensor) -> Any:
    c = c + 0.1 * (torch.tanh(m.W(x) + m.U(h) + m.V(c)) - 1.5 * h - 0.7 * c)
    return h + 0.1 * c, c


@cell(1, 1)
def fast_rnn(m: Any, x: Tensor, h: Tensor) -> Any:
    return torch.sigmoid(m.a) * torch.tanh(m.W(x) + m.U(h)) + torch.sigmoid(m.b) * h


@cell(1, 1)
def fast_grnn(m: Any, x: Tensor, h: Tensor) -> Any:
    s = m.W(x) + m.U(h)
    z, g = torch.sigmoid(s + m.p[0]), torch.tanh(s + m.p[1])
    return (torch.sigmoid(m.a) * (1 - z) + torch.sigmoid(-m.a)) * g + z * h


@cell(1, 0)
def ind_rnn(m: Any, x: Tensor, h: Tensor) -> Any:
    return F.relu(m.W(x) + m.p[0] * h)


@cell(2, 2)
def janet(m: Any, x: Tensor, c: Tensor) -> Any:
    s, g = (m.W(x) + m.U(c)).chunk(2, dim=-1)
    return torch.sigmoid(s) * c + (1 - torch.sigmoid(s - 1.0)) * torch.tanh(g)


@cell(4, 3, "h", "c")
def lem(m: Any, x: Tensor, h: Tensor, c: Tensor) -> Any:
    x1, x2, x3, x4 = m.W(x).chunk(4, 1)
    h1, h2, h3 = m.U(h).chunk(3, 1)
    d_bar, d = 0.5 * torch.sigmoid(x1 + h1), 0.5 * torch.sigmoid(x2 + h2)
    c = (1 - d) * c + d * torch.tanh(x3 + h3)
    return (1 - d_bar) * h + d_bar * torch.tanh(x4 + m.V(c)), c


@cell(2, 2)
def li_gru(m: Any, x: Tensor, h: Tensor) -> Any:
    z, a = torch.chunk(m.W(x) + m.U(h), 2, 1)
    z = torch.sigmoid(z)
    return z * h + (1 - z) * F.relu(a)


@cell(2, 1)
def light_ru(m: Any, x: Tensor, h: Tensor) -> Any:
    x_f, x_h = m.W(x).chunk(2, 1)
    return torch.lerp(h, torch.tanh(x_h), torch.sigmoid(x_f + m.U(h)))


@cell(5, 5, "y", "c", "v")
def mc_lstm(m: Any, x: Tensor, y: Tensor, c: Tensor, v: Tensor) -> Any:
    f, i, o, k, n = (m.W(x) + m.U(v)).chunk(5, 1)
    f, i, o, k = (torch.sigmoid(gate) for gate in (f, i, o, k))
    c = f * c + i * torch.tanh(n)
    return o * torch.tanh(c), c, k * torch.tanh(c)


@cell(2, 1)
def mgu(m: Any, x: Tensor, h: Tensor) -> Any:
    x_f, x_h = m.W(x).chunk(2, 1)
    f = torch.sigmoid(x_f + m.U(h))
    return (1 - f) * h + f * torch.tanh(x_h + m.V(f * h))


@cell(1, 1)
def minimal_rnn(m: Any, x: Tensor, h: Tensor) -> Any:
    z = torch.tanh(m.W(x))
    u = torch.sigmoid(m.U(h) + m.V(z))
    return u * h + (1 - u) * z


@cell(2, 1)
def miru(m: Any, x: Tensor, h: Tensor) -> Any:
    x_r, x_h = m.W(x).chunk(2, 1)
    r = torch.sigmoid(x_r + m.U(h))
    return 0.6 * h + (1 - 0.6) * torch.tanh(x_h + m.V(r * h))


@cell(5, 1, "h", "c")
def multiplicative_lstm(m: Any, x: Tensor, h: Tensor, c: Tensor) -> Any:
    x_m, *gates = m.W(x).chunk(5, 1)
    i, f, g, o = (torch.cat(gates, 1) + m.M(x_m * m.U(h))).chunk(4, 1)
    c = f.sigmoid() * c + i.sigmoid() * g.tanh()
    return o.sigmoid() * c.tanh(), c


@cell(3, 1)
def mut1(m: Any, x: Tensor, h: Tensor) -> Any:
    x_z, x_r, x_h = m.W(x).chunk(3, 1)
    z, r = torch.sigmoid(x_z), torch.sigmoid(x_r + m.U(h))
    return z * torch.tanh(m.V(r * h) + torch.tanh(x_h)) + (1 - z) * h


@cell(2, 1)
def mut3(m: Any, x: Tensor, h: Tensor) -> Any:
    x_z, x_h = m.W(x).chunk(2, 1)
    z = torch.sigmoid(x_z + m.U(torch.tanh(h)))
    return z * torch.tanh(x_h + m.V(h)) + (1 - z) * h


@cell(8, 8, "h", "c")
def nas(m: Any, x: Tensor, h: Tensor, c: Tensor) -> Any:
    g = (m.W(x) + m.U(h)).chunk(8, 1)
    l1 = torch.tanh(torch.sigmoid(g[0]) * torch.relu(g[1]))
    l2 = torch.tanh(torch.sigmoid(g[2]) + torch.relu(g[3]))
    l3 = torch.tanh(torch.tanh(g[4]) * torch.sigmoid(g[5]))
    l4 = torch.sigmoid(torch.tanh(g[6]) + torch.sigmoid(g[7]))
    c = torch.tanh(l1 + c) * l2
    return torch.tanh(c * torch.tanh(l3 + l4)), c


@cell(3, 3, "h", "c")
def original_lstm(m: Any, x: Tensor, h: Tensor, c: Tensor) -> Any:
    i, g, o = (m.W(x) + m.U(h)).chunk(3, 1)
    c = c + torch.sigmoid(i) * torch.tanh(g)
    return torch.sigmoid(o) * torch.tanh(c), c


@cell(4, 4, "h", "c")
def peephole(m: Any, x: Tensor, h: Tensor, c: Tensor) -> Any:
    i, f, z, o = (m.W(x) + m.U(h)).chunk(4, 1)
    i, f = torch.sigmoid(i + m.p[0] * c), torch.sigmoid(f + m.p[1] * c)
    c = torch.addcmul(f * c, i, torch.tanh(z))
    return torch.sigmoid(o + m.p[2] * c) * torch.tanh(c), c


@cell(3, 2, "h", "c")
def ran(m: Any, x: Tensor, h: Tensor, c: Tensor) -> Any:
    x_c, x_g = m.W(x).split([m.H, 2 * m.H], 1)
    i, f = torch.sigmoid(x_g + m.U(h)).chunk(2, 1)
    c = i * x_c + f * c
    return torch.tanh(c), c


@cell(5, 4, "h", "c")
def residual_lstm(m: Any, x: Tensor, h: Tensor, c: Tensor) -> Any:
    gates, shortcut = m.W(x).split((4 * m.H, m.H), -1)
    i, f, z, o = (gates + m.U(h)).chunk(4, 1)
    i, f = torch.sigmoid(i + m.p[0] * c), torch.sigmoid(f + m.p[1] * c)
    c = f * c + i * torch.tanh(z)
    return torch.sigmoid(o + m.p[2] * c) * (m.V(torch.tanh(c)) + shortcut), c


@cell(2, 1, "y", "s")
def scrn(m: Any, x: Tensor, q: Tensor, s: Tensor) -> Any:
    x_s, x_h = m.W(x).chunk(2, 1)
    s = 0.05 * x_s + 0.95 * s
    return torch.sigmoid(x_h + m.U(q) + m.V(s)), s


@cell(1, 1)
def sgrn(m: Any, x: Tensor, h: Tensor) -> Any:
    z = m.W(x)
    f = torch.sigmoid(z + m.U(h))
    return torch.tanh((1 - f) * z + f * h)


@cell(2, 1)
def sgu(m: Any, x: Tensor, h: Tensor) -> Any:
    x_g, x_z = m.W(x).chunk(2, 1)
    g = torch.tanh(m.V(x_g * h))
    z = F.hardsigmoid(x_z + m.U(h))
    return (1 - z) * h + z * F.softplus(g * h)


@cell(2, 1)
def star(m: Any, x: Tensor, h: Tensor) -> Any:
    x_k, x_z = m.W(x).chunk(2, 1)
    k = torch.sigmoid(x_k + m.U(h))
    return torch.tanh((1 - k) * h + k * torch.tanh(x_z))


@cell(4, 3, "h", "past")
def tau_gru(m: Any, x: Tensor, h: Tensor, past: Tensor) -> Any:
    x1, x2, x3, x4 = m.W(x).chunk(4, 1)
    h1, h3, h4 = m.U(h).chunk(3, 1)
    g = torch.sigmoid(x3 + h3)
    new = torch.tanh(x1 + h1) + torch.sigmoid(x4 + h4) * torch.tanh(x2 + m.V(past))
    return (1 - g) * h + g * new, h


@cell(2, 0)
def trnn(m: Any, x: Tensor, h: Tensor) -> Any:
    x_f, x_z = m.W(x).chunk(2, 1)
    f = torch.sigmoid(x_f)
    return f * h + (1 - f) * x_z


@cell(2, 2)
def ugrnn(m: Any, x: Tensor, h: Tensor) -> Any:
    g, c = (m.W(x) + m.U(h)).unflatten(-1, (2, m.H)).unbind(1)
    return torch.sigmoid(g) * h + (1 - torch.sigmoid(g)) * torch.tanh(c)


@cell(1, 0, "h", "z")
def unicornn(m: Any, x: Tensor, h: Tensor, z: Tensor) -> Any:
    step = 0.1 * torch.sigmoid(m.b)
    z = z - step * (torch.tanh(m.p[0] * h + m.W(x)) + 0.9 * h)
    return h + step * z, z


@cell(4, 4, "h", "c")
def wmc_lstm(m: Any, x: Tensor, h: Tensor, c: Tensor) -> Any:
    M_i, M_f, M_o, _ = m.M.weight.chunk(4)
    i, f, g, o = (m.W(x) + m.U(h)).chunk(4, 1)
    i = torch.sigmoid(i + torch.tanh(F.linear(c, M_i)))
    f = torch.sigmoid(f + torch.tanh(F.linear(c, M_f)))
    c = f * c + i * torch.tanh(g)
    return torch.sigmoid(o + torch.tanh(F.linear(c, M_o))) * torch.tanh(c), c


@cell(2, 2)
def highway(m: Any, x: Tensor, s: Tensor) -> Any:
    for layer in range(3):
        a = m.U(s) if layer else m.U(s) + m.W(x)
        g, t = torch.tanh(a[:, : m.H]), torch.sigmoid(a[:, m.H :])
        s = (g - s) * t + s
    return s


@cell(1, 0)
def lipschitz(m: Any, x: Tensor, h: Tensor) -> Any:
    M, beta = m.matrix, 0.65
    A = beta * (M - M.T) + (1 - beta) * (M + M.T) - 0.01 * torch.eye(m.H, dtype=M.dtype)
    return h + 0.1 * h @ A.T + 0.1 * torch.tanh(h @ A.T + m.W(x))


@cell(3, 1, "y", "c")
def e_lstm(m: Any, x: Tensor, y: Tensor, c: Tensor) -> Any:
    x_f, x_z, x_o = m.W(x).chunk(3, 1)
    f, z = torch.sigmoid(x_f + m.p[0] * c), torch.tanh(x_z + m.p[1] * c)
    c = f * c + (1 - f) * z
    return torch.sigmoid(x_o + m.U(c)) * c, c


def g(v: Tensor) -> Tensor:
    return torch.where(v >= 0, v + 0.5, torch.sigmoid(v))


@cell(2, 0)
def min_gru(m: Any, x: Tensor, h: Tensor) -> Any:
    z, v = m.W(x).chunk(2, 1)
    return (1 - torch.sigmoid(z)) * h + torch.sigmoid(z) * g(v)


@cell(3, 0)
def min_lstm(m: Any, x: Tensor, h: Tensor) -> Any:
    f, i, v = m.W(x).chunk(3, -1)
    f, i = torch.sigmoid(f), torch.sigmoid(i)
    f = f / (f + i)
    return f * h + (1 - f) * g(v)


@cell(4, 4, "h", "c", "n", "m")
def s_lstm(m: Any, x: Tensor, h: Tensor, c: Tensor, n: Tensor, top: Tensor) -> Any:
    z, i, f, o = (m.W(x) + m.U(h)).chunk(4, 1)
    new = torch.maximum(i, top + F.logsigmoid(f))
    i, f = torch.exp(i - new), torch.exp(top + F.logsigmoid(f) - new)
    c = f * c + i * torch.tanh(z)
    n = f * n + i
    return torch.sigmoid(o) * c / n, c, n, new


@cell(4, 4, "h", "c")
def coupled(m: Any, x: Tensor, h: Tensor, c: Tensor) -> Any:
    f, g, o, _ = (m.W(x) + m.U(h)).chunk(4, 1)
    f = torch.sigmoid(f)
    c = f * c + (1 - f) * torch.tanh(g)
    return torch.sigmoid(o) * torch.tanh(c), c


@cell(4, 4, "h", "c")
def layer_norm_lstm(m: Any, x: Tensor, h: Tensor, c: Tensor) -> Any:
    i, f, g, o = (F.layer_norm(m.W(x), (4 * m.H,)) + F.layer_norm(m.U(h), (4 * m.H,))).chunk(4, 1)
    c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
    return torch.sigmoid(o) * torch.tanh(F.layer_norm(c, (m.H,), m.p[0], m.b)), c


@cell(1, 0)
def plrnn(m: Any, x: Tensor, h: Tensor) -> Any:
    return m.p[0] * h + torch.relu(h) @ m.matrix.t() + m.W(x) + m.b


@cell(2, 1)
def srnn(m: Any, x: Tensor, h: Tensor) -> Any:
    x_i, x_g = m.W(x).chunk(2, 1)
    return torch.relu(torch.roll(h, 1, -1) + m.V(F.relu(x_i)) * torch.sigmoid(x_g))


@cell(6, 6, "h", "c")
def ordered_neurons(m: Any, x: Tensor, h: Tensor, c: Tensor) -> Any:
    a = m.W(x) + m.U(h)
    gates, masters = a[:, : 4 * m.H], a[:, 4 * m.H :]
    f_top = torch.cumsum(torch.softmax(masters[:, : m.H], -1), dim=-1)
    i_top = 1 - torch.cumsum(torch.softmax(masters[:, m.H :], -1), dim=-1)
    i, f, g, o = gates.chunk(4, 1)
    w = f_top * i_top
    c = (f.sigmoid() * w + f_top - w) * c + (i.sigmoid() * w + i_top - w) * g.tanh()
    return o.sigmoid() * c.tanh(), c
