"""What a generator knows of its data: symbols, labels, how sequences begin."""

from collections.abc import Sequence
from difflib import get_close_matches
from functools import cached_property

import pydantic

from recurra.data.sequences import count_starts, symbols_of
from recurra.data.vocabulary import END, Vocabulary
from recurra.errors import ArgumentError


class Lexicon(pydantic.BaseModel):
    """The symbols and labels of the sequences a generator was fitted on.

    text: whether sequences are strings, or lists of strings; symbols: the vocabulary's, in the
    order of their numbers; conditions: the labels, in order, empty without; then for each label
    (for all sequences, without labels) starts: how often each first symbol begins one, and
    alphabets: the symbols they have.
    """

    model_config = pydantic.ConfigDict(extra="forbid", strict=True, frozen=True)

    text: bool
    symbols: tuple[str, ...] = pydantic.Field(strict=False)  # JSON has lists only
    conditions: list[str]
    starts: list[dict[str, int]]
    alphabets: list[list[str]]

    @pydantic.model_validator(mode="after")
    def _agree(self) -> "Lexicon":
        labels = max(1, len(self.conditions))
        if len(self.starts) != labels or len(self.alphabets) != labels:
            raise ValueError("conditions, starts and alphabets are not of the same length")
        if len(set(self.symbols)) != len(self.symbols):
            raise ValueError("a symbol is there twice")
        return self

    @classmethod
    def of(
        cls,
        rows: Sequence[Sequence[str]],
        labels: Sequence[str] | None,
        trained_on: Sequence[Sequence[str]],
        *,
        text: bool,
    ) -> "Lexicon":
        """Collect labels and beginnings of all rows, and the symbols of those trained on."""
        starts = count_starts(rows, labels)
        vocabulary = Vocabulary.of(trained_on)
        used: dict[str | None, set[str]] = {label: set() for label in starts}
        for k, row in enumerate(rows):
            used[None if labels is None else labels[k]].update(row)
        return cls(
            text=text,
            symbols=vocabulary.symbols,
            conditions=[label for label in starts if label is not None],
            starts=list(starts.values()),
            alphabets=[[s for s in vocabulary.symbols if s in used[label]] for label in starts],
        )

    @cached_property
    def vocabulary(self) -> Vocabulary:
        """The numbers of the symbols."""
        return Vocabulary(self.symbols)

    @cached_property
    def starts_by_label(self) -> dict[str | None, dict[str, int]]:
        """How often each first symbol begins a sequence of a label; of None without labels."""
        labels: list[str | None] = [*self.conditions] or [None]
        return dict(zip(labels, self.starts, strict=True))

    def numbers_of(self, labels: Sequence[str] | None) -> list[int] | None:
        """Return the labels' numbers."""
        if labels is None:
            return None
        numbers = {label: k for k, label in enumerate(self.conditions)}
        return [numbers[label] for label in labels]

    def never(self, label: str | None) -> list[int]:
        """Return the numbers never drawn for a label: of symbols its sequences do not have."""
        place = 0 if label is None else self.conditions.index(label)
        drawn = {END, *self.vocabulary.encode(self.alphabets[place])}
        return [number for number in range(len(self.vocabulary)) if number not in drawn]

    def joined(self, symbols: Sequence[str]) -> str | list[str]:
        """Return symbols as the user gives sequences: a string, or a list."""
        return "".join(symbols) if self.text else list(symbols)

    def check_prefix(
        self, prefix: str | Sequence[str], label: str | None, max_length: int
    ) -> list[str]:
        """Return a prefix's symbols; raise `ArgumentError` where no sequence begins so."""
        if isinstance(prefix, str) and prefix and not self.text:
            raise ArgumentError(f"prefix={prefix!r} must be a list of symbols for this model.")
        symbols = symbols_of(prefix)
        if len(symbols) >= max_length:
            raise ArgumentError(
                f"prefix has {len(symbols)} symbols; the longest sequence has {max_length}."
            )
        starts = self.starts_by_label[label]
        if symbols and symbols[0] not in starts:
            whose = "" if label is None else f" of {label!r}"
            raise ArgumentError(
                f"no sequence{whose} starts with {symbols[0]!r}; they start with "
                f"{listed(sorted(starts), 60)}."
            )
        unknown = [symbol for symbol in symbols if symbol not in self.vocabulary]
        if unknown:
            raise ArgumentError(f"prefix={prefix!r}: the model never learned {unknown[0]!r}.")
        return symbols


def check_label(label: str | None, conditions: Sequence[str]) -> None:
    """Raise `ArgumentError` unless the label is known, or is None and there are none."""
    if not conditions:
        if label is not None:
            raise ArgumentError(f"condition={label!r}, but the model was fitted without labels.")
    elif label is None:
        raise ArgumentError(f"the model needs a condition: one of {listed(conditions)}.")
    elif label not in conditions:
        near = get_close_matches(label, conditions, 3)
        hint = f"; did you mean {' or '.join(map(repr, near))}?" if near else "."
        raise ArgumentError(
            f"condition={label!r} is not one of the {len(conditions)} labels the model "
            f"knows ({listed(conditions)}){hint}"
        )


def listed(labels: Sequence[str], most: int = 12) -> str:
    """Return labels as text, the first `most` of them."""
    shown = ", ".join(labels[:most])
    return f"{shown}, ... ({len(labels)} in all)" if len(labels) > most else shown
