"""Calls of the layers with arguments that do not fit, drawn from a seed: `test_malformed` runs it.

    python malformed_calls.py SEED CALLS

Each call must raise one of the errors that are meant, or give what the eager loop gives, of the
right shapes. Before each call its description is printed, so that a crash leaves it behind.
"""

import math
import random
import sys
import warnings
from collections import Counter
from collections.abc import Callable
from typing import Any

import torch
from odd_tensors import ODD
from torch import Tensor, nn

import recurra
from recurra import Recurrent, use_backend
from recurra.errors import RecurraError

T, B, I, H = 4, 3, 2, 3  # noqa: E741 - the axes' names
ODD_VALUES = (
    None,
    3,
    -1,
    math.nan,
    "x",
    [],
    (),
    {},
    [None],
    object(),
    True,
    2**70,
    [[1.0], [2, 3]],
)
ODD_SIZES = (0, -1, math.nan, math.inf, 2.5, True, "4", None, 10**30, 2**62, [3], torch.tensor(3.5))
DTYPES = (torch.float64, torch.float16, torch.bfloat16, torch.int64, torch.bool, torch.complex64)


def layers() -> list[tuple[str, nn.Module]]:
    options: list[dict[str, Any]] = [
        {},
        {"num_layers": 2, "bidirectional": True},
        {"batch_first": True, "learn_initial_state": True},
        {"num_layers": 2, "checkpoint": 2},
    ]
    found: list[tuple[str, nn.Module]] = []
    for name, each in zip(("lstm", "gru", "elman", "janet"), options, strict=True):
        found.append((f"Recurrent({name}, {each})", Recurrent(name, I, H, **each)))
    for name, more in (("LSTM", {"proj_size": 2}), ("GRU", {"bidirectional": True}), ("RNN", {})):
        found.append((name, getattr(recurra, name)(I, H, **more)))
    return found


class Draw:
    """One call: what it is made of, and the words for what was changed in it."""

    def __init__(self, seed: int, all_layers: list[tuple[str, nn.Module]]) -> None:
        self.random = random.Random(seed)
        self.generator = torch.Generator().manual_seed(seed)
        self.name, self.layer = self.random.choice(all_layers)
        self.ours = isinstance(self.layer, Recurrent)
        self.words: list[str] = []
        self.strange: list[Tensor] = []
        self.replaced: list[tuple[nn.Module, str, Any]] = []
        first = self.layer.batch_first
        self.x: Any = self.tensor(*((B, T, I) if first else (T, B, I)))
        self.others: dict[str, Any] = {}
        if self.random.random() < 0.4:
            self.others["state" if self.ours else "hx"] = self.state()
        if self.ours and self.random.random() < 0.3:
            self.others["lengths"] = torch.tensor([4, 0, 2])
        if self.ours and self.random.random() < 0.3:
            reset = torch.rand(T, B, generator=self.generator) < 0.3
            self.others["reset"] = reset.t() if first else reset
        for _ in range(self.random.choice((0, 1, 1, 1, 2))):
            self.random.choice((self.change_x, self.change_other, self.change_weight))()

    def tensor(self, *shape: int) -> Tensor:
        return torch.randn(shape, generator=self.generator)

    def state(self) -> Any:
        if self.ours:
            rows, sizes = len(self.layer.cells), list(self.layer.state_sizes.values())
        else:
            rows = 2 if self.layer.bidirectional else 1
            sizes = list(self.layer._state_sizes())
        all_states = tuple(self.tensor(rows, B, n) for n in sizes)
        return all_states if self.ours or len(all_states) > 1 else all_states[0]

    def other_tensor(self, t: Tensor) -> Any:
        """Return another value in a tensor's place: of another shape, dtype, memory, content."""
        if any(t is known for known in self.strange):
            return t  # torch's own operations end the process on some of them
        shape = list(t.shape)
        kind = self.random.randrange(16)
        self.words.append(f"tensor change {kind} of {shape}")
        if kind == 0 and shape:
            shape[self.random.randrange(len(shape))] += self.random.choice((-1, 1, 2, 1000))
            return self.tensor(*(max(n, 0) for n in shape))
        if kind == 1 and shape:
            shape[self.random.randrange(len(shape))] = self.random.choice((0, 1))
            return self.tensor(*shape)
        if kind == 2:
            return t.unsqueeze(self.random.randrange(len(shape) + 1))
        if kind == 3:
            return t[0] if shape and shape[0] else self.tensor()
        if kind == 4:
            t = t.clamp(-100, 100) if t.is_floating_point() else t  # whole numbers have an end
            return t.to(self.random.choice(DTYPES))
        if kind == 5:
            return t.to("meta")
        if kind == 6:
            return self.random.choice(ODD_VALUES)
        if kind == 7 and shape:
            return t.transpose(0, -1)
        if kind == 8:
            return t * self.random.choice((1e38, -1e38, math.inf, math.nan, 1e-42, 0.0))
        if kind == 9 and shape:
            rest = math.nan if t.is_floating_point() or t.is_complex() else 1
            room = t.new_full((*shape, 3), rest)[..., 1]
            return room.copy_(t)
        if kind == 10 and t.is_floating_point():
            return t.detach().clone().requires_grad_()
        if kind == 11 and shape and shape[0]:
            return t[:1].expand(t.shape)
        if kind >= 13:
            name = self.random.choice([*ODD])
            self.words.append(name)
            try:
                self.strange.append(ODD[name](t))
                return self.strange[-1]
            except (RuntimeError, IndexError, NotImplementedError):
                return t  # torch has no such tensor of these axes or this dtype
        if t.is_meta:
            return None
        return t.to_sparse() if self.random.random() < 0.3 else t.tolist()

    def change_x(self) -> None:
        self.words.append("x")
        if isinstance(self.x, Tensor):
            self.x = self.other_tensor(self.x)

    def change_other(self) -> None:
        name = self.random.choice(("state", "lengths", "reset") if self.ours else ("hx",))
        self.words.append(name)
        known = self.others.get(name)
        if name == "lengths" and self.random.random() < 0.7:
            self.others[name] = self.random.choice((
                [4, 5, 1], [-1, 2, 3], [4, 4], [1, 2, 3, 4], [1.5, 2, 3], [2**63, 1, 1], "432",
                torch.tensor([4, 2**62, 1]), torch.tensor([[1, 2, 3]]), torch.tensor([1.0, 2, 3]),
                torch.tensor([True] * B), torch.tensor([1, 2, 3], dtype=torch.uint8),
                torch.tensor([1, -3, 3], dtype=torch.int8), torch.tensor([2]).expand(B), [True] * 3,
                torch.arange(6)[::2], torch.tensor(3), {1, 2, 3}, range(B), torch.empty(B, 0),
                torch.tensor([1, 2, 3], dtype=torch.uint64), [math.nan] * B,
                torch.ones(B).to("meta"),
            ))  # fmt: skip
        elif isinstance(known, Tensor):
            self.others[name] = self.other_tensor(known)
        elif isinstance(known, tuple) and known:
            parts = list(known)
            k = self.random.randrange(len(parts))
            parts[k] = self.other_tensor(parts[k])
            self.others[name] = self.random.choice((parts, tuple(parts), parts[:k], parts * 2))
        else:
            self.others[name] = self.random.choice(ODD_VALUES)

    def change_weight(self) -> None:
        module, name, weight = self.random.choice([
            (m, n, p) for m in self.layer.modules() for n, p in m._parameters.items()
            if p is not None
        ])  # fmt: skip
        self.words.append(f"weight {name}")
        other = self.other_tensor(weight.detach())
        if other is not None and not isinstance(other, Tensor):
            other = torch.empty(0)  # nothing but tensors and None can be put there
        if isinstance(other, Tensor) and self.random.random() < 0.8:
            wanted = other.is_floating_point() and self.random.random() < 0.7
            other = nn.Parameter(other.detach(), requires_grad=wanted)
        self.replaced.append((module, name, weight))
        module._parameters[name] = other

    def restore(self) -> None:
        for module, name, weight in reversed(self.replaced):
            module._parameters[name] = weight

    def call(self) -> list[Tensor]:
        """Return the outputs, the last states and the gradients."""
        out, last = self.layer(self.x, **self.others)
        values = [out, *(last if isinstance(last, tuple) else (last,))]
        self.check_shapes(values)
        if not any(v.requires_grad for v in values):
            return values
        weights = [p for p in self.layer.parameters() if p.requires_grad]
        given = [t for t in (self.x, *weights) if isinstance(t, Tensor) and t.requires_grad]
        total = sum(v.abs().sum() for v in values)
        found = torch.autograd.grad(total, given, allow_unused=True, materialize_grads=True)
        return [*values, *found]

    def check_shapes(self, values: list[Tensor]) -> None:
        layer, x = self.layer, self.x
        directions = 2 if layer.bidirectional else 1
        rows = layer.num_layers * directions
        sizes = list(layer.state_sizes.values()) if self.ours else list(layer._state_sizes())
        size = layer.output_size if self.ours else directions * sizes[0]
        wanted: list[tuple[int, ...]] = [(*x.shape[:-1], size)]
        middle = [] if x.dim() == 2 else [x.shape[0 if layer.batch_first else 1]]
        wanted += [(rows, *middle, n) for n in sizes]
        assert [tuple(v.shape) for v in values] == wanted, "wrong shapes"

    def stream(self) -> list[Tensor]:
        """Return what a stream gives for x, in pieces."""
        stream = self.layer.stream(B)
        if "state" in self.others:
            stream.state = self.others["state"]
        out = stream.push(self.x)
        assert out.shape[:-1] == self.x.shape[:-1], "wrong shapes"
        return [out, *stream.state]

    def build(self) -> list[Tensor]:
        """Build a layer of odd sizes, and run it."""
        sizes: list[Any] = [I, H, 1]
        k = self.random.randrange(3)
        sizes[k] = self.random.choice(ODD_SIZES)
        kinds = (Recurrent, recurra.LSTM, recurra.GRU, recurra.RNN)
        kind = self.random.choice(kinds[:1] if k == 2 else kinds)  # torch.nn builds any number
        self.words.append(f"build {kind.__name__} {sizes}")
        torch.manual_seed(0)
        layer = kind("mgu", *sizes) if kind is Recurrent else kind(*sizes)
        assert isinstance(sizes[k], bool) or sizes[k] in (I, H, 1), "a size that is none"
        return [layer(torch.ones(T, B, I))[0]]


def one(number: int, all_layers: list[tuple[str, nn.Module]]) -> str:
    """Make a call; return "refused" or "right", and raise for anything else."""
    draw = Draw(number, all_layers)
    ways: tuple[Callable[[], list[Tensor]], ...] = (draw.call, draw.call, draw.call, draw.call)
    if draw.ours and not draw.layer.bidirectional:
        ways += (draw.stream, draw.stream)
    way = draw.random.choice(ways)
    if draw.random.random() < 0.04:
        way = draw.build
    print(number, draw.name, way.__name__, draw.words, list(draw.others), flush=True)
    try:
        with use_backend(draw.random.choice(("auto", "native"))):
            found = way()
    except RecurraError:
        return "refused"
    else:
        if way == draw.build:
            return "right"
        with use_backend("eager"):
            wanted = way()
        for a, b in zip(found, wanted, strict=True):  # a thousand steps round more than four
            if a.is_meta and b.is_meta:  # as torch: one such weight makes all results such
                continue
            most = float(b.detach().nan_to_num(0, 0, 0).abs().max()) if b.numel() else 0.0
            torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-5 * max(1, most), equal_nan=True)
        return "right"
    finally:
        draw.restore()


def main(seed: int, calls: int) -> None:
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    torch.manual_seed(0)
    all_layers = layers()
    results: Counter[str] = Counter()
    for number in range(seed, seed + calls):
        try:
            results[one(number, all_layers)] += 1
        except Exception as error:
            results["wrong"] += 1
            print(f"WRONG {number}: {type(error).__name__}: {str(error)[:300]}", flush=True)
    print(f"refused {results['refused']} right {results['right']} wrong {results['wrong']}")


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
