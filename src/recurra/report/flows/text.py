"""Numbers that run over many powers of ten, as a reader sees them."""

import math

from recurra.gradients.verdict import number
from recurra.report.text import norm_text

_SUPERSCRIPTS = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def power_text(exponent: float) -> str:
    """Return a power of ten: "10⁻⁸" for -8, "0.1" for -1, "0.316" for -0.5."""
    if -3 < exponent < 4 or exponent != round(exponent):
        return norm_text(float(f"{10.0**exponent:.3g}"))
    return "10" + f"{exponent:.0f}".translate(_SUPERSCRIPTS)


def size_text(value: float) -> str:
    """Return a number with two digits at any size: "0.42", "3.1 × 10⁻¹²"."""
    if not math.isfinite(value) or value == 0 or 1e-3 <= abs(value) < 1e5:
        return norm_text(float(f"{value:.2g}"))
    digits, _, power = f"{value:.1e}".partition("e")
    return f"{digits}\u00a0×\u00a010{str(int(power)).translate(_SUPERSCRIPTS)}"


def arriving_text(share: float) -> str:
    """Return a share of a gradient, however small or large: "23.4 %", "3.1 × 10⁻¹²", "42-fold"."""
    if math.isnan(share):
        return "–"
    if share >= 10:
        return f"{size_text(share)}-fold" if math.isfinite(share) else "∞"
    return f"{100 * share:.3g}\u00a0%" if share >= 5e-4 or share == 0 else size_text(share)


def rate_text(rate: float) -> str:
    """Return a factor a step: "0.72", "1.004", "unknown" where there is none."""
    return "unknown" if math.isnan(rate) else number(rate)


def interval_text(low: float, high: float) -> str:
    """Return a 95 % interval in enough digits to tell its ends apart: "0.70–0.74"."""
    if math.isnan(low) or math.isnan(high):
        return "unknown"
    ends = number(low), number(high)
    decimals = 3
    while ends[0] == ends[1] and low != high and decimals <= 6:
        ends = f"{low:.{decimals}f}", f"{high:.{decimals}f}"
        decimals += 1
    return "–".join(dict.fromkeys(ends))
