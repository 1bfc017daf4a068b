"""What runs a cell over time: the eager loop (always right) and torch's own kernels."""

from recurra.backends.choose import (
    Place,
    Steppers,
    choose,
    current_backend,
    running_on,
    steppers,
    steppers_may_run,
    use_backend,
)
from recurra.backends.memory import check_dense, is_ordinary
from recurra.backends.records import Record, recording
from recurra.backends.steps import State, SteppedCell, Steps, check_range

__all__ = [
    "Place",
    "Record",
    "State",
    "SteppedCell",
    "Steppers",
    "Steps",
    "check_dense",
    "check_range",
    "choose",
    "current_backend",
    "is_ordinary",
    "recording",
    "running_on",
    "steppers",
    "steppers_may_run",
    "use_backend",
]
