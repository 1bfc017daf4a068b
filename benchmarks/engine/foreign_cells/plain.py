"""Cells of a few lines each, from their papers' equations."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from foreign_cells.base import cell, gates
from foreign_cells.gated import Gated


@cell("plain", "AntisymmetricRNN (1902.09689)")
class Antisymmetric(Gated):
    """h + ε tanh(x + (U - Uᵀ - γ I) h)."""

    def forward(self, x: Tensor, h: Tensor) -> tuple[Tensor, Tensor]:
        U = self.h.weight
        h = h + 0.1 * torch.tanh(self.x(x) + h @ (U - U.T) - 0.1 * h)
        return h, h


@cell("plain", "ATR (1810.12546)")
class ATR(Gated):
    """σ(p + q) p + σ(p - q) h."""

    def forward(self, x: Tensor, h: Tensor) -> tuple[Tensor, Tensor]:
        p, q = self.x(x), self.h(h)
        h = torch.sigmoid(p + q) * p + torch.sigmoid(p - q) * h
        return h, h


@cell("plain", "CFN (1612.06212)")
class CFN(Gated):
    """σ(a_θ) tanh(h) + σ(a_η) tanh(x_h)."""

    count = 2

    def build(self, I: int, H: int) -> dict[str, int]:  # noqa: E741
        sizes = super().build(I, H)
        self.own = nn.Linear(I, H)
        return sizes

    def forward(self, x: Tensor, h: Tensor) -> tuple[Tensor, Tensor]:
        theta, eta = gates(self, x, h, 2)
        h = torch.sigmoid(theta) * torch.tanh(h) + torch.sigmoid(eta) * torch.tanh(self.own(x))
        return h, h


@cell("plain", "FastGRNN (1901.02358)")
class FastGRNN(Gated):
    """(ζ (1 - z) + ν) g + z h, z and g of the same sum."""

    def build(self, I: int, H: int) -> dict[str, int]:  # noqa: E741
        sizes = super().build(I, H)
        self.bz, self.bh = self.vector(H), self.vector(H)
        return sizes

    def forward(self, x: Tensor, h: Tensor) -> tuple[Tensor, Tensor]:
        s = self.x(x) + self.h(h)
        z, g = torch.sigmoid(s + self.bz), torch.tanh(s + self.bh)
        h = (0.9 * (1 - z) + 0.1) * g + z * h
        return h, h


@cell("plain", "LEM (2110.04744)")
class LEM(Gated):
    """Two time scales: c of h, then h of the new c."""

    count = 3

    def build(self, I: int, H: int) -> dict[str, int]:  # noqa: E741
        super().build(I, H)
        self.x4, self.c4 = nn.Linear(I, H), nn.Linear(H, H)
        return {"h": H, "c": H}

    def forward(self, x: Tensor, h: Tensor, c: Tensor) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        a, b, g = gates(self, x, h, 3)
        slow, fast = 0.5 * torch.sigmoid(a), 0.5 * torch.sigmoid(b)
        c = (1 - fast) * c + fast * torch.tanh(g)
        h = (1 - slow) * h + slow * torch.tanh(self.x4(x) + self.c4(c))
        return h, (h, c)


@cell("plain", "LiGRU (1803.10225)")
class LiGRU(Gated):
    """z h + (1 - z) relu(a)."""

    count = 2

    def forward(self, x: Tensor, h: Tensor) -> tuple[Tensor, Tensor]:
        z, a = gates(self, x, h, 2)
        z = torch.sigmoid(z)
        h = z * h + (1 - z) * F.relu(a) / self.H
        return h, h


@cell("plain", "NAS cell (1611.01578)")
class NAS(Gated):
    """Eight gates, joined by products and maxima."""

    count = 8

    def build(self, I: int, H: int) -> dict[str, int]:  # noqa: E741
        super().build(I, H)
        return {"h": H, "c": H}

    def forward(self, x: Tensor, h: Tensor, c: Tensor) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        g = gates(self, x, h, 8)
        a = torch.tanh(torch.sigmoid(g[0]) * F.relu(g[1]))
        b = torch.tanh(torch.sigmoid(g[2]) + F.relu(g[3]))
        d = torch.tanh(torch.tanh(g[4]) * torch.sigmoid(g[5]))
        e = torch.sigmoid(torch.tanh(g[6]) + torch.sigmoid(g[7]))
        c = torch.tanh(a + c) * b
        h = torch.tanh(c * torch.tanh(d + e))
        return h, (h, c)


@cell("plain", "SGU (1604.02910)")
class SGU(Gated):
    """(1 - z) h + z softplus(g h), z a hard sigmoid."""

    def build(self, I: int, H: int) -> dict[str, int]:  # noqa: E741
        sizes = super().build(I, H)
        self.g, self.inner = nn.Linear(I, H), nn.Linear(H, H)
        return sizes

    def forward(self, x: Tensor, h: Tensor) -> tuple[Tensor, Tensor]:
        g = torch.tanh(self.inner(self.g(x) * h))
        z = F.hardsigmoid(self.x(x) + self.h(h))
        h = (1 - z) * h + z * F.softplus(g * h)
        return h, h


@cell("plain", "LipschitzRNN (2006.12070)")
class Lipschitz(Gated):
    """h + ε A h + ε tanh(W h + x), A and W of M's symmetric and skew parts."""

    def build(self, I: int, H: int) -> dict[str, int]:  # noqa: E741
        sizes = super().build(I, H)
        self.M = self.matrix(H, H)
        return sizes

    def forward(self, x: Tensor, h: Tensor) -> tuple[Tensor, Tensor]:
        A, W = (0.6 * (M - M.T) + 0.4 * (M + M.T) for M in (self.M, self.h.weight))
        h = h + 0.05 * (h @ A - 0.1 * h) + 0.05 * torch.tanh(h @ W + self.x(x))
        return h, h


@cell("plain", "UGRNN (1611.09913)")
class UGRNN(Gated):
    """g h + (1 - g) tanh(a)."""

    count = 2

    def forward(self, x: Tensor, h: Tensor) -> tuple[Tensor, Tensor]:
        g, a = gates(self, x, h, 2)
        g = torch.sigmoid(g)
        h = g * h + (1 - g) * torch.tanh(a)
        return h, h
