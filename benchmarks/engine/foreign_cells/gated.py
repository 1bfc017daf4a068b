"""Gated cells of the literature."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from foreign_cells.base import Equations, cell, gates


class Gated(Equations):
    """One state h, W·x and U·h of `count` gates."""

    count = 1

    def build(self, I: int, H: int) -> dict[str, int]:  # noqa: E741
        self.x, self.h = nn.Linear(I, self.count * H), nn.Linear(H, self.count * H)
        return {"h": H}


@cell("gated", "minLSTM in logarithms")
class MinLSTMLog(Gated):
    """log h = logaddexp(log f + log h, log i + log g(x)) (2410.01201, appendix)."""

    count = 3

    def forward(self, x: Tensor, h: Tensor) -> tuple[Tensor, Tensor]:
        f, i, g = self.x(x).chunk(3, -1)
        apart = F.softplus(-f) - F.softplus(-i)
        log_f, log_i = -F.softplus(apart), -F.softplus(-apart)
        log_g = torch.where(g >= 0, torch.log(F.relu(g) + 0.5), -F.softplus(-g))
        h = torch.logaddexp(log_f + h, log_i + log_g)
        return h, h


@cell("gated", "multiplicative LSTM")
class MultiplicativeLSTM(Equations):
    """m = W·x * U·h; an LSTM of x and m (1609.07959)."""

    def build(self, I: int, H: int) -> dict[str, int]:  # noqa: E741
        self.x, self.h = nn.Linear(I, 4 * H), nn.Linear(H, 4 * H)
        self.xm, self.hm = nn.Linear(I, H), nn.Linear(H, H)
        return {"h": H, "c": H}

    def forward(self, x: Tensor, h: Tensor, c: Tensor) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        i, f, o, g = gates(self, x, self.xm(x) * self.hm(h), 4)
        c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
        h = torch.sigmoid(o) * torch.tanh(c)
        return h, (h, c)


@cell("gated", "layer-norm LSTM")
class LayerNormLSTM(Equations):
    """Layer norms of W·x, of U·h and of c (1607.06450)."""

    def build(self, I: int, H: int) -> dict[str, int]:  # noqa: E741
        self.x, self.h = nn.Linear(I, 4 * H), nn.Linear(H, 4 * H)
        self.nx, self.nh, self.nc = nn.LayerNorm(4 * H), nn.LayerNorm(4 * H), nn.LayerNorm(H)
        return {"h": H, "c": H}

    def forward(self, x: Tensor, h: Tensor, c: Tensor) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        i, f, o, g = (self.nx(self.x(x)) + self.nh(self.h(h))).chunk(4, -1)
        c = torch.sigmoid(f + 1) * c + torch.sigmoid(i) * torch.tanh(g)
        h = torch.sigmoid(o) * torch.tanh(self.nc(c))
        return h, (h, c)


@cell("gated", "HyperLSTM")
class HyperLSTM(Equations):
    """A small LSTM scales the rows of a large one's weights (1609.09106)."""

    def build(self, I: int, H: int) -> dict[str, int]:  # noqa: E741
        n = self.n = 16
        self.x, self.h = nn.Linear(I, 4 * H), nn.Linear(H, 4 * H)
        self.small_x, self.small_h = nn.Linear(I + H, 4 * n), nn.Linear(n, 4 * n)
        self.zx, self.zh, self.zb = nn.Linear(n, 16), nn.Linear(n, 16), nn.Linear(n, 16)
        self.dx, self.dh, self.db = (self.matrix(4, 4, H) for _ in range(3))
        return {"h": H, "c": H, "sh": n, "sc": n}

    def forward(
        self, x: Tensor, h: Tensor, c: Tensor, sh: Tensor, sc: Tensor
    ) -> tuple[Tensor, tuple[Tensor, Tensor, Tensor, Tensor]]:
        i, f, o, g = (self.small_x(torch.cat([x, h], -1)) + self.small_h(sh)).chunk(4, -1)
        sc = torch.sigmoid(f) * sc + torch.sigmoid(i) * torch.tanh(g)
        sh = torch.sigmoid(o) * torch.tanh(sc)

        def scale(z: Tensor, d: Tensor) -> Tensor:
            return torch.einsum("bgk,gkh->bgh", z.view(-1, 4, 4), d).flatten(1)

        pre = scale(self.zx(sh), self.dx) * self.x(x) + scale(self.zh(sh), self.dh) * self.h(h)
        i, f, o, g = (pre + scale(self.zb(sh), self.db)).chunk(4, -1)
        c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
        h = torch.sigmoid(o) * torch.tanh(c)
        return h, (h, c, sh, sc)


@cell("gated", "maxout GRU")
class MaxoutGRU(Equations):
    """A GRU whose candidate is the largest of two linear maps, interleaved features."""

    def build(self, I: int, H: int) -> dict[str, int]:  # noqa: E741
        self.x, self.h = nn.Linear(I, 2 * H), nn.Linear(H, 2 * H)
        self.cx, self.ch = nn.Linear(I, 2 * H), nn.Linear(H, 2 * H)
        return {"h": H}

    def forward(self, x: Tensor, h: Tensor) -> tuple[Tensor, Tensor]:
        z, r = gates(self, x, h, 2)
        both = (self.cx(x) + self.ch(torch.sigmoid(r) * h)).unflatten(-1, (2, -1))
        z = torch.sigmoid(z)
        h = (1 - z) * h + z * torch.tanh(both.amax(1))
        return h, h


@cell("gated", "reversed features")
class Reversed(Equations):
    """Features in reverse order, which the machine moves one by one."""

    def build(self, I: int, H: int) -> dict[str, int]:  # noqa: E741
        self.x, self.h = nn.Linear(I, H), nn.Linear(H, H)
        return {"h": H}

    def forward(self, x: Tensor, h: Tensor) -> tuple[Tensor, Tensor]:
        h = torch.tanh(self.x(x) + self.h(h) * h.flip(1))
        return h, h


@cell("gated", "bilinear")
class Bilinear(Equations):
    """Low-rank products of x and h, heads interleaved: a reshape, a transpose, a sum."""

    def build(self, I: int, H: int) -> dict[str, int]:  # noqa: E741
        self.x, self.h, self.out = nn.Linear(I, 4 * H), nn.Linear(H, 4 * H), nn.Linear(H, H)
        return {"h": H}

    def forward(self, x: Tensor, h: Tensor) -> tuple[Tensor, Tensor]:
        a, b = self.x(x).view(-1, self.H, 4), self.h(h).view(-1, self.H, 4)
        both = (a * b).transpose(1, 2).reshape(-1, 4, self.H)
        h = torch.tanh(self.out(both.sum(1)))
        return h, h
