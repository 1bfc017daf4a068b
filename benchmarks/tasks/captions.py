"""Pictures in words: shapes in combinations never seen, and digits named in five languages."""

import time
from typing import Any

from recurra.data.digits import DIGIT_NAMES, load_digit_names
from recurra.data.shapes import draw_shapes
from recurra.tasks.captioner import Captioner


def run(quick: bool) -> list[dict[str, Any]]:
    """Return the rows of both tasks; `quick` learns little, which is not enough."""
    return [shapes(quick), digits(quick)]


def shapes(quick: bool) -> dict[str, Any]:
    """Train and score on synthetic pictures; no combination is in both parts."""
    train, test = draw_shapes(800 if quick else 8000).split((0.8, 0.2))
    model = Captioner(epochs=2 if quick else 10, validation_fraction=0.05, random_state=0)
    began = time.perf_counter()
    model.fit(train.images, train.captions)
    return row(
        model,
        time.perf_counter() - began,
        score=model.score(test.images, test.captions),
        data="synthetic pictures of shapes, combinations never seen",
        notes=f"{len(train):,} to learn from, {len(test):,} held out, "
        f"{len(set(test.captions)):,} combinations",
    )


def digits(quick: bool) -> dict[str, Any]:
    """Train and score on scikit-learn's digits; no picture is in both parts."""
    languages = ("en",) if quick else tuple(DIGIT_NAMES)
    train, test = load_digit_names(languages).split(0.2)
    model = Captioner(
        hidden_size=64,
        tokens="char",
        epochs=1 if quick else 6,
        validation_fraction=0.05,
        random_state=0,
    )
    # One language alone is no condition.
    told = {} if quick else {"condition": train.languages}
    asked = {} if quick else {"condition": test.languages}
    began = time.perf_counter()
    model.fit(train.images, train.names, **told)
    return row(
        model,
        time.perf_counter() - began,
        score=model.score(test.images, test.names, **asked),
        data=f"handwritten digits named in {', '.join(languages)} (scikit-learn)",
        notes=f"{len(train):,} names to learn from, {len(test):,} held out; pictures never seen",
    )


def row(model: Captioner, seconds: float, *, score: float, data: str, notes: str) -> dict[str, Any]:
    """Return a row of the table."""
    name, baseline = max(model.baselines_.items(), key=lambda item: item[1])
    return {
        "task": "captions",
        "data": data,
        "score_name": "exact match",
        "score": score,
        "baseline_name": name,
        "baseline": baseline,
        "seconds": seconds,
        "parameters": model.parameter_count_,
        "notes": notes,
    }


if __name__ == "__main__":
    for each in run(quick=False):
        print(each)
