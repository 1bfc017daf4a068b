"""What a model writes: sequences as users give them, as symbols, and back."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal, NamedTuple

import numpy as np
import pydantic
from numpy.typing import NDArray

from recurra.data.inputs import read_inputs
from recurra.data.sequences import check_condition
from recurra.data.tokens import Tokenizer, make_tokenizer
from recurra.data.vocabulary import START, Vocabulary
from recurra.errors import ArgumentError, DataError
from recurra.tasks.generating.lexicon import listed
from recurra.tasks.targets import Labels, read_labels

Form = Literal["text", "symbols", "labels"]


@dataclass(frozen=True)
class Conditioned:
    """Targets, and for each a label that says what kind of target is wanted (a language, say)."""

    y: Any
    condition: Any


class Target(NamedTuple):
    """What is to be written for one example: a text, symbols or a label; under which condition."""

    content: Any
    condition: str | None = None


class Writing(pydantic.BaseModel):
    """What a model knows of what it writes.

    form: of the targets it was fitted on; tokenizer: how texts are cut, None for other forms;
    symbols: in the order of their numbers; labels: where a target is one label, those known;
    conditions: what can be asked for, in order, empty without; longest: how many symbols the
    longest target had.
    """

    model_config = pydantic.ConfigDict(extra="forbid", strict=True, frozen=True)

    form: Form
    tokenizer: Tokenizer | None = None
    symbols: tuple[str, ...] = pydantic.Field(default=(), strict=False)  # JSON has lists only
    labels: Labels | None = None
    conditions: list[str] = []
    longest: int = pydantic.Field(default=1, ge=0)

    @pydantic.model_validator(mode="after")
    def _agree(self) -> "Writing":
        if (self.form == "text") != (self.tokenizer is not None):
            raise ValueError("a tokenizer belongs to texts, and texts need one")
        if (self.form == "labels") != (self.labels is not None):
            raise ValueError("labels belong to targets of one label, which need them")
        if self.labels is not None and self.symbols != _names(self.labels.values):
            raise ValueError("symbols and labels do not agree")
        return self

    @classmethod
    def learn(cls, form: Form, targets: Sequence[Target], tokens: str, pieces: int) -> "Writing":
        """Learn symbols and conditions from the targets to train on."""
        contents = [target.content for target in targets]
        conditions = sorted({t.condition for t in targets if t.condition is not None})
        if form == "labels":
            labels = Labels.of(np.array(contents))
            return cls(
                form=form,
                labels=labels,
                symbols=_names(labels.values),
                conditions=conditions,
            )
        tokenizer = make_tokenizer(tokens, contents, size=pieces) if form == "text" else None
        writing = cls(form=form, tokenizer=tokenizer, conditions=conditions)
        cut = [writing.cut(content) for content in contents]
        return writing.model_copy(
            update={
                "symbols": Vocabulary.of(cut).symbols,
                "longest": max(len(symbols) for symbols in cut),
            }
        )

    def cut(self, content: Any) -> list[str]:
        """Return a target's symbols."""
        if self.tokenizer is not None:
            return self.tokenizer.split(content)
        return [repr(content)] if self.form == "labels" else list(content)

    def encode(self, content: Any) -> list[int]:
        """Return the numbers of a target's symbols."""
        return self._vocabulary.encode(self.cut(content))

    def decode(self, numbers: Iterable[int]) -> Any:
        """Return what the numbers stand for, as targets were given."""
        symbols = self._vocabulary.decode(numbers)
        if self.tokenizer is not None:
            return self.tokenizer.join(symbols)
        return self._by_name[symbols[0]] if self.labels is not None else symbols

    def decode_symbols(self, numbers: Iterable[int]) -> list[str]:
        """Return the symbols that the numbers stand for."""
        return self._vocabulary.decode(numbers)

    def collect(self, written: Sequence[Any]) -> Any:
        """Return all that was written as `predict` gives it: a list, an array for labels."""
        if self.labels is None:
            return list(written)
        return np.array(written, dtype=self.labels.array().dtype)

    def starts(self, conditions: Sequence[str | None]) -> list[int]:
        """Return the number that each target begins with: it says the condition."""
        first = len(self._vocabulary)
        numbers = {label: first + k for k, label in enumerate(self.conditions)}
        return [START if label is None else numbers[label] for label in conditions]

    @property
    def size(self) -> int:
        """How many numbers there are: of symbols, then of conditions."""
        return len(self._vocabulary) + len(self.conditions)

    def check_conditions(self, condition: Any, n: int) -> list[str | None]:
        """Return the condition of n rows; one for all may be given alone.

        Raises `ArgumentError` for one that was never learned, for none where there must be one.
        """
        if condition is None:
            if self.conditions:
                known = listed(self.conditions)
                raise ArgumentError(f"the model needs a condition: one of {known}.")
            return [None] * n
        if not self.conditions:
            raise ArgumentError(f"condition={condition!r}, but the model was fitted without.")
        given = [condition] * n if isinstance(condition, str) else condition
        labels = check_condition(given, n, several=False)
        unknown = sorted(set(labels) - set(self.conditions))
        if unknown:
            known = listed(self.conditions)
            raise ArgumentError(
                f"condition={unknown[0]!r} was never learned; the model knows {known}."
            )
        return list(labels)

    @cached_property
    def _vocabulary(self) -> Vocabulary:
        return Vocabulary(self.symbols)

    @cached_property
    def _by_name(self) -> dict[str, Any]:
        values = [] if self.labels is None else self.labels.values
        return dict(zip(self.symbols, values, strict=True))


def read_contents(y: Any, most: int) -> tuple[Form, list[Any]]:
    """Return the form of n targets, and each: a text, a list of symbols or a label.

    Raises `DataError`, which names the row, for anything else, and for texts and lists of more
    than `most` symbols.
    """
    if isinstance(y, str):
        raise DataError(f"y must be a list of targets, got the text {y[:30]!r}.")
    if hasattr(y, "__array__"):  # an array, or what can be one: a column of a frame
        y = np.asarray(y)
    if _holds_sequences(y):
        inputs = read_inputs(y, "y")
        if inputs.kind == "numbers":
            raise DataError(
                "y: targets are texts, lists of strings, or one label each, not lists of numbers."
            )
        for k, row in enumerate(inputs.rows):
            if len(row) > most:
                raise DataError(
                    f"y, row {k}: {len(row)} symbols, starting {row[:30]!r}; "
                    f"max_target_length is {most}."
                )
        return ("text" if inputs.kind == "text" else "symbols"), list(inputs.rows)
    labels: NDArray[Any] = read_labels(y)
    return "labels", labels.tolist()


def _holds_sequences(y: Any) -> bool:
    if isinstance(y, np.ndarray) and y.dtype.kind not in "OU":
        return False
    return any(isinstance(row, str | list | tuple) for row in y)


def _names(labels: Sequence[Any]) -> tuple[str, ...]:
    return tuple(repr(label) for label in labels)
