"""What a generator knows of its data: symbols, labels, how sequences begin."""

from collections.abc import Sequence
from difflib import get_close_matches
from functools import cached_property
from typing import Literal

import numpy as np
import pydantic

from recurra.data.long_text.counted import CountedText
from recurra.data.long_text.symbols import KINDS
from recurra.data.sequences import count_starts, symbols_of
from recurra.data.vocabulary import END, Vocabulary
from recurra.errors import ArgumentError, DataError

_MOST = 4000  # symbols of an endless text; those beyond are read as unknown


class Lexicon(pydantic.BaseModel):
    """The symbols and labels of the sequences a generator was fitted on.

    text: whether sequences are strings, or lists of strings; symbols: the vocabulary's, in the
    order of their numbers; conditions: the labels, in order, empty without; then for each label
    (for all sequences, without labels) starts: how often each first symbol begins one, and
    alphabets: the symbols they have. endless: None, or that it was one text without an end, which
    may begin anywhere, and whether its symbols are characters ("char") or bytes ("byte", as the
    characters of their numbers).
    """

    model_config = pydantic.ConfigDict(extra="forbid", strict=True, frozen=True)

    text: bool
    symbols: tuple[str, ...] = pydantic.Field(strict=False)  # JSON has lists only
    conditions: list[str]
    starts: list[dict[str, int]]
    alphabets: list[list[str]]
    endless: Literal["char", "byte"] | None = None

    @pydantic.model_validator(mode="after")
    def _agree(self) -> "Lexicon":
        labels = max(1, len(self.conditions))
        if len(self.starts) != labels or len(self.alphabets) != labels:
            raise ValueError("conditions, starts and alphabets are not of the same length")
        if len(set(self.symbols)) != len(self.symbols):
            raise ValueError("a symbol is there twice")
        if self.endless is not None:
            known = KINDS[self.endless]
            if self.conditions or any(len(s) != 1 or ord(s) >= known for s in self.symbols):
                raise ValueError(f"these are no symbols of one text cut by {self.endless!r}")
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

    @classmethod
    def of_text(cls, counted: CountedText) -> "Lexicon":
        """Collect the symbols of an endless text: those that are there twice, the most frequent.

        From those that are there once the model learns what an unknown symbol is worth.
        """
        codes = np.flatnonzero(counted.counts > 1)
        if not len(codes):
            raise DataError(f"{counted.text.name}: no symbol is there twice, nothing to learn.")
        order = np.argsort(-counted.counts[codes], kind="stable")[:_MOST]
        counts = {chr(code): int(counted.counts[code]) for code in codes[order]}
        return cls(
            text=True,
            symbols=tuple(counts),
            conditions=[],
            starts=[counts],
            alphabets=[list(counts)],
            endless="byte" if counted.kind == "byte" else "char",
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
        drawn = {*self.vocabulary.encode(self.alphabets[place])}
        if self.endless is None:
            drawn.add(END)
        return [number for number in range(len(self.vocabulary)) if number not in drawn]

    def joined(self, symbols: Sequence[str]) -> str | list[str] | bytes:
        """Return symbols as the user gives sequences: a string, a list, or bytes."""
        if self.endless == "byte":
            return "".join(symbols).encode("latin-1")
        return "".join(symbols) if self.text else list(symbols)

    def cut(self, piece: str | bytes | Sequence[str], name: str) -> list[str]:
        """Return the symbols of a piece of a sequence; raises `DataError` for another form.

        Where symbols are bytes a text's are those of its UTF-8.
        """
        if self.endless == "byte" and isinstance(piece, str | bytes):
            return list((piece.encode() if isinstance(piece, str) else piece).decode("latin-1"))
        if isinstance(piece, bytes) or isinstance(piece, str) != self.text:
            wanted = "a text" if self.text else "a list of symbols"
            raise DataError(f"{name} must be {wanted} for this model, got {piece!r}.")
        return symbols_of(piece)

    def check_prefix(
        self, prefix: str | Sequence[str], label: str | None, max_length: int
    ) -> list[str]:
        """Return a prefix's symbols; raise `ArgumentError` where no sequence begins so."""
        symbols = self.cut(prefix, "prefix") if prefix else []
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
        self.check_known(symbols, prefix)
        return symbols

    def check_known(self, symbols: Sequence[str], prefix: object) -> None:
        """Raise `ArgumentError` where the model never learned a symbol of a prefix."""
        unknown = [symbol for symbol in symbols if symbol not in self.vocabulary]
        if unknown:
            raise ArgumentError(f"prefix={prefix!r}: the model never learned {unknown[0]!r}.")


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
