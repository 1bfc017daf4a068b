"""Checkpoints of several processes: one writer, the same bits after a stop, whatever stops it."""

import os
import shutil
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from runs import Run, StopAt, StoppedError, same
from together import came, ended, start, together

from recurra.errors import ArgumentError
from recurra.training import Callback, Checkpoints, LostProcessError, Trainer, checkpoints
from recurra.training.processes import Processes

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="there is no fork")


def unbroken(carry: bool) -> list[Any]:
    return together(2, lambda _: Run(carry=carry).go().state)


class SignalAt(Callback):
    """Sends its own process a signal after so many steps, if it is of that rank."""

    def __init__(self, step: int, number: int, rank: int) -> None:
        self.step, self.number, self.rank = step, number, rank

    def on_batch_end(self, trainer: Trainer, loss: float, gradient_norm: float) -> None:
        if trainer.steps == self.step and trainer.processes.rank == self.rank:
            os.kill(os.getpid(), self.number)


@pytest.mark.parametrize("carry", [False, True])
def test_resumed_each_process_ends_as_in_the_unbroken_run(tmp_path: Path, carry: bool) -> None:
    wanted = unbroken(carry)
    for step in (1, 5, 7, 8):
        folder = tmp_path / str(step)

        def stopped(_: Processes, folder: Path = folder, step: int = step) -> Any:
            return Run(folder, carry=carry, stop=step, every_steps=1).go()

        def resumed(_: Processes, folder: Path = folder) -> Any:
            return Run(folder, carry=carry).go(resume=True).state

        assert all(isinstance(end, StoppedError) for end in together(2, stopped))
        same(together(2, resumed), wanted)


def test_the_other_process_has_its_state_from_the_first_ones_file(tmp_path: Path) -> None:
    """Only the first process can see the folder: the others may be on another machine."""
    wanted = unbroken(True)
    folder = tmp_path / "first"

    def work(processes: Processes, stop: int | None = None) -> Any:
        place = folder if processes.first else tmp_path / "other"
        callbacks = [] if stop is None else [StopAt(stop)]
        made = Run(place, carry=True, every_steps=2, callbacks=callbacks)
        return made.go(resume=stop is None).state

    together(2, lambda p: work(p, 5))
    assert len(Checkpoints(folder).files()) == 2
    assert not (tmp_path / "other").exists()
    same(together(2, work), wanted)
    assert not (tmp_path / "other").exists()


def test_another_number_of_processes_is_refused(tmp_path: Path) -> None:
    together(2, lambda _: Run(tmp_path, stop=8).go())
    with pytest.raises(ArgumentError, match=r"\(processes: 2, now 1\)"):
        Run(tmp_path).go(resume=True)


def test_the_first_ones_clock_counts_for_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def work(processes: Processes) -> list[int]:
        now, steps = 0.0, []

        def clock() -> float:
            nonlocal now
            now += 20.0 if processes.first else 1e6
            return now

        monkeypatch.setattr(checkpoints.time, "monotonic", clock)
        kept = checkpoints.Keeper.save

        def noting(self: checkpoints.Keeper) -> None:
            steps.append(self._trainer.steps)
            kept(self)

        monkeypatch.setattr(checkpoints.Keeper, "save", noting)
        Run(tmp_path, every_epochs=None, every_minutes=1.5).go()
        return steps

    assert together(2, work) == [[5, 10, 12]] * 2


def killed(folder: Path, step: int) -> Callable[[Processes], Any]:
    listening = [SignalAt(step, signal.SIGKILL, rank=1)]
    return lambda _: Run(folder, carry=True, every_steps=2, callbacks=listening).go()


@pytest.mark.parametrize("step", [3, 6])
def test_a_lost_process_ends_the_run_and_its_checkpoint_goes_on(tmp_path: Path, step: int) -> None:
    place, folder = tmp_path / "came", tmp_path / "checkpoints"
    place.mkdir()
    assert ended(start(2, killed(folder, step), place), within=15) == [0, -signal.SIGKILL]
    assert isinstance(came(place, 0), LostProcessError)
    resumed = together(2, lambda _: Run(folder, carry=True, every_steps=2).go(resume=True).state)
    same(resumed, unbroken(True))


@pytest.mark.parametrize("rank", [0, 1])
def test_ctrl_c_in_one_stops_all_after_the_step_and_loses_none(tmp_path: Path, rank: int) -> None:
    def work(folder: Path, step: int) -> Any:
        listening = [SignalAt(step, signal.SIGINT, rank)]
        made = Run(folder, carry=True, callbacks=listening)
        return made.go().trainer.history.stopped

    first = together(2, lambda _: work(tmp_path / "a", 2))
    assert all(isinstance(end, KeyboardInterrupt) for end in first)  # no epoch is over
    assert [file.stem[-2:] for file in Checkpoints(tmp_path / "a").files()] == ["03"]
    assert together(2, lambda _: work(tmp_path / "b", 6)) == ["interrupted"] * 2
    resumed = together(2, lambda _: Run(tmp_path / "b", carry=True).go(resume=True).state)
    same(resumed, unbroken(True))


def test_sigterm_ends_a_process_as_one_that_lost_the_others(tmp_path: Path) -> None:
    listening = [SignalAt(3, signal.SIGTERM, rank=0)]
    first, other = together(2, lambda _: Run(tmp_path, carry=True, callbacks=listening).go())
    assert isinstance(first, LostProcessError)
    assert "told to end, by SIGTERM" in str(first)
    assert isinstance(other, LostProcessError)


def test_ctrl_c_in_a_process_alone_saves_and_stops(tmp_path: Path) -> None:
    wanted = Run().go().state
    for step in (2, 6):
        folder = tmp_path / str(step)
        made = Run(folder, callbacks=[SignalAt(step, signal.SIGINT, rank=0)])
        if step < 4:
            with pytest.raises(KeyboardInterrupt):
                made.go()
        else:
            assert made.go().trainer.history.stopped == "interrupted"
        assert Checkpoints(folder).files()[-1].stem.endswith(f"{step:02}")
        same(Run(folder).go(resume=True).state, wanted)
        shutil.rmtree(folder)
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_the_second_ctrl_c_does_not_wait_for_the_step(tmp_path: Path) -> None:
    class Twice(Callback):
        def on_batch_end(self, trainer: Trainer, loss: float, gradient_norm: float) -> None:
            signal.raise_signal(signal.SIGINT)
            signal.raise_signal(signal.SIGINT)
            raise AssertionError("the second one was not heard")

    with pytest.raises(KeyboardInterrupt):
        Run(tmp_path, callbacks=[Twice()]).go()
    assert Checkpoints(tmp_path).files() == []


def test_a_program_that_handles_ctrl_c_itself_keeps_its_handler(tmp_path: Path) -> None:
    heard = []
    before = signal.signal(signal.SIGINT, lambda number, frame: heard.append(number))
    try:
        Run(tmp_path, callbacks=[SignalAt(2, signal.SIGINT, rank=0)]).go()
    finally:
        signal.signal(signal.SIGINT, before)
    assert heard == [signal.SIGINT]


def test_random_numbers_of_all_processes_are_kept(tmp_path: Path) -> None:
    together(2, lambda _: Run(tmp_path, stop=8, every_steps=1).go())
    state = Checkpoints(tmp_path).newest()
    assert state is not None
    (other,) = state["others"]
    assert not torch.equal(other["now"]["cpu"], state["now"]["cpu"])
