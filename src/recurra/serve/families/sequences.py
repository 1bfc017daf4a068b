"""New sequences, and how likely each of their symbols was."""

import warnings
from typing import Any

import numpy as np

from recurra.errors import RecurraWarning
from recurra.serve.bodies import Flow, Generate
from recurra.serve.families.family import Family
from recurra.serve.families.gradients import flow_of_symbols
from recurra.serve.families.spelling import spelt
from recurra.serve.refusals import RefusedError
from recurra.tasks.generating.number_sequences import NumberSequences


class Sequences(Family):
    """A generator, of texts, of lists of symbols or of numbers."""

    does = ("generate",)

    def kind(self) -> str:
        """Return what sequences are made of."""
        if self._numbers():
            return "numbers"
        return "text" if self.model.lexicon_.text else "symbols"

    def tokens(self) -> str | None:
        """Return what a text is cut into: characters."""
        return "char" if self.kind() == "text" else None

    def more(self) -> dict[str, Any]:
        """Return the labels, and how the sequences of each begin."""
        conditions = self.model.conditions_
        starts = None
        if not self._numbers():
            starts = {label or "": sorted(starts) for label, starts in self.model.starts_.items()}
        return {"conditions": conditions or None, "starts": starts}

    def generate(self, ask: Generate) -> dict[str, Any]:
        """Make sequences."""
        if ask.n > self.settings.sequences:
            raise RefusedError(
                413, "large", f"a call makes {self.settings.sequences} sequences at most."
            )
        if ask.steps and self._numbers():
            raise RefusedError(422, "body", "steps: a model of numbers has no symbols to tell of.")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RecurraWarning)  # fewer came up: the answer shows it
            made = self.model.generate(
                ask.prefix,
                ask.condition,
                ask.n,
                temperature=ask.temperature,
                top_k=ask.top_k,
                top_p=ask.top_p,
                unique=ask.unique and not self._numbers(),
                random_state=ask.seed,
            )
        # JSON has no bytes: each is the character of its number.
        made = [row.decode("latin-1") if isinstance(row, bytes) else row for row in made]
        rows = [row.tolist() if isinstance(row, np.ndarray) else row for row in made]
        steps = spelt(self.model, made, ask.condition) if ask.steps else None
        return {"sequences": rows, "steps": steps}

    def flow(self, ask: Flow) -> dict[str, Any]:
        """Measure where the gradients of one sequence go."""
        return flow_of_symbols(self.model, ask.input, ask.condition)

    def _numbers(self) -> bool:
        return isinstance(self.model.sequences_, NumberSequences)

    def _any_condition(self) -> tuple[str, ...]:
        return tuple(self.model.conditions_[:1])

    def _flows(self) -> tuple[str, ...]:
        return () if self._numbers() else ("flow",)
