"""Which column of a table is meant: the one named, or the only one whose name or contents fit."""

import math
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from recurra.data.tables.formats import place_of
from recurra.data.tables.table import shown_cell
from recurra.errors import DataError

_MOST_CLASSES = 50


class Column:
    """A column of a table, and what can be told of its cells."""

    def __init__(self, name: str, cells: Sequence[Any]) -> None:
        self.name, self.cells = name, cells

    @cached_property
    def filled(self) -> list[Any]:
        """The cells that hold something."""
        return [cell for cell in self.cells if not is_empty(cell)]

    @cached_property
    def numeric(self) -> bool:
        """Whether all cells that hold something are numbers."""
        return bool(self.filled) and all(number_of(cell) is not None for cell in self.filled)

    @cached_property
    def distinct(self) -> int:
        """How many different cells there are."""
        return len({str(cell) for cell in self.filled})

    @cached_property
    def lists(self) -> bool:
        """Whether the cells are lists."""
        return bool(self.filled) and all(isinstance(cell, list) for cell in self.filled)

    @property
    def is_text(self) -> bool:
        """Whether the cells are texts that are no numbers, not all the same."""
        texts = bool(self.filled) and all(isinstance(cell, str) for cell in self.filled)
        return texts and not self.numeric and self.distinct > 1

    @property
    def is_prose(self) -> bool:
        """Whether the cells are texts of several words."""
        if not self.is_text:
            return False
        return sum(len(cell.split()) for cell in self.filled) >= 2.5 * len(self.filled)

    @property
    def is_classes(self) -> bool:
        """Whether the cells are a few values that come again and again."""
        if self.lists or not 1 <= self.distinct <= _MOST_CLASSES:
            return False
        if self.numeric and any(float(number_of(cell) or 0) % 1 for cell in self.filled):
            return False
        return self.distinct <= max(2, len(self.filled) / 3)

    @property
    def is_number(self) -> bool:
        """Whether the cells are numbers, not all the same."""
        return self.numeric and self.distinct > 1


@dataclass(frozen=True)
class Role:
    """What a column is for.

    name: of the option that gives it; words: names that say so; fits: what its cells must be;
    sure: what they must be where no name says so; needed: whether there must be one; others: names
    that say something else.
    """

    name: str
    words: tuple[str, ...]
    fits: Callable[[Column], bool]
    sure: Callable[[Column], bool] | None = None
    needed: bool = True
    others: tuple[str, ...] = ()


TEXT = Role(
    "text",
    ("text", "texts", "review", "comment", "message", "tweet", "sentence", "content", "body",
     "document", "description", "conversation", "title", "name", "words", "tokens"),
    lambda c: c.is_text or c.lists,
    lambda c: c.is_prose or c.lists,
)  # fmt: skip
LABEL = Role(
    "label",
    ("label", "class", "sentiment", "category", "target", "y", "rating", "stars", "topic", "kind"),
    lambda c: c.is_classes,
    lambda c: not c.is_prose,
    others=TEXT.words,
)
NUMBER = Role(
    "target",
    ("target", "y", "price", "value", "score", "rating", "points", "label", "number", "amount"),
    lambda c: c.is_number,
)
CONDITION = Role(
    "condition",
    ("condition", "country", "language", "locale", "label", "class", "category", "genre", "lang"),
    lambda c: c.is_classes and not c.numeric and c.distinct > 1,
    lambda c: False,
    needed=False,
)
SOURCE = Role(
    "source",
    ("source", "src", "input", "from", "text", "written", "question", "original"),
    lambda c: c.is_text or c.lists or c.numeric,
)
TARGET_TEXT = Role(
    "target",
    ("target", "tgt", "output", "to", "translation", "iso", "answer", "reply", "result"),
    lambda c: bool(c.filled),
)
TAGS = Role(
    "tags",
    ("tags", "tag", "labels", "pos", "upos", "ner", "roles"),
    lambda c: c.lists or c.is_text,
)
PICTURE = Role(
    "picture",
    ("picture", "image", "file", "path", "photo", "filename", "picture_path", "image_path"),
    lambda c: c.is_text,
    lambda c: all(re.search(r"\.(png|jpe?g|gif|bmp|webp|tiff?|npy)$", str(x).lower())
                  for x in c.filled),
)  # fmt: skip
CAPTION = Role(
    "caption", ("caption", "captions", "description", "text", "label", "name"), lambda c: c.is_text
)
FILLER = Role(
    "target",
    ("target", "filler", "word", "answer", "missing", "label"),
    lambda c: c.is_classes,
    lambda c: False,
    needed=False,
)


def choose(
    columns: Mapping[str, Column],
    role: Role,
    given: str | None,
    taken: Collection[str],
    source: str,
) -> str | None:
    """Return the column for `role`: the one given, the one whose name says so, the only one left.

    Args:
        columns: all of a table, by name.
        role: what it is for.
        given: what the option says, if it was given.
        taken: columns that are for something else.
        source: the table, as errors name it.

    Returns None where there is none and none is needed. Raises `DataError` for a name that is not
    there, and where several would do.
    """
    if given is not None:
        return list(columns)[place_of(given, list(columns), source)]
    left = [column for name, column in columns.items() if name not in taken]
    fitting = [column for column in left if role.fits(column)]
    for named in (_by_whole_name(fitting, role), _by_part_of_name(fitting, role)):
        if named:
            return _only(named, role, source)
    sure = [column for column in fitting if role.sure is None or role.sure(column)]
    sure = [column for column in sure if column.name.casefold() not in role.others]
    # At last one that is called so but does not look so: what is wrong with it can then be said.
    sure = sure or (_by_whole_name(left, role) if role.needed else [])
    if sure:
        return _only(sure, role, source)
    if not role.needed:
        return None
    there = ", ".join(shown_cell(name) for name in columns)
    raise DataError(
        f"{source}: no column can be the {role.name}; there are {there}. Give --{role.name}."
    )


def _by_whole_name(columns: Sequence[Column], role: Role) -> list[Column]:
    return [column for column in columns if column.name.casefold() in role.words]


def _by_part_of_name(columns: Sequence[Column], role: Role) -> list[Column]:
    return [
        column
        for column in columns
        if set(re.split(r"[^a-z0-9]+", column.name.casefold())) & set(role.words)
    ]


def _only(columns: Sequence[Column], role: Role, source: str) -> str:
    if len(columns) > 1:
        names = [shown_cell(column.name) for column in columns[:8]]
        more = f" and {len(columns) - 8} more" if len(columns) > 8 else ""
        raise DataError(
            f"{source}: several columns could be the {role.name}: {', '.join(names)}{more}. "
            f"Say which: --{role.name} {columns[0].name}"
        )
    return columns[0].name


def is_empty(cell: Any) -> bool:
    """Return whether a cell holds nothing."""
    return cell is None or (isinstance(cell, str) and not cell.strip()) or cell != cell


def number_of(cell: Any) -> float | None:
    """Return the finite number that a cell holds; None for any other."""
    if isinstance(cell, bool) or not isinstance(cell, str | int | float):
        return None
    try:
        number = float(cell)
    except ValueError:
        return None
    return number if math.isfinite(number) else None
