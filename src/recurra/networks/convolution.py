"""Pictures as a grid of features: a small convolutional encoder."""

import math

import torch
from torch import Tensor, nn

from recurra.errors import ArgumentError, ShapeError

SMALLEST = 8  # pixels a side
_LEAST = 3  # blocks before the last


class ConvolutionalEncoder(nn.Module):
    """Reads a picture into a grid of features that a decoder looks at, and one vector of all.

    Two places are added to the colours, a pixel's row and column from -1 to 1, so that "left of"
    can be told (Liu et al., arXiv 1807.03247). A block is a 3 × 3 convolution, batch
    normalisation (Ioffe and Szegedy, arXiv 1502.03167) and a ReLU. There are at least four, so
    that a cell sees much of a small picture; all but the last may halve the sides, the later ones
    first, until the shorter side has 8 to 16 cells.

    Args:
        height, width: the pictures' sides in pixels, at least 8.
        channels: C, their colours.
        size: M, the features of a cell; a multiple of 8.

    Raises `ArgumentError` for other sizes.
    """

    def __init__(self, height: int, width: int, channels: int, size: int) -> None:
        super().__init__()
        if min(height, width) < SMALLEST:
            raise ArgumentError(
                f"pictures must have at least {SMALLEST} x {SMALLEST} pixels, got "
                f"{height} x {width}."
            )
        if size < 8 or size % 8:
            raise ArgumentError(f"size must be a multiple of 8, got {size}.")
        self.height, self.width, self.channels, self.size = height, width, channels, size
        halvings = self._halvings()
        blocks: list[nn.Module] = []
        before = channels + 2
        for k in range(max(_LEAST, halvings), 0, -1):
            after = max(16, size // 2**k // 8 * 8)
            blocks += _block(before, after, stride=2 if k <= halvings else 1)
            before = after
        self.blocks = nn.Sequential(*blocks, *_block(before, size, stride=1))

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Read images (B, C, H, W) into cells (S, B, M), and their mean (B, M).

        S counts the grid's cells row by row. Raises `ShapeError` for images of another size.
        """
        wanted = (self.channels, self.height, self.width)
        if images.dim() != 4 or images.shape[1:] != wanted:
            raise ShapeError(
                f"images must be of (B, C, H, W) = (B, {wanted[0]}, {wanted[1]}, {wanted[2]}), "
                f"got {tuple(images.shape)}."
            )
        rows = torch.linspace(-1, 1, self.height, dtype=images.dtype, device=images.device)
        columns = torch.linspace(-1, 1, self.width, dtype=images.dtype, device=images.device)
        places = torch.stack(torch.meshgrid(rows, columns, indexing="ij"))
        x = torch.cat([images, places.expand(len(images), -1, -1, -1)], 1)
        cells = self.blocks(x).flatten(2).permute(2, 0, 1)
        return cells, cells.mean(0)

    @property
    def grid(self) -> tuple[int, int]:
        """The grid's rows and columns."""
        cells = 2 ** self._halvings()
        return math.ceil(self.height / cells), math.ceil(self.width / cells)

    def _halvings(self) -> int:
        return int(math.log2(min(self.height, self.width) / 8))


def _block(before: int, after: int, *, stride: int) -> list[nn.Module]:
    return [
        nn.Conv2d(before, after, 3, stride, padding=1, bias=False),
        nn.BatchNorm2d(after),
        nn.ReLU(),
    ]
