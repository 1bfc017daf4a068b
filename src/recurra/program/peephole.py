"""The rules that look at one instruction and at what made its operands."""

from recurra.program.emitter import Attributes, Emitter, Rules
from recurra.program.peephole_blocks import BLOCK_RULES


def drop_copy(emitter: Emitter, inputs: tuple[int, ...], attributes: Attributes) -> int | None:
    """copy(x) is x."""
    return inputs[0]


def drop_double_neg(
    emitter: Emitter, inputs: tuple[int, ...], attributes: Attributes
) -> int | None:
    """neg(neg(x)) is x."""
    inner = emitter.maker(inputs[0], "neg")
    return None if inner is None else inner.inputs[0]


def add_to_sub(emitter: Emitter, inputs: tuple[int, ...], attributes: Attributes) -> int | None:
    """x + neg(y) is x - y, to the bit."""
    for x, y in (inputs, inputs[::-1]):
        negated = emitter.maker(y, "neg")
        if negated is not None:
            return emitter.apply("sub", [x, negated.inputs[0]])
    return None


def sub_to_add(emitter: Emitter, inputs: tuple[int, ...], attributes: Attributes) -> int | None:
    """x - neg(y) is x + y, to the bit."""
    x, y = inputs
    negated = emitter.maker(y, "neg")
    return None if negated is None else emitter.apply("add", [x, negated.inputs[0]])


def span(attributes: Attributes) -> tuple[int, int, int]:
    """Return start, stop and axis of a slice."""
    start, stop = int(attributes["start"]), int(attributes["stop"])
    return start, stop, int(attributes.get("axis", 0))


def slice_of(emitter: Emitter, x: int, start: int, stop: int, axis: int = 0) -> int:
    """Return start..stop of x's axis."""
    return emitter.apply("slice", [x], start=start, stop=stop, axis=axis)


def concat_of(emitter: Emitter, parts: list[int], axis: int = 0) -> int:
    """Return the parts behind one another."""
    return emitter.apply("concat", parts, axis=axis)


def shorten_slice(emitter: Emitter, inputs: tuple[int, ...], attributes: Attributes) -> int | None:
    """A slice of all is the value; of a slice, zeros or concat, it is one of what they slice."""
    (x,) = inputs
    start, stop, axis = span(attributes)
    if (start, stop) == (0, emitter.values[x].shape[axis]):
        return x
    if emitter.maker(x, "zeros"):
        return emitter.apply("zeros", [], size=stop - start)
    inner = emitter.maker(x, "slice")
    if inner is not None:
        offset, _, inner_axis = span(dict(inner.attributes))
        if inner_axis == axis:
            return slice_of(emitter, inner.inputs[0], offset + start, offset + stop, axis)
    joined = emitter.maker(x, "concat")
    if joined is not None and int(dict(joined.attributes).get("axis", 0)) == axis:
        return slice_concat(emitter, joined.inputs, start, stop, axis)
    return None


def slice_concat(
    emitter: Emitter, parts: tuple[int, ...], start: int, stop: int, axis: int
) -> int | None:
    """A slice of a concat is one of its part, or whole parts behind one another."""
    whole = []
    offset = 0
    for part in parts:
        end = offset + emitter.values[part].shape[axis]
        if offset <= start and stop <= end:
            return slice_of(emitter, part, start - offset, stop - offset, axis)
        if start <= offset and end <= stop:
            whole.append(part)
        elif offset < stop and start < end:
            return None
        offset = end
    return concat_of(emitter, whole, axis)


def shorten_concat(emitter: Emitter, inputs: tuple[int, ...], attributes: Attributes) -> int | None:
    """A concat of concats is one concat, neighbouring slices are one slice, one part is itself."""
    axis = int(attributes.get("axis", 0))
    parts: list[int] = []
    for x in inputs:
        inner = emitter.maker(x, "concat")
        same = inner is not None and int(dict(inner.attributes).get("axis", 0)) == axis
        for part in inner.inputs if inner is not None and same else (x,):
            joined = join_neighbours(emitter, parts[-1], part, axis) if parts else None
            if joined is None:
                parts.append(part)
            else:
                parts[-1] = joined
    if len(parts) == 1:
        return parts[0]
    return None if tuple(parts) == inputs else concat_of(emitter, parts, axis)


def join_neighbours(emitter: Emitter, first: int, second: int, axis: int) -> int | None:
    """Return one value for two behind one another, None if they are not neighbours."""
    if emitter.maker(first, "zeros") and emitter.maker(second, "zeros"):
        sizes = emitter.values[first].size, emitter.values[second].size
        return emitter.apply("zeros", [], size=sum(sizes))
    a, b = emitter.maker(first, "slice"), emitter.maker(second, "slice")
    if a is None or b is None or a.inputs != b.inputs:
        return None
    start, middle, a_axis = span(dict(a.attributes))
    next_start, stop, b_axis = span(dict(b.attributes))
    if not (a_axis == b_axis == axis and middle == next_start):
        return None
    return slice_of(emitter, a.inputs[0], start, stop, axis)


RULES: Rules = {
    "copy": (drop_copy,),
    "neg": (drop_double_neg,),
    "add": (add_to_sub,),
    "sub": (sub_to_add,),
    "slice": (shorten_slice,),
    "concat": (shorten_concat,),
    **BLOCK_RULES,
}
