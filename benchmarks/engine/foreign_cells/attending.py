"""Cells that look back: attention over their own last states, memories."""

import torch
from torch import Tensor, nn

from foreign_cells.base import Equations, cell, gates

BACK = 8


class Window(Equations):
    """The last `BACK` states, newest last, in one state m."""

    def build(self, I: int, H: int) -> dict[str, int]:  # noqa: E741
        self.x, self.h = nn.Linear(I, H), nn.Linear(H, H)
        self.q, self.out = nn.Linear(H, H), nn.Linear(2 * H, H)
        return {"m": BACK * H}


@cell("attention", "attention over the last states")
class AttendsToOwn(Window):
    """h = tanh(out·[z, Σ_k softmax(q·m_k) m_k]), by bmm."""

    def forward(self, x: Tensor, m: Tensor) -> tuple[Tensor, Tensor]:
        m = m.view(-1, BACK, self.H)
        z = torch.tanh(self.x(x) + self.h(m[:, -1]))
        scores = torch.bmm(m, self.q(z).unsqueeze(2)).squeeze(2) / self.H**0.5
        read = torch.bmm(torch.softmax(scores, -1).unsqueeze(1), m).squeeze(1)
        h = torch.tanh(self.out(torch.cat([z, read], -1)))
        return h, torch.cat([m[:, 1:], h.unsqueeze(1)], 1).flatten(1)


@cell("attention", "attention, heads and softmax over an axis in the middle")
class AttendsInHeads(Window):
    """The same with four heads, by products and sums over axes in the middle."""

    def forward(self, x: Tensor, m: Tensor) -> tuple[Tensor, Tensor]:
        m = m.view(-1, BACK, self.H)
        z = torch.tanh(self.x(x) + self.h(m[:, -1]))
        q, own = self.q(z).view(-1, 1, 4, self.H // 4), m.view(-1, BACK, 4, self.H // 4)
        weight = torch.softmax((q * own).sum(-1) / self.H**0.5, 1)
        read = (weight.unsqueeze(-1) * own).sum(1).flatten(1)
        h = torch.tanh(self.out(torch.cat([z, read], -1)))
        return h, torch.cat([m[:, 1:], h.unsqueeze(1)], 1).flatten(1)


@cell("attention", "neural Turing machine")
class Turing(Equations):
    """Reads by content, erases and adds (1410.5401), a memory of 16 rows of 16."""

    def build(self, I: int, H: int) -> dict[str, int]:  # noqa: E741
        self.n, self.d = 16, 16
        self.x, self.h = nn.Linear(I + self.d, H), nn.Linear(H, H)
        self.key, self.erase, self.add = (nn.Linear(H, self.d) for _ in range(3))
        self.sharp = nn.Linear(H, 1)
        return {"h": H, "M": self.n * self.d, "r": self.d}

    def forward(
        self, x: Tensor, h: Tensor, M: Tensor, r: Tensor
    ) -> tuple[Tensor, tuple[Tensor, Tensor, Tensor]]:
        h = torch.tanh(self.x(torch.cat([x, r], -1)) + self.h(h))
        M, key = M.view(-1, self.n, self.d), self.key(h)
        alike = torch.einsum("bnd,bd->bn", M, key)
        alike = alike / (M.norm(dim=-1) * key.norm(dim=-1, keepdim=True) + 1e-3)
        w = torch.softmax(nn.functional.softplus(self.sharp(h)) * alike, -1).unsqueeze(-1)
        M = M * (1 - w * torch.sigmoid(self.erase(h)).unsqueeze(1))
        M = M + w * torch.tanh(self.add(h)).unsqueeze(1)
        r = torch.einsum("bn,bnd->bd", w.squeeze(-1), M)
        return h, (h, M.flatten(1), r)


@cell("attention", "relational memory")
class RelationalMemory(Equations):
    """Four slots that attend to one another (1806.01822), then a gated update."""

    def build(self, I: int, H: int) -> dict[str, int]:  # noqa: E741
        self.n, self.d = 4, H // 4
        self.x = nn.Linear(I, self.d)
        self.q, self.k, self.v = (nn.Linear(self.d, self.d) for _ in range(3))
        self.gate = nn.Linear(2 * self.d, self.d)
        return {"M": H}

    def forward(self, x: Tensor, M: Tensor) -> tuple[Tensor, Tensor]:
        M = M.view(-1, self.n, self.d)
        both = torch.cat([M, self.x(x).unsqueeze(1)], 1)
        q, k, v = self.q(M), self.k(both), self.v(both)
        weight = torch.softmax(q @ k.transpose(1, 2) / self.d**0.5, -1)
        new = torch.tanh(weight @ v)
        z = torch.sigmoid(self.gate(torch.cat([M, new], -1)))
        M = (z * M + (1 - z) * new).flatten(1)
        return M, M


@cell("attention", "RWKV-4")
class RWKV4(Equations):
    """Weighted means kept as logarithms: num, den and the largest exponent (2305.13048)."""

    def build(self, I: int, H: int) -> dict[str, int]:  # noqa: E741
        self.k, self.v, self.r = nn.Linear(I, H), nn.Linear(I, H), nn.Linear(I, H)
        self.w, self.u = self.vector(H), self.vector(H)
        return {"a": H, "b": H, "p": H}

    def forward(
        self, x: Tensor, a: Tensor, b: Tensor, p: Tensor
    ) -> tuple[Tensor, tuple[Tensor, Tensor, Tensor]]:
        k, v = self.k(x), self.v(x)
        most = torch.maximum(p, self.u + k)
        old, new = torch.exp(p - most), torch.exp(self.u + k - most)
        y = torch.sigmoid(self.r(x)) * (old * a + new * v) / (old * b + new + 1e-6)
        w = p - torch.exp(self.w)
        top = torch.maximum(w, k)
        old, new = torch.exp(w - top), torch.exp(k - top)
        return y, (old * a + new * v, old * b + new, top)


@cell("attention", "zero-centred copy of the last states")
class Means(Window):
    """h = LSTM-like gates of the mean, maximum and spread of the last states."""

    def build(self, I: int, H: int) -> dict[str, int]:  # noqa: E741
        sizes = super().build(I, H)
        self.x, self.h = nn.Linear(I, 2 * H), nn.Linear(3 * H, 2 * H)
        return sizes

    def forward(self, x: Tensor, m: Tensor) -> tuple[Tensor, Tensor]:
        m = m.view(-1, BACK, self.H)
        seen = torch.cat([m.mean(1), m.amax(1), m.std(1)], -1)
        z, g = gates(self, x, seen, 2)
        z = torch.sigmoid(z)
        h = z * m[:, -1] + (1 - z) * torch.tanh(g)
        return h, torch.cat([m[:, 1:], h.unsqueeze(1)], 1).flatten(1)
