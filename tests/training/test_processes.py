"""What the processes that train together tell each other."""

import os
import signal
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import torch
from together import came, ended, start, together

from recurra.training import LostProcessError, is_first
from recurra.training.processes import ALONE, Processes, first_to_tell, join, local_device

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="there is no fork")


def test_a_process_alone_keeps_what_it_has() -> None:
    assert join() == ALONE
    assert ALONE.alone
    assert is_first()
    assert first_to_tell()
    assert ALONE.sums(0.1, 2) == [0.1, 2]
    assert ALONE.gather(b"a") == [b"a"]
    assert ALONE.broadcast(b"a") == b"a"
    t = torch.tensor([1.5])
    assert ALONE.sum_(t) is t
    assert ALONE.broadcast_(t) is t


def test_sums_and_messages_reach_all() -> None:
    def work(processes: Processes) -> Any:
        assert join() == processes
        rank = processes.rank
        return (
            is_first(),
            processes.sums(0.1 * (rank + 1), 1e300),
            processes.sum_(torch.full((2, 2), rank + 1)).tolist(),
            processes.broadcast_(torch.tensor([rank, 5])).tolist(),
            processes.broadcast(b"from %d" % rank),
            processes.broadcast(b""),
            processes.gather(bytes([rank]) * rank * 3),
            processes.gather(b""),
        )

    sums = [0.1 + 0.2 + 0.30000000000000004, 3e300]
    content = [b"", b"\1" * 3, b"\2" * 6]
    for rank, found in enumerate(together(3, work)):
        first, (small, large), *others = found
        assert first == (rank == 0)
        assert [small, large] == pytest.approx(sums, rel=1e-15)
        assert others == [[[6, 6], [6, 6]], [0, 5], b"from 0", b"", content, [b""] * 3]


def test_the_others_learn_of_a_killed_one(tmp_path: Path) -> None:
    def work(processes: Processes) -> Any:
        processes.sums(1.0)
        if processes.rank == 1:
            os.kill(os.getpid(), signal.SIGKILL)
        while True:
            processes.sums(1.0)

    assert ended(start(3, work, tmp_path), within=15) == [0, -signal.SIGKILL, 0]
    for rank in (0, 2):
        error = came(tmp_path, rank)
        assert isinstance(error, LostProcessError)
        assert "another process of this training was lost" in str(error)


def test_one_that_does_not_answer_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("together.WAIT", timedelta(seconds=1))

    def work(processes: Processes) -> Any:
        processes.sums(1.0)
        if processes.rank == 1:
            signal.sigtimedwait([signal.SIGUSR1], 3)
            return None
        return processes.sums(1.0)

    error, _ = together(2, work)
    assert isinstance(error, LostProcessError)


def test_any_gpu_is_the_one_of_the_process(monkeypatch: pytest.MonkeyPatch) -> None:
    assert local_device(torch.device("cuda")) == torch.device("cuda")
    for name, value in {"TORCHELASTIC_RUN_ID": "x", "WORLD_SIZE": "4", "LOCAL_RANK": "2"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 4)
    assert local_device(torch.device("cuda")) == torch.device("cuda:2")
    assert local_device(torch.device("cuda:1")) == torch.device("cuda:1")
    assert local_device(torch.device("cpu")) == torch.device("cpu")
