"""The processes that train together; no other file knows torch.distributed.

Every process must make the same calls in the same order.
"""

import atexit
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor

from recurra.errors import RecurraError

_PLACE = re.compile(r"\[[^\]]*\.cc:\d+\] ")  # of torch's sources, in what it says
PATIENCE = timedelta(minutes=10)  # how long a process waits for the others


class LostProcessError(RecurraError, RuntimeError):
    """Another of the processes that train together has ended, or does not answer."""


def lost(why: str) -> LostProcessError:
    """Return the error that another process was lost."""
    return LostProcessError(
        f"another process of this training was lost ({why}). Run it again: with a checkpoint and "
        "resume it goes on from the newest one."
    )


@dataclass(frozen=True)
class Processes:
    """The processes that train together.

    rank: this one's number, from 0; world: how many there are.

    What waits for the others raises `LostProcessError` when one is gone.
    """

    rank: int = 0
    world: int = 1

    @property
    def alone(self) -> bool:
        """Whether there is no other process."""
        return self.world == 1

    @property
    def first(self) -> bool:
        """Whether this is the one that writes and speaks."""
        return self.rank == 0

    @property
    def ranks(self) -> range:
        """The numbers of all processes."""
        return range(self.world)

    def sum_(self, tensor: Tensor) -> Tensor:
        """Replace a tensor by its sum over all processes, the same bits in each."""
        if not self.alone and tensor.numel():
            with _answered():
                dist.all_reduce(tensor)
        return tensor

    def sums(self, *numbers: float) -> list[float]:
        """Return the sum of each number over all processes, in float64."""
        if self.alone:
            return [*numbers]
        total: list[float] = self.sum_(torch.tensor(numbers, dtype=torch.float64)).tolist()
        return total

    def broadcast_(self, tensor: Tensor) -> Tensor:
        """Replace a tensor by the first process's."""
        if not self.alone and tensor.numel():
            with _answered():
                dist.broadcast(tensor, 0)
        return tensor

    def broadcast(self, content: bytes) -> bytes:
        """Return what the first process gave."""
        size = int(self.broadcast_(torch.tensor(len(content))))
        given = _as_tensor(content) if self.first else torch.zeros(size, dtype=torch.uint8)
        return bytes(self.broadcast_(given).numpy())

    def gather(self, content: bytes) -> list[bytes]:
        """Return what each process gave, by its number."""
        sizes = [int(n) for n in self.sums(*[len(content) * (k == self.rank) for k in self.ranks])]
        padded = torch.zeros(max(sizes), dtype=torch.uint8)
        padded[: len(content)] = _as_tensor(content)
        rows = [torch.empty_like(padded) for _ in self.ranks]
        if self.alone or not len(padded):
            return [content] * self.world
        with _answered():
            dist.all_gather(rows, padded)
        return [bytes(row[:n].numpy()) for row, n in zip(rows, sizes, strict=True)]


ALONE = Processes()


def join(patience: timedelta = PATIENCE) -> Processes:
    """Return the processes that torchrun started, or that torch.distributed already knows of.

    The first call waits for the others; without any this process is alone.
    """
    if not dist.is_available():
        return ALONE
    if not dist.is_initialized():
        if not launched():
            return ALONE
        _start(patience)
    return Processes(dist.get_rank(), dist.get_world_size())


def launched() -> bool:
    """Return whether torchrun started this process beside others."""
    return "TORCHELASTIC_RUN_ID" in os.environ and int(os.environ["WORLD_SIZE"]) > 1


def is_first() -> bool:
    """Return whether this process is the one that writes and speaks; one that is alone is."""
    if dist.is_available() and dist.is_initialized():
        return dist.get_rank() == 0
    return not launched() or os.environ["RANK"] == "0"


def first_to_tell() -> bool:
    """Return whether no process has told yet why the training ends; each call counts as telling."""
    if not launched():
        return True
    try:
        return bool(_store(timedelta(seconds=10), False).add("told", 1) == 1)
    except (RuntimeError, KeyError, ValueError):  # who kept count is gone: better twice than never
        return True


def local_device(device: torch.device) -> torch.device:
    """Return which GPU of the machine is this process's, where the device is any GPU."""
    index: int | None = device.index
    if device.type != "cuda" or index is not None or not launched():
        return device
    return torch.device("cuda", int(os.environ["LOCAL_RANK"]) % max(1, torch.cuda.device_count()))


def _start(patience: timedelta) -> None:
    gpus = torch.cuda.is_available() and dist.is_nccl_available()
    if gpus:
        torch.cuda.set_device(local_device(torch.device("cuda")))
    rank, world = int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"])
    is_kept = os.environ.get("TORCHELASTIC_USE_AGENT_STORE") == str(True)  # by torchrun itself
    with _answered():
        store = _store(patience, not is_kept and rank == 0)
        backends = "cpu:gloo,cuda:nccl" if gpus else "gloo"
        dist.init_process_group(
            backends, store=store, rank=rank, world_size=world, timeout=patience
        )
    atexit.register(_leave)


def _store(patience: timedelta, keeps_it: bool) -> Any:
    """Return where the processes find one another, apart from those before a restart.

    torchrun keeps one for all its restarts: processes that are started again would find the
    addresses of those that are gone.
    """
    place = os.environ["MASTER_ADDR"], int(os.environ["MASTER_PORT"])
    kept: Any = dist.TCPStore(  # type: ignore[attr-defined]
        *place, is_master=keeps_it, timeout=patience
    )
    again = os.environ.get("TORCHELASTIC_RESTART_COUNT", "0")
    return dist.PrefixStore(f"recurra/{again}", kept)  # type: ignore[attr-defined]


def _leave() -> None:
    if dist.is_initialized():
        dist.destroy_process_group()


@contextmanager
def _answered() -> Iterator[None]:
    try:
        yield
    except RuntimeError as error:  # what torch raises when a connection ends, or a time is over
        said = _PLACE.sub("", str(error)).partition("\n")[0].partition(". ")[0]
        raise lost(said[:200]) from error


def _as_tensor(content: bytes) -> Tensor:
    if not content:  # which torch takes for an error
        return torch.zeros(0, dtype=torch.uint8)
    return torch.frombuffer(bytearray(content), dtype=torch.uint8)
