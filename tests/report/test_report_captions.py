import math
from dataclasses import replace
from statistics import median

import pytest

from recurra.report import ScoreRow, render_report
from recurra.report.captions import gradient_caption
from recurra.training.history import History

INF, NAN = math.inf, math.nan


def caption(page, start):
    (text,) = [text for text in page.texts("figcaption") if text.startswith(start)]
    return text.replace("\u00a0", " ").replace("\u2068", "").replace("\u2069", "")


def test_the_captions_say_the_numbers_of_the_run(report, parse):
    page = parse(render_report(report))
    history = report.history
    symbols = sum(row.symbols for row in report.scores)
    baseline = sum(row.baseline * row.symbols for row in report.scores) / symbols
    best = history.best
    first, last = history.epochs[0], history.epochs[-1]
    assert caption(page, "Loss in") == (
        "Loss in nats a character over 10 epochs, lower is better: "
        f"training from {first.train_loss:.3f} to {last.train_loss:.3f} and "
        f"validation from {first.valid_loss:.3f} to {last.valid_loss:.3f}. "
        f"Epoch 8 was the best, with a validation loss of {best.valid_loss:.3f}, "
        f"{abs(baseline - best.valid_loss):.3f} "
        f"{'below' if best.valid_loss < baseline else 'above'} "
        f"the baseline's {baseline:.3f} on the held-out set. All epochs were run."
    )
    norms = history.gradient_norms
    raised = sum(norm < 0.25 for norm in norms) / len(norms)
    lowered = sum(norm > 4 for norm in norms) / len(norms)
    assert caption(page, "Norm of") == (
        "Norm of the whole gradient at 2,500 steps, before clipping: "
        f"median {median(norms):.3g}, from {min(norms):.3g} to {max(norms):.3g}. "
        f"The band [L, U] = [0.25, 4] raised {100 * raised:.1f} % of the steps to L "
        f"and lowered {100 * lowered:.1f} % of the steps to U. "
        "The light line joins the lowest and the highest norm of each short stretch."
    )
    ranked = sorted(report.scores, key=lambda row: row.loss)
    wins = [row.condition for row in ranked if row.baseline < row.loss]
    text = caption(page, "The model")
    assert text.startswith("The model has the lower loss for 58 of 65 countries. ")
    assert (
        "The baseline (character bigrams) wins for 7: "
        f"{', '.join(wins[:-1])} and {wins[-1]}." in text
    )
    assert f"lowest for {ranked[0].condition} ({ranked[0].loss:.3f})" in text
    assert f"highest for {ranked[-1].condition} ({ranked[-1].loss:.3f})" in text


@pytest.mark.parametrize(
    ("losses", "said"),
    [
        ([(2.0, 1.0), (3.0, 1.0)], "The baseline (b) wins for 2:"),
        ([(1.0, 2.0), (1.0, 3.0)], "The baseline (b) wins for none."),
        ([(1.0, 1.0), (1.0, 3.0)], "They are equal for 1."),
        ([(1.0, NAN), (1.0, 3.0)], "For 1 dialect there is no comparison"),
        ([(NAN, NAN), (INF, 3.0)], "For 2 dialects there is no comparison"),
    ],
)
def test_it_is_said_for_how_many_the_baseline_wins(report, losses, said, parse):
    rows = [ScoreRow(f"c{k}", 1, 5, *pair) for k, pair in enumerate(losses)]
    page = parse(
        render_report(replace(report, scores=rows, baseline_name="b", condition_name="dialect"))
    )
    assert any(said in text for text in page.texts("figcaption"))


@pytest.mark.parametrize(
    ("band", "said"),
    [
        (None, "The gradients were not clipped."),
        ((0.0, 2.0), "The band [L, U] = [0, 2] lowered 25.0 % of the steps to U."),
        ((2.0, INF), "The band [L, U] = [2, ∞] raised 50.0 % of the steps to L."),
        ((0.0, INF), "The band [L, U] = [0, ∞] changed no gradient."),
        ((9.0, 9.0), "raised 75.0 % of the steps to L and lowered 0 % of the steps to U."),
    ],
)
def test_the_shares_of_clipped_steps_are_said_for_the_edges_there_are(band, said):
    text = gradient_caption(History([], [0.0, 1.0, 1.5, 8.0], band))
    assert said in text.replace("\u00a0", " ")
    assert text.endswith("The norm was zero, which a log axis cannot show, at 1 step.")
