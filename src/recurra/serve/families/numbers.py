"""A number, or several, of each input."""

from typing import Any

from recurra.serve.bodies import Predict
from recurra.serve.families.family import Family


class Numbers(Family):
    """A regressor."""

    def predict(self, ask: Predict) -> dict[str, Any]:
        """Return the number, or the numbers, of each input."""
        return {"predictions": self.model.predict(self.inputs(ask)).tolist()}
