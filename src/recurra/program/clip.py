"""The gradient of a state, cut to a norm."""

from recurra.program.term import Term, apply


def clipped(d: Term, most: float) -> Term:
    """Return each row of d, scaled down to the norm `most` if it is longer.

    A row with NaN or infinity stays as it is. The largest feature is divided out first, so that
    no square leaves the range.
    """
    n = d.value.size
    largest = apply("maximum", apply("amax", apply("abs", d), groups=1), most)
    small = d / apply("spread", largest, times=n)
    norm = apply("sqrt", apply("sum", small * small, groups=1)) * largest
    factor = apply("div", most, norm)
    factor = apply("where", apply("lt", factor, 1.0), factor, 1.0)
    return d * apply("spread", factor, times=n)
