"""CoNLL-U, the file of tagged sentences: read strictly, written back as it was.

The format is that of Universal Dependencies, https://universaldependencies.org/format.html: a
word a line, ten cells between tabs, an empty line after each sentence, comments before it.
"""

import os
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from os import PathLike
from pathlib import Path
from tempfile import mkstemp

from recurra.data.tables.text_lines import opened, shown_cell, shown_path, text_lines
from recurra.errors import ArgumentError, DataError

COLUMNS = ("ID", "FORM", "LEMMA", "UPOS", "XPOS", "FEATS", "HEAD", "DEPREL", "DEPS", "MISC")
NO_TAG = "_"  # what stands where nothing is known

_WORD = re.compile(r"[1-9][0-9]*")
_RANGE = re.compile(r"([1-9][0-9]*)-([1-9][0-9]*)")  # a token of several words: "1-2 don't"
_EMPTY = re.compile(r"(0|[1-9][0-9]*)\.([1-9][0-9]*)")  # a word that was left out: "1.1"


@dataclass(frozen=True)
class TaggedSentence:
    """A sentence of a CoNLL-U file.

    comments: its lines that begin with #; cells: the ten cells of each other line: the words, and
    among them tokens of several words and words left out; row: the line of the file the sentence
    begins on, 0 if it comes from none; source: the file, as errors name it.
    """

    comments: tuple[str, ...]
    cells: tuple[tuple[str, ...], ...]
    row: int = 0
    source: str = ""

    @classmethod
    def of(
        cls, words: Sequence[str], tags: Sequence[str] | None = None, column: str = "UPOS"
    ) -> "TaggedSentence":
        """Return a sentence of words, with tags in one column.

        Raises `ArgumentError` for a word or a tag that no line can hold, or other numbers of them.
        """
        cells = tuple((str(k), word, *[NO_TAG] * 8) for k, word in enumerate(words, 1))
        for word in words:
            _check_cell("FORM", word)
        sentence = cls((), cells)
        return sentence if tags is None else sentence.tagged(tags, column)

    @property
    def words(self) -> list[str]:
        """The forms of the words, one for each tag; tokens of several words are not among them."""
        return self.column("FORM")

    def column(self, name: str) -> list[str]:
        """Return a column's cells, of the words only; raises `ArgumentError` for no column."""
        place = _place(name)
        return [cells[place] for cells in self.cells if _WORD.fullmatch(cells[0])]

    def tags(self, column: str = "UPOS") -> list[str]:
        """Return the words' tags; raises `DataError` for a word that has none."""
        tags = self.column(column)
        for k, tag in enumerate(tags):
            if tag == NO_TAG:
                where = f"{self.source}, the sentence at row {self.row}: " if self.source else ""
                raise DataError(
                    f"{where}word {k + 1}, {shown_cell(self.words[k])}, has no {column} (it is _)."
                )
        return tags

    def tagged(self, tags: Sequence[str], column: str = "UPOS") -> "TaggedSentence":
        """Return the sentence with other tags in one column, all else as it was.

        Raises `ArgumentError` unless there is a tag for each word, which a cell can hold.
        """
        place, count = _place(column), len(self.words)
        if len(tags) != count:
            raise ArgumentError(f"there are {len(tags)} tags for the {count} words of a sentence.")
        for tag in tags:
            _check_cell(column, tag)
        left = iter(tags)
        cells = tuple(
            (*line[:place], next(left), *line[place + 1 :]) if _WORD.fullmatch(line[0]) else line
            for line in self.cells
        )
        return replace(self, cells=cells)

    def __str__(self) -> str:
        lines = [*self.comments, *("\t".join(cells) for cells in self.cells)]
        return "".join(f"{line}\n" for line in [*lines, ""])


def read_conllu(path: str | PathLike[str]) -> list[TaggedSentence]:
    """Return the sentences of a CoNLL-U file; see `iter_conllu`."""
    return list(iter_conllu(path))


def iter_conllu(path: str | PathLike[str]) -> Iterator[TaggedSentence]:
    """Yield the sentences of a CoNLL-U file one by one, in memory that does not grow with it.

    Raises `DataError`, one line with the file and the row: for a line without ten cells or with an
    empty one, words not numbered 1, 2, 3 ..., a token of several words or a word left out whose
    number does not fit its place, a comment within a sentence or without one, a file without a
    sentence, and for what no text file should hold (see `read_table`).
    """
    source = shown_path(path)
    found = False
    with opened(path, "a CoNLL-U file") as file:
        lines: list[tuple[int, str]] = []
        for row, line in enumerate(text_lines(file, source), 1):
            line = line.rstrip("\r\n")
            if line.strip():
                lines.append((row, line))
            elif lines:
                found = True
                yield _sentence(lines, source)
                lines = []
        if lines:
            found = True
            yield _sentence(lines, source)
    if not found:
        raise DataError(f"{source} has no sentence.")


def write_conllu(path: str | PathLike[str], sentences: Iterable[TaggedSentence]) -> None:
    """Write sentences; what was read from a well-formed file is written to the byte as it was.

    The file appears whole or not at all. Raises `DataError` where it cannot be written.
    """
    place = Path(path)
    try:
        handle, beside = mkstemp(dir=place.parent, prefix=f".{place.name}.")
        try:
            with os.fdopen(handle, "w", encoding="utf-8", newline="") as file:
                file.writelines(map(str, sentences))
            mask = os.umask(0)
            os.umask(mask)
            Path(beside).chmod(0o666 & ~mask)  # as if it had been opened in its place
            Path(beside).replace(place)
        except BaseException:
            Path(beside).unlink(missing_ok=True)
            raise
    except OSError as error:
        source = shown_path(path)
        raise DataError(f"{source} cannot be written: {error.strerror}.") from error


def read_tagged(
    path: str | PathLike[str], column: str = "UPOS"
) -> tuple[list[list[str]], list[list[str]]]:
    """Return the words of each sentence of a CoNLL-U file and their tags, as a tagger takes them.

    Raises `DataError` as `iter_conllu` does, and for a word without a tag.
    """
    sentences = read_conllu(path)
    return [s.words for s in sentences], [s.tags(column) for s in sentences]


def _sentence(lines: Sequence[tuple[int, str]], source: str) -> TaggedSentence:
    comments: list[str] = []
    cells: list[tuple[str, ...]] = []
    last = left_out = covered = 0
    for row, line in lines:
        where = f"{source}, row {row}"
        if line.startswith("#"):
            if cells:
                raise DataError(f"{where} is a comment within a sentence; an empty line ends one.")
            comments.append(line)
            continue
        cell = tuple(line.split("\t"))
        if len(cell) != len(COLUMNS):
            raise DataError(
                f"{where} has {len(cell)} cell{'s'[: len(cell) != 1]}, but CoNLL-U has 10, with "
                "tabs between."
            )
        for name, text in zip(COLUMNS, cell, strict=True):
            if not text.strip():
                raise DataError(f"{where}: {name} is empty; nothing is written as _.")
        number = cell[0]
        if _WORD.fullmatch(number) and int(number) == last + 1:
            last, left_out = last + 1, 0
        elif (both := _RANGE.fullmatch(number)) and max(last, covered) < int(both[1]) == last + 1:
            covered = int(both[2])
            if covered < last + 1:
                raise DataError(f"{where}: the token {shown_cell(number)} ends before it begins.")
        elif (empty := _EMPTY.fullmatch(number)) and (int(empty[1]), int(empty[2])) == (
            last,
            left_out + 1,
        ):
            left_out += 1
        else:
            raise DataError(
                f"{where}: ID is {shown_cell(number)} where word {last + 1} is next; words are "
                "numbered 1, 2, 3 ..."
            )
        cells.append(cell)
    row = lines[0][0]
    if last == 0:
        raise DataError(f"{source}, row {row} begins a sentence without words.")
    if covered > last:
        raise DataError(
            f"{source}, row {row}: a token reaches to word {covered}, but there are {last} words."
        )
    return TaggedSentence(tuple(comments), tuple(cells), row, source)


def _place(name: str) -> int:
    if name not in COLUMNS:
        raise ArgumentError(
            f"CoNLL-U has no column {shown_cell(name)}; it has {', '.join(COLUMNS)}."
        )
    return COLUMNS.index(name)


def _check_cell(name: str, text: str) -> None:
    if not isinstance(text, str) or not text.strip() or re.search(r"[\t\r\n\0]", text):
        raise ArgumentError(f"{name} cannot be {shown_cell(text)}: a cell is text on one line.")
