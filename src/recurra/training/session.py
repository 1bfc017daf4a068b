"""What stands around the loop while a model is trained: processes, checkpoints, signals."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import TYPE_CHECKING

from torch import Tensor

from recurra.errors import ArgumentError
from recurra.training.checkpoints import Keeper
from recurra.training.processes import ALONE, Processes, join
from recurra.training.shared_norms import SharedNorms
from recurra.training.sharing import backward_together, begin_alike, share
from recurra.training.signals import Signals

if TYPE_CHECKING:
    from recurra.training.batches import Batches
    from recurra.training.loop import Trainer


class Session:
    """One training of a trainer's: who makes it, where it is saved, what ends it.

    processes: those that train together; between two trainings each is alone.
    """

    def __init__(self, trainer: Trainer, processes: Processes = ALONE) -> None:
        self.processes = processes
        self._trainer = trainer
        self._keeper: Keeper | None = None
        self._signals = Signals(processes)
        self._norms = SharedNorms(trainer.model, processes)
        self._stop = self._save = False  # what one of several processes asked of all

    @property
    def saved(self) -> bool:
        """Whether there are checkpoints."""
        return self._keeper is not None

    def sharing_norms(self) -> AbstractContextManager[None]:
        """Return a block in which batch normalisation is over the rows of all processes."""
        return self._norms.shared()

    def sharing_loss(self) -> AbstractContextManager[None]:
        """Return a block in which the loss of this process's rows is computed."""
        return self._norms.one_loss()

    def loss_without_rows(self) -> Tensor:
        """Return the loss of a process that has no rows of a batch: 0."""
        return self._norms.absent()

    def shares(self, train: Batches, valid: Batches | None) -> tuple[Batches, Batches | None]:
        """Return this process's shares of the batches; all processes begin alike.

        Raises `ArgumentError` for batches that cannot be shared, and where a process has others.
        """
        shares = share(train, self.processes), share(valid, self.processes)
        if not self.processes.alone:
            begin_alike(self._trainer, train, valid)
        return shares

    @contextmanager
    def saving(
        self, train: Batches, valid: Batches | None, mine: Batches, *, resume: bool
    ) -> Iterator[None]:
        """Keep the checkpoints, and hear Ctrl-C between two steps, while the block runs.

        Args:
            train, valid: the batches of all processes.
            mine: this process's share of `train`.
            resume: whether to go on where the newest checkpoint was, if there is one.

        Raises `ArgumentError` if that had other settings, or if another run has its folder.
        """
        checkpoints = self._trainer.checkpoints
        if checkpoints is None:
            if resume:
                raise ArgumentError("resume=True needs checkpoints, the folder of those.")
            if self.processes.alone:
                yield
            else:
                with self._signals:
                    yield
            return
        with self._signals, Keeper(checkpoints, self._trainer) as self._keeper:
            try:
                self._keeper.begin(train, valid, mine, resume=resume)
                yield
            finally:
                self._keeper = None

    def backward(self, total: Tensor, weight: float) -> tuple[float, float]:
        """Leave the gradient of the mean loss of all processes; return that and its weight.

        Args:
            total, weight: the summed loss of this process's share, and its weight.
        """
        if self.processes.alone:
            loss = total / weight
            loss.backward()  # type: ignore[no-untyped-call]
            return float(loss.detach()), weight
        asked = self._signals.asked, self.processes.first and self._is_time()
        mean, weight, *told = backward_together(self._trainer, total, weight, *asked)
        self._stop, self._save = (count > 0 for count in told)
        return mean, weight

    def step_done(self) -> None:
        """Save if it is time to; save and stop, by `KeyboardInterrupt`, if Ctrl-C was pressed."""
        alone = self.processes.alone
        # The others have to know before the step; one that is alone hears what came since.
        stop = self._signals.asked if alone else self._stop
        save = self._is_time() if alone else self._save
        if self._keeper is not None:
            self._keeper.step_done(now=stop or save)
        if stop:
            raise KeyboardInterrupt

    def epoch_done(self, *, last: bool) -> None:
        """Save after an epoch if it is time to."""
        if self._keeper is not None:
            self._keeper.epoch_done(last=last)

    def _is_time(self) -> bool:
        return self._keeper is not None and self._keeper.is_time()


@contextmanager
def session_of(trainer: Trainer) -> Iterator[Session]:
    """Let a trainer train together with the other processes, if any, while the block runs."""
    trainer.session = Session(trainer, join())
    try:
        with trainer.session.sharing_norms():
            yield trainer.session
    finally:
        trainer.session = Session(trainer)
