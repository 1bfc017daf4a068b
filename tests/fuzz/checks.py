"""What a case's script imports: calls that are held to the eager loop, and what changes a layer."""

import argparse
import array
import collections
import contextvars
import copy
import dataclasses
import enum
import functools
import os
import pickle
import threading
import types
import weakref
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from types import MappingProxyType, SimpleNamespace
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
import torch.nn.utils.prune
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

import recurra
from recurra import Recurrent, use_backend
from recurra.errors import BackendError, RecurraError

__all__ = [
    "DTYPE",
    "F",
    "Fraction",
    "MappingProxyType",
    "Recurrent",
    "SimpleNamespace",
    "argparse",
    "array",
    "bad_call",
    "bad_layer",
    "bad_stream",
    "call",
    "collections",
    "compiled",
    "contextvars",
    "copied",
    "dataclass",
    "dataclasses",
    "dead",
    "elsewhere",
    "enum",
    "frozen",
    "functools",
    "hooked",
    "in_place",
    "inference",
    "like_torch",
    "loaded",
    "nn",
    "np",
    "ones",
    "os",
    "pickled",
    "recorded",
    "recurra",
    "step",
    "stream",
    "threading",
    "through",
    "together",
    "torch",
    "transformed",
    "types",
    "users",
    "weakref",
]  # fmt: skip

DTYPE = torch.float64
COUNTS: collections.Counter[str] = collections.Counter()
REASONS: collections.Counter[str] = collections.Counter()


class FindingError(AssertionError):
    """The library did what it must not."""

    def __init__(self, kind: str, text: str) -> None:
        super().__init__(f"{kind}: {text}")
        self.kind = kind


class NoCaseError(Exception):
    """The script itself is at fault: the loop of the cell's own code cannot run it."""


@dataclass
class Outcome:
    """What came of a call: tensors by name, or an error."""

    values: dict[str, Tensor | None]
    error: BaseException | None = None


# What a cell reads and changes.


def users(layer: nn.Module) -> list[nn.Module]:
    """Return the user's own cells in a layer."""
    return [m for m in layer.modules() if type(m).__name__ == "UserCell"]


def ones() -> float:
    return 0.75


def through(functions: Sequence[Callable[[Tensor], Tensor]], a: Tensor) -> Tensor:
    for function in functions:
        a = function(a)
    return a


def in_place(tensor: Tensor, factor: float) -> None:
    with torch.no_grad():
        tensor.mul_(factor)


def elsewhere(change: Callable[[], object]) -> None:
    """Make a change in another thread."""
    thread = threading.Thread(target=change)
    thread.start()
    thread.join()


# Calls.


def call(
    layer: nn.Module, T: int, B: int, *, seed: int = 0, lengths: bool = False, reset: bool = False,
    state: bool = False, layout: str = "plain", grad: str = "first", backend: str = "native",
    between: Callable[[], object] | None = None, dtype: torch.dtype = DTYPE,
) -> None:  # fmt: skip
    """Hold a call to the loop: outputs, states, and the gradients of all that went into it."""
    COUNTS["calls"] += 1
    x, options = _arguments(layer, T, B, seed, lengths, reset, state, layout, dtype, grad != "none")
    got = _forward(layer, x, options, backend, grad)
    wanted = _forward(layer, x, options, "eager", grad)
    if between is not None:
        between()
    leaves = _leaves(wanted) if grad != "none" else []
    _backward(got, leaves, grad, seed)
    _backward(wanted, leaves, grad, seed)

    def moved() -> Outcome:
        again = _forward_moved(layer, x, options, grad)
        _backward(again, leaves, grad, seed)
        return again

    compare(got, wanted, moved if between is None else None)


class _Rounding(TorchFunctionMode):
    """Moves what every operation gives by a little, as another order of its sums may."""

    def __init__(self, eps: float, zeros: float) -> None:
        self.eps, self.zeros = eps, zeros
        self.draws = torch.Generator().manual_seed(1)

    def __torch_function__(
        self, function: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        out = function(*args, **(kwargs or {}))
        name = getattr(function, "__name__", "")
        new = type(out) is torch.Tensor and out.is_floating_point() and out._base is None
        if not new or name.endswith("_") or any(out is a for a in args):
            return out
        noise = torch.randn(out.shape, generator=self.draws, dtype=out.dtype)
        return out * (1 + self.eps * noise) + self.zeros * noise


def _forward_moved(layer: nn.Module, x: Tensor, options: dict[str, object], grad: str) -> Outcome:
    """Run the loop with its rounding moved: what moves far is no fault of the other's."""
    with _Rounding(_EPS[x.dtype], 1e-15 if grad == "second" else 0.0):
        return _forward(layer, x, options, "eager", grad)


_EPS = {torch.float64: 1e-12, torch.float32: 1e-6}
_NEAR = {torch.float64: 1e-9, torch.float32: 1e-3}


def _arguments(
    layer: nn.Module, T: int, B: int, seed: int, lengths: bool, reset: bool, state: bool,
    layout: str, dtype: torch.dtype, grad: bool,
) -> tuple[Tensor, dict[str, object]]:  # fmt: skip
    g = torch.Generator().manual_seed(seed)
    first = bool(layer.batch_first)
    shape = (B, T) if first else (T, B)
    n = int(layer.input_size)
    if layout == "turned":
        x = torch.randn(n, *reversed(shape), generator=g, dtype=dtype).permute(2, 1, 0)
    elif layout == "part":
        x = torch.randn(*shape, 2 * n + 1, generator=g, dtype=dtype)[..., 1 : 2 * n : 2]
    elif layout == "expanded":
        x = torch.randn(shape[0], 1, n, generator=g, dtype=dtype).expand(-1, shape[1], -1)
    else:
        x = torch.randn(*shape, n, generator=g, dtype=dtype)
    x = x.detach().requires_grad_(grad)
    options: dict[str, object] = {}
    if lengths:
        options["lengths"] = torch.randint(0, T + 1, (B,), generator=g)
    if reset:
        options["reset"] = torch.rand(*shape, generator=g) < 0.3
    if state:
        sizes = _state_sizes(layer)
        given = [torch.randn(count, B, size, generator=g, dtype=dtype) for count, size in sizes]
        given = [s.requires_grad_(grad) for s in given]
        plain = isinstance(layer, nn.RNNBase) and len(given) == 1
        options["hx" if isinstance(layer, nn.RNNBase) else "state"] = (
            given[0] if plain else tuple(given)
        )
    return x, options


def _state_sizes(layer: nn.Module) -> list[tuple[int, int]]:
    if isinstance(layer, nn.RNNBase):
        count = layer.num_layers * (2 if layer.bidirectional else 1)
        sizes = [layer.proj_size or layer.hidden_size]
        return [(count, s) for s in sizes + [layer.hidden_size] * isinstance(layer, nn.LSTM)]
    return [(len(layer.cells), size) for size in layer.state_sizes.values()]


def _forward(
    layer: nn.Module, x: Tensor, options: dict[str, object], backend: str, grad: str = "none"
) -> Outcome:
    def run(name: str) -> Outcome:
        torch.manual_seed(7)
        try:
            with use_backend(name), torch.set_grad_enabled(grad != "none"):
                if isinstance(layer, nn.RNNBase):
                    out, last = layer(x, options.get("hx"))
                else:
                    out, last = layer(x, **options)
        except Exception as error:
            return Outcome({}, error)
        given = (last,) if isinstance(last, Tensor) else last
        return Outcome({"out": out} | {f"state {k}": s for k, s in enumerate(given)})

    found = run(backend)
    if backend == "native":
        ran = not isinstance(found.error, BackendError)
        COUNTS["native" if ran else "loop"] += 1
        if not ran:
            text = str(found.error)
            REASONS[text.removeprefix("the backend 'native' cannot run this: ")[:90]] += 1
            found = run("auto")
    return found


def _leaves(outcome: Outcome) -> list[Tensor]:
    """Return every tensor that the graph of an outcome ends in."""
    found: dict[int, Tensor] = {}
    todo = [v.grad_fn for v in outcome.values.values() if v is not None and v.grad_fn is not None]
    seen = set(todo)
    while todo:
        node = todo.pop()
        variable = getattr(node, "variable", None)
        if variable is not None:
            found[id(variable)] = variable
        for after, _ in node.next_functions:
            if after is not None and after not in seen:
                seen.add(after)
                todo.append(after)
    return list(found.values())


def _backward(outcome: Outcome, leaves: list[Tensor], grad: str, seed: int) -> None:
    """Add the gradients of `leaves` to an outcome."""
    if outcome.error is not None or not leaves:
        return
    g = torch.Generator().manual_seed(seed + 1)
    roots, weights = [], []
    for value in outcome.values.values():
        assert value is not None
        weight = torch.randn(value.shape, generator=g, dtype=torch.float64).to(value.dtype)
        if value.requires_grad:
            roots.append(value)
            weights.append(weight)
    second = grad == "second"
    try:
        found = torch.autograd.grad(
            roots, leaves, weights, allow_unused=True, create_graph=second, retain_graph=second
        ) if roots else [None] * len(leaves)  # fmt: skip
        every = {"d": list(found)}
        if second:
            total = [(f * torch.sin(f)).sum() for f in found if f is not None and f.requires_grad]
            if total:
                every["dd"] = list(torch.autograd.grad(sum(total), leaves, allow_unused=True))
    except Exception as error:
        outcome.error = error
        return
    for name, values in every.items():
        for key, leaf, value in zip(map(id, leaves), leaves, values, strict=True):
            outcome.values[f"{name}{tuple(leaf.shape)} {key}"] = (
                torch.zeros_like(leaf) if value is None else value
            )


def compare(got: Outcome, wanted: Outcome, moved: Callable[[], Outcome] | None = None) -> None:
    """Raise unless both are the same; `moved` says how far the loop's own numbers move."""
    if wanted.error is not None and got.error is not None:
        if isinstance(got.error, type(wanted.error)) or isinstance(wanted.error, type(got.error)):
            if isinstance(wanted.error, RecurraError):
                return
            raise NoCaseError(f"the loop fails: {wanted.error!r}")
        raise FindingError("another error", f"got {got.error!r}, the loop {wanted.error!r}")
    if got.error is not None:
        kind = type(got.error).__name__
        raise FindingError(f"{kind} where the loop runs", repr(got.error)) from got.error
    if wanted.error is not None:
        raise FindingError("no error where the loop has one", repr(wanted.error)) from wanted.error
    far: Outcome | None = None
    for name, right in wanted.values.items():
        value = got.values.get(name)
        if value is None and right is not None and name.startswith("dd"):
            value = torch.zeros_like(right)  # first gradients that depend on nothing
        if value is None or right is None:
            raise FindingError("a result is missing", name)
        # Gradients that cancel are as exact as the largest that they may be made of.
        group = name.split("(")[0]
        same = [v for n, v in wanted.values.items() if n.split("(")[0] == group and v is not None]
        largest = max((float(v.detach()[v.isfinite()].abs().max()) for v in same if v.isfinite().any()), default=0.0)  # fmt: skip
        slack = _NEAR.get(right.dtype, 0.0) * largest if group in ("d", "dd") else 0.0
        problem = _difference(value, right, slack)
        if problem is None:
            continue
        if moved is not None:
            far = moved() if far is None else far
            other = far.values.get(name)
            if other is None or other.shape != right.shape:
                raise FindingError("wrong number", f"{name}: {problem}")
            unsteady = (other.isfinite() != right.isfinite()).any()
            moves = (other - right).abs()
            far_off = float(moves[moves.isfinite()].max()) if moves.isfinite().any() else 0.0
            if unsteady or _difference(value, right, slack + 1e4 * far_off) is None:
                COUNTS["unsteady"] += 1
                continue
        raise FindingError("wrong number", f"{name}: {problem}")


def _difference(value: Tensor, right: Tensor, slack: float) -> str | None:
    if value.shape != right.shape or value.dtype != right.dtype:
        return f"{tuple(value.shape)} {value.dtype}, not {tuple(right.shape)} {right.dtype}"
    value, right = value.detach(), right.detach()
    if not value.numel():
        return None
    finite = right.isfinite()
    if (value.isnan() != right.isnan()).any() or (value[~finite & ~right.isnan()] != right[~finite & ~right.isnan()]).any():  # fmt: skip
        return "NaN or infinity in other places"
    if not finite.any():
        return None
    off = float((value[finite] - right[finite]).abs().max())
    bound = _NEAR.get(right.dtype, 0.0) * (1e-3 + float(right[finite].abs().max())) + slack
    return (
        None
        if off <= bound
        else f"off by {off:.3g} (largest {float(right[finite].abs().max()):.3g})"
    )


# Streams.


def stream(
    layer: nn.Module, B: int, *, seed: int = 0, pieces: Sequence[int] = (2, 1, 3),
    changes: Sequence[Callable[[], object] | None] = (), reset: str = "", copies: bool = False,
) -> None:  # fmt: skip
    """Hold a stream to the loop over the same pieces; a change comes before the piece it stands at."""
    COUNTS["streams"] += 1
    g = torch.Generator().manual_seed(seed)
    n = int(layer.input_size)
    with use_backend("native" if seed % 2 else "auto"):
        try:
            flow = layer.stream(B)
        except BackendError:
            COUNTS["streams in the loop"] += 1
            return
    state: object = None
    for k, steps in enumerate(pieces):
        shape = (B, n) if steps == 0 else (B, steps, n) if layer.batch_first else (steps, B, n)
        x = torch.randn(*shape, generator=g, dtype=DTYPE)
        changed = k < len(changes) and changes[k] is not None
        if changed:
            changes[k]()  # type: ignore[misc]
        if reset and k == 1:
            state = _reset(layer, flow, state, reset, B, seed)
        if copies and k == 1:
            try:
                flow = copy.copy(flow)  # a deep copy has a layer of its own
            except RecurraError:
                COUNTS["copies that a stream refuses"] += 1
            except Exception as error:
                kind = type(error).__name__
                raise FindingError(f"a bare {kind} of a stream's copy", repr(error)) from error
        whole = x.unsqueeze(1 if layer.batch_first else 0) if steps == 0 else x
        options = {} if state is None else {"state": state}
        got = _push(flow, x)
        if changed and isinstance(got.error, RecurraError):
            COUNTS["changes that a stream refuses"] += 1
            if not hasattr(flow, "refresh"):
                return
            flow.refresh()
            got = _push(flow, x)
        wanted = _forward(layer, whole, options, "eager")
        if wanted.error is not None:
            compare(got, wanted)
            return
        state = tuple(v for name, v in wanted.values.items() if name.startswith("state"))
        if steps == 0:
            wanted.values["out"] = wanted.values["out"].squeeze(1 if layer.batch_first else 0)

        def moved(x: Tensor = whole, options: Any = options, one: bool = steps == 0) -> Outcome:
            far = _forward_moved(layer, x, options, "none")
            if one and far.error is None:
                far.values["out"] = far.values["out"].squeeze(1 if layer.batch_first else 0)
            return far

        compare(got, wanted, moved)


def _push(flow: object, x: Tensor) -> Outcome:
    try:
        out = flow.push(x)  # type: ignore[attr-defined]
        values = {f"state {k}": s for k, s in enumerate(flow.state)}  # type: ignore[attr-defined]
        return Outcome({"out": out} | values)
    except Exception as error:
        return Outcome({}, error)


def _reset(
    layer: nn.Module, flow: object, state: object, how: str, B: int, seed: int
) -> tuple[Tensor, ...]:
    fresh = layer.fresh_state(torch.zeros(1, dtype=DTYPE), B)
    rows = torch.rand(B, generator=torch.Generator().manual_seed(seed)) < 0.5
    if how == "all":
        rows = torch.ones(B, dtype=torch.bool)
        flow.reset()  # type: ignore[attr-defined]
    elif how == "mask":
        flow.reset(rows)  # type: ignore[attr-defined]
    else:
        where = rows.nonzero()[:, 0]
        flow.reset(where.tolist() if how == "list" else where)  # type: ignore[attr-defined]
    pairs = zip(state, fresh, strict=True)  # type: ignore[call-overload]
    return tuple(torch.where(rows[:, None], new, old).detach() for old, new in pairs)


# Other ways to call a layer.


def together(layer: nn.Module, T: int, B: int, *, seed: int = 0, threads: int = 3) -> None:
    """Call a layer from several threads at once."""
    COUNTS["calls from threads"] += 1
    inputs = [_arguments(layer, T, B, seed + k, False, False, False, "plain", DTYPE, True)[0] for k in range(threads)]  # fmt: skip
    found: list[Outcome | None] = [None] * threads
    start = threading.Barrier(threads)

    def run(k: int) -> None:
        start.wait()
        found[k] = _plain(lambda: layer(inputs[k]))
        _backward(found[k], [inputs[k]], "first", seed)  # type: ignore[arg-type]

    every = [threading.Thread(target=run, args=(k,)) for k in range(threads)]
    for thread in every:
        thread.start()
    for thread in every:
        thread.join()
    for k in range(threads):
        wanted = _forward(layer, inputs[k], {}, "eager", "first")
        _backward(wanted, [inputs[k]], "first", seed)

        def moved(x: Tensor = inputs[k]) -> Outcome:
            far = _forward_moved(layer, x, {}, "first")
            _backward(far, [x], "first", seed)
            return far

        compare(found[k], wanted, moved)  # type: ignore[arg-type]


def _plain(run: Callable[[], object]) -> Outcome:
    try:
        result = run()
    except Exception as error:
        return Outcome({}, error)
    flat = torch.utils._pytree.tree_leaves(result)
    return Outcome({("out" if k == 0 else f"state {k - 1}"): t for k, t in enumerate(flat)})


def compiled(
    layer: nn.Module, T: int, B: int, *, seed: int = 0, change: Callable[[], object] | None = None
) -> None:
    """Hold a layer under torch.compile to the loop, before a change and after it."""
    COUNTS["compiled"] += 1
    torch._dynamo.reset()
    fast = torch.compile(layer, backend="eager")
    for turn in range(2):
        x = _arguments(layer, T, B, seed + turn, False, False, False, "plain", DTYPE, True)[0]
        got = _plain(lambda x=x: fast(x))
        wanted = _forward(layer, x, {}, "eager", "first")
        leaves = _leaves(wanted)
        for each in (got, wanted):
            _backward(each, leaves, "first", seed)
        compare(got, wanted)
        if change is None:
            return
        change()


def transformed(layer: nn.Module, T: int, B: int, *, seed: int = 0, by: str = "vmap") -> None:
    """Hold a layer under one of torch's transforms to the loop under the same."""
    COUNTS[f"torch.func {by}"] += 1
    x = _arguments(layer, T, B, seed, False, False, False, "plain", DTYPE, False)[0]
    weights = {name: p.detach() for name, p in layer.named_parameters()}

    def loss(weights: dict[str, Tensor], x: Tensor) -> Tensor:
        out, _ = torch.func.functional_call(layer, weights, (x,))
        return (out * out.sin()).sum()

    def out(x: Tensor) -> Tensor:
        return layer(x)[0]

    runs: dict[str, Callable[[], object]] = {
        "vmap": lambda: torch.func.vmap(layer)(torch.stack([x, x * 0.5])),
        "grad": lambda: torch.func.grad(loss, argnums=(0, 1))(weights, x),
        "jvp": lambda: torch.func.jvp(out, (x,), (x.cos(),)),
        "jacobian": lambda: torch.autograd.functional.jacobian(lambda x: out(x).sum(0), x),
        "vectorized jacobian": lambda: torch.autograd.functional.jacobian(
            lambda x: out(x).sum(0), x, vectorize=True
        ),
        "jacrev": lambda: torch.func.jacrev(lambda x: out(x).sum(0))(x),
        "vjp": lambda: torch.func.vjp(out, x)[1](x.new_ones(out(x).shape)),
        "per sample": lambda: torch.func.vmap(
            torch.func.grad(loss), in_dims=(None, 0)
        )(weights, torch.stack([x, x * 0.5])),
        "functional": lambda: torch.func.functional_call(
            layer, {name: p * 0.5 for name, p in weights.items()}, (x,)
        ),
    }  # fmt: skip
    torch.manual_seed(7)
    got = _plain(runs[by])
    torch.manual_seed(7)
    with use_backend("eager"):
        wanted = _plain(runs[by])
    compare(got, wanted)


def inference(layer: nn.Module, T: int, B: int, *, seed: int = 0) -> None:
    """Call in inference mode, with an x made inside of it."""
    COUNTS["calls in inference mode"] += 1
    with torch.inference_mode():
        x = _arguments(layer, T, B, seed, False, False, False, "plain", DTYPE, False)[0].clone()
        wanted = _forward(layer, x, {}, "eager")
        moved = lambda: _forward_moved(layer, x, {}, "none")  # noqa: E731
        compare(_forward(layer, x, {}, "native"), wanted, moved)


def recorded(
    layer: nn.Module, T: int, B: int, *, read: Callable[[], list[Tensor]], clear: str,
    space: dict[str, Any], seed: int = 0,
) -> None:  # fmt: skip
    """Hold what a cell writes down to what it writes in the loop, in order."""
    COUNTS["calls of cells that write"] += 1
    x, _ = _arguments(layer, T, B, seed, False, False, False, "plain", DTYPE, False)
    found = []
    for name in ("native", "native", "eager"):
        exec(clear, space)
        outcome = _forward(layer, x, {}, name)
        if outcome.error is None:
            for k, value in enumerate(read()):
                if type(value) is not torch.Tensor:
                    raise FindingError("not a tensor was written", type(value).__name__)
                outcome.values[f"written {k}"] = value.detach().to(DTYPE)
        found.append(outcome)
    for got in found[:2]:
        if got.values.keys() != found[2].values.keys():
            raise FindingError("something else was written", f"{len(got.values)} values, not {len(found[2].values)}")  # fmt: skip
        compare(got, found[2])


def hooked(layer: nn.Module, T: int, B: int, *, seed: int = 0, pre: bool = False) -> None:
    """Call with a hook on all modules: it runs as often as in the loop, and does what it does."""
    COUNTS["calls with hooks on all modules"] += 1
    x, _ = _arguments(layer, T, B, seed, False, False, False, "plain", DTYPE, False)
    outcomes, calls = [], []
    for name in ("auto", "eager"):
        count: collections.Counter[str] = collections.Counter()

        def hook(m: nn.Module, given: Any, out: Any = None, count: Any = count) -> Any:
            count[type(m).__name__] += 1
            if isinstance(m, nn.Linear) and not pre:
                return out * 1.5
            return None

        register = (
            nn.modules.module.register_module_forward_pre_hook if pre
            else nn.modules.module.register_module_forward_hook
        )  # fmt: skip
        handle = register(hook)
        try:
            outcomes.append(_forward(layer, x, {}, name))
        finally:
            handle.remove()
        calls.append(count)
    compare(*outcomes)
    if calls[0] != calls[1]:
        raise FindingError("hooks on all modules are not called as in the loop", f"{dict(calls[0])}, not {dict(calls[1])}")  # fmt: skip


def like_torch(layer: nn.Module, T: int, B: int, *, seed: int = 0, form: str = "plain") -> None:
    """Hold a drop-in to torch.nn's own layer."""
    COUNTS["drop-ins beside torch.nn"] += 1
    kind = getattr(nn, type(layer).__name__)
    options = {name: getattr(layer, name) for name in ("num_layers", "bias", "batch_first", "bidirectional", "proj_size")}  # fmt: skip
    if isinstance(layer, nn.LSTM):
        other = kind(layer.input_size, layer.hidden_size, **options).double()
    else:
        options.pop("proj_size")
        other = kind(layer.input_size, layer.hidden_size, **options).double()
    try:
        other.load_state_dict(layer.state_dict())
    except RuntimeError:  # its parameters were changed in kind
        return
    x, given = _arguments(layer, T, B, seed, False, False, form == "state", "plain", DTYPE, True)
    hx = given.get("hx")
    found = []
    for m in (layer, other):
        whole: Any = x
        if form == "unbatched":
            whole = x[0] if layer.batch_first else x[:, 0]
        if form == "packed":
            lengths = torch.randint(1, T + 1, (B,), generator=torch.Generator().manual_seed(seed))
            whole = nn.utils.rnn.pack_padded_sequence(x, lengths, layer.batch_first, False)
        outcome = _plain(lambda m=m, whole=whole: m(whole, hx))
        outcome.values = {n: v for n, v in outcome.values.items() if v.is_floating_point()}
        leaves = [x] + ([hx] if isinstance(hx, Tensor) else list(hx or ()))
        _backward(outcome, leaves, "first", seed)
        found.append(outcome)
    compare(*found)


# What is done to a layer.


def copied(layer: nn.Module) -> nn.Module:
    """Return a deep copy, where the user's own cells can be copied."""
    return _another(layer, copy.deepcopy)


def pickled(layer: nn.Module) -> nn.Module:
    """Return what comes back from pickle, where the user's own cells can be pickled."""
    return _another(layer, lambda m: pickle.loads(pickle.dumps(m)))


def _another(layer: nn.Module, make: Callable[[nn.Module], nn.Module]) -> nn.Module:
    try:
        for cell in users(layer):
            own = cell.__dict__.copy()
            own.pop("programs", None)
            make([own, type(cell)])  # type: ignore[arg-type]
    except Exception:
        COUNTS["cells that cannot be copied"] += 1
        return layer
    try:
        return make(layer)
    except Exception as error:
        raise FindingError("the layer cannot be copied", repr(error)) from error


def loaded(layer: nn.Module, seed: int) -> None:
    """Load other numbers."""
    g = torch.Generator().manual_seed(seed)
    other = {
        name: torch.randn(v.shape, generator=g, dtype=DTYPE).to(v.dtype).mul(0.4)
        if v.is_floating_point() else v for name, v in layer.state_dict().items()
    }  # fmt: skip
    layer.load_state_dict(other, assign=seed % 2 == 0)


def step(layer: nn.Module, seed: int) -> None:
    """Take a step of an optimiser with the gradients of a call."""
    weights = [p for p in layer.parameters() if p.requires_grad]
    if not weights:
        return
    kinds = (
        lambda: torch.optim.SGD(weights, 0.1), lambda: torch.optim.Adam(weights, 0.1, fused=True),
        lambda: torch.optim.AdamW(weights, 0.1, foreach=True), lambda: torch.optim.SGD(weights, 0.1, fused=True),
    )  # fmt: skip
    optimizer = kinds[seed % len(kinds)]()
    x, _ = _arguments(layer, 3, 2, seed, False, False, False, "plain", DTYPE, False)
    torch.manual_seed(7)
    out = layer(x)[0]
    if out.requires_grad:
        out.square().sum().backward()
        if all(p.grad is None or p.grad.isfinite().all() for p in weights):
            optimizer.step()
        optimizer.zero_grad(set_to_none=True)


def frozen(layer: nn.Module, seed: int) -> None:
    """Toggle which weights are learned."""
    for k, weight in enumerate(layer.parameters()):
        if (seed >> (k % 8)) & 1 and weight.is_leaf:
            weight.requires_grad_(not weight.requires_grad)


def dead(layer: nn.Module, T: int, B: int, *, seed: int = 0) -> None:
    """Call with NaN and infinities in some rows: the others are not touched by them."""
    COUNTS["calls with NaN"] += 1
    x, _ = _arguments(layer, T, B, seed, False, False, False, "plain", DTYPE, False)
    if x.numel():
        x.view(-1)[seed % x.numel()] = (float("nan"), float("inf"), -float("inf"), 1e300)[seed % 4]
    wanted = _forward(layer, x, {}, "eager")
    moved = lambda: _forward_moved(layer, x, {}, "none")  # noqa: E731
    compare(_forward(layer, x, {}, "native"), wanted, moved)


# Wrong arguments.


def bad_call(layer: nn.Module, *given: object, **named: object) -> None:
    """Call with what may be wrong: an error of Recurra's, the same in both, or equal results."""
    COUNTS["wrong arguments"] += 1
    outcomes = []
    for name in ("auto", "eager"):
        torch.manual_seed(7)
        with use_backend(name):
            outcomes.append(_plain(lambda: layer(*given, **named)))
    got, wanted = outcomes
    for each in outcomes:
        if each.error is not None and not isinstance(each.error, RecurraError):
            kind = type(each.error).__name__
            raise FindingError(f"a bare {kind}", repr(each.error)) from each.error
    if got.error is None and wanted.error is None and not all(isinstance(v, Tensor) and v.layout is torch.strided for v in got.values.values()):  # fmt: skip
        return
    compare(got, wanted)


def bad_layer(make: Callable[[], object]) -> None:
    """Build a layer with what may be wrong: an error of Recurra's, or it is taken."""
    COUNTS["wrong layers"] += 1
    try:
        make()
    except RecurraError:
        return
    except Exception as error:
        raise FindingError(
            f"a bare {type(error).__name__} of a constructor", repr(error)
        ) from error


def bad_stream(layer: nn.Module, use: Callable[[object], object], batch_size: object = 2) -> None:
    """Use a stream wrongly: an error of Recurra's, or it is taken."""
    COUNTS["wrong uses of streams"] += 1
    try:
        use(layer.stream(batch_size))
    except RecurraError:
        return
    except Exception as error:
        raise FindingError(f"a bare {type(error).__name__} of a stream", repr(error)) from error
