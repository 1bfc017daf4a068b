"""Countries: their everyday names, and which of some labels a user means."""

import re
import unicodedata
from collections.abc import Iterable, Sequence
from difflib import get_close_matches
from functools import cache

from recurra.errors import ArgumentError, ArgumentTypeError, MissingDependencyError

# ISO 3166-1 has neither a common nor a plain name for these that anyone would say.
_SPOKEN = {
    "BN": "Brunei",
    "CD": "DR Congo",
    "CG": "Republic of the Congo",
    "FK": "Falkland Islands",
    "FM": "Micronesia",
    "PS": "Palestine",
    "RU": "Russia",
    "VA": "Vatican City",
    "VG": "British Virgin Islands",
    "VI": "US Virgin Islands",
}

# What people say and ISO 3166-1 does not list: old names, parts for the whole, short forms.
_ALIASES = {
    "AE": ("uae", "emirates"),
    "BA": ("bosnia",),
    "CD": ("drc", "zaire"),
    "CI": ("ivory coast",),
    "CN": ("prc",),
    "CV": ("cape verde",),
    "GB": ("uk", "britain", "great britain", "england", "scotland", "wales", "northern ireland"),
    "IE": ("eire", "republic of ireland"),
    "IR": ("persia",),
    "LK": ("ceylon",),
    "MK": ("macedonia",),
    "MM": ("burma",),
    "NL": ("holland",),
    "SZ": ("swaziland",),
    "TL": ("east timor",),
    "TR": ("turkey",),
    "US": ("america",),
    "VA": ("vatican",),
}

_LISTED = 80  # more labels than this are counted, not listed
_LONGEST = 100  # characters; no country's name comes near it


def country_name(alpha_2: str) -> str:
    """Return the everyday English name of the country with this ISO 3166-1 alpha-2 code.

    It is pycountry's common name, else its name, but for a few that no one says: "RU" -> "Russia".
    Raises `ArgumentError` for a code that ISO has not assigned.
    """
    fields = _countries().get(alpha_2.upper())
    if fields is None:
        raise ArgumentError(
            f"alpha_2={alpha_2[:_LONGEST]!r} is no country's ISO 3166-1 code of two letters."
        )
    return _SPOKEN.get(alpha_2.upper()) or fields.get("common_name", fields["name"])


def is_country(alpha_2: str) -> bool:
    """Return whether ISO 3166-1 has assigned this code of two letters to a country."""
    return alpha_2.upper() in _countries()


def find_country(text: str, known: Sequence[str]) -> str:
    """Return the one label in `known` that `text` means.

    Tried in this order: the label itself; the same but for case, accents and punctuation; the
    same country by ISO 3166-1 code (two or three letters), name or everyday name, on either side:
    "Italy" finds the label "IT", "ita" finds "Italy", "Holland" finds "Netherlands".

    Args:
        text: what the user typed.
        known: the labels there are, each once; countries or anything else.

    Raises `ArgumentError` when several labels would do or none does, with up to three near ones;
    it says so when `text` is a country for which there is just no label.
    """
    if not isinstance(text, str):
        raise ArgumentTypeError(f"country must be text, got {type(text).__name__}.")
    if text in known:
        return text
    folded = _fold(text)
    codes = _codes(folded)
    same = [label for label in known if folded and _fold(label) == folded]
    if not same:
        # "Korea" may be two countries, but where only one of them is there, it is that one.
        own = ((label, _codes(_fold(label))) for label in known)
        same = [label for label, its in own if len(its) == 1 and its[0] in codes]
    if len(same) == 1:
        return same[0]
    if same or len(codes) > 1:
        options = _quoted(same) if same else _quoted(country_name(code) for code in codes)
        raise ArgumentError(f"country {text[:_LONGEST]!r} may mean {options}; say which.")
    there = _listed(known)
    if codes:
        name = country_name(codes[0])
        asked = f"{name!r}" if name == text else f"{name!r} (country {text[:_LONGEST]!r})"
        raise ArgumentError(f"No names for {asked} here; there are: {there}.")
    near = _near(folded, known)
    hint = f"did you mean {_quoted(near)}?" if near else f"there are: {there}."
    raise ArgumentError(f"country {text[:_LONGEST]!r} is not known; {hint}")


def _quoted(labels: Iterable[str]) -> str:
    return " or ".join(repr(label[:_LONGEST]) for label in labels)


def _listed(known: Sequence[str]) -> str:
    # One line, whatever a label holds; labels are plain words nearly always.
    shown = [label if label.isprintable() else repr(label) for label in known[:_LISTED]]
    more = f" and {len(known) - _LISTED} more" if len(known) > _LISTED else ""
    return (", ".join(label[:_LONGEST] for label in shown) + more) or "none"


def _near(folded: str, known: Sequence[str]) -> list[str]:
    spellings: dict[str, str] = {}
    for label in known:
        spellings.setdefault(_fold(label), label)
    for label in known:
        codes = _codes(_fold(label))
        for spelling in _spellings(codes[0]) if len(codes) == 1 else ():
            spellings.setdefault(spelling, label)
    # More than three, for several spellings of one label may be near.
    matches = get_close_matches(folded, spellings, n=9, cutoff=0.6)
    return list(dict.fromkeys(spellings[match] for match in matches))[:3]


def _fold(text: str) -> str:
    """Return `text` without case, Latin accents, punctuation, and a leading "the"."""
    text = unicodedata.normalize("NFKD", text)
    # Only the accents of European scripts: marks of Indic scripts are vowels.
    text = re.sub("[\u0300-\u036f.'’]", "", text).casefold()
    words = re.sub(r"[\s,;:/()_-]+", " ", text.replace("&", " and ")).split()
    return " ".join(words[1:] if words[:1] == ["the"] and len(words) > 1 else words)


@cache
def _countries() -> dict[str, dict[str, str]]:
    """Return what ISO 3166-1 says of each country, by its alpha-2 code."""
    try:
        import pycountry
    except ImportError as error:
        raise MissingDependencyError(
            "countries need the package pycountry: pip install 'recurra[tasks]'."
        ) from error
    # As a dict, because an absent field is a warning in some releases of pycountry.
    return {country.alpha_2: dict(country) for country in pycountry.countries}


def _spellings(code: str) -> set[str]:
    """Return every folded spelling of a country, codes included."""
    fields = _countries()[code]
    names = [fields[key] for key in ("name", "common_name", "official_name") if key in fields]
    for name in tuple(names):
        head, comma, tail = name.partition(", ")
        if comma:  # "Korea, Republic of" is also "Republic of Korea" and, with others, "Korea"
            names += [head, f"{tail} {head}"]
        names.append(re.sub(r"\(.*\)", "", name))
    names += [code, fields["alpha_3"], country_name(code), *_ALIASES.get(code, ())]
    return {_fold(name) for name in names}


@cache
def _index() -> dict[str, list[str]]:
    index: dict[str, list[str]] = {}
    for code in sorted(_countries()):
        for spelling in _spellings(code):
            index.setdefault(spelling, []).append(code)
    return index


def _codes(folded: str) -> list[str]:
    """Return the codes of the countries that a folded text may name: none, one or several."""
    return _index().get(folded, [])
