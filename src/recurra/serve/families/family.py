"""What all families share: a model told, its inputs checked."""

from typing import Any, ClassVar

from recurra.errors import RecurraError
from recurra.layers import Recurrent
from recurra.serve.bodies import Predict
from recurra.serve.refusals import RefusedError
from recurra.serve.settings import Settings
from recurra.tasks.streaming import open_stream
from recurra.version import __version__


class Family:
    """A model of one of several tasks that answer alike.

    does: what models of these tasks can do here, of "predict" and "generate".
    takes: what this one can do, "stream" and "flow" included, each but "stream" by a method of that
    name; no_streams: why it has none, or "".
    """

    does: ClassVar[tuple[str, ...]] = ("predict",)

    def __init__(self, model: Any, settings: Settings) -> None:
        self.model, self.settings = model, settings
        self.task = type(model).__name__
        self.no_streams = self._why_no_streams()
        self.takes = (*self.does, *([] if self.no_streams else ["stream"]), *self._flows())

    def about(self) -> dict[str, Any]:
        """Return what /model says, but for the server's own."""
        layer = next(m for m in self.model.network_.modules() if isinstance(m, Recurrent))
        cell = self.model.cell
        return {
            "task": self.task,
            "recurra": __version__,
            "kind": self.kind(),
            "takes": self.takes,
            "classes": None,
            "conditions": None,
            "tokens": self.tokens(),
            "blank": None,
            "shape": None,
            "starts": None,
            "horizon": None,
            "levels": None,
            "series": None,
            "summary": self.model.summary(),
            "parameters": self.model.parameter_count_,
            "state": {n: [len(layer.cells), size] for n, size in layer.state_sizes.items()},
            "cell": cell if isinstance(cell, str) else cell.__name__,
            **self.more(),
        }

    def kind(self) -> str:
        """Return what inputs are: "text", "symbols" or "numbers"."""
        kind: str = self.model.reading_.kind
        return kind

    def tokens(self) -> str | None:
        """Return how a text is cut: "char", "word" or "bpe"; None where inputs are no texts."""
        tokenizer = self.model.reading_.tokenizer
        return None if tokenizer is None else tokenizer.kind

    def more(self) -> dict[str, Any]:
        """Return what /model says of this family only."""
        return {}

    def inputs(self, ask: Predict) -> list[Any]:
        """Return the inputs; raises `RefusedError` where there are none, or too many."""
        if not ask.inputs:
            raise RefusedError(422, "body", "inputs is missing: a list with what to answer for.")
        if len(ask.inputs) > self.settings.sequences:
            raise RefusedError(
                413, "large", f"a call takes {self.settings.sequences} inputs: split it."
            )
        return ask.inputs

    def _flows(self) -> tuple[str, ...]:
        return ()

    def _why_no_streams(self) -> str:
        try:
            open_stream(self.model, *self._any_condition())
        except RecurraError as error:
            return str(error)
        return ""

    def _any_condition(self) -> tuple[str, ...]:
        return ()
