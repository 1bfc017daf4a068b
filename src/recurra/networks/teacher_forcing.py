"""How often a decoder in training reads the true symbol, and how often its own."""

import math
from dataclasses import dataclass

from recurra.errors import ArgumentError

SCHEDULES = ("always", "linear", "inverse sigmoid")
_K = 15.0


@dataclass(frozen=True)
class TeacherForcing:
    """ε, the probability that the true symbol is read, as training goes on.

    kind: "always" (ε = 1), "linear" (from 1 down to `least`), or "inverse sigmoid" (k/(k +
    exp(i/k)) of the way from `least` to 1, i the hundredths of training done, k = 15).
    Source: Bengio et al., arXiv 1506.03099, section 2.4.

    Raises `ArgumentError` for another kind, or unless 0 <= least <= 1.
    """

    kind: str = "always"
    least: float = 0.0

    def __post_init__(self) -> None:
        if self.kind not in SCHEDULES:
            raise ArgumentError(
                f"teacher_forcing must be one of {', '.join(SCHEDULES)}, got {self.kind!r}."
            )
        if not 0 <= self.least <= 1:
            raise ArgumentError(f"least must lie from 0 to 1, got {self.least}.")

    def ratio(self, done: float) -> float:
        """Return ε when the share `done` of training, from 0 to 1, lies behind."""
        if self.kind == "always":
            return 1.0
        if self.kind == "linear":
            return 1 - (1 - self.least) * done
        return self.least + (1 - self.least) * _K / (_K + math.exp(100 * done / _K))
