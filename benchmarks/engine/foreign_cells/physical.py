"""Cells of differential equations, some with several steps of a solver in one."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from foreign_cells.base import Equations, cell


@cell("equation", "LTC, 6 unfolds")
class LTC(Equations):
    """Liquid time constants (2006.04439): synapses (H, H), six semi-implicit steps."""

    unfolds = 6

    def build(self, I: int, H: int) -> dict[str, int]:  # noqa: E741
        self.n = min(H, 32)
        n = self.n
        self.w, self.mu, self.sigma, self.erev = (self.matrix(n, n) for _ in range(4))
        self.w_in, self.mu_in, self.sigma_in, self.erev_in = (self.matrix(I, n) for _ in range(4))
        self.leak, self.capacity = self.vector(n), self.vector(n)
        return {"v": n}

    def forward(self, x: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
        s = F.softplus(self.w_in) * torch.sigmoid(self.sigma_in * (x.unsqueeze(-1) - self.mu_in))
        num_in, den_in = (s * self.erev_in).sum(1), s.sum(1)
        cm, leak, w = F.softplus(self.capacity) * 6, F.softplus(self.leak), F.softplus(self.w)
        for _ in range(self.unfolds):
            g = w * torch.sigmoid(self.sigma * (v.unsqueeze(-1) - self.mu))
            num, den = (g * self.erev).sum(1) + num_in, g.sum(1) + den_in
            v = (cm * v + leak * 0.1 + num) / (cm + leak + den + 1e-8)
        return v, v


@cell("equation", "CfC")
class CfC(Equations):
    """Closed-form continuous time (2106.13898)."""

    def build(self, I: int, H: int) -> dict[str, int]:  # noqa: E741
        self.body = nn.Linear(I + H, H)
        self.f, self.g, self.a, self.b = (nn.Linear(H, H) for _ in range(4))
        return {"h": H}

    def forward(self, x: Tensor, h: Tensor) -> tuple[Tensor, Tensor]:
        z = 1.7159 * torch.tanh(0.666 * self.body(torch.cat([x, h], -1)))
        t = torch.sigmoid(self.a(z) + self.b(z))
        h = torch.tanh(self.f(z)) * (1 - t) + t * torch.tanh(self.g(z))
        return h, h


@cell("equation", "neural ODE, 4 steps of Runge-Kutta")
class RungeKutta(Equations):
    """h' = tanh(U·h + W·x), one step of order 4."""

    def build(self, I: int, H: int) -> dict[str, int]:  # noqa: E741
        self.x, self.h = nn.Linear(I, H), nn.Linear(H, H, bias=False)
        return {"h": H}

    def forward(self, x: Tensor, h: Tensor) -> tuple[Tensor, Tensor]:
        u = self.x(x)

        def f(y: Tensor) -> Tensor:
            return torch.tanh(self.h(y) + u) - y

        a = f(h)
        b = f(h + 0.05 * a)
        c = f(h + 0.05 * b)
        d = f(h + 0.1 * c)
        h = h + 0.1 / 6 * (a + 2 * b + 2 * c + d)
        return h, h


@cell("equation", "softplus rates")
class SoftplusRates(Equations):
    """r = softplus(W·x + U·r), leaky: cells of neuroscience."""

    def build(self, I: int, H: int) -> dict[str, int]:  # noqa: E741
        self.x, self.h = nn.Linear(I, H), nn.Linear(H, H)
        return {"r": H}

    def forward(self, x: Tensor, r: Tensor) -> tuple[Tensor, Tensor]:
        r = 0.8 * r + 0.2 * F.softplus(self.x(x) + self.h(r) / self.H)
        return r, r


@cell("equation", "oscillators (Kuramoto)")
class Kuramoto(Equations):
    """θ' = ω + Σ_j K_ij sin(θ_j - θ_i): differences of all pairs."""

    def build(self, I: int, H: int) -> dict[str, int]:  # noqa: E741
        self.n = min(H, 32)
        self.K, self.x = self.matrix(self.n, self.n), nn.Linear(I, self.n)
        return {"theta": self.n}

    def forward(self, x: Tensor, theta: Tensor) -> tuple[Tensor, Tensor]:
        apart = theta.unsqueeze(1) - theta.unsqueeze(2)
        pull = (self.K * torch.sin(apart)).sum(2)
        theta = theta + 0.1 * (self.x(x) + pull)
        return torch.cat([torch.sin(theta), torch.cos(theta)], -1), theta
