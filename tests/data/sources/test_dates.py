import re
import unicodedata
from datetime import date

import pytest

from recurra.data.sources.dates import LOCALES, load_dates
from recurra.errors import ArgumentError

pytest.importorskip("babel")


def test_there_are_many_locales_scripts_and_digits() -> None:
    table = load_dates(6000)
    assert len(set(table.locales)) == len(LOCALES) >= 20
    letters = "".join(text.split(" ", 1)[1] for text in table.texts)
    scripts = {unicodedata.name(c).split()[0] for c in set(letters) if c.isalpha()}
    assert {"LATIN", "CYRILLIC", "GREEK", "HEBREW", "ARABIC", "DEVANAGARI", "THAI"} <= scripts
    assert {"CJK", "HANGUL", "BENGALI"} <= scripts
    zeros = {ord(c) - unicodedata.digit(c) for c in set(letters) if c.isdigit()}
    assert {0x30, 0x660, 0x6F0, 0x966, 0x9E6, 0xE50} <= zeros


def test_each_text_is_that_of_its_date() -> None:
    table = load_dates(4000, seed=3)
    for text, day, locale in zip(table.texts, table.dates, table.locales, strict=True):
        assert text.startswith(f"{locale} ")
        then = date.fromisoformat(day)
        # int() reads the digits of every script; Han numerals are numbers of months only.
        numbers = [int(n) for n in re.findall(r"\d+", text.split(" ", 1)[1])]
        assert then.day in numbers
        assert then.year in numbers or then.year % 100 in numbers


def test_what_is_read_in_one_place_is_one_date() -> None:
    table = load_dates(20_000)
    meant: dict[str, str] = {}
    for text, day in zip(table.texts, table.dates, strict=True):
        assert meant.setdefault(text, day) == day


def test_known_dates_are_written_as_the_locale_writes_them() -> None:
    only = {"first": date(2005, 4, 3), "last": date(2005, 4, 3)}
    for locale, wanted in (
        ("de", "de 3. April 2005"),
        ("en_US", "en_US 4/3/05"),
        ("en_GB", "en_GB 03/04/2005"),
        ("ja", "ja 2005年4月3日"),
        ("fa", "fa ۲۰۰۵/۴/۳"),
    ):
        assert wanted in load_dates(200, [locale], **only).texts  # type: ignore[arg-type]


def test_no_date_is_in_two_parts_in_any_locale() -> None:
    table = load_dates(8000)
    train, test = table.split((0.9, 0.1))
    assert len(train) + len(test) == len(table)
    assert abs(len(test) - 800) < 40
    assert not set(train.dates) & set(test.dates)
    assert set(test.locales) == set(LOCALES)


def test_the_same_seed_draws_the_same() -> None:
    assert load_dates(50, seed=4) == load_dates(50, seed=4)
    assert load_dates(50, seed=4) != load_dates(50, seed=5)


def test_what_cannot_be_drawn_is_refused() -> None:
    with pytest.raises(ArgumentError, match="'xx_YY' is not known to babel"):
        load_dates(5, ["de", "xx_YY"])
    with pytest.raises(ArgumentError, match="n=0"):
        load_dates(0)
    with pytest.raises(ArgumentError, match="less than a hundred years apart"):
        load_dates(5, first=date(1900, 1, 1), last=date(2000, 1, 1))
