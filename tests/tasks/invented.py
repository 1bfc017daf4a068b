"""Invented names and small generators, shared by the tests of the tasks."""

import random

from recurra import SequenceGenerator


def invented_names(seed: int = 0, n: int = 60) -> tuple[list[str], list[str]]:
    """Return made-up names of two made-up countries: Vowland likes a and o, Consland k and r."""
    draw = random.Random(seed)
    names, countries = [], []
    for country, heads, tails in (
        ("Vowland", "AO", ["la", "no", "mia", "oa"]),
        ("Consland", "KR", ["rk", "kur", "grim", "ko"]),
    ):
        for _ in range(n):
            names.append(draw.choice(heads) + "".join(draw.choices(tails, k=draw.randint(1, 3))))
            countries.append(country)
    return names, countries


def small_generator(**options: object) -> SequenceGenerator:
    settings: dict[str, object] = {
        "hidden_size": 24,
        "embedding_size": 8,
        "epochs": 4,
        "batch_size": 16,
        "learning_rate": 0.02,
        "random_state": 0,
    }
    return SequenceGenerator(**{**settings, **options})  # type: ignore[arg-type]
