"""Tagging, many to many and aligned: the role of each token of Python statements.

    python benchmarks/tasks/tagging.py [--quick]

The statements are the standard library's, split by module; a token's role is what Python's own
parser says. The same network is trained reading in both directions and forward only.
"""

import json
import sys
import time
from typing import Any

from recurra.data.sources.roles import RoleTable, load_roles
from recurra.data.splits import split_by_group
from recurra.tasks.tagging.scores import FrequentTags, accuracy, score_tags
from recurra.tasks.tagging.tagger import SequenceTagger

# Brackets, keywords, numbers and texts are what they look like; of names the rest is the question.
PLAIN = ("keyword", "number", "operator", "string")


def split(limit: int) -> tuple[RoleTable, RoleTable]:
    """Return statements to learn from and statements of other modules."""
    table = load_roles(limit)
    parts = split_by_group(table.modules, (0.85, 0.15))
    train, test = (
        RoleTable(
            [table.words[k] for k in part],
            [table.tags[k] for k in part],
            [table.modules[k] for k in part],
        )
        for part in parts
    )
    return train, test


def on_names(true: list[list[str]], guess: list[list[str]]) -> float:
    """Return the accuracy over the tokens that are names."""
    kept = [
        (t, g)
        for row, predicted in zip(true, guess, strict=True)
        for t, g in zip(row, predicted, strict=True)
        if t not in PLAIN
    ]
    return sum(t == g for t, g in kept) / len(kept)


def run(quick: bool) -> list[dict[str, Any]]:
    """Return a row for each network: both directions, and forward only."""
    train, test = split(2_000 if quick else 20_000)
    plain = FrequentTags().fit(train.words, train.tags).predict(test.words)
    rows = []
    for both in (True, False):
        began = time.perf_counter()
        tagger = SequenceTagger(
            hidden_size=64, epochs=5 if quick else 4, bidirectional=both, random_state=0
        ).fit(train.words, train.tags)
        seconds = time.perf_counter() - began
        tags = tagger.predict(test.words)
        worst = min((s for s in score_tags(test.tags, tags) if s.count >= 20), key=lambda s: s.f1)
        rows.append(
            {
                "task": f"tagging: roles in Python, {'both directions' if both else 'forward'}",
                "data": f"{len(train):,} statements of {len(set(train.modules))} modules; tested "
                f"on {len(test):,} of {len(set(test.modules))} others",
                "score_name": "accuracy over tokens",
                "score": accuracy(test.tags, tags),
                "baseline_name": "each word's most frequent tag",
                "baseline": accuracy(test.tags, plain),
                "seconds": seconds,
                "parameters": tagger.parameter_count_,
                "notes": f"over names alone {on_names(test.tags, tags):.3f}, baseline "
                f"{on_names(test.tags, plain):.3f}; lowest F1 {worst.f1:.3f} ({worst.tag}, of "
                f"{worst.count}); Python {sys.version.split()[0]}",
            }
        )
    return rows


if __name__ == "__main__":
    print(json.dumps(run("--quick" in sys.argv), indent=1))
