"""What each figure shows, in words and numbers: it can be read without the figure."""

import math
from collections.abc import Sequence
from statistics import median

from recurra.report.bars import MOST_BARS
from recurra.report.records import GeneratorReport, ScoreRow, baseline_wins, by_loss, overall
from recurra.report.series import MOST_POINTS
from recurra.report.text import (
    count_text,
    loss_text,
    name_list,
    norm_text,
    one_line,
    plural,
    share_text,
)
from recurra.training.history import History

_STOPPED = {
    "epochs": "All epochs were run.",
    "patience": "Training stopped early, because the loss no longer fell.",
    "interrupted": "Training was interrupted.",
}


def loss_caption(history: History, unit: str, baseline: tuple[str, float] | None = None) -> str:
    """Return what `loss_curves` shows with the same arguments."""
    epochs = history.epochs
    if not epochs:
        return "No epoch was finished, so there is no loss to show."
    valid = [e.valid_loss for e in epochs if e.valid_loss is not None]
    curves = [_course("training", [e.train_loss for e in epochs])]
    if valid:
        curves.append(_course("validation", valid))
    text = [
        f"Loss in {unit} over {count_text(len(epochs), 'epoch')}, lower is better: "
        f"{' and '.join(curves)}."
    ]
    if not valid:
        text.append("There was no validation.")
    best = history.best
    if best is not None:
        loss, kind = best.valid_loss, "validation"
        if loss is None:
            loss, kind = best.train_loss, "training"
        text.append(f"Epoch {best.number:,} was the best, with a {kind} loss of {loss_text(loss)}")
        text[-1] += _beside(loss, baseline) + "."
    missing = sum(not math.isfinite(x) for x in [*valid, *(e.train_loss for e in epochs)])
    if missing:
        verb = "is" if missing == 1 else "are"
        text.append(f"{count_text(missing, 'loss')} {verb} not finite and not drawn.")
    if history.stopped in _STOPPED:
        text.append(_STOPPED[history.stopped])
    return " ".join(text)


def _course(name: str, losses: Sequence[float]) -> str:
    if len(losses) == 1:
        return f"{name} {loss_text(losses[0])}"
    return f"{name} from {loss_text(losses[0])} to {loss_text(losses[-1])}"


def _beside(loss: float, baseline: tuple[str, float] | None) -> str:
    if baseline is None or not (math.isfinite(loss) and math.isfinite(baseline[1])):
        return ""
    gap = baseline[1] - loss
    where = "below" if gap >= 0 else "above"
    level = loss_text(baseline[1])
    return f", {loss_text(abs(gap))} {where} the baseline's {level} on the held-out set"


def gradient_caption(history: History) -> str:
    """Return what `gradient_norms` shows."""
    norms = history.gradient_norms
    if not norms:
        return "No step was recorded, so there is no gradient norm to show."
    shown = [norm for norm in norms if math.isfinite(norm)]
    text = []
    if shown:
        text.append(
            f"Norm of the whole gradient at {count_text(len(norms), 'step')}, before clipping: "
            f"median {norm_text(median(shown))}, "
            f"from {norm_text(min(shown))} to {norm_text(max(shown))}."
        )
    text.append(_band_text(history))
    zeros, odd = norms.count(0), len(norms) - len(shown)
    if zeros:
        text.append(f"The norm was zero, which a log axis cannot show, at {_steps(zeros)}.")
    if odd:
        text.append(f"It was not finite at {_steps(odd)}.")
    if len(norms) > MOST_POINTS:
        text.append("The light line joins the lowest and the highest norm of each short stretch.")
    return " ".join(text)


def _steps(n: int) -> str:
    return count_text(n, "step")


def _band_text(history: History) -> str:
    if history.band is None:
        return "The gradients were not clipped."
    L, U = history.band
    raised, lowered = history.clipped()
    shares = []
    if L > 0:
        shares.append(f"raised {share_text(raised)} of the steps to L")
    if not math.isinf(U):
        shares.append(f"lowered {share_text(lowered)} of the steps to U")
    band = f"The band [L, U] = [{norm_text(L)}, {norm_text(U)}]"
    return f"{band} {' and '.join(shares)}." if shares else f"{band} changed no gradient."


def score_caption(report: GeneratorReport) -> str:
    """Return for how many conditions the model, and for how many the baseline is better."""
    scores, condition = report.scores, report.condition_name
    if not scores:
        return f"No {condition} was scored."
    name = one_line(report.baseline_name)
    rows = by_loss(scores)
    compared = [row for row in rows if row.comparable]
    wins = baseline_wins(compared)
    ties = sum(row.difference == 0 for row in compared)
    of = f"of {count_text(len(compared), condition)}"
    text = []
    if compared:
        better = len(compared) - len(wins) - ties
        text.append(f"The model has the lower loss for {better:,} {of}.")
        if wins:
            names = name_list([row.condition for row in wins])
            text.append(f"The baseline ({name}) wins for {len(wins):,}: {names}.")
        else:
            text.append(f"The baseline ({name}) wins for none.")
        if ties:
            text.append(f"They are equal for {ties:,}.")
        text += _extremes(compared, report.unit)
    if len(compared) < len(rows):
        left = count_text(len(rows) - len(compared), condition)
        text.append(f"For {left} there is no comparison: a loss is not a finite number.")
    if len(rows) > MOST_BARS:
        text.append(
            f"The figure shows the {MOST_BARS // 2} {plural(condition)} with the lowest "
            f"and the {MOST_BARS // 2} with the highest loss; the table has all."
        )
    return " ".join(text)


def _extremes(compared: Sequence[ScoreRow], unit: str) -> list[str]:
    mean = overall(compared)
    text = []
    if mean is not None:
        text.append(
            f"Over all of them the loss is {loss_text(mean.loss)} {unit} "
            f"against {loss_text(mean.baseline)}."
        )
    if len(compared) > 1:
        low, high = compared[0], compared[-1]
        text.append(
            f"It is lowest for {name_list([low.condition])} ({loss_text(low.loss)}) "
            f"and highest for {name_list([high.condition])} ({loss_text(high.loss)})."
        )
    return text
