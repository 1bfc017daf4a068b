"""Several processes that train together, forked from the test: what each came to."""

import os
import pickle
import signal
import tempfile
import time
import traceback
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import torch.distributed as dist

from recurra.training.processes import Processes

WAIT = timedelta(seconds=20)


def together(world: int, work: Callable[[Processes], Any]) -> list[Any]:
    """Run `work` in so many processes and return what it returned, or the error that it raised."""
    with tempfile.TemporaryDirectory() as place:
        children = start(world, work, Path(place))
        for child in children:
            os.waitpid(child, 0)
        return [came(Path(place), rank) for rank in range(world)]


def start(world: int, work: Callable[[Processes], Any], place: Path) -> list[int]:
    """Fork the processes and return their ids; what they come to is left in `place`."""
    children = []
    for rank in range(world):
        child = os.fork()
        if not child:
            _work(world, rank, work, place)
        children.append(child)
    return children


def came(place: Path, rank: int) -> Any:
    """Return what a process came to; None if it was killed."""
    file = place / str(rank)
    return pickle.loads(file.read_bytes()) if file.exists() else None


def ended(children: list[int], within: float) -> list[int]:
    """Return the exit codes of children; any that has not ended `within` seconds is killed."""
    codes: dict[int, int] = {}
    deadline = time.monotonic() + within
    while len(codes) < len(children):
        for child in set(children) - set(codes):
            if time.monotonic() > deadline:
                os.kill(child, signal.SIGKILL)
            done, status = os.waitpid(child, os.WNOHANG)
            if done:
                codes[child] = os.waitstatus_to_exitcode(status)
        time.sleep(0.02)
    return [codes[child] for child in children]


def _work(world: int, rank: int, work: Callable[[Processes], Any], place: Path) -> None:
    try:
        store = dist.FileStore(str(place / "store"), world)
        dist.init_process_group("gloo", store=store, rank=rank, world_size=world, timeout=WAIT)
        found: Any = work(Processes(rank, world))
    except BaseException as error:
        traceback.print_exc()
        found = error
    (place / f"{rank}.part").write_bytes(pickle.dumps(found))
    (place / f"{rank}.part").rename(place / str(rank))
    os._exit(0)
