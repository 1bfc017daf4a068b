"""Sequences with a blank: where it is marked, how they are read, how blanks are made."""

import re
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from recurra.data.inputs import Inputs
from recurra.data.tables.text_lines import shown_cell
from recurra.errors import DataError
from recurra.tasks.reading import Reading

MARK = "\0"  # the symbol that stands for the blank, whatever the user writes for it

_WORD = re.compile(r"\w+(?:['’-]\w+)*")


class BlankReading(Reading):
    """What an estimator knows of its inputs, each of which has a blank at one step.

    Numbers have none that could be seen: theirs is after the last step.
    """

    def cut(self, rows: Sequence[Any], most: int | None = None) -> tuple[list[Any], int]:
        """Return the rows as arrays or symbols, `MARK` among them, and 0.

        Of a row longer than `most` those steps are kept that are nearest to the blank; where there
        is none, the blank is at the end.
        """
        if self.kind == "numbers":
            return [row if most is None else row[-most:] for row in rows], 0
        return [self._around(row, most) for row in rows], 0

    def batch(self, rows: Sequence[Any], device: torch.device) -> tuple[Any, Tensor]:
        """Return rows as the reader takes them with the steps of their blanks (B,); the lengths."""
        inputs, lengths = super().batch(rows, device)
        if self.kind == "numbers":
            return (inputs, (lengths - 1).clamp(min=0)), lengths
        return (inputs, torch.tensor([row.index(MARK) for row in rows], device=device)), lengths

    def _around(self, row: str | Sequence[str], most: int | None) -> list[str]:
        left, right = parted(row)
        if most is not None and len(left) + len(right) >= most:
            # A symbol is never longer than what is left of a text of this many characters.
            reach = (most - 1) * (1 if self.tokenizer is None else 200)
            left, right = left[max(0, len(left) - reach) :], right[:reach]
        if self.tokenizer is not None:
            left, right = self.tokenizer.split(str(left)), self.tokenizer.split(str(right))
        if most is not None and len(left) + len(right) >= most:
            half = (most - 1) // 2
            before = min(len(left), max(half, most - 1 - len(right)))
            left, right = left[len(left) - before :], right[: most - 1 - before]
        return [*left, MARK, *right]


def parted(row: str | Sequence[str]) -> tuple[str | Sequence[str], str | Sequence[str]]:
    """Return what stands before the mark and after it; without one all is before."""
    if isinstance(row, str):
        left, _, right = row.partition(MARK)
        return left, right
    place = row.index(MARK) if MARK in row else len(row)
    return row[:place], row[place + 1 :]


def blank_pattern(blank: str) -> re.Pattern[str]:
    """Return what a blank is found by: of underscores so many or more, otherwise the text."""
    if not isinstance(blank, str) or not blank.strip():
        raise DataError(f"blank must be the text that stands for a blank, got {blank!r}.")
    return re.compile(f"_{{{len(blank)},}}" if set(blank) == {"_"} else re.escape(blank))


def mark_blanks(inputs: Inputs, blank: str, name: str = "X") -> list[Any]:
    """Return texts or lists of symbols with `MARK` where their blank is.

    Raises `DataError`, which names the row, for more than one blank, and for a NUL character.
    """
    pattern = blank_pattern(blank)
    marked: list[Any] = []
    for k, row in enumerate(inputs.rows):
        if MARK in row:
            raise DataError(f"{name}, row {k}: holds a NUL character.")
        made: Any
        if isinstance(row, str):
            made, count = pattern.subn(MARK, row)
        else:
            made = [MARK if pattern.fullmatch(symbol) else symbol for symbol in row]
            count = made.count(MARK)
        if count > 1:
            raise DataError(
                f"{name}, row {k} has {count} blanks {blank!r}, and one filler: give each blank a "
                f"row of its own ({shown_cell(row)})."
            )
        marked.append(made)
    return marked


def make_blanks(
    inputs: Inputs, choices: Sequence[str] | None, blank: str
) -> tuple[list[Any], list[str], list[int]]:
    """Return rows with a blank in the place of a word, the words, and from which row each is.

    Args:
        inputs: whole texts or lists of symbols.
        choices: the words to leave out, each where it stands; None for any word.
        blank: what the user writes for a blank, none of which may be there.

    Raises `DataError`, which names the row, for numbers and for a row that has a blank; and where
    there is not one word to leave out.
    """
    if inputs.kind == "numbers":
        raise DataError(
            "BlankFiller requires y to be passed, but the target y is None: what belongs after a "
            "series of numbers cannot be found in it."
        )
    rows: list[Any] = []
    words: list[str] = []
    origins: list[int] = []
    for k, row in enumerate(mark_blanks(inputs, blank)):
        if MARK in row:
            raise DataError(
                f"X, row {k} has a blank {blank!r}, but there is no y to say what belongs in it."
            )
        if isinstance(row, str):
            spans = [(m.start(), m.end()) for m in _WORD.finditer(row)]
        else:
            spans = [(j, j + 1) for j in range(len(row))]
        for start, end in spans:
            word = row[start:end] if isinstance(row, str) else row[start]
            if choices is None or word in choices:
                mark: Any = MARK if isinstance(row, str) else [MARK]
                rows.append(row[:start] + mark + row[end:])
                words.append(word)
                origins.append(k)
    if not rows:
        raise DataError(
            "there is no word to leave out: none of "
            + ("the texts has a word." if choices is None else f"{list(choices)} is in the texts.")
        )
    return rows, words, origins
