"""Runs whose states are kept to be looked at, inside any model that runs cells."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field, replace

from torch import Tensor

from recurra.backends import eager
from recurra.backends.steps import State, SteppedCell, Steps
from recurra.backends.window import by_age, for_each_age

_records: ContextVar["list[Record] | None"] = ContextVar("records", default=None)


@dataclass
class Record:
    """A cell's run in one direction, as the eager loop made it.

    states: by step, the state that left it, each (B, size), as the cell returned it: where an
    output is a state, the tensor is the same, so that a gradient with respect to it is whole.
    out: (T, B, O); last: the last state.
    """

    cell: SteppedCell
    steps: Steps
    states: dict[int, State] = field(default_factory=dict)
    out: Tensor | None = None
    last: State = ()

    def run(self) -> tuple[Tensor, State]:
        """Run the cell and keep what its steps gave."""
        window = self.steps.window  # what is recorded is the whole gradient
        self.steps = replace(self.steps, x=by_age(self.steps.x)[0], window=None)
        self.out, self.last = eager.run(self.cell, self.steps, note=self.states.__setitem__)
        return for_each_age(self.out, window), self.last


@contextmanager
def recording() -> Iterator[list[Record]]:
    """Run all cells in the block eagerly; yields the list that gets a `Record` of each run."""
    records: list[Record] = []
    token = _records.set(records)
    try:
        yield records
    finally:
        _records.reset(token)


def is_recording() -> bool:
    """Return whether runs are recorded here and now."""
    return _records.get() is not None


def run(cell: SteppedCell, steps: Steps) -> tuple[Tensor, State]:
    """Run a cell as `eager.run` does, and add the record."""
    records = _records.get()
    assert records is not None
    record = Record(cell, steps)
    records.append(record)
    return record.run()
