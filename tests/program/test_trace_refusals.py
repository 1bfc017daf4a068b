"""What cannot be traced is refused, with the reason and the user's line; never guessed."""

import inspect
import math
import random
import re
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from tracing import H, K, Step, assert_agrees

from recurra.errors import RecurraError, TraceError
from recurra.program.trace import trace


def plain(h: Tensor) -> Tensor:
    return torch.tanh(h)


with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    SCRIPTED, COMPILED = torch.jit.script(plain), torch.compile(plain)

# fmt: off
# Each function of the cell, x and h stands on one line: the line that the error must name.
REFUSED: dict[str, tuple[Callable[..., Any], str]] = {
    "if": (lambda m, x, h: h if h.sum() > 0 else -h, "`if`.*torch.sum without dims.*torch.where"),
    "if any": (lambda m, x, h: h if (h > 0).any() else -h, "`if`.*any without dims is over all"),
    "if all": (lambda m, x, h: h if torch.all(h > 0) and h.max() < 2 else -h, "`if`.*all without"),
    "while": (lambda m, x, h: next(iter(lambda: bool(h.amax() > 1), 0)), "`while`"),
    "mean of all as a number": (lambda m, x, h: h * h.mean().item(), "read as a number.*mean"),
    "over the mean of all": (lambda m, x, h: h / (h.abs().mean() + 1), "mean without dims.*name"),
    "norm of all": (lambda m, x, h: h / h.norm(), "over all rows"),
    "vmap": (lambda m, x, h: torch.func.vmap(torch.tanh)(h), r"torch\.func .* whole batch"),
    "func.grad": (lambda m, x, h: torch.func.grad(lambda z: z.tanh().sum())(h), r"torch\.func"),
    "grad": (lambda m, x, h: torch.autograd.grad(h.tanh().sum(), h)[0], "the derivative itself"),
    "compiled helper": (lambda m, x, h: COMPILED(h), "torch.compile has compiled"),
    "scripted helper": (lambda m, x, h: SCRIPTED(h), "torch.jit.script has compiled"),
    "median": (lambda m, x, h: h.median(1)[0][:, None] + h, "write x.sort"),
    "multinomial": (lambda m, x, h: h * torch.multinomial(h.softmax(-1), 1), "gumbel_softmax"),
    "cummax": (lambda m, x, h: h.cummax(1)[0], "write torch.stack"),
    "imaginary": (lambda m, x, h: torch.complex(h, h).real, "two tensors"),
    "aten": (lambda m, x, h: torch.ops.aten.tanh(h), r"torch\.ops\.aten\.tanh"),
    "turned": (lambda m, x, h: h.unsqueeze(0) + 1, "batch axis is not its first"),
    "if on a row": (lambda m, x, h: h if (h > 0) else -h, "data-dependent `if`"),
    "if on a parameter": (lambda m, x, h: h if m.b[0] > 0 else -h, "data-dependent `if`"),
    "and": (lambda m, x, h: h[:, 0] and h, "data-dependent"),
    "item": (lambda m, x, h: h * m.b.mean().item(), "read as a number"),
    "float": (lambda m, x, h: h * float(m.a), "read as a number"),
    "math": (lambda m, x, h: h * math.tanh(m.a), "read as a number"),
    "numpy": (lambda m, x, h: torch.as_tensor(np.tanh(h.detach().numpy())), "NumPy"),
    "numpy function": (lambda m, x, h: np.tanh(h), "NumPy"),
    "tolist": (lambda m, x, h: h * sum(m.b.tolist()), "read as a number"),
    "len": (lambda m, x, h: h / len(h), "size of the batch"),
    "loop over rows": (lambda m, x, h: torch.stack(list(h)), "rows of the batch"),
    "gradients": (lambda m, x, h: h if x.requires_grad else x, "from call to call"),
    "layout of memory": (lambda m, x, h: h if h.is_contiguous() else x, "from call to call"),
    "numel": (lambda m, x, h: h / h.numel(), "depends on the batch"),
    "batch size": (lambda m, x, h: h / h.shape[0], "computes with the size of the batch"),
    "batch size in math": (lambda m, x, h: h * math.sqrt(h.size(0)), "size of the batch"),
    "batch of one": (lambda m, x, h: h.squeeze(0) if x.size(0) == 1 else h, "how large the batch"),
    "arange": (lambda m, x, h: h + torch.arange(h.size(0))[:, None], "size of the batch"),
    "wide": (lambda m, x, h: h + torch.zeros(H, h.size(0)).sum(1), "first axis is not the batch"),
    "sum of rows": (lambda m, x, h: h - h.mean(0), "batch axis"),
    "sum of everything": (lambda m, x, h: h / h.norm(), "all rows of the batch"),
    "std of everything": (lambda m, x, h: h / h.std(False), "name the arguments"),
    "other softmax": (lambda m, x, h: torch.softmax(h, -1, torch.float64), "cast"),
    "softmax of rows": (lambda m, x, h: h.softmax(0), "batch axis"),
    "row": (lambda m, x, h: h[0] + h, "batch axis"),
    "part of the batch": (lambda m, x, h: h[1:], "batch axis"),
    "mask of rows": (lambda m, x, h: h[h[:, 0] > 0], "batch axis"),
    "transpose": (lambda m, x, h: (m.W @ h.t()).t(), "batch axis"),
    "permute": (lambda m, x, h: h.permute(1, 0), "batch axis"),
    "flattened": (lambda m, x, h: h.reshape(-1)[: H].expand_as(h), "batch"),
    "merged": (lambda m, x, h: F.linear(h.view(-1, 2), m.W[:2, :2]).view(-1, H), "mixes rows"),
    "bare squeeze": (lambda m, x, h: h.squeeze(), "batch"),
    "stacked first": (lambda m, x, h: torch.stack([h, h]).sum(0), "batch axis"),
    "joined rows": (lambda m, x, h: torch.cat([h, h]), "batch axis"),
    "roll": (lambda m, x, h: torch.roll(h, 1), "row to row"),
    "product of rows": (lambda m, x, h: h @ h.T, "batch axis"),
    "fft": (lambda m, x, h: torch.fft.fft(h).real, "cosines and sines"),
    "unknown": (lambda m, x, h: torch.special.bessel_j0(h), "no meaning"),
    "double powers": (lambda m, x, h: torch.float_power(h, 3).float(), "float64; write torch.pow"),
    "index by a row": (lambda m, x, h: m.W[h[:, 0] > 0], "no meaning|index"),
    "index by a buffer": (lambda m, x, h: h[:, m.order], "may change"),
    "add_": (lambda m, x, h: h.add_(1), "in place"),
    "sigmoid_": (lambda m, x, h: torch.sigmoid_(h), "in place"),
    "iadd": (lambda m, x, h: h.__iadd__(x[:, :1]), "in place"),
    "setitem": (lambda m, x, h: h.__setitem__(0, 1), "batch axis"),
    "setitem of zeros": (lambda m, x, h: torch.zeros(3, H).__setitem__(0, h), "in place"),
    "inplace": (lambda m, x, h: F.relu(h, inplace=True), "in place"),
    "parameter in place": (lambda m, x, h: h * m.b.mul_(2), "in place"),
    "buffer in place": (lambda m, x, h: h + m.count.add_(1), "in place"),
    "plain in place": (lambda m, x, h: h + m.plain.add_(1), "in place"),
    "out": (lambda m, x, h: torch.tanh(h, out=torch.empty(0)), "in place"),
    "data": (lambda m, x, h: setattr(h, "data", x) or h, "in place"),
    "dropped parameter": (lambda m, x, h: F.linear(h, F.dropout(m.W)), "anew at each step"),
    "shared noise": (lambda m, x, h: h + torch.randn(H), "share"),
    "hidden noise": (lambda m, x, h: h + nn.init.normal_(torch.empty(H)), "share"),
    "half": (lambda m, x, h: h.half().float(), "cast"),
    "doubles": (lambda m, x, h: h * torch.ones(H, dtype=torch.float64), "float64"),
    "whole numbers": (lambda m, x, h: (h > 0).sum(-1, keepdim=True) * h, "to\\(h.dtype\\)"),
    "sum of booleans": (lambda m, x, h: h * ((h > 0) + (x[:, :1] > 0)), "to\\(h.dtype\\)"),
    "complex": (lambda m, x, h: (h * 1j).real, "complex"),
    "autocast": (lambda m, x, h: cast_inside(h, m.W), "autocast"),
    "batch norm": (lambda m, x, h: m.norm(h), "in place|mixes rows"),
    "wrong shape": (lambda m, x, h: h @ m.W[:3], "features where the matrix takes"),
    "no broadcast": (lambda m, x, h: h + x, "broadcast"),
    "hook": (lambda m, x, h: h.register_hook(print), "hooks"),
    "missing": (lambda m, x, h: math.nosuch(h), "AttributeError"),
    "own error": (lambda m, x, h: [1][m.two], "IndexError"),
    "wrong size": (lambda m, x, h: h[:, :3], r"must be \(B, 6\)"),
    "not a tensor": (lambda m, x, h: 1.0, "must be a tensor"),
    "parameter alone": (lambda m, x, h: m.b, "must be a tensor"),
    "boolean": (lambda m, x, h: h > 0, "must be"),
    "three dims": (lambda m, x, h: h.view(-1, 2, 3), "must be a tensor"),
}
# fmt: on


def cast_inside(h: Tensor, W: Tensor) -> Tensor:
    with torch.autocast("cpu", torch.bfloat16):
        return h @ W


def tried(equations: Callable[..., Any]) -> Step:
    step = Step(equations, W=torch.randn(H, H), b=torch.randn(H), a=torch.tensor(0.3))
    step.add_module("norm", nn.BatchNorm1d(H))
    step.register_buffer("order", torch.randperm(H))
    step.register_buffer("count", torch.zeros(()))
    step.plain, step.two = torch.zeros(()), 2
    return step


@pytest.mark.parametrize("name", REFUSED)
def test_what_has_no_meaning_is_refused_with_the_reason(name: str) -> None:
    equations, reason = REFUSED[name]
    step = tried(equations)
    before = torch.get_rng_state(), random.getstate()
    with pytest.raises(TraceError, match=reason) as caught:
        trace(step, K, {"h": H})
    assert torch.equal(before[0], torch.get_rng_state())
    assert random.getstate() == before[1]
    if "must be" not in reason:
        line = inspect.getsourcelines(cast_inside)[1] + 2 if name == "autocast" else None
        assert f"line {line or inspect.getsourcelines(equations)[1]})" in str(caught.value)
        assert "test_trace_refusals.py" in str(caught.value)
    assert isinstance(caught.value, RecurraError)


class Counting(nn.Module):
    """A cell with something that it does to itself."""

    def __init__(self, act: Callable[[Any, Tensor], Any]) -> None:
        super().__init__()
        self.act, self.t, self.last, self.seen = act, 0, None, []
        self.register_buffer("count", torch.zeros(()))
        self.inner = nn.Identity()

    def forward(self, x: Tensor, h: Tensor) -> tuple[Tensor, tuple[Tensor]]:
        self.act(self, h)
        return h, (h,)


OTHER = nn.Linear(2, 2)
CHANGES: dict[str, Callable[[Any, Tensor], Any]] = {
    "t": lambda m, h: setattr(m, "t", m.t + 1),
    "last": lambda m, h: setattr(m, "last", h),
    "seen": lambda m, h: m.seen.append(h),
    "count": lambda m, h: setattr(m, "count", m.count + 1),
    "inner": lambda m, h: setattr(m, "inner", OTHER),
    "new": lambda m, h: setattr(m.inner, "new", 1),
    "training": lambda m, h: m.inner.eval(),
}


@pytest.mark.parametrize("name", CHANGES)
def test_a_cell_that_changes_its_own_attributes_is_refused_and_stays_as_it_was(name: str) -> None:
    cell = Counting(CHANGES[name])
    with pytest.raises(TraceError, match=f"changes its own attribute '{name}'"):
        trace(cell, K, {"h": H})
    assert (cell.t, cell.last, cell.seen, cell.count.item()) == (0, None, [], 0)
    assert type(cell.inner) is nn.Identity
    assert cell.inner.training


@pytest.mark.parametrize("draw", [random.random, np.random.rand], ids=["python", "numpy"])
def test_random_numbers_that_are_not_torchs_are_refused(draw: Callable[[], float]) -> None:
    state: Any = np.random.mtrand._rand.get_state
    before = state()[1].copy()
    with pytest.raises(TraceError, match="random"):
        trace(Step(lambda m, x, h: h * draw()), K, {"h": H})
    with pytest.raises(TraceError, match="random"):
        trace(Step(lambda m, x, h: h if draw() < 2 else x), K, {"h": H})
    assert (state()[1] == before).all()


def test_counters_outside_the_cell_are_refused() -> None:
    calls: list[int] = []

    def equations(m: nn.Module, x: Tensor, h: Tensor) -> Tensor:
        calls.append(1)
        return h * len(calls)

    with pytest.raises(TraceError, match="the same each time"):
        trace(Step(equations), K, {"h": H})


def test_the_size_of_the_batch_cannot_leak_into_the_program() -> None:
    with pytest.raises(TraceError):
        trace(Step(lambda m, x, h: h * math.log(h.shape[0])), K, {"h": H})
    with pytest.raises(TraceError):
        trace(Step(lambda m, x, h: h * x.shape.numel()), K, {"h": H})


@pytest.mark.parametrize(
    "register",
    [
        lambda m: m.register_forward_hook(lambda *_: None),
        lambda m: m.layer.register_forward_pre_hook(lambda *_: None),
        lambda m: m.layer.register_full_backward_hook(lambda *_: None),
    ],
)
def test_hooks_are_refused(register: Callable[[nn.Module], Any]) -> None:
    step = Step(lambda m, x, h: m.layer(h), layer=nn.Linear(H, H))
    register(step)
    with pytest.raises(TraceError, match="a hook is on"):
        trace(step, K, {"h": H})


def test_a_hook_on_all_modules_is_refused() -> None:
    handle = nn.modules.module.register_module_forward_hook(lambda *_: None)
    try:
        with pytest.raises(TraceError, match="all modules"):
            trace(nn.GRUCell(K, H), K, {"h": H})
    finally:
        handle.remove()


def test_the_number_of_states_is_checked() -> None:
    class Wrong(nn.Module):
        def forward(self, x: Tensor, h: Tensor) -> tuple[Tensor, tuple[Tensor, ...]]:
            return h, (h, h)

    with pytest.raises(TraceError, match=re.escape("1 new states (h)")):
        trace(Wrong(), K, {"h": H})
    with pytest.raises(TraceError, match=re.escape("(output, new_state)")):
        trace(nn.Identity(), K, {})


def test_a_refusal_that_the_cell_catches_still_counts() -> None:
    def equations(m: nn.Module, x: Tensor, h: Tensor) -> Tensor:
        try:
            return h if h.sum(1) > 0 else -h
        except RuntimeError:
            return h

    with pytest.raises(TraceError, match="data-dependent"):
        trace(Step(equations), K, {"h": H})


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_compiled_modules_are_refused() -> None:
    scripted = torch.jit.trace(nn.Linear(H, H), torch.zeros(2, H), check_trace=False)
    with pytest.raises(TraceError, match="scripted"):
        trace(Step(lambda m, x, h: m.layer(h), layer=scripted), K, {"h": H})


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_what_a_scripted_function_sees_of_a_symbol_cannot_leak_into_the_program() -> None:
    def width(h: Tensor) -> int:
        return h.dim() + h.size(0)

    scripted = torch.jit.script(width)
    with pytest.raises(TraceError, match="the same each time"):
        trace(Step(lambda m, x, h: h * scripted(h)), K, {"h": H})


def test_a_trace_leaves_nothing_behind_when_it_is_refused() -> None:
    with pytest.raises(TraceError):
        trace(Step(lambda m, x, h: h.sort()), K, {"h": H})
    assert_agrees(Step(lambda m, x, h: torch.tanh(h)))
    assert torch.tanh(torch.zeros(2)).tolist() == [0, 0]


def test_calls_may_be_nested_and_made_in_inference_mode() -> None:
    def equations(m: nn.Module, x: Tensor, h: Tensor) -> Tensor:
        return torch.tanh(h)

    with torch.inference_mode():
        traced = trace(Step(equations), K, {"h": H})
    assert [i.op for i in traced.program.loop] == ["tanh"]
