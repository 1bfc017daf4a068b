"""What follows in series."""

from typing import Any

import numpy as np

from recurra.errors import DataError
from recurra.serve.bodies import Predict
from recurra.serve.families.family import Family
from recurra.serve.refusals import RefusedError


class SeriesAhead(Family):
    """A forecaster, of the series it learned or of newer ones; or of rows."""

    def kind(self) -> str:
        """Return what inputs are."""
        return "numbers"

    def tokens(self) -> None:
        """Return None: inputs are no texts."""

    def more(self) -> dict[str, Any]:
        """Return how far it sees, and the series it knows."""
        state = self.model.state_
        of_series = state.kind == "series"
        return {
            "horizon": state.H,
            "levels": list(self.model.quantiles),
            "series": list(state.ids) if of_series else None,
        }

    def predict(self, ask: Predict) -> dict[str, Any]:
        """Return point, quantiles and times ahead, and what came before."""
        if ask.inputs is not None:
            return self._rows(ask)
        if ask.series is not None and len(ask.series) > self.settings.sequences:
            raise RefusedError(
                413, "large", f"a call takes {self.settings.sequences} series: split it."
            )
        given = {k: np.array(v) for k, v in ask.series.items()} if ask.series else None
        made = self.model.forecast(given, horizon=ask.horizon)
        return {
            "ids": made.ids,
            "times": [_times(times) for times in made.times],
            "point": made.point.tolist(),
            "levels": list(made.levels),
            "quantiles": made.quantiles.tolist(),
            "past_times": [_times(times) for times in made.past_times],
            "past": [values.tolist() for values in made.past],
        }

    def _rows(self, ask: Predict) -> dict[str, Any]:
        try:
            rows = np.array(self.inputs(ask), dtype=np.float64)
        except (TypeError, ValueError):
            raise DataError("inputs must be rows of numbers, of one length.") from None
        return {
            "point": self.model.predict(rows).tolist(),
            "levels": list(self.model.quantiles),
            "quantiles": self.model.predict_quantiles(rows).tolist(),
        }


def _times(times: Any) -> list[Any]:
    if times.dtype.kind == "i":
        numbers: list[Any] = times.tolist()
        return numbers
    return [str(time).removesuffix(".000000").removesuffix("T00:00:00") for time in times]
