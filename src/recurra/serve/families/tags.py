"""A tag for each step of an input."""

from typing import Any

import numpy as np

from recurra.serve.bodies import Flow, Predict
from recurra.serve.families.family import Family
from recurra.serve.families.gradients import flow_of_tags
from recurra.tasks.streaming.tags import is_of_words


class Tags(Family):
    """A tagger; a text is cut at spaces where it learned words, else into characters."""

    def more(self) -> dict[str, Any]:
        """Return the tags."""
        return {"classes": self.model.classes_.tolist()}

    def predict(self, ask: Predict) -> dict[str, Any]:
        """Return the likeliest tag of each step, and all probabilities."""
        rows = [self._steps(row) for row in self.inputs(ask)]
        p = self.model.predict_proba(rows)
        classes = self.model.classes_
        return {
            "predictions": [classes[np.asarray(each).argmax(-1)].tolist() for each in p],
            "tokens": [list(row) for row in rows],
            "classes": classes.tolist(),
            "probabilities": [np.asarray(each).tolist() for each in p],
        }

    def flow(self, ask: Flow) -> dict[str, Any]:
        """Measure where the gradients of one input go."""
        return flow_of_tags(self.model, self._steps(ask.input))

    def _steps(self, row: Any) -> Any:
        if isinstance(row, str) and is_of_words(self.model.reading_.symbols):
            return row.split()
        return row

    def _flows(self) -> tuple[str, ...]:
        return ("flow",) if self.model.reading_.kind != "numbers" else ()
