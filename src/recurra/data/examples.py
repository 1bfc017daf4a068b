"""Examples to learn from, each once: what is the same is one example that weighs more."""

import hashlib
import math
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recurra.data.splits import group_key


@dataclass(frozen=True)
class Examples:
    """Inputs with their targets.

    inputs, targets: n of each: texts, numbers, lists of those, or arrays; weights: (n,) float64,
    how much each example counts.
    """

    inputs: Sequence[Any]
    targets: Sequence[Any]
    weights: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.weights)

    def select(self, rows: Sequence[int] | NDArray[np.int64]) -> "Examples":
        """Return the examples of `rows`, in that order."""
        return Examples(
            [self.inputs[k] for k in rows], [self.targets[k] for k in rows], self.weights[rows]
        )

    def distinct(self, seed: int = 0) -> "Examples":
        """Return each different example once, in an order drawn by `seed` and the contents.

        Its weight is the sum of the weights of those that equal it; what weighs nothing is gone.
        So the result depends neither on the order of the rows nor on whether an example is there
        twice or weighs twice as much.
        """
        places: dict[bytes, int] = {}
        sums: dict[bytes, float] = {}
        for k, weight in enumerate(self.weights.tolist()):
            if weight:
                key = fingerprint((self.inputs[k], self.targets[k]), seed)
                places.setdefault(key, k)
                sums[key] = sums.get(key, 0.0) + weight
        keys = sorted(places)
        chosen = self.select(np.array([places[key] for key in keys], dtype=np.int64))
        return Examples(chosen.inputs, chosen.targets, np.array([sums[key] for key in keys]))

    def split(
        self, fraction: float, seed: int = 0, strata: Sequence[Hashable] | None = None
    ) -> tuple["Examples", "Examples"]:
        """Return a part to learn from and a part held out, about `fraction` of the examples.

        Examples with the same input fall in the same part, so that nothing held out was learned;
        texts are the same whatever their case, as `group_key` has it.
        With `strata`, n of them (the classes, say), each gives its own share, rounded down, so
        that what is there once is learned.
        """
        groups: dict[bytes, list[int]] = {}
        for k, item in enumerate(self.inputs):
            groups.setdefault(fingerprint(_folded(item), seed), []).append(k)
        levels: dict[Hashable, list[bytes]] = {}
        for key in sorted(groups):
            level = None if strata is None else strata[groups[key][0]]
            levels.setdefault(level, []).append(key)
        held: list[int] = []
        for keys in levels.values():
            for key in keys[: math.floor(fraction * len(keys) + 1e-9)]:
                held += groups[key]
        out = set(held)
        return self.select([k for k in range(len(self)) if k not in out]), self.select(sorted(held))


def _folded(item: Any) -> Any:
    if isinstance(item, str):
        return group_key(item)
    if isinstance(item, list | tuple):
        return [_folded(part) for part in item]
    return item


def fingerprint(item: Any, seed: int = 0) -> bytes:
    """Return 16 bytes that stand for the contents of an item, drawn by `seed`.

    Items are texts, numbers, None, arrays, and lists or tuples of items.
    """
    digest = hashlib.blake2b(str(seed).encode(), digest_size=16)
    _feed(digest, item)
    return digest.digest()


def _feed(digest: "hashlib.blake2b", item: Any) -> None:
    if isinstance(item, str):
        data = item.encode("utf-8", "surrogatepass")
        digest.update(b"s%d:" % len(data) + data)
    elif isinstance(item, np.ndarray):
        if item.dtype == object:
            _feed(digest, item.tolist())
        else:
            # Adding 0 makes minus zero a zero, which equals it.
            plain = np.ascontiguousarray(item + 0 if item.dtype.kind == "f" else item)
            digest.update(f"a{plain.dtype.str}{plain.shape}:".encode())
            digest.update(plain.tobytes())
    elif isinstance(item, list | tuple):
        digest.update(b"l%d:" % len(item))
        for part in item:
            _feed(digest, part)
    else:
        data = repr(item.item() if isinstance(item, np.generic) else item).encode()
        digest.update(b"o%d:" % len(data) + data)
