"""Dates as people write them in many languages, and the same dates as ISO 8601."""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from recurra.data.splits import split_by_group
from recurra.errors import ArgumentError, MissingDependencyError

# Latin, Cyrillic, Greek, Hebrew, Arabic, Devanagari, Bengali, Thai, Korean, kana and Han.
LOCALES = tuple(
    name
    for group in (
        "en_US en_GB de fr es it pt_BR nl sv pl cs fi hu tr",
        "ru el he ar_EG fa hi bn th ja ko zh",
    )
    for name in group.split()
)
FIRST, LAST = date(1950, 1, 1), date(2049, 12, 31)  # a century: two digits say which year

_STYLES = ("short", "medium", "long", "full")
_PATTERNS = ("yMd", "yMMMd", "yMEd", "yMMMEd", "GyMMMd")  # CLDR's names for parts in any order
# CLDR's numbering systems and their zeros; babel writes dates in Latin digits only.
_ZEROS = {"arab": 0x660, "arabext": 0x6F0, "deva": 0x966, "beng": 0x9E6, "thai": 0xE50}
_OWN_DIGITS = {"hi": "deva", "th": "thai"}  # still written beside the Latin ones
_MARKS = dict.fromkeys(map(ord, "\u200e\u200f"))


@dataclass(frozen=True)
class DateTable:
    """n dates, each as a text and in ISO 8601.

    texts: the locale, a space, the date as written there ("de 3. April 2005"); dates: "2005-04-03";
    locales: "de".
    """

    texts: list[str]
    dates: list[str]
    locales: list[str]

    def __len__(self) -> int:
        return len(self.texts)

    def select(self, rows: Sequence[int]) -> "DateTable":
        """Return the table of `rows`, in that order."""
        return DateTable(*([c[k] for k in rows] for c in (self.texts, self.dates, self.locales)))

    def split(
        self, fractions: Sequence[float] = (0.9, 0.1), seed: int = 0
    ) -> tuple["DateTable", ...]:
        """Return parts of about these shares, no date of which is in another, in any locale."""
        parts = split_by_group(self.dates, fractions, seed)
        return tuple(self.select(part.tolist()) for part in parts)


def load_dates(
    n: int = 20_000,
    locales: Sequence[str] = LOCALES,
    *,
    first: date = FIRST,
    last: date = LAST,
    seed: int = 0,
) -> DateTable:
    """Return `n` dates, drawn by `seed`, in the words, orders and digits of CLDR's locales.

    Each is written in one of the locale's own ways: babel's short, medium, long and full formats
    and patterns of year, month, day and weekday; one in five in lower case, one in five without
    commas, and where a language has digits of its own half of them in those. 03/04/05 is another
    day in other places, so every text begins with its locale; and years have two digits in some
    formats, so all lie within one century.

    Args:
        n: how many.
        locales: names of babel's locales.
        first, last: the days to draw from, both included; less than a hundred years apart.
        seed: any integer.

    Raises `ArgumentError` for an unknown locale or days that cannot be used,
    `MissingDependencyError` without babel.
    """
    if n < 1 or not locales:
        raise ArgumentError(f"n and locales must not be empty, got n={n}, {len(locales)} locales.")
    if not first <= last < first.replace(year=first.year + 100, day=1):
        raise ArgumentError(
            f"first and last must be less than a hundred years apart, got {first} and {last}: "
            "a year of two digits would be two."
        )
    writers = {name: _Writer(name) for name in locales}
    draw = random.Random(seed)
    texts, dates, chosen = [], [], []
    for _ in range(n):
        day = first + timedelta(days=draw.randrange((last - first).days + 1))
        name = draw.choice(list(locales))
        texts.append(f"{name} {writers[name].write(day, draw)}")
        dates.append(day.isoformat())
        chosen.append(name)
    return DateTable(texts, dates, chosen)


class _Writer:
    """Writes dates as one locale does."""

    def __init__(self, name: str) -> None:
        try:
            from babel import Locale, UnknownLocaleError
            from babel.dates import format_date
        except ImportError as error:
            raise MissingDependencyError(
                "load_dates needs the package babel: pip install 'recurra[tasks]'."
            ) from error
        self._format: Any = format_date
        try:
            self._locale = Locale.parse(name)
        except (UnknownLocaleError, ValueError) as error:
            raise ArgumentError(f"locales: {name!r} is not known to babel: {error}.") from None
        skeletons = self._locale.datetime_skeletons
        self._formats = [*_STYLES, *(str(skeletons[p]) for p in _PATTERNS if p in skeletons)]
        system = _OWN_DIGITS.get(self._locale.language, self._locale.default_numbering_system)
        zero = _ZEROS.get(system)
        self._digits = None if zero is None else {0x30 + k: zero + k for k in range(10)}

    def write(self, day: date, draw: random.Random) -> str:
        text: str = self._format(day, draw.choice(self._formats), locale=self._locale)
        text = text.translate(_MARKS).replace("\u202f", " ").replace("\xa0", " ")
        if draw.random() < 0.2:
            text = text.lower()
        if draw.random() < 0.2:
            text = text.replace(",", "").replace("،", "")
        if self._digits is not None and draw.random() < 0.5:
            text = text.translate(self._digits)
        return text
