"""Cells whose state is a matrix: fast weights, linear attention, delta rules."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from foreign_cells.base import Equations, cell

WIDE = 32  # most rows and columns of a head's matrix


class Heads(Equations):
    """q, k, v of some heads from x, a matrix S (d, d) for each."""

    extra = 0

    def build(self, I: int, H: int) -> dict[str, int]:  # noqa: E741
        self.d = min(H, WIDE)
        self.heads = max(1, H // self.d)
        self.qkv = nn.Linear(I, 3 * self.heads * self.d)
        self.gate = nn.Linear(I, self.heads * self.d)
        self.rate = nn.Linear(I, self.heads)
        return {"S": self.heads * self.d * self.d}

    def heads_of(self, x: Tensor) -> list[Tensor]:
        return [p.reshape(-1, self.heads, self.d) for p in self.qkv(x).chunk(3, -1)]

    def matrix_of(self, S: Tensor) -> Tensor:
        return S.reshape(-1, self.heads, self.d, self.d)


@cell("matrix", "strided sum")
class StridedSum(Equations):
    """tanh(W·Σ_i h_i x_j): a sum over an axis that is not the last."""

    def build(self, I: int, H: int) -> dict[str, int]:  # noqa: E741
        self.x, self.out = nn.Linear(I, H), nn.Linear(H, H)
        return {"h": H}

    def forward(self, x: Tensor, h: Tensor) -> tuple[Tensor, Tensor]:
        z = torch.tanh(self.x(x))
        h = torch.tanh(self.out((h.unsqueeze(2) * z.unsqueeze(1)).sum(1)) / self.H)
        return h, h


@cell("matrix", "fast weights (Ba 2016)")
class FastWeights(Equations):
    """A = 0.95·A + 0.5·h hᵀ; h = tanh(W·x + U·h + A·h), by bmm."""

    def build(self, I: int, H: int) -> dict[str, int]:  # noqa: E741
        self.d = min(H, 64)
        self.x, self.h = nn.Linear(I, self.d), nn.Linear(self.d, self.d, bias=False)
        return {"h": self.d, "A": self.d * self.d}

    def forward(self, x: Tensor, h: Tensor, A: Tensor) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        A = 0.95 * A.view(-1, self.d, self.d) + 0.5 * torch.bmm(h.unsqueeze(2), h.unsqueeze(1))
        h = torch.tanh(self.x(x) + self.h(h) + torch.bmm(A, h.unsqueeze(2)).squeeze(2) / self.d)
        return h, (h, A.flatten(1))


@cell("matrix", "linear attention")
class LinearAttention(Heads):
    """S = S + v kᵀ; y = S·q, by einsum (Katharopoulos 2020), features elu + 1."""

    def forward(self, x: Tensor, S: Tensor) -> tuple[Tensor, Tensor]:
        q, k, v = self.heads_of(x)
        q, k = F.elu(q) + 1, F.elu(k) + 1
        M = 0.9 * self.matrix_of(S) + torch.einsum("bhi,bhj->bhij", v, k)
        y = torch.einsum("bhij,bhj->bhi", M, q) / self.d
        return y.flatten(1), M.flatten(1)


@cell("matrix", "retention")
class Retention(Heads):
    """S = γ S + k vᵀ; y = q·S (RetNet), by matmul of rows."""

    def forward(self, x: Tensor, S: Tensor) -> tuple[Tensor, Tensor]:
        q, k, v = self.heads_of(x)
        M = 0.9 * self.matrix_of(S) + k.unsqueeze(-1) * v.unsqueeze(-2)
        y = (q.unsqueeze(-1) * M).sum(-2)
        return y.flatten(1) / self.d, M.flatten(1)


@cell("matrix", "DeltaNet")
class DeltaNet(Heads):
    """S = S + β (v - S k) kᵀ; y = S q, k of norm 1 (2406.06484)."""

    def forward(self, x: Tensor, S: Tensor) -> tuple[Tensor, Tensor]:
        q, k, v = self.heads_of(x)
        k, beta = F.normalize(k, dim=-1), torch.sigmoid(self.rate(x)).unsqueeze(-1)
        M = self.matrix_of(S)
        old = torch.einsum("bhij,bhj->bhi", M, k)
        M = M + torch.einsum("bhi,bhj->bhij", beta * (v - old), k)
        return torch.einsum("bhij,bhj->bhi", M, q).flatten(1), M.flatten(1)


@cell("matrix", "gated DeltaNet")
class GatedDeltaNet(Heads):
    """S = α S (I - β k kᵀ) + β v kᵀ; y = S q (2412.06464)."""

    def build(self, I: int, H: int) -> dict[str, int]:  # noqa: E741
        sizes = super().build(I, H)
        self.alpha = nn.Linear(I, self.heads)
        return sizes

    def forward(self, x: Tensor, S: Tensor) -> tuple[Tensor, Tensor]:
        q, k, v = self.heads_of(x)
        k = F.normalize(F.silu(k), dim=-1)
        beta = torch.sigmoid(self.rate(x))[:, :, None]
        alpha = torch.sigmoid(self.alpha(x))[:, :, None, None]
        M = self.matrix_of(S) * alpha
        new = beta * (v - (M @ k.unsqueeze(-1)).squeeze(-1))
        M = M + new.unsqueeze(-1) @ k.unsqueeze(-2)
        return (M @ q.unsqueeze(-1)).squeeze(-1).flatten(1), M.flatten(1)


@cell("matrix", "gated linear attention")
class GatedLinearAttention(Heads):
    """S = diag(α) S + k vᵀ; y = Sᵀ q, a gate for each row (2312.06635)."""

    def forward(self, x: Tensor, S: Tensor) -> tuple[Tensor, Tensor]:
        q, k, v = self.heads_of(x)
        alpha = torch.sigmoid(self.gate(x)).reshape(-1, self.heads, self.d, 1)
        M = alpha * self.matrix_of(S) + k.unsqueeze(-1) * v.unsqueeze(-2)
        return (q.unsqueeze(-2) @ M).squeeze(-2).flatten(1) / self.d, M.flatten(1)


@cell("matrix", "mLSTM")
class MLSTM(Heads):
    """C = f C + i v kᵀ, n = f n + i k, y = o C q / max(|nᵀ q|, 1) (xLSTM 2405.04517)."""

    def build(self, I: int, H: int) -> dict[str, int]:  # noqa: E741
        sizes = super().build(I, H)
        self.forget = nn.Linear(I, self.heads)
        return sizes | {"n": self.heads * self.d, "m": self.heads}

    def forward(
        self, x: Tensor, S: Tensor, n: Tensor, m: Tensor
    ) -> tuple[Tensor, tuple[Tensor, Tensor, Tensor]]:
        q, k, v = self.heads_of(x)
        k = k / self.d**0.5
        log_i, log_f = self.rate(x), F.logsigmoid(self.forget(x))
        new_m = torch.maximum(log_f + m, log_i)
        i, f = torch.exp(log_i - new_m).unsqueeze(-1), torch.exp(log_f + m - new_m).unsqueeze(-1)
        C = f.unsqueeze(-1) * self.matrix_of(S) + i.unsqueeze(-1) * torch.einsum(
            "bhi,bhj->bhij", v, k
        )
        n = f * n.reshape(-1, self.heads, self.d) + i * k
        below = (n * q).sum(-1, keepdim=True).abs().clamp_min(1.0)
        y = torch.einsum("bhij,bhj->bhi", C, q) / below
        y = torch.sigmoid(self.gate(x)) * y.flatten(1)
        return y, (C.flatten(1), n.flatten(1), new_m)


@cell("matrix", "RWKV-5")
class RWKV5(Heads):
    """y = r (diag(u) k vᵀ + S), S = diag(w) S + k vᵀ (2404.05892)."""

    def build(self, I: int, H: int) -> dict[str, int]:  # noqa: E741
        sizes = super().build(I, H)
        self.u, self.w = self.matrix(self.heads, self.d), self.matrix(self.heads, self.d)
        return sizes

    def forward(self, x: Tensor, S: Tensor) -> tuple[Tensor, Tensor]:
        r, k, v = self.heads_of(x)
        M = self.matrix_of(S)
        kv = k.unsqueeze(-1) @ v.unsqueeze(-2)
        y = r.unsqueeze(-2) @ (self.u.unsqueeze(-1) * kv + M)
        M = torch.exp(-torch.exp(self.w)).unsqueeze(-1) * M + kv
        return y.squeeze(-2).flatten(1) / self.d, M.flatten(1)
