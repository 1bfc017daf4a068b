"""The bidirectional example: which of happy, not and very belongs in the blank.

    python benchmarks/tasks/blanks.py [--quick]

The sentences are synthetic, drawn from a seeded grammar around the lesson's three; those tested on
are none of those learned from. What reading forward can come to at most is computed, not measured.
"""

import json
import sys
import time
from typing import Any

from recurra.data.sources.blanks import LESSON, best_from_left, load_blanks, share_from_left
from recurra.tasks.filling.filler import BlankFiller


def run(quick: bool) -> list[dict[str, Any]]:
    """Return a row for each network: both directions, and forward only."""
    train, test = load_blanks(2_000, 500) if quick else load_blanks()
    bound = best_from_left(test.sentences, test.fillers)
    rows = []
    for both in (True, False):
        began = time.perf_counter()
        options: dict[str, Any] = {"epochs": 3} if quick else {}
        if not both:
            # The left tells so little that a part held out is noise, and would stop it at once.
            options["validation_fraction"] = 0.0
        filler = BlankFiller(bidirectional=both, random_state=0, **options)
        filler.fit(train.sentences, train.fillers)
        seconds = time.perf_counter() - began
        most = filler.classes_[filler.class_shares_.argmax()]
        answers = [
            f"{word} {'✓' if word == right else '✗'}"
            for word, (_, right) in zip(
                filler.predict([sentence for sentence, _ in LESSON]), LESSON, strict=True
            )
        ]
        rows.append(
            {
                "task": f"blanks: {'both directions' if both else 'forward only'}",
                "data": f"{len(train):,} synthetic sentences, tested on {len(test):,} others",
                "score_name": "accuracy",
                "score": filler.score(test.sentences, test.fillers),
                "baseline_name": "most frequent word",
                "baseline": sum(word == most for word in test.fillers) / len(test),
                "seconds": seconds,
                "parameters": filler.parameter_count_,
                "notes": f"from the left alone at most {bound:.3f} on these sentences, "
                f"{share_from_left():.3f} in the long run; the lesson's three: "
                f"{', '.join(answers)}",
            }
        )
    return rows


if __name__ == "__main__":
    print(json.dumps(run("--quick" in sys.argv), indent=1, ensure_ascii=False))
