"""The sentiment of customer-service conversations: a recurrent classifier beside a linear one.

The conversations are synthetic (`recurra.data.make_conversations`): what a model scores on them
says that it learns what order means, not how it would fare on real ones. One label in forty is
wrong, so that about 0.975 is the most anything can reach.
"""

import time
from typing import Any

import numpy as np

from recurra.data.examples import Examples
from recurra.data.sources.conversations import make_conversations
from recurra.tasks.classifying.classifier import SequenceClassifier
from recurra.tasks.judging.judge import Part, judge


def run(quick: bool) -> dict[str, Any]:
    """Return the row of the table of tasks; `quick` learns from a tenth of the conversations."""
    table = make_conversations(1500 if quick else 15_000)
    rows = Examples(table.texts, list(range(len(table))), np.ones(len(table)))
    learned, held_out = rows.split(0.1, seed=0, strata=table.labels)
    whole = Part(table.texts, table.labels)
    train, test = whole.select(learned.targets), whole.select(held_out.targets)
    model = SequenceClassifier(random_state=0, epochs=2 if quick else 10)
    began = time.perf_counter()
    model.fit(train.X, train.y)
    seconds = time.perf_counter() - began
    accuracy, macro = judge(model, train, test).scores
    baseline = "TF-IDF + logistic regression"
    parts = ", ".join(f"{name} {value:.3f}" for name, value in accuracy.parts.items())
    return {
        "task": "sentiment of conversations",
        "data": f"{len(table):,} synthetic conversations, 3 classes",
        "score_name": "accuracy",
        "score": accuracy.value,
        "baseline_name": baseline,
        "baseline": accuracy.baselines[baseline],
        "seconds": seconds,
        "parameters": model.parameter_count_,
        "notes": f"most frequent class {accuracy.baselines['the most frequent class']:.3f}; "
        f"macro F1 {macro.value:.3f} against {macro.baselines[baseline]:.3f}; {parts}; "
        f"{len(model.history_.epochs)} epochs",
    }


if __name__ == "__main__":
    for key, value in run(quick=False).items():
        print(f"{key}: {value}")
