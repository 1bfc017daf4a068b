"""Dates as people write them in 25 locales to ISO 8601, on dates that were never trained on."""

from typing import Any

from recurra.data.sources.dates import load_dates
from recurra.tasks.judging.judged import Part
from recurra.tasks.writing.translator import Translator
from written import row


def run(quick: bool) -> dict[str, Any]:
    """Train and score; `quick` learns from a tenth for two epochs, which is not enough."""
    train, test = load_dates(2000 if quick else 20_000).split((0.9, 0.1))
    model = Translator(epochs=2 if quick else 8, validation_fraction=0.05, random_state=0)
    made = row(
        "translation: dates to ISO 8601",
        f"dates of {len(set(train.locales))} locales (babel); no date in both parts",
        model,
        Part(train.texts, train.dates),
        Part(test.texts, test.dates),
    )
    right: dict[str, list[bool]] = {}
    written = model.predict(test.texts)
    for locale, a, b in zip(test.locales, written, test.dates, strict=True):
        right.setdefault(locale, []).append(a == b)
    by_locale = {locale: sum(each) / len(each) for locale, each in right.items()}
    worst = min(by_locale, key=lambda locale: by_locale[locale])
    made["notes"] += f"; lowest locale: {worst}, {by_locale[worst]:.3f}"
    return made


if __name__ == "__main__":
    print(run(quick=False))
