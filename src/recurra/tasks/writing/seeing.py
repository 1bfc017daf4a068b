"""How a captioner reads its inputs: pictures, or vectors."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pydantic
import torch
from numpy.typing import NDArray
from torch import Tensor

from recurra.data.inputs import Inputs, read_inputs
from recurra.errors import DataError
from recurra.networks.convolution import SMALLEST
from recurra.tasks.reading import Reading


class Seeing(Reading):
    """What a captioner knows of its inputs.

    shape: (C, H, W) of the pictures, or (M,) of the vectors; features: C or M; columns: M for
    vectors, None for pictures; mean, deviation: of each colour, or of each feature of a vector.
    """

    shape: list[int]

    @pydantic.model_validator(mode="after")
    def _agree(self) -> "Seeing":
        if len(self.shape) not in (1, 3) or min(self.shape) < 1:
            raise ValueError(f"nothing has shape {self.shape}")
        if not len(self.mean) == len(self.deviation) == self.features == self.shape[0]:
            raise ValueError("mean, deviation and shape do not agree")
        return self

    @property
    def table_features(self) -> int | None:
        """What scikit-learn calls n_features_in_: of vectors, None of pictures."""
        return self.columns

    @classmethod
    def see(cls, rows: Sequence[NDArray[Any]], weights: NDArray[np.float64]) -> "Seeing":
        """Learn the scale of each colour or feature from the rows to train on."""
        shape = rows[0].shape
        first = tuple(range(1, len(shape)))
        share = weights / weights.sum()
        mean, square = np.zeros(shape[0]), np.zeros(shape[0])
        for row, part in zip(rows, share.tolist(), strict=True):  # one by one: few bytes
            mean += part * row.mean(axis=first, dtype=np.float64)
        for row, part in zip(rows, share.tolist(), strict=True):
            distance = row - mean.reshape(-1, *[1] * len(first))
            square += part * (distance**2).mean(axis=first)
        deviation = np.sqrt(square)
        deviation[deviation <= 1e-12 * np.abs(mean)] = 1.0  # what never changes becomes 0
        return cls(
            kind="numbers",
            shape=list(shape),
            features=shape[0],
            columns=shape[0] if len(shape) == 1 else None,
            mean=mean.tolist(),
            deviation=deviation.tolist(),
        )

    def cut(self, rows: Sequence[Any], most: int | None = None) -> tuple[list[Any], int]:
        """Return the rows as they are: none is too long."""
        return list(rows), 0

    def read(self, X: Any, owner: str, most: int | None = None, name: str = "X") -> list[Any]:
        """Return the rows of what the fitted `owner` is given; raises `DataError` otherwise."""
        inputs = read_pictures(X, name)
        self.check(inputs, owner, name)
        return list(inputs.rows)

    def check(self, inputs: Inputs, owner: str, name: str = "X") -> None:
        """Raise `DataError` unless pictures or vectors are of the shape `owner` was fitted on."""
        shape = list(inputs.rows[0].shape)
        if shape != self.shape:
            if len(shape) == len(self.shape) == 1:
                raise DataError(
                    f"{name} has {shape[0]} features, but {owner} is expecting {self.shape[0]} "
                    "features as input."
                )
            raise DataError(
                f"{name} holds {_shown(shape)}, but {owner} was fitted on {_shown(self.shape)}."
            )

    def batch(self, rows: Sequence[Any], device: torch.device) -> tuple[Tensor, Tensor]:
        """Return rows in units of their deviation, (B, C, H, W) or (B, M), and B zeros."""
        x = torch.from_numpy(np.stack(rows)).to(device, torch.float64)
        scale = [1, -1, *[1] * (len(self.shape) - 1)]
        mean = torch.tensor(self.mean, dtype=torch.float64, device=device).view(scale)
        deviation = torch.tensor(self.deviation, dtype=torch.float64, device=device).view(scale)
        scaled = ((x - mean) / deviation).to(torch.get_default_dtype())
        return scaled, torch.zeros(len(rows), dtype=torch.long, device=device)


def read_pictures(X: Any, name: str = "X") -> Inputs:
    """Read pictures (n, H, W) or (n, H, W, C), or vectors (n, M).

    Returns rows of (C, H, W) in the dtype given, or of (M,) float64; `columns` is M, None for
    pictures. Raises `DataError` for anything else, for pictures of unequal sizes or below
    8 x 8 pixels, and for numbers that are not finite.
    """
    array = _stacked(X, name)
    if array is None or array.ndim < 3:
        inputs = read_inputs(X, name)
        if inputs.columns is None:
            raise DataError(
                f"{name} must be pictures (n, H, W) or (n, H, W, C), or vectors (n, M)."
            )
        rows = [row[:, 0] for row in inputs.rows]
        return Inputs("numbers", rows, inputs.columns, inputs.columns)
    if array.ndim > 4 or not all(array.shape):
        raise DataError(
            f"{name} must be pictures (n, H, W) or (n, H, W, C), got shape {array.shape}."
        )
    if array.dtype.kind not in "buif":
        raise DataError(f"{name}: pictures are numbers, got {array.dtype}.")
    if min(array.shape[1:3]) < SMALLEST:
        raise DataError(
            f"{name}: pictures must have at least {SMALLEST} x {SMALLEST} pixels, got "
            f"{array.shape[1]} x {array.shape[2]}."
        )
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        row = int(np.argwhere(~np.isfinite(array))[0][0])
        raise DataError(f"{name}, row {row}: the picture holds NaN or infinity.")
    pictures = array[:, np.newaxis] if array.ndim == 3 else np.moveaxis(array, 3, 1)
    return Inputs("numbers", list(pictures), pictures.shape[1])


def _stacked(X: Any, name: str) -> NDArray[Any] | None:
    """Return X as one array, None where it is none."""
    if isinstance(X, np.ndarray):
        return X
    if not isinstance(X, list | tuple):
        return np.asarray(X) if hasattr(X, "__array__") else None
    rows = [np.asarray(row) for row in X if hasattr(row, "__array__")]
    if not rows or len(rows) < len(X):
        return None
    for k, row in enumerate(rows):
        if row.shape != rows[0].shape and min(row.ndim, rows[0].ndim) > 1:
            raise DataError(
                f"{name}, row {k}: the picture is of {row.shape}, row 0 of {rows[0].shape}; "
                "bring all to one size."
            )
    return np.stack(rows) if len({row.shape for row in rows}) == 1 else None


def _shown(shape: Sequence[int]) -> str:
    if len(shape) == 1:
        return f"vectors of {shape[0]} features"
    return f"pictures of {shape[1]} x {shape[2]} pixels and {shape[0]} colours"
