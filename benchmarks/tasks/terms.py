"""Names of countries and languages from English into Ukrainian, for names never seen."""

from typing import Any

from recurra.data.sources.terms import load_terms
from recurra.tasks.judging.judged import Part
from recurra.tasks.writing.translator import Translator
from written import row

SOURCE, TARGET = "en", "uk"


def run(quick: bool) -> dict[str, Any]:
    """Train and score; `quick` learns for one epoch, which is not enough."""
    train, test = load_terms(SOURCE, TARGET).split((0.9, 0.1))
    return row(
        f"translation: names, {SOURCE} to {TARGET}",
        "names of languages and countries (pycountry), none in both parts",
        Translator(
            epochs=1 if quick else 15, dropout=0.3, validation_fraction=0.05, random_state=0
        ),
        Part(train.sources, train.targets),
        Part(test.sources, test.targets),
    )


if __name__ == "__main__":
    print(run(quick=False))
