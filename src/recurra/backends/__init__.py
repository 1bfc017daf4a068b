"""What runs a cell over time: the eager loop (always right) and torch's own kernels."""

from recurra.backends.choose import choose, current_backend, use_backend
from recurra.backends.steps import State, SteppedCell, Steps

__all__ = ["State", "SteppedCell", "Steps", "choose", "current_backend", "use_backend"]
