"""A class, or a word for a blank, of each input."""

from typing import Any

from recurra.serve.bodies import Flow, Predict
from recurra.serve.families.family import Family
from recurra.serve.families.gradients import flow_of_classes


class Classes(Family):
    """A classifier, or a filler of blanks: probabilities of classes."""

    def more(self) -> dict[str, Any]:
        """Return the classes, and what stands for a blank."""
        return {
            "classes": self.model.classes_.tolist(),
            "blank": getattr(self.model, "blank", None),
        }

    def predict(self, ask: Predict) -> dict[str, Any]:
        """Return the likeliest class of each input, and all probabilities."""
        p = self.model.predict_proba(self.inputs(ask))
        classes = self.model.classes_
        return {
            "predictions": classes[p.argmax(1)].tolist(),
            "classes": classes.tolist(),
            "probabilities": p.tolist(),
        }

    def flow(self, ask: Flow) -> dict[str, Any]:
        """Measure where the gradients of one input go."""
        return flow_of_classes(self.model, ask.input)

    def _flows(self) -> tuple[str, ...]:
        text = self.task == "SequenceClassifier" and self.model.reading_.kind != "numbers"
        return ("flow",) if text else ()
