"""The row of a model that writes, beside the naive ways of writing, on the same held-out part."""

import time
from typing import Any

from recurra.tasks.judging.judge import judge
from recurra.tasks.judging.judged import Part
from recurra.tasks.writing.captioner import Captioner
from recurra.tasks.writing.translator import Translator


def row(
    task: str, data: str, model: Translator | Captioner, train: Part, test: Part
) -> dict[str, Any]:
    """Train the model, and judge it on `test`."""
    began = time.perf_counter()
    model.fit(train.X, train.y, condition=train.condition)
    seconds = time.perf_counter() - began
    exact, *others = judge(model, train, test).scores
    best = exact.best_baseline
    assert best is not None
    near = "; ".join(f"{score.name} {score.value:.1f}" for score in others)
    return {
        "task": task,
        "data": data,
        "score_name": exact.name,
        "score": exact.value,
        "baseline_name": best[0],
        "baseline": best[1],
        "seconds": seconds,
        "parameters": model.parameter_count_,
        "notes": f"{len(train):,} to learn from, {len(test):,} held out; {near}",
    }
