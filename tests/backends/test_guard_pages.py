"""Tensors that end at a page that nobody may touch: nothing is read or written past it."""

import ctypes
import mmap
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from recurra import Recurrent

_core = pytest.importorskip("recurra._core")
OPCODES = pytest.importorskip("recurra.backends.lowering").OPCODES
pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="mprotect as Linux has it")

FUNCTIONS = [n for n, code in OPCODES.items() if code < OPCODES["where"] and n != "zeros"]
SIZES = range(1, 34)
T, B = 3, 2


class Pages:
    """Memory whose last page is forbidden, over and over: each tensor ends in front of it."""

    def __init__(self) -> None:
        self.libc = ctypes.CDLL(None, use_errno=True)
        self.held: list[mmap.mmap] = []

    def guard(self, tensor: Tensor) -> Tensor:
        """Return an equal tensor that ends at a forbidden page."""
        page, used = mmap.PAGESIZE, tensor.numel() * tensor.element_size()
        room = -(-used // page) * page
        memory = mmap.mmap(-1, room + page)
        self.held.append(memory)
        begin = ctypes.addressof(ctypes.c_char.from_buffer(memory))
        address, length = ctypes.c_void_p(begin + room), ctypes.c_size_t(page)
        assert self.libc.mprotect(address, length, 0) == 0
        flat = torch.frombuffer(
            memory, dtype=tensor.dtype, count=tensor.numel(), offset=room - used
        )
        assert flat.data_ptr() + used == begin + room
        return flat.view(tensor.shape).copy_(tensor.detach())


def one_size(pages: Pages, cell: str, n: int, dtype: torch.dtype) -> None:
    layer = Recurrent(cell, n, n).to(dtype)
    x, state = torch.randn(T, B, n, dtype=dtype), layer.fresh_state(torch.zeros(1, dtype=dtype), B)
    guarded = Recurrent(cell, n, n).to(dtype)
    for mine, theirs in zip(guarded.cells[0].modules(), layer.cells[0].modules(), strict=True):
        for name, weight in theirs._parameters.items():
            if weight is not None:
                mine._parameters[name] = nn.Parameter(pages.guard(weight))
    own_x, own_state = pages.guard(x).requires_grad_(), tuple(pages.guard(s) for s in state)
    x.requires_grad_()
    results = []
    for each, given, start in ((layer, x, state), (guarded, own_x, own_state)):
        out, last = each(given, start)
        incoming = torch.ones_like(out)
        incoming = incoming if each is layer else pages.guard(incoming)
        found = torch.autograd.grad([out], [given, *each.parameters()], [incoming])
        results.append([out, *last, *found])
    assert all(torch.equal(a, b) for a, b in zip(*results, strict=True))
    stream = guarded.stream(B)
    if stream._steppers is not None:
        assert torch.equal(stream.push(own_x.detach()), results[0][0].detach())


def outputs(pages: Pages, n: int) -> None:
    """Copy x into out and the last state, all of them at forbidden pages."""
    plan = _core.Plan()
    tape = plan.buffer(3, n, 0, True, 0.0)
    plan.buffer(4, n, 0, False, 0.0)
    plan.instruction(0, OPCODES["load"], [(1, 0, 0)], n, 0, 0)
    plan.instruction(1, OPCODES["sigmoid"], [(tape, 0, 1), (1, 0, 0)], n, 0, 0)
    plan.instruction(2, OPCODES["store"], [(tape, 0, 1), (tape, 0, 1)], n, 0, 0)
    plan.sizes([tape], [], [], [n], [n], [], 0, 1)
    plan.seal()
    x = pages.guard(torch.randn(T, B, n))
    out, last = pages.guard(torch.full((T, B, n), torch.nan)), pages.guard(torch.zeros(B, n))
    first, kept = pages.guard(torch.zeros(B, n)), pages.guard(torch.zeros(T + 1, B, n))
    call = _core.Call()
    call.T, call.B, call.block, call.bounds = T, B, T, [0, B]
    call.loads, call.stores = [(x.data_ptr(), x.stride())], [(out.data_ptr(), out.stride())]
    call.initial = [(first.data_ptr(), first.stride())]
    call.final = [(last.data_ptr(), last.stride())]
    call.tapes = [kept.data_ptr()]
    _core.run_float(plan, call)
    torch.testing.assert_close(out, torch.sigmoid(x))
    assert torch.equal(last, out[-1])


def function(pages: Pages, name: str, n: int) -> None:
    """Run an op of one or two operands on a tape that ends at a forbidden page."""
    plan = _core.Plan()
    tape = plan.buffer(3, n, 0, True, 0.0)
    plan.buffer(4, n, 0, False, 0.0)
    plan.instruction(0, OPCODES["load"], [(1, 0, 0)], n, 0, 0)
    plan.instruction(1, OPCODES["copy"], [(tape, 0, 1), (1, 0, 0)], n, 0, 0)
    operands = 1 if OPCODES[name] < OPCODES["zeros"] else 2
    plan.instruction(1, OPCODES[name], [(tape, 0, 1)] * (1 + operands), n, 0, 0)
    plan.sizes([tape], [], [], [n], [], [], 0, 1)
    plan.seal()
    x, kept = pages.guard(torch.rand(T, B, n)), pages.guard(torch.zeros(T + 1, B, n))
    first, last = torch.zeros(B, n), torch.zeros(B, n)
    call = _core.Call()
    call.T, call.B, call.block, call.bounds = T, B, T, [0, B]
    call.loads = [(x.data_ptr(), x.stride())]
    call.initial = [(first.data_ptr(), first.stride())]
    call.final = [(last.data_ptr(), last.stride())]
    call.tapes = [kept.data_ptr()]
    _core.run_float(plan, call)
    torch.testing.assert_close(kept[-1], last, rtol=0, atol=0, equal_nan=True)
    assert not torch.equal(last, x[-1]) or name in ("copy", "abs", "relu", "maximum", "minimum")


def main(choice: str) -> None:
    _core.use_simd(choice)
    torch.set_num_threads(1)
    pages = Pages()
    for n in SIZES:
        outputs(pages, n)
        for name in FUNCTIONS if n in (1, 7, 17, 33) else ():
            function(pages, name, n)
        for dtype in (torch.float32, torch.float64)[: 1 + (n < 18)]:
            one_size(pages, "lstm" if n % 2 else "gru", n, dtype)
    print("no fault", _core.simd())


@pytest.mark.parametrize("choice", _core.simd_choices())
def test_nothing_is_touched_past_the_end_of_a_tensor(choice: str) -> None:
    done = subprocess.run(
        [sys.executable, str(Path(__file__)), choice], capture_output=True, text=True, timeout=240
    )
    assert done.returncode == 0, f"code {done.returncode}: {done.stdout}{done.stderr[-2000:]}"
    assert done.stdout.strip() == f"no fault {choice}"


if __name__ == "__main__":
    main(sys.argv[1])
