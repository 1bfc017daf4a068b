"""The table: a line for each figure, a column for each shape."""

import math
from collections.abc import Iterable
from dataclasses import dataclass, field

from extras import Figure
from rows import COMPILED, NN, PASSES, TRAIN, Row, Shape
from timing import mean

SHARE = 0.65  # of the peak, wanted for H >= 128 and B >= 32 of these rows, forward and backward
SHARED = ("lstm", "user")


@dataclass
class Measured:
    """One cell at one shape in one pass: ours in seconds, the others as multiples of ours.

    A text in place of a number says why there is none. rate: ours, in FLOP/s.
    """

    ours: float | str = math.nan
    rate: float = math.nan
    ratios: dict[str, float | str] = field(default_factory=dict)
    compile_seconds: dict[str, float] = field(default_factory=dict)
    spread: float = math.nan


Results = dict[tuple[str, str], dict[Shape, Measured]]


def render(rows: list[Row], shapes: list[Shape], results: Results, peak: float | None) -> list[str]:
    """Return the table's lines; `peak` is the machine's, in FLOP/s."""
    lines = [
        "| cell | pass | figure | " + " | ".join(map(str, shapes)) + " | geometric mean | wanted |",
        "|---|---|---|" + "---|" * (len(shapes) + 2),
    ]
    for row in rows:
        for which in PASSES:
            measured = [results[row.key, which].get(shape, Measured()) for shape in shapes]
            lines += _lines(row, which, shapes, measured, peak)
    return lines


def _lines(
    row: Row, which: str, shapes: list[Shape], measured: list[Measured], peak: float | None
) -> list[str]:
    def line(figure: str, cells: list[str], total: str = "", wanted: str = "") -> str:
        return f"| {' | '.join([row.title, which, figure, *cells, total, wanted])} |"

    lines = [line("Recurra, ms", [_number(m.ours, 1e3, ".3g") for m in measured])]
    if peak:
        shares = [m.rate / peak for m in measured]
        wanted = ""
        if which == TRAIN and row.key in SHARED:
            pairs = zip(shares, shapes, strict=True)
            large = [share for share, shape in pairs if shape.H >= 128 and shape.B >= 32]
            reached = bool(large) and all(share >= SHARE for share in large)
            wanted = _verdict(f"≥ {SHARE:.0%} for H ≥ 128, B ≥ 32", reached if large else None)
        cells = [_number(share, 1, ".0%") for share in shares]
        lines.append(line("of the FMA peak", cells, "", wanted))
    for peer in dict.fromkeys(name for m in measured for name in m.ratios):
        ratios = [m.ratios.get(peer, "") for m in measured]
        numbers = [ratio for ratio in ratios if isinstance(ratio, float)]
        total = mean(numbers) if numbers else math.nan
        wanted = ""
        if which == TRAIN and peer in row.wanted:
            wanted = _wanted(row, peer, total, numbers)
        cells = [_number(ratio, 1, ".2f", " ×") for ratio in ratios]
        lines.append(line(f"{peer} took", cells, _number(total, 1, ".2f", " ×"), wanted))
    for peer in dict.fromkeys(name for m in measured for name in m.compile_seconds):
        cells = [_number(m.compile_seconds.get(peer, math.nan), 1, ".0f", " s") for m in measured]
        lines.append(line(f"{peer}: first call", cells))
    return lines


def _wanted(row: Row, peer: str, total: float, numbers: list[float]) -> str:
    least = row.wanted[peer]
    reached, text = total >= least, f"≥ {least:g} ×"
    if row.key == "lstm" and peer == NN:
        reached, text = reached and min(numbers) >= 1, f"{text}, nowhere < 1"
    if peer == COMPILED and not numbers:
        return f"{text}: nothing to compare with"
    return _verdict(text, reached)


def _verdict(text: str, reached: bool | None) -> str:
    if reached is None or not text:
        return text
    return f"{text}: {'yes' if reached else '**no**'}"


def _number(value: float | str, scale: float, form: str, unit: str = "") -> str:
    if isinstance(value, str):
        return value
    return "" if math.isnan(value) else f"{scale * value:{form}}{unit}"


def render_figures(figures: Iterable[Figure]) -> list[str]:
    lines = ["| figure | Recurra | beside it | wanted |", "|---|---|---|---|"]
    for figure in figures:
        wanted = _verdict(figure.wanted, figure.reached)
        lines.append(f"| {figure.what} | {figure.ours} | {figure.others} | {wanted} |")
    return lines
