"""Synthetic pictures of coloured shapes, and what they show in words."""

import itertools
import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recurra.data.splits import split_by_group
from recurra.errors import ArgumentError, MissingDependencyError

SIZES = ("small", "large")
COLOURS = {
    "red": (214, 40, 40),
    "green": (46, 160, 67),
    "blue": (40, 90, 220),
    "yellow": (240, 200, 40),
    "purple": (140, 60, 180),
    "white": (245, 245, 245),
}
SHAPES = ("circle", "square", "triangle")
RELATIONS = ("left of", "above")

_FINE = 4  # drawn so many times as large, so that edges are smooth


@dataclass(frozen=True)
class ShapeTable:
    """n pictures, (n, side, side, 3) uint8, and their captions."""

    images: NDArray[np.uint8]
    captions: list[str]

    def __len__(self) -> int:
        return len(self.captions)

    def select(self, rows: Sequence[int]) -> "ShapeTable":
        """Return the table of `rows`, in that order."""
        return ShapeTable(self.images[list(rows)], [self.captions[k] for k in rows])

    def split(
        self, fractions: Sequence[float] = (0.8, 0.2), seed: int = 0
    ) -> tuple["ShapeTable", ...]:
        """Return parts of about these shares; no combination of one, as a whole, is in another."""
        parts = split_by_group(self.captions, fractions, seed)
        return tuple(self.select(part.tolist()) for part in parts)


def draw_shapes(n: int = 6000, *, side: int = 32, seed: int = 0) -> ShapeTable:
    """Draw `n` synthetic pictures, by `seed`: one shape, or two that stand in a relation.

    "a small red circle", "a small red circle left of a large blue square". The first of two is
    always the left one or the upper one, so that there is one right caption. One picture in ten
    has one shape. Places, sizes, colours and the grey of the background vary; all is noisy.

    Args:
        n: how many.
        side: their width and height in pixels, at least 32.
        seed: any integer.

    Raises `ArgumentError` for other numbers, `MissingDependencyError` without Pillow.
    """
    if n < 1 or side < 32:
        raise ArgumentError(f"n must be at least 1 and side at least 32, got {n} and {side}.")
    try:
        from PIL import Image, ImageDraw
    except ImportError as error:
        raise MissingDependencyError(
            "draw_shapes needs the package Pillow: pip install 'recurra[tasks]'."
        ) from error
    draw = random.Random(seed)
    noise = np.random.default_rng(seed)
    things = list(itertools.product(SIZES, COLOURS, SHAPES))
    images, captions = np.empty((n, side, side, 3), np.uint8), []
    for k in range(n):
        grey = draw.randint(60, 110)
        canvas = Image.new("RGB", (side * _FINE, side * _FINE), (grey, grey, grey))
        pen = ImageDraw.Draw(canvas)
        shown = [draw.choice(things) for _ in range(1 if draw.random() < 0.1 else 2)]
        relation = draw.choice(RELATIONS)
        for thing, (x, y) in zip(shown, _places(len(shown), relation, draw), strict=True):
            _draw_thing(pen, thing, x * side * _FINE, y * side * _FINE, side * _FINE, draw)
        small = np.asarray(canvas.resize((side, side), Image.Resampling.BOX), np.float64)
        images[k] = (small + noise.normal(0, 6, small.shape)).clip(0, 255).round()
        captions.append(f" {relation} ".join(f"a {' '.join(thing)}" for thing in shown))
    return ShapeTable(images, captions)


def _places(count: int, relation: str, draw: random.Random) -> list[tuple[float, float]]:
    """Return the centres, in parts of the side: apart along one axis, near along the other."""
    if count == 1:
        return [(draw.uniform(0.3, 0.7), draw.uniform(0.3, 0.7))]
    middle = draw.uniform(0.35, 0.65)
    places = []
    for along in (0.26, 0.74):
        a, b = along + draw.uniform(-0.03, 0.03), middle + draw.uniform(-0.08, 0.08)
        places.append((a, b) if relation == "left of" else (b, a))
    return places


def _draw_thing(
    pen: Any, thing: tuple[str, str, str], x: float, y: float, side: int, draw: random.Random
) -> None:
    size, colour, shape = thing
    r = side * (draw.uniform(0.09, 0.11) if size == "small" else draw.uniform(0.17, 0.2))
    fill = tuple(max(0, min(255, c + draw.randint(-15, 15))) for c in COLOURS[colour])
    if shape == "circle":
        pen.ellipse((x - r, y - r, x + r, y + r), fill=fill)
    elif shape == "square":
        r *= 0.9  # about as large as a circle of that radius
        pen.rectangle((x - r, y - r, x + r, y + r), fill=fill)
    else:
        pen.polygon([(x, y - r), (x - r, y + r), (x + r, y + r)], fill=fill)
