"""A sequence written for each input: translations, captions."""

from typing import Any

import numpy as np

from recurra.errors import DataError
from recurra.serve.bodies import Predict
from recurra.serve.families.family import Family


class Texts(Family):
    """A translator."""

    def more(self) -> dict[str, Any]:
        """Return the kinds that can be asked for."""
        return {"conditions": list(self.model.writing_.conditions) or None}

    def predict(self, ask: Predict) -> dict[str, Any]:
        """Return what is written for each input."""
        made = self.model.predict(self.read(self.inputs(ask)), ask.condition)
        return {"predictions": made.tolist() if isinstance(made, np.ndarray) else list(made)}

    def read(self, inputs: list[Any]) -> Any:
        """Return inputs as the model takes them."""
        return inputs


class Pictures(Texts):
    """A captioner: its inputs are pictures, H x W [x C] numbers each."""

    def kind(self) -> str:
        """Return what inputs are."""
        return "numbers"

    def tokens(self) -> None:
        """Return None: inputs are no texts."""

    def more(self) -> dict[str, Any]:
        """Return the kinds that can be asked for, and what pictures it knows."""
        channels, *size = self.model.reading_.shape
        return {**super().more(), "shape": [*size, channels] if size else None}

    def read(self, inputs: list[Any]) -> Any:
        """Return pictures as an array; raises `DataError` for anything else."""
        try:
            return np.array(inputs, dtype=np.float64)
        except (ValueError, TypeError):
            raise DataError("inputs must be pictures of one size, of numbers.") from None
