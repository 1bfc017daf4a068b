"""Cells that spike, with a smooth stand-in for the step."""

import torch
from torch import Tensor, nn

from foreign_cells.base import Equations, cell


@cell("spiking", "leaky integrate and fire")
class LIF(Equations):
    """v = β v + W·x + U·s - θ s; s = [v > θ], the gradient that of a steep sigmoid."""

    def build(self, I: int, H: int) -> dict[str, int]:  # noqa: E741
        self.x, self.h = nn.Linear(I, H), nn.Linear(H, H, bias=False)
        return {"v": H, "s": H}

    def forward(self, x: Tensor, v: Tensor, s: Tensor) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        v = 0.9 * v + self.x(x) + self.h(s) - 0.5 * s
        smooth = torch.sigmoid(5 * (v - 0.5))
        s = ((v > 0.5).to(v.dtype) - smooth).detach() + smooth
        return s, (v, s)


@cell("spiking", "adaptive LIF")
class ALIF(Equations):
    """The threshold rises with each spike (LSNN, Bellec 2018)."""

    def build(self, I: int, H: int) -> dict[str, int]:  # noqa: E741
        self.x, self.h = nn.Linear(I, H), nn.Linear(H, H, bias=False)
        return {"v": H, "s": H, "a": H}

    def forward(
        self, x: Tensor, v: Tensor, s: Tensor, a: Tensor
    ) -> tuple[Tensor, tuple[Tensor, Tensor, Tensor]]:
        a = 0.97 * a + s
        theta = 0.5 + 0.2 * a
        v = 0.9 * v + self.x(x) + self.h(s) - theta * s
        smooth = torch.clamp(1 - (v - theta).abs(), min=0)
        s = ((v > theta).float() - smooth).detach() + smooth
        return s, (v, s, a)
