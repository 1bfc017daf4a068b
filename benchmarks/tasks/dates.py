"""Dates as people write them in 25 locales to ISO 8601, on dates that were never trained on."""

import time
from typing import Any

from recurra.data.dates import load_dates
from recurra.tasks.translation_scores import score_translations
from recurra.tasks.translator import Translator


def run(quick: bool) -> dict[str, Any]:
    """Train and score; `quick` learns from a tenth for two epochs, which is not enough."""
    train, test = load_dates(2000 if quick else 20_000).split((0.9, 0.1))
    model = Translator(epochs=2 if quick else 8, validation_fraction=0.05, random_state=0)
    began = time.perf_counter()
    model.fit(train.texts, train.dates)
    seconds = time.perf_counter() - began
    written = model.predict(test.texts)
    scores = score_translations(written, test.dates)
    right: dict[str, list[bool]] = {}
    for locale, a, b in zip(test.locales, written, test.dates, strict=True):
        right.setdefault(locale, []).append(a == b)
    by_locale = {locale: sum(each) / len(each) for locale, each in right.items()}
    worst = min(by_locale, key=lambda locale: by_locale[locale])
    name, baseline = max(model.baselines_.items(), key=lambda item: item[1])
    return {
        "task": "translation",
        "data": f"dates of {len(right)} locales to ISO 8601 (babel); no date in both parts",
        "score_name": "exact match",
        "score": scores.exact,
        "baseline_name": name,
        "baseline": baseline,
        "seconds": seconds,
        "parameters": model.parameter_count_,
        "notes": f"{len(train):,} to learn from, {len(test):,} held out; lowest: {worst} "
        f"{by_locale[worst]:.3f}; chrF {scores.chrf:.1f}",
    }


if __name__ == "__main__":
    print(run(quick=False))
