"""The core's threads, processes and memory: the same bits, all finish, nothing grows."""

import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import torch

from every_kind import KINDS, build, everything, on, random_state, same_bits
from recurra import Recurrent, use_backend

_core = pytest.importorskip("recurra._core")
native = pytest.importorskip("recurra.backends.native")

every_kind = pytest.mark.parametrize("kind", KINDS)
T, B, I, H = 6, 19, 5, 8  # noqa: E741 - the axes' names


@pytest.fixture
def _threads_again() -> Iterator[None]:
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


@pytest.mark.usefixtures("_threads_again")
@every_kind
def test_repeats_and_threads_give_the_same_bits(kind: str) -> None:
    layer, x = build(kind, I, H, num_layers=2, bidirectional=True), torch.randn(T, B, I)
    x.requires_grad_()
    lengths, reset = torch.randint(0, T + 1, (B,)), torch.rand(T, B) < 0.2
    for options in ({}, {"lengths": lengths, "reset": reset}):
        wanted = on("native", layer, x, **options)
        for threads in (1, 2, 3, 8):
            torch.set_num_threads(threads)
            assert same_bits(on("native", layer, x, **options), wanted)


@pytest.mark.usefixtures("_threads_again")
def test_a_hundred_repeats_give_the_same_bits(monkeypatch: pytest.MonkeyPatch) -> None:
    # 150 rows in several slices for each thread; 21 steps in several blocks between sums.
    monkeypatch.setattr(native, "BLOCK_BYTES", 1)
    layer, x = build("lstm", I, 16), torch.randn(21, 150, I, requires_grad=True)
    lengths = torch.randint(0, 22, (150,))
    wanted = on("native", layer, x, lengths=lengths)
    for repeat in range(100):
        torch.set_num_threads(1 + repeat % 2)
        assert same_bits(on("native", layer, x, lengths=lengths), wanted)


@pytest.mark.usefixtures("_threads_again")
@pytest.mark.parametrize("threads", [1, 2])
@every_kind
def test_a_row_alone_in_a_batch_and_with_padding_gives_the_same_bits(
    kind: str, threads: int
) -> None:
    torch.set_num_threads(threads)
    layer, x = build(kind, I, H, num_layers=2, bidirectional=True), torch.randn(T, B, I)
    state, lengths = random_state(layer, B), torch.randint(1, T + 1, (B,))
    with use_backend("native"), torch.no_grad():
        whole, last = layer(x, state)
        ragged, ends = layer(x, state, lengths)
        for b, n in list(enumerate(lengths.tolist()))[::3]:
            own = [s[:, b : b + 1] for s in state]
            for steps, out, new in ((T, whole, last), (n, ragged, ends)):
                alone, end = layer(x[:steps, b : b + 1], own)
                assert torch.equal(out[:steps, b : b + 1], alone)
                assert same_bits([s[:, b : b + 1] for s in new], end)


@every_kind
def test_sixteen_threads_share_one_layer(kind: str) -> None:
    layer = build(kind, I, H)
    fresh = build(kind, I, H)  # traced and planned by whichever thread is first
    fresh.load_state_dict(layer.state_dict())
    inputs = [torch.randn(3 + k % 5, 1 + k % 7, I, requires_grad=True) for k in range(16)]
    wanted = [on("native", layer, x) for x in inputs]
    start = threading.Barrier(16)

    def work(k: int) -> bool:
        start.wait(30)
        threads = 1 + k % 2  # what a thread sets holds for itself
        torch.set_num_threads(threads)
        return all(same_bits(on("native", fresh, inputs[k]), wanted[k]) for _ in range(3))

    before = torch.get_num_threads()
    try:
        with ThreadPoolExecutor(16) as pool:
            assert all(pool.map(work, range(16), timeout=60))
    finally:
        torch.set_num_threads(before)


CHILDREN = """
import os, sys, time
import torch
from recurra import Recurrent, use_backend

torch.set_num_threads(2)
layer = Recurrent("lstm", 8, 16, num_layers=2)
x = torch.randn(20, 64, 8, requires_grad=True)

def work():
    with use_backend("native"):
        out, _ = layer(x)
        return [out, *torch.autograd.grad(out.square().sum(), [x, *layer.parameters()])]

wanted = work()
if "torch" in sys.argv:
    torch.randn(600, 600) @ torch.randn(600, 600)  # torch's threads have worked, too
children = []
for _ in range(20):
    child = os.fork()
    if child == 0:
        os._exit(0 if all(map(torch.equal, work(), wanted)) else 3)
    children.append(child)
    work()  # the parent goes on working in parallel
ends = {}
deadline = time.monotonic() + 30
while len(ends) < 20 and time.monotonic() < deadline:
    for child in set(children) - set(ends):
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            ends[child] = os.waitstatus_to_exitcode(status)
    time.sleep(0.01)
for child in set(children) - set(ends):
    os.kill(child, 9)
    os.waitpid(child, 0)
print(sorted(ends.values()))
"""


@pytest.mark.skipif(sys.platform == "win32", reason="there is no fork")
@pytest.mark.parametrize("who", ["core", "torch"])
def test_children_of_a_process_that_worked_in_parallel_finish(who: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", CHILDREN, who], capture_output=True, text=True, timeout=60
    )
    assert done.stdout.strip() == str([0] * 20), done.stderr


TRAINING = """
import os, sys, threading, time
if "loop" in sys.argv:
    sys.modules["recurra._core"] = None
import warnings
warnings.simplefilter("ignore")
import torch
import recurra
from recurra import Cell, Recurrent

class Mine(Cell):
    def __init__(self, input_size, hidden_size):
        super().__init__(input_size, {"h": hidden_size})
        self.both = torch.nn.Linear(input_size + hidden_size, hidden_size)

    def forward(self, x, h):
        h = torch.tanh(self.both(torch.cat([x, h], -1)))
        return h, (h,)

torch.set_num_threads(2)
H = 256  # weights of more than 32,768 numbers: torch shares them among threads
model = torch.nn.ModuleList([
    Recurrent("lstm", H, H), Recurrent("gru", H, H // 2, bidirectional=True),
    recurra.GRU(H, H), Recurrent(Mine, H, H),
])
optimiser = torch.optim.Adam(model.parameters())
lengths = [3, 1, 4, 0] * 4

def work():
    x = torch.randn(4, 16, H)
    optimiser.zero_grad()
    for layer in model:
        x = layer(x, lengths=lengths)[0] if isinstance(layer, Recurrent) else layer(x)[0]
    x.square().mean().backward()
    optimiser.step()
    with torch.no_grad():
        model[1](x, lengths=lengths)

work()
ends, children = [], 20 if "core" in sys.argv else 5
for k in range(children):
    work()  # the parent has worked in parallel, and goes on to
    child = os.fork()
    if child == 0:
        work()
        if k == 0:
            another = threading.Thread(target=work)
            another.start()
            another.join()
        os._exit(0)
    deadline, done = time.monotonic() + 20, 0
    while not done and time.monotonic() < deadline:
        done, status = os.waitpid(child, os.WNOHANG)
        time.sleep(0.005)
    if not done:
        os.kill(child, 9)
        done, status = os.waitpid(child, 0)
    ends.append(os.waitstatus_to_exitcode(status))
    if ends[-1]:
        break
print(ends)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="there is no fork")
@pytest.mark.parametrize("who", ["core", "loop"])
def test_children_train_what_torch_shares_among_threads(who: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", TRAINING, who], capture_output=True, text=True, timeout=240
    )
    assert done.stdout.strip() == str([0] * (20 if who == "core" else 5)), done.stderr


def resident() -> int:
    """Return the bytes of memory that this process has."""
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmRSS"))


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="no /proc")
def test_ten_thousand_calls_of_varied_length_leave_memory_flat() -> None:
    layer = Recurrent("gru", 2, 3)
    generator = torch.Generator().manual_seed(0)
    sizes = torch.randint(1, 40, (10_000, 2), generator=generator).tolist()
    x = torch.randn(40, 40, 2, requires_grad=True)

    def call(k: int, T: int, B: int) -> None:
        with use_backend("native"):
            if k % 10 == 0:
                everything(layer, x[:T, :B])
            else:
                with torch.no_grad():
                    layer(x[:T, :B], lengths=[1 + (k + b) % T for b in range(B)])

    before = most = 0
    for k, (T, B) in enumerate(sizes):
        call(k, T, B)
        if k == 1_000:
            before = resident()
        if k % 100 == 0:
            most = max(most, _core.waiting())
    assert resident() - before < 16 << 20
    assert most < 16 << 20  # the largest call keeps less than 1 MB


def test_large_memory_that_has_been_given_back_is_bounded() -> None:
    for size in range(8 << 20, 96 << 20, 4 << 20):
        memory = _core.memory(size)
        assert memory.numel() == size
        del memory
        assert 0 < _core.waiting() <= 256 << 20


def test_numbers_that_lie_more_than_two_billion_apart_are_found() -> None:
    # Memory that is asked for and not touched costs nothing: x has two steps, 2^31 + 8 apart.
    far = 2**31 + 8
    try:
        room = torch.empty(far + 64)
    except RuntimeError:
        pytest.skip("there is no room for 8 GB of addresses")
    x, state = torch.randn(2, 3, I), None
    view = room.as_strided((2, 3, I), (far, 2 * I, 1))
    view.copy_(x)
    layer = build("lstm", I, H)
    wanted = on("native", layer, x.requires_grad_(), state)
    assert same_bits(on("native", layer, view.detach().requires_grad_(), state), wanted)


def test_what_no_memory_holds_is_refused_cleanly() -> None:
    layer, x = Recurrent("gru", 2, 3), torch.zeros(1, 1, 2)
    for options in ({}, {"lengths": [5]}):
        for gradients in (False, True):
            long = x.clone().requires_grad_(gradients).expand(2**45, 1, 2)
            with use_backend("native"), pytest.raises((RuntimeError, MemoryError), match="memory"):
                layer(long, **options)
    for size in (2**62, 2**64 - 1):
        with pytest.raises(MemoryError):
            _core.memory(size)
    assert layer(torch.zeros(2, 1, 2))[0].shape == (2, 1, 3)
