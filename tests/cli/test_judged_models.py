"""Models with the scores that the commands took: what their folders hold of them."""

import json
from pathlib import Path

import pytest

from recurra.cli.models import save_judged
from recurra.tasks.judging.judged import Judged
from recurra.tasks.judging.scores import Score
from recurra.tasks.loading import load

GOLDEN = Path(__file__).parents[1] / "models" / "0.1.0" / "SequenceClassifier"


@pytest.mark.parametrize(
    ("score", "ahead"),
    [
        (Score("accuracy", 0.8, 50, "texts", {"naive": 0.5}, margin=(0.1, 0.5)), True),
        (Score("accuracy", 0.8, 50, "texts", {"naive": 0.5}, margin=(-0.1, 0.5)), False),
        (Score("accuracy", 0.5, 50, "texts", {"naive": 0.5}), False),
        (Score("error", 0.5, 50, "texts", {"naive": 0.4}, higher_is_better=False), False),
        (Score("error", 0.5, 50, "texts", {"naive": 0.6}, higher_is_better=False), True),
        (Score("coverage", 0.5, 50, "forecasts"), True),
    ],
)
def test_a_score_is_kept_with_what_stands_beside_it_and_what_it_means(
    score: Score, ahead: bool, tmp_path: Path
) -> None:
    save_judged(load(GOLDEN), tmp_path / "m", Judged([score], None))
    (kept,) = json.loads((tmp_path / "m" / "config.json").read_text())["about"]["scores"]
    assert kept["ahead"] is ahead
    assert (kept["name"], kept["value"], kept["examples"]) == (score.name, score.value, 50)
    assert kept["baselines"] == score.baselines
    assert kept["verdict"] == score.verdict()
    again = load(tmp_path / "m").about_
    assert again.scores[0].ahead is ahead
    assert again.examples == load(GOLDEN).about_.examples
