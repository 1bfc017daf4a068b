"""First names by country: Faker's own lists, or a table of the user's."""

import pkgutil
import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from os import PathLike

from recurra.data.sources.countries import country_name, is_country
from recurra.data.tables.table import read_table, shown_cell
from recurra.errors import DataError, MissingDependencyError

LONGEST_NAME = 200
"""The characters a name or a country of a user's table may have at most."""

# Faker files its Catalan names under es_CA (their source is the statistical institute of
# Catalonia), where CA is no territory: the names are of Spain, not of Canada.
_TERRITORIES = {"es_CA": "ES"}

# Faker writes an apostrophe as ', ’, ‘ or ʼ, whatever the list's source had: one is enough.
_APOSTROPHES = str.maketrans(dict.fromkeys("’‘ʼʻ`´", "'"))

# Letters and marks apart, what a name may hold: space, hyphen, apostrophe, the joiners of
# Persian, Nepali and Sinhala.
_PUNCTUATION = frozenset(" -'\u200c\u200d")

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")

# As Faker has them: names alone, or each with its weight.
NameList = tuple[str, ...] | list[str] | dict[str, float]


@dataclass(frozen=True)
class NameTable:
    """Names with their countries: the rows the name generator learns from.

    Args:
        names: of N rows, NFC.
        countries: for each row the country's label, say "Italy".
        weights: for each row how often the name is given, relative to others of its country.
        dropped: how many entries of the source held no usable name and country.

    Raises `DataError` when the three lists differ in length.
    """

    names: list[str]
    countries: list[str]
    weights: list[float]
    dropped: int = 0

    def __post_init__(self) -> None:
        if not len(self.names) == len(self.countries) == len(self.weights):
            raise DataError(
                f"a name table needs lists of one length, got {len(self.names)} names, "
                f"{len(self.countries)} countries, {len(self.weights)} weights."
            )

    def __len__(self) -> int:
        return len(self.names)

    def select(self, indices: Iterable[int]) -> "NameTable":
        """Return the rows at `indices` (integers, say one part of a split), in that order."""
        places = [int(index) for index in indices]
        return NameTable(
            [self.names[place] for place in places],
            [self.countries[place] for place in places],
            [self.weights[place] for place in places],
        )


def load_names() -> NameTable:
    """Return the first names of Faker's person providers, a row for each name and country.

    Taken are the lists each locale itself defines; left out are locales that inherit all of theirs
    (the deprecated fr_QC is one) and those that name no country. The locales of one country are
    merged. Countries carry their everyday English names; rows are sorted by country and name, so
    the table is the same each time. How entries are cleaned is said at `clean_entry`.

    A list without weights gives each name 1. Where a locale's lists have weights, those of its
    lists by sex are added up and divided by their mean, so that a locale's mean weight is 1. A
    name that stands in several locales of a country has the sum.

    Raises `MissingDependencyError` without Faker or pycountry.
    """
    weights: dict[tuple[str, str], float] = {}
    dropped = 0
    for code, lists in _locales():
        country = country_name(code)
        cleaned: dict[str, float] = {}
        for entry, weight in _entries(lists).items():
            names = clean_entry(entry)
            dropped += not names
            for name in names:
                cleaned[name] = cleaned.get(name, 0.0) + weight
        weighted = any(isinstance(names, dict) for names in lists.values())
        mean = sum(cleaned.values()) / len(cleaned) if weighted and cleaned else 1.0
        for name, weight in cleaned.items():
            # Without weights a name is there or not, however often it was typed.
            share = weight / mean if weighted else 1.0
            weights[country, name] = weights.get((country, name), 0.0) + share
    rows = sorted(weights)
    return NameTable(
        [name for _, name in rows],
        [country for country, _ in rows],
        [weights[row] for row in rows],
        dropped,
    )


def read_names(
    path: str | PathLike[str], name_column: str = "name", country_column: str = "country"
) -> NameTable:
    """Return the names of a user's CSV or TSV file, in its order, each row with weight 1.

    Names and countries are made NFC, stripped, and their white space is single spaces; otherwise
    they stay as written, and a country may be any label. A row that repeats another is left out;
    a row without name or country is left out and counted in `dropped`.

    Raises `DataError`, one line with the file and row: for what `read_table` refuses, for a name
    or country that holds a control character or more than `LONGEST_NAME` characters, when no row
    is left, and when all rows are of one country.
    """
    if name_column == country_column:
        raise DataError(f"name_column and country_column are both {shown_cell(name_column)}.")
    table = read_table(path, [name_column, country_column])
    kept: dict[tuple[str, str], None] = {}
    dropped = 0
    cells = zip(table.texts(name_column), table.texts(country_column), strict=True)
    for row, (name, country) in zip(table.rows, cells, strict=True):
        name = _checked(name, f"{table.source}, row {row}: the name")
        country = _checked(country, f"{table.source}, row {row}: the country")
        if name and country:
            kept[name, country] = None
        else:
            dropped += 1
    if not kept:
        raise DataError(
            f"{table.source} has no usable row: in all {dropped} the name or the country is empty."
        )
    countries = [country for _, country in kept]
    if len(set(countries)) == 1:
        raise DataError(
            f"{table.source} has one country only, {shown_cell(countries[0])}; "
            "names conditioned on the country need two or more."
        )
    return NameTable([name for name, _ in kept], countries, [1.0] * len(kept), dropped)


def clean_entry(entry: str) -> list[str]:
    """Return the names in an entry of Faker's lists: one, several, or none if it is corrupt.

    Names joined by comma or semicolon are parted. A name is NFC, its white space single spaces,
    its apostrophe ', its first letter a capital where its script has capitals. A name is dropped
    if it holds anything but letters, marks, space, hyphen, apostrophe and zero-width joiners
    (so abbreviations, with their full stop), does not begin with a letter, or mixes scripts;
    only Chinese characters and kana go together.
    """
    names = (_tidied(part).translate(_APOSTROPHES) for part in re.split("[,;]", entry))
    return [_capitalised(name) for name in names if _is_name(name)]


def _locales() -> Iterator[tuple[str, dict[str, NameList]]]:
    """Yield each locale's country code and the lists of first names that are its own."""
    try:
        import faker.providers.person as person
    except ImportError as error:
        raise MissingDependencyError(
            "the built-in names need the package Faker: pip install 'recurra[tasks]'."
        ) from error
    for locale in sorted(module.name for module in pkgutil.iter_modules(person.__path__)):
        code = _TERRITORIES.get(locale) or locale.rpartition("_")[2]
        # "en" has no territory, and the AA of ar_AA is none.
        if "_" not in locale or not is_country(code):
            continue
        # vars() and not getattr(): an inherited list is another country's.
        own = vars(import_module(f"{person.__name__}.{locale}").Provider)
        lists: dict[str, NameList] = {
            name: names
            for name, names in own.items()
            if name.startswith("first_names") and isinstance(names, (tuple, list, dict))
        }
        if lists:
            yield code, lists


def _entries(lists: Mapping[str, NameList]) -> dict[str, float]:
    """Return each entry of a locale's lists with its weight."""
    entries: dict[str, float] = {}
    by_sex = ("first_names_female", "first_names_male")
    for title in (*by_sex, *sorted(lists.keys() - set(by_sex))):
        names = lists.get(title, ())
        weights = names if isinstance(names, dict) else dict.fromkeys(names, 1.0)
        for entry, weight in weights.items():
            # The other lists are joined from these two, and would count them again.
            if title in by_sex:
                entries[entry] = entries.get(entry, 0.0) + float(weight)
            else:
                entries.setdefault(entry, float(weight))
    return entries


def _tidied(text: str) -> str:
    return " ".join(unicodedata.normalize("NFC", text).split())


def _is_name(text: str) -> bool:
    kinds = [_kind(char) for char in text]
    return bool(kinds and kinds[0]) and None not in kinds and len(set(kinds) - {""}) == 1


@cache
def _kind(char: str) -> str | None:
    """Return a letter's script, "" for what else a name may hold, None for what it may not."""
    category = unicodedata.category(char)[0]
    if category == "L":
        # A letter's Unicode name begins with its script, but for those that Japanese mixes.
        word = unicodedata.name(char, "?").split()[0]
        return "HAN" if word in {"CJK", "HIRAGANA", "KATAKANA", "KATAKANA-HIRAGANA"} else word
    return "" if category == "M" or char in _PUNCTUATION else None


def _capitalised(name: str) -> str:
    # title() and not upper(): Georgian has upper case in Unicode, but no capitals in names.
    return name[0].title() + name[1:]


def _checked(cell: str, what: str) -> str:
    """Return a cell of a user's table tidied; `what` names it and its row in errors."""
    cell = cell.strip()
    if _CONTROL.search(cell):
        raise DataError(f"{what} holds a tab, line end or control character: {shown_cell(cell)}.")
    if len(cell) > LONGEST_NAME:
        raise DataError(
            f"{what} has {len(cell)} characters, of {LONGEST_NAME} at most: {shown_cell(cell)}."
        )
    return _tidied(cell)
