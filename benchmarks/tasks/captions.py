"""Pictures in words: shapes in combinations never seen, and digits named in five languages."""

from typing import Any

from recurra.data.sources.digits import DIGIT_NAMES, load_digit_names
from recurra.data.sources.shapes import draw_shapes
from recurra.tasks.judging.judged import Part
from recurra.tasks.writing.captioner import Captioner
from written import row


def run(quick: bool) -> list[dict[str, Any]]:
    """Return the rows of both tasks; `quick` learns little, which is not enough."""
    return [shapes(quick), digits(quick)]


def shapes(quick: bool) -> dict[str, Any]:
    """Train and score on synthetic pictures; no combination is in both parts."""
    train, test = draw_shapes(800 if quick else 8000).split((0.8, 0.2))
    return row(
        "captions: shapes",
        f"synthetic pictures, {len(set(test.captions)):,} combinations never seen",
        Captioner(epochs=2 if quick else 10, validation_fraction=0.05, random_state=0),
        Part(train.images, train.captions),
        Part(test.images, test.captions),
    )


def digits(quick: bool) -> dict[str, Any]:
    """Train and score on scikit-learn's digits; no picture is in both parts."""
    languages = ("en",) if quick else tuple(DIGIT_NAMES)
    train, test = load_digit_names(languages).split(0.2)
    model = Captioner(
        hidden_size=64,
        tokens="char",
        epochs=1 if quick else 12,
        validation_fraction=0.05,
        random_state=0,
    )
    parts = (
        # One language alone is no condition.
        Part(part.images, part.names, None if quick else part.languages)
        for part in (train, test)
    )
    return row(
        f"captions: digits in {len(languages)} languages",
        f"handwritten digits (scikit-learn) named in {', '.join(languages)}, pictures never seen",
        model,
        *parts,
    )


if __name__ == "__main__":
    for each in run(quick=False):
        print(each)
