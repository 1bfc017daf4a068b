"""Every task's fit in two processes is, but for rounding, the fit of one."""

import sys
from typing import Any

import numpy as np
import pytest
import torch
from together import together

from recurra.data import LongText
from recurra.tasks.loading import TASKS

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="there is no fork")

NAMES = [a + b + c for a in ("ka", "mo", "li") for b in ("ta", "su", "re", "n") for c in ("", "o")]
SENTENCES = [[name, "is", "from", "a" if "a" in name else "b"] for name in NAMES]
LONG = "".join(f"{name}, {name[::-1]}; " for name in NAMES * 8)


def data(task: str) -> tuple[Any, ...]:
    draw = np.random.default_rng(0)
    n = len(NAMES)
    return {
        "BlankFiller": (SENTENCES,),
        "Captioner": (draw.integers(0, 255, (n, 16, 16, 3), dtype=np.uint8), NAMES),
        "Forecaster": (draw.normal(size=120).cumsum(),),
        "SequenceClassifier": (NAMES, [name[0] for name in NAMES]),
        "SequenceGenerator": (NAMES, [name[0] for name in NAMES]),
        "SequenceRegressor": (draw.normal(size=(n, 8)), draw.normal(size=n)),
        "SequenceTagger": (SENTENCES, [["N", "V", "P", "N"]] * n),
        "Translator": (NAMES, [name[::-1] for name in NAMES]),
    }[task]


def fitted(task: str, given: tuple[Any, ...], **options: Any) -> dict[str, Any]:
    """Return what a fit comes to in float64, with no random numbers but those of the order."""
    torch.set_default_dtype(torch.float64)
    kind = TASKS[task]
    own = {"forget": 0.0, "choices": ["a", "b"], "window": 6, "horizon": 2}
    options |= {name: value for name, value in own.items() if name in kind.__dataclass_fields__}
    model = kind(hidden_size=6, epochs=2, batch_size=8, dropout=0.0, random_state=3, **options)
    model.fit(*given)
    return {
        "weights": {name: p.tolist() for name, p in model.network_.state_dict().items()},
        "losses": [(e.train_loss, e.valid_loss) for e in model.history_.epochs],
        "examples": (model.about_.examples, model.about_.validation),
    }


def distance(a: Any, b: Any) -> float:
    """Return the largest difference of two nested results."""
    if isinstance(a, dict):
        assert a.keys() == b.keys()
        return max(distance(a[name], b[name]) for name in a)
    if isinstance(a, list | tuple):
        assert len(a) == len(b)
        return max((distance(x, y) for x, y in zip(a, b, strict=True)), default=0.0)
    return 0.0 if a == b else abs(a - b)


@pytest.mark.parametrize("task", TASKS)
def test_two_processes_fit_what_one_does(task: str) -> None:
    (alone,) = together(1, lambda _: fitted(task, data(task)))
    one, other = together(2, lambda _: fitted(task, data(task)))
    assert one == other
    assert distance(one, alone) < 1e-9


@pytest.mark.parametrize("chunk", [8, 64])  # of 64 the text is one row, and one process has none
def test_two_processes_read_an_endless_text_as_one_does(chunk: int) -> None:
    def learned(_: object) -> dict[str, Any]:
        return fitted("SequenceGenerator", (LongText(LONG),), chunk=chunk)

    (alone,) = together(1, learned)
    one, other = together(2, learned)
    assert one == other
    assert distance(one, alone) < 1e-9
