"""What runs of a layer, as data and as text."""

from dataclasses import dataclass

from recurra.program.cost import Flops
from recurra.program.describe import Section
from recurra.program.differentiate import Adjoint
from recurra.program.program import Program

_RUNS = {
    "native": "runs natively",
    "torch": "runs on torch's kernel",
    "eager": "runs in the eager loop",
    "none": "does not run",
}
_LEGEND = (
    "W · x is a product, a * b goes feature by feature; h enters the step, h' leaves it;\n"
    "∂h is the gradient of h, Σ the sum over all rows and steps."
)


@dataclass(frozen=True)
class Work:
    """What a cell's program is and takes, forward and backward (with the gradient of x).

    program, adjoint: the instructions; sections: both as text.
    forward, backward: operations a row and step.
    kept_bytes: what the engine keeps a row and step for the backward pass, x not counted (it is
        the caller's); None where the engine is not installed.
    """

    program: Program
    adjoint: Adjoint
    sections: tuple[Section, ...]
    forward: Flops
    backward: Flops
    kept_bytes: int | None


@dataclass(frozen=True)
class CellExplanation:
    """What runs of one cell of a layer, or of several that are the same.

    where: which cells of the layer, "" for all there are.
    count: how many cells that is.
    cell: the name of its class.
    input_size, state_sizes, output_size: as the cell has them.
    dtype: of the weights.
    backend: what runs it now: "native", "torch", "eager", or "none" where nothing can.
    reason: why it is not the native engine, "" where it is.
    weight_bytes: the size of the weights of one such cell.
    work: None where the cell could not be written as a program.
    """

    where: str
    count: int
    cell: str
    input_size: int
    state_sizes: dict[str, int]
    output_size: int
    dtype: str
    backend: str
    reason: str
    weight_bytes: int
    work: Work | None

    def __str__(self) -> str:
        """Return the text."""
        title = f"{self.cell} ({self.where})" if self.where else self.cell
        named = [("x", self.input_size), *self.state_sizes.items(), ("out", self.output_size)]
        sizes = ", ".join(f"{name} {size}" for name, size in named)
        lines = [f"{title}: {sizes}, {self.dtype}; {_RUNS[self.backend]}"]
        if self.reason:
            lines.append(f"not natively: {self.reason}")
        if self.work is not None:
            if self.reason:
                lines += ["", "what the native engine would run:"]
            lines += ["", *section_lines(self.work.sections), *figures(self.work)]
        lines.append(f"weights: {self.weight_bytes:,} bytes" + " each" * (self.count > 1))
        return "\n".join(lines)


@dataclass(frozen=True, repr=False)
class Explanation:
    """What runs of a layer: `print` it, or read its fields.

    cells: one for each kind of cell of the layer.
    """

    cells: tuple[CellExplanation, ...]

    def __str__(self) -> str:
        """Return the text."""
        texts = [str(cell) for cell in self.cells]
        if any(cell.work for cell in self.cells):
            texts.append(_LEGEND)
        return "\n\n".join(texts)

    __repr__ = __str__


def section_lines(sections: tuple[Section, ...]) -> list[str]:
    """Return sections as lines, sizes in a column at the side."""
    every = [line for section in sections for line in section.lines]
    width = max((len(line.text) for line in every), default=0)
    column = max((len(line.size) for line in every), default=0)
    lines = []
    for section in sections:
        lines.append(section.title if section.lines else f"{section.title}: nothing")
        lines += [
            f"  {line.text:{width}}  {line.size:>{column}}".rstrip() for line in section.lines
        ]
    return [*lines, ""]


def figures(work: Work) -> list[str]:
    """Return the costs as lines."""
    forward, backward = work.forward, work.backward
    rows = (
        ("FLOPs a row and step", "forward", "backward"),
        ("  products", f"{forward.products:,}", f"{backward.products:,}"),
        ("  pointwise", f"{forward.pointwise:,}", f"{backward.pointwise:,}"),
    )
    lines = [f"{name:22}{a:>12}{b:>12}" for name, a, b in rows]
    if work.kept_bytes is not None:
        lines.append(f"kept for the backward pass: {work.kept_bytes:,} bytes a row and step")
    return lines
