"""Streams and threads: a long push leaves Python to others, and pushes follow one another."""

import threading
import time

import pytest
import torch

from recurra import Recurrent

pytest.importorskip("recurra._core")


def test_other_threads_run_on_during_a_long_push() -> None:
    stream = Recurrent("lstm", 64, 256).stream()
    assert stream._steppers is not None
    x = torch.randn(400, 1, 64)
    begin = time.perf_counter()
    stream.push(x)
    steps = int(400 * 0.6 / (time.perf_counter() - begin))  # more than half a second's
    x = x.repeat(steps // 400 + 1, 1, 1)
    ticks, done = [], threading.Event()

    def tick() -> None:
        while not done.wait(0.005):
            ticks.append(time.perf_counter())

    thread = threading.Thread(target=tick)
    thread.start()
    begin = time.perf_counter()
    stream.push(x)
    end = time.perf_counter()
    done.set()
    thread.join()
    inside = [t for t in ticks if begin + 0.02 < t < end - 0.02]
    assert len(inside) > 5, (len(inside), end - begin)


@pytest.mark.parametrize("steps", [1, 3000])
def test_pushes_from_two_threads_follow_one_another(steps: int) -> None:
    layer = Recurrent("gru", 16, 96)
    whole, shared = layer.stream(2), layer.stream(2)
    x = torch.randn(steps, 2, 16) if steps > 1 else torch.randn(2, 16)
    wanted = [whole.push(x) for _ in range(8)]
    found: list[torch.Tensor] = []
    lock = threading.Lock()

    def push() -> None:
        for _ in range(4):
            out = shared.push(x)
            with lock:
                found.append(out)

    threads = [threading.Thread(target=push) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert torch.equal(shared.state[0], whole.state[0])
    for out in wanted:  # each of them is there, whichever thread had it
        assert any(torch.equal(out, each) for each in found)
