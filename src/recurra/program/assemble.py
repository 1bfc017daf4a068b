"""Puts the gradients that arrive at parts of one value together."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from recurra.program.emitter import Emitter
from recurra.program.peephole import concat_of


@dataclass(frozen=True)
class Piece:
    """A gradient (a value of the adjoint) of features start..stop."""

    start: int
    stop: int
    gradient: int


def assemble(emitter: Emitter, size: int, pieces: Sequence[Piece]) -> int | None:
    """Return the gradient of all `size` features, None if there is no piece.

    Pieces that do not overlap become one concat, with zeros where none lies; what overlaps is
    added.
    """
    spans: dict[tuple[int, int], list[int]] = defaultdict(list)
    for piece in pieces:
        spans[piece.start, piece.stop].append(piece.gradient)
    summed = {span: add_all(emitter, gradients) for span, gradients in spans.items()}
    layers = []
    waiting = sorted(summed)
    while waiting:
        layer = [waiting[0]]
        for span in waiting[1:]:
            if span[0] >= layer[-1][1]:
                layer.append(span)
        waiting = [span for span in waiting if span not in layer]
        layers.append(fill(emitter, size, {span: summed[span] for span in layer}))
    return add_all(emitter, layers) if layers else None


def fill(emitter: Emitter, size: int, spans: Mapping[tuple[int, int], int]) -> int:
    """Return the gradients of spans in order as one, with zeros in the gaps."""
    parts: list[int] = []
    end = 0
    for (start, stop), gradient in spans.items():
        if start > end:
            parts.append(emitter.apply("zeros", [], size=start - end))
        parts.append(gradient)
        end = stop
    if end < size:
        parts.append(emitter.apply("zeros", [], size=size - end))
    return concat_of(emitter, parts)


def add_all(emitter: Emitter, gradients: Sequence[int]) -> int:
    """Return the sum of one or more gradients."""
    total = gradients[0]
    for gradient in gradients[1:]:
        total = emitter.apply("add", [total, gradient])
    return total
