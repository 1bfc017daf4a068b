"""Handwritten digits, and their names in five languages."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from recurra.errors import ArgumentError, MissingDependencyError

DIGIT_NAMES = {
    "de": "null eins zwei drei vier fünf sechs sieben acht neun",
    "en": "zero one two three four five six seven eight nine",
    "fr": "zéro un deux trois quatre cinq six sept huit neuf",
    "ru": "ноль один два три четыре пять шесть семь восемь девять",
    "tr": "sıfır bir iki üç dört beş altı yedi sekiz dokuz",
}


@dataclass(frozen=True)
class DigitTable:
    """n pictures of digits (n, 8, 8) float64 from 0 to 16, a language and a name for each.

    pictures: the number of the picture each row shows: one picture has a row in each language,
    and a split must keep them together.
    """

    images: NDArray[np.float64]
    names: list[str]
    languages: list[str]
    digits: NDArray[np.int64]
    pictures: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.names)

    def split(self, fraction: float = 0.2, seed: int = 0) -> tuple["DigitTable", "DigitTable"]:
        """Return a part to learn from and one of about `fraction` of the pictures.

        Raises `ArgumentError` unless the fraction lies between 0 and 1.
        """
        if not 0 < fraction < 1:
            raise ArgumentError(f"fraction must lie between 0 and 1, got {fraction}.")
        different = np.unique(self.pictures)
        order = np.random.default_rng(seed).permutation(different)
        held = np.isin(self.pictures, order[: max(1, round(fraction * len(order)))])
        return self._select(np.flatnonzero(~held)), self._select(np.flatnonzero(held))

    def _select(self, rows: NDArray[np.int64]) -> "DigitTable":
        return DigitTable(
            self.images[rows],
            [self.names[k] for k in rows],
            [self.languages[k] for k in rows],
            self.digits[rows],
            self.pictures[rows],
        )


def load_digit_names(languages: tuple[str, ...] = tuple(DIGIT_NAMES)) -> DigitTable:
    """Return scikit-learn's 1,797 handwritten digits, each once a language, with its name there.

    Raises `ArgumentError` for a language without names here, `MissingDependencyError` without
    scikit-learn.
    """
    unknown = [language for language in languages if language not in DIGIT_NAMES]
    if unknown or not languages:
        raise ArgumentError(f"languages must be some of {', '.join(DIGIT_NAMES)}, got {languages}.")
    try:
        from sklearn.datasets import load_digits
    except ImportError as error:
        raise MissingDependencyError(
            "load_digit_names needs scikit-learn: pip install 'recurra[tasks]'."
        ) from error
    found = load_digits()
    names = {language: DIGIT_NAMES[language].split() for language in languages}
    n, D = len(found.target), len(languages)
    return DigitTable(
        images=np.repeat(found.images, D, axis=0),
        names=[names[language][digit] for digit in found.target for language in languages],
        languages=list(languages) * n,
        digits=np.repeat(found.target, D).astype(np.int64),
        pictures=np.repeat(np.arange(n), D).astype(np.int64),
    )
