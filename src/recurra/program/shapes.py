"""The shape that each op gives, from the shapes of its operands; a misfit is a ProgramError."""

from collections.abc import Callable, Mapping, Sequence

from recurra.errors import ProgramError
from recurra.program.program import Attribute

Shape = tuple[int, ...]
ShapeRule = Callable[[Sequence[Shape], Mapping[str, Attribute]], Shape]


def expect(fits: bool, wanted: str, shapes: Sequence[Shape]) -> None:
    """Raise a ProgramError that says what is wanted and which shapes were seen."""
    if not fits:
        raise ProgramError(f"it needs {wanted}, got {', '.join(map(str, shapes)) or 'nothing'}")


def same(shapes: Sequence[Shape], attributes: Mapping[str, Attribute]) -> Shape:
    """Return the one shape that all operands have; constants fit any."""
    different = sorted({shape for shape in shapes if shape})
    expect(len(different) == 1, "operands of one shape (constants aside)", shapes)
    return different[0]


def linear_shape(shapes: Sequence[Shape], attributes: Mapping[str, Attribute]) -> Shape:
    """Return (n,) for x (k,) and W (n, k)."""
    x, W = shapes
    expect(len(x) == 1 and len(W) == 2 and x[0] == W[1], "x (k,) and W (n, k)", shapes)
    return (W[0],)


def linear_t_shape(shapes: Sequence[Shape], attributes: Mapping[str, Attribute]) -> Shape:
    """Return (k,) for y (n,) and W (n, k)."""
    y, W = shapes
    expect(len(y) == 1 and len(W) == 2 and y[0] == W[0], "y (n,) and W (n, k)", shapes)
    return (W[1],)


def axis_of(shape: Shape, attributes: Mapping[str, Attribute]) -> int:
    """Return the axis that a slice or concat works on: 0 if it names none."""
    axis = int(attributes.get("axis", 0))
    expect(0 <= axis < len(shape), f"an operand with an axis {axis}", [shape])
    return axis


def slice_shape(shapes: Sequence[Shape], attributes: Mapping[str, Attribute]) -> Shape:
    """Return the shape with start..stop of its features (or of its axis) left."""
    (shape,) = shapes
    axis = axis_of(shape, attributes)
    start, stop = int(attributes["start"]), int(attributes["stop"])
    expect(0 <= start < stop <= shape[axis], f"features {start} to {stop}", shapes)
    return (*shape[:axis], stop - start, *shape[axis + 1 :])


def concat_shape(shapes: Sequence[Shape], attributes: Mapping[str, Attribute]) -> Shape:
    """Return the shape of the operands behind one another."""
    expect(len(shapes) > 0, "an operand", shapes)
    axis = axis_of(shapes[0], attributes)
    others = {(*shape[:axis], *shape[axis + 1 :]) for shape in shapes if len(shape) > axis}
    ranks = {len(shape) for shape in shapes}
    expect(len(others) == len(ranks) == 1, "operands that fit behind one another", shapes)
    return (*shapes[0][:axis], sum(s[axis] for s in shapes), *shapes[0][axis + 1 :])


def zeros_shape(shapes: Sequence[Shape], attributes: Mapping[str, Attribute]) -> Shape:
    """Return (size,)."""
    size = int(attributes["size"])
    expect(size > 0, f"a size above 0, not {size}", shapes)
    return (size,)


def first_shape(shapes: Sequence[Shape], attributes: Mapping[str, Attribute]) -> Shape:
    """Return the shape of the first operand; the others have any."""
    expect(len(shapes) > 0, "an operand", shapes)
    return shapes[0]


def outer_shape(shapes: Sequence[Shape], attributes: Mapping[str, Attribute]) -> Shape:
    """Return (n, k) for (n,) and (k,)."""
    expect(all(len(shape) == 1 for shape in shapes), "dy (n,) and x (k,)", shapes)
    return (shapes[0][0], shapes[1][0])
