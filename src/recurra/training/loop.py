"""The training loop: any module, any batches, the norm band, early stopping, checkpoints."""

import math
import time
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler
from torch.utils._pytree import tree_map_only

from recurra.errors import DivergenceError
from recurra.gradients.clip import clip_groups_, gradient_groups, total_of
from recurra.training.batches import Batches as Batches
from recurra.training.batches import Loss as Loss
from recurra.training.callback import Callback
from recurra.training.checkpoints import Checkpoints
from recurra.training.history import Epoch, History
from recurra.training.place import Place
from recurra.training.precision import check_precision, computing_in
from recurra.training.processes import Processes
from recurra.training.session import Session, session_of
from recurra.training.sharing import draw_alike, same_buffers
from recurra.training.trainer_state import load_trainer_state, trainer_state


class Trainer:
    """Trains a module; each step of the loop is a method to be overridden.

    Under torchrun its processes train one model: each takes its share of every batch, and all step
    with the gradient of the whole one.

    Args:
        model: any module.
        loss: called as `loss(model, batch)`, returns the batch's summed loss and its weight; the
            mean over a pass is the sum of the sums over the sum of the weights.
        optimizer: steps once a batch.
        schedule: steps with it, or None.
        clip: the norm band (L, U) the gradients are scaled into, or None.
        clip_by: whose norm that is: "total", "layer" or "parameter", as `clip_grad_norm_band_` has
            it.
        carry: whether the batches are the pieces of one endless sequence: `loss` is called with
            the state that the piece before ended in (None for the first), as a third argument, and
            returns the new one as a third result. It is detached: gradients stay in their piece.
        patience: how many epochs without a better validation loss end the training; None for
            never. The weights of the best epoch are kept in any case.
        callbacks: what listens.
        checkpoints: where and when the run is saved, or None.
        settings: what else a run must have in common with the one it resumes, by name.
        precision: what the loss is computed in: "float32" (the precision of the weights), or
            "bfloat16" by autocast. Weights and optimiser stay as they are.

    Raises `ArgumentError` for another precision.
    """

    def __init__(
        self,
        model: nn.Module,
        loss: Loss,
        optimizer: Optimizer,
        *,
        schedule: LRScheduler | None = None,
        clip: tuple[float, float] | None = None,
        clip_by: str = "total",
        carry: bool = False,
        patience: int | None = None,
        callbacks: Sequence[Callback] = (),
        checkpoints: Checkpoints | None = None,
        settings: Mapping[str, Any] | None = None,
        precision: str = "float32",
    ) -> None:
        check_precision(precision)
        self.model = model
        self.loss = loss
        self.optimizer = optimizer
        self.schedule = schedule
        self.clip = clip
        self.clip_by = clip_by
        self.carry = carry
        self.state: Any = None  # what the piece before ended in
        self.patience = patience
        self.callbacks = list(callbacks)
        self.checkpoints = checkpoints
        self.settings = dict(settings or {})
        self.precision = precision
        self.history = History(band=clip, clip_by=clip_by)
        self.best: dict[str, Tensor] | None = None  # the weights of the best epoch of this run
        self.place = Place()
        self.first = 0  # epochs that were over before this run
        self.epochs = 0
        self.batches_per_epoch = 0
        self.session = Session(self)  # the training under way

    @property
    def processes(self) -> Processes:
        """Those that train together, while they do."""
        return self.session.processes

    @property
    def steps(self) -> int:
        """How many optimiser steps were made."""
        return len(self.history.gradient_norms)

    def fit(
        self, train: Batches, valid: Batches | None = None, *, epochs: int, resume: bool = False
    ) -> History:
        """Train for at most `epochs` (more) passes over `train` and return the record.

        With `valid` the model ends with the weights that were best on it. Ctrl-C ends the
        training after at least one epoch as patience would, and goes through before that; a run
        with checkpoints is saved first.
        With `resume` it goes on after the newest of `checkpoints`, if there is one, and ends with
        the bits it would have had; the random numbers may come from torch's generator and from
        those that are attributes of `train`.

        Raises `DivergenceError` when the loss is no longer finite, `ArgumentError` when the run to
        resume had other settings or another run has its folder, or when the batches cannot be
        shared among processes, `LostProcessError` when one of those is gone.
        """
        self._begin(epochs, len(train))
        with session_of(self) as session:
            mine, my_valid = session.shares(train, valid)
            with session.saving(train, valid, mine, resume=resume):
                self._tell("on_train_begin")
                self.place.restore(mine)
                try:
                    self._run_epochs(mine, my_valid)
                except KeyboardInterrupt:
                    self.history.stopped = "interrupted"
                    if self.best is None:
                        raise
                finally:
                    self._tell("on_train_end")
        if self.best is not None:
            self.model.load_state_dict(self.best)
        return self.history

    def _begin(self, epochs: int, batches: int) -> None:
        self.epochs, self.batches_per_epoch = epochs, batches
        self.first = len(self.history.epochs)  # earlier calls made some
        self.best, self.place = None, Place()
        self.history.stopped = "epochs"

    def _run_epochs(self, train: Batches, valid: Batches | None) -> None:
        """Go through the epochs, or until patience is at its end."""
        last = self.first + self.epochs
        done = len(self.history.epochs) > self.first and self._out_of_patience()
        while not done and len(self.history.epochs) < last:
            epoch = self.run_epoch(len(self.history.epochs) + 1, train, valid)
            self.history.epochs.append(epoch)
            self.place = Place()
            if epoch.best:
                self.best = {k: v.detach().clone() for k, v in self.model.state_dict().items()}
            self._tell("on_epoch_end", epoch)
            done = self._out_of_patience()
            self.session.epoch_done(last=done or epoch.number == last)
        if done:
            self.history.stopped = "patience"

    def run_epoch(self, number: int, train: Batches, valid: Batches | None) -> Epoch:
        """Go through `train` once, then through `valid`, and return the epoch's record."""
        self._tell("on_epoch_begin", number)
        place = self.place
        began = time.perf_counter() - place.seconds
        self.model.train()
        if not place.batches:
            self.state = None
            draw_alike(train, self.processes)
        for batch in place.rest(train, kept=self.session.saved):
            total, weight = self.train_step(batch)
            place.batches += 1
            place.total, place.weight = place.total + total, place.weight + weight
            place.seconds = time.perf_counter() - began
            self.session.step_done()
        same_buffers(self)
        valid_loss = None if valid is None else self.evaluate(valid)
        judged = place.total / place.weight if valid_loss is None else valid_loss
        before = self.history.best
        lowest = math.inf if before is None else _judged(before)
        return Epoch(
            number=number,
            train_loss=place.total / place.weight,
            valid_loss=valid_loss,
            seconds=time.perf_counter() - began,
            learning_rate=self.optimizer.param_groups[0]["lr"],
            best=judged < lowest,
        )

    def train_step(self, batch: Any) -> tuple[float, float]:
        """Step once on `batch` and return its summed loss and its weight."""
        self.optimizer.zero_grad(set_to_none=True)
        value, weight = self.session.backward(*self.run_loss(batch))
        if not math.isfinite(value):
            raise DivergenceError(
                f"the loss became {value} in epoch {len(self.history.epochs) + 1}, step "
                f"{len(self.history.gradient_norms) + 1}: lower learning_rate (it is "
                f"{self.optimizer.param_groups[0]['lr']:.3g}), or clip with a lower upper edge."
            )
        norm = float(self.clip_gradients())
        self.optimizer.step()
        if self.schedule is not None:
            self.schedule.step()
        self.history.gradient_norms.append(norm)
        self._tell("on_batch_end", value, norm)
        return value * weight, weight

    def run_loss(self, batch: Any) -> tuple[Tensor, float]:
        """Return the batch's summed loss and its weight, and take the state along."""
        if batch is None:  # this process has none of its rows
            return self.session.loss_without_rows(), 0.0
        with self.session.sharing_loss(), computing_in(self.precision, self.model):
            if not self.carry:
                total, weight = self.loss(self.model, batch)
            else:
                total, weight, state = self.loss(self.model, batch, self.state)
                self.state = tree_map_only(Tensor, Tensor.detach, state)
        return total, weight

    def clip_gradients(self) -> Tensor:
        """Scale the gradients into the norm band and return their total norm before it."""
        L, U = (0.0, math.inf) if self.clip is None else self.clip
        groups = gradient_groups(self.model, self.clip_by)
        norms = clip_groups_(groups, L, U, error_if_nonfinite=False)
        if self.clip_by != "total":
            for name, norm in norms.items():
                self.history.group_norms.setdefault(name, []).append(float(norm))
        return total_of(norms)

    @torch.no_grad()
    def evaluate(self, batches: Batches) -> float:
        """Return the mean loss over `batches`, without training on them."""
        self.model.eval()
        kept, self.state = self.state, None
        total = weight = 0.0
        for batch in batches:
            batch_total, batch_weight = self.run_loss(batch)
            total, weight = total + float(batch_total), weight + batch_weight
        self.state = kept
        total, weight = self.processes.sums(total, weight)
        return total / weight

    def state_dict(self) -> dict[str, Any]:
        """Return all that training goes on from, but for the random numbers."""
        return trainer_state(self)

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from what `state_dict` returned; raises `ModelFileError` if it does not fit."""
        load_trainer_state(self, state)

    def _out_of_patience(self) -> bool:
        best = self.history.best
        if self.patience is None or best is None:
            return False
        return self.history.epochs[-1].number - best.number >= self.patience

    def _tell(self, event: str, *args: object) -> None:
        for callback in self.callbacks:
            getattr(callback, event)(self, *args)


def _judged(epoch: Epoch) -> float:
    return epoch.train_loss if epoch.valid_loss is None else epoch.valid_loss
