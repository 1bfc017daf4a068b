"""Names of countries and languages, in one language and in another."""

import gettext
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from recurra.data.splits import group_key, split_by_group
from recurra.errors import ArgumentError, MissingDependencyError


@dataclass(frozen=True)
class TermTable:
    """n names: in the source language, in the target language, and what each names.

    kinds: "country" or "language".
    """

    sources: list[str]
    targets: list[str]
    kinds: list[str]

    def __len__(self) -> int:
        return len(self.sources)

    def select(self, rows: Sequence[int]) -> "TermTable":
        """Return the table of `rows`, in that order."""
        return TermTable(*([c[k] for k in rows] for c in (self.sources, self.targets, self.kinds)))

    def split(
        self, fractions: Sequence[float] = (0.9, 0.1), seed: int = 0
    ) -> tuple["TermTable", ...]:
        """Return parts of about these shares; no source name of one is in another."""
        parts = split_by_group([group_key(name) for name in self.sources], fractions, seed)
        return tuple(self.select(part.tolist()) for part in parts)


class _Missing(gettext.NullTranslations):
    """Says that there is no translation, where gettext would give the English name back."""

    def gettext(self, message: str) -> str:
        return ""


def load_terms(source: str = "en", target: str = "de") -> TermTable:
    """Return the names of countries and languages that pycountry has in both languages.

    They are the translations of iso-codes: 249 countries, and as many of the 7,900 languages of
    ISO 639-3 as have a name in both: some hundreds to nearly all. A name that stands for two
    things is there once.

    Args:
        source, target: languages as pycountry has them ("de", "pt_BR", "zh_CN"), or "en".

    Raises `ArgumentError` for a language that is not there, `MissingDependencyError` without
    pycountry.
    """
    try:
        import pycountry
    except ImportError as error:
        raise MissingDependencyError(
            "load_terms needs the package pycountry: pip install 'recurra[tasks]'."
        ) from error
    if source == target:
        raise ArgumentError(f"source and target are both {source!r}: there is nothing to learn.")
    pairs: dict[str, tuple[str, str]] = {}
    for kind, domain, items in (
        ("country", "iso3166-1", pycountry.countries),
        ("language", "iso639-3", pycountry.languages),
    ):
        read = [
            _translator(domain, language, pycountry.LOCALES_DIR) for language in (source, target)
        ]
        for item in items:
            a, b = (translate(item.name) for translate in read)
            if a and b:
                pairs.setdefault(a, (b, kind))
    return TermTable(list(pairs), [b for b, _ in pairs.values()], [k for _, k in pairs.values()])


def _translator(domain: str, language: str, folder: str) -> Any:
    if language == "en":
        return str
    try:
        found = gettext.translation(domain, folder, languages=[language])
    except OSError:
        raise ArgumentError(
            f"pycountry has no names ({domain}) in {language!r}; its languages have names like "
            "'de', 'pt_BR' or 'zh_CN'."
        ) from None
    found.add_fallback(_Missing())
    return found.gettext
