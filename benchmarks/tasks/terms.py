"""Names of countries and languages from English into Ukrainian, for names never seen."""

import time
from typing import Any

from recurra.data.terms import load_terms
from recurra.tasks.translation_scores import score_translations
from recurra.tasks.translator import Translator

SOURCE, TARGET = "en", "uk"


def run(quick: bool) -> dict[str, Any]:
    """Train and score; `quick` learns for one epoch, which is not enough."""
    train, test = load_terms(SOURCE, TARGET).split((0.9, 0.1))
    model = Translator(
        epochs=1 if quick else 15, dropout=0.3, validation_fraction=0.05, random_state=0
    )
    began = time.perf_counter()
    model.fit(train.sources, train.targets)
    seconds = time.perf_counter() - began
    scores = score_translations(model.predict(test.sources), test.targets)
    name, baseline = max(model.baselines_.items(), key=lambda item: item[1])
    copied = score_translations(test.sources, test.targets)
    return {
        "task": "translation",
        "data": f"names of languages and countries, {SOURCE} to {TARGET} (pycountry)",
        "score_name": "exact match",
        "score": scores.exact,
        "baseline_name": name,
        "baseline": baseline,
        "seconds": seconds,
        "parameters": model.parameter_count_,
        "notes": f"{len(train):,} to learn from, {len(test):,} names never seen; chrF "
        f"{scores.chrf:.1f} (copied: {copied.chrf:.1f})",
    }


if __name__ == "__main__":
    print(run(quick=False))
