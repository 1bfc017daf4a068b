"""Rules for ops on blocks of features: products where they were written as copies and sums."""

from recurra.program.emitter import Attributes, Emitter, Rules
from recurra.program.program import Instruction


def _of(i: Instruction | None, name: str) -> int:
    """Return a whole attribute, 1 where it is not there, 0 where there is no instruction."""
    return 0 if i is None else int(dict(i.attributes).get(name, 1))


def outer_product(emitter: Emitter, inputs: tuple[int, ...], attributes: Attributes) -> int | None:
    """a (g, m, 1) * b (g, 1, n), both copied to (g, m, n), is a matmul with sums of one term."""
    for x, y in (inputs, inputs[::-1]):
        a, b = emitter.maker(x, "spread"), emitter.maker(y, "spread")
        n, m = _of(a, "times"), _of(b, "times")
        if a is None or b is None or min(n, m) < 2 or _of(a, "inner") != 1 or _of(b, "inner") != n:
            continue
        if emitter.values[a.inputs[0]].size == emitter.values[x].size // n:
            groups = emitter.values[b.inputs[0]].size // n
            sides: Attributes = {"groups": groups, "height": m, "width": n}
            return emitter.apply("matmul", [a.inputs[0], b.inputs[0]], **sides)
    return None


def sum_of_products(
    emitter: Emitter, inputs: tuple[int, ...], attributes: Attributes
) -> int | None:
    """Σ of A * (b, copied to A's shape) is a matmul of b with A."""
    product = emitter.maker(inputs[0], "mul")
    if product is None:
        return None
    size, groups = emitter.values[inputs[0]].size, int(attributes["groups"])
    inner = int(attributes.get("inner", 1))
    k = size // (groups * inner)
    for whole, copied in (product.inputs, product.inputs[::-1]):
        copies = emitter.maker(copied, "spread")
        if copies is None or not emitter.values[whole].rows or k < 2:
            continue
        operands, times = [copies.inputs[0], whole], _of(copies, "times")
        sides: Attributes
        if inner > 1 and (times, _of(copies, "inner")) == (inner, 1):  # b (g, k), A (g, k, inner)
            sides = {"groups": groups, "height": 1, "width": inner}
            return emitter.apply("matmul", operands, **sides)
        if inner == 1 and _of(copies, "inner") == k:  # b (g, 1, k), A (g, times, k)
            sides = {"groups": groups // times, "height": 1, "width": times, "turned": "b"}
            return emitter.apply("matmul", operands, **sides)
    return None


def turn_back(emitter: Emitter, inputs: tuple[int, ...], attributes: Attributes) -> int | None:
    """A transpose of the transpose is the value."""
    inner = emitter.maker(inputs[0], "transpose")
    if inner is None or _of(inner, "inner") != attributes.get("inner", 1):
        return None
    same = (_of(inner, "height"), _of(inner, "width")) == (
        attributes["width"],
        attributes["height"],
    )
    return inner.inputs[0] if same else None


def lie_vectors_down(
    emitter: Emitter, inputs: tuple[int, ...], attributes: Attributes
) -> int | None:
    """A matmul by a column is one with a row, which the machine goes along; a row has no turn."""
    groups, m, n = (int(attributes[name]) for name in ("groups", "height", "width"))
    k = emitter.values[inputs[0]].size // (groups * m)
    which = attributes.get("turned", "")
    if n == 1 and m > 1:  # (A·b)ᵀ = bᵀ·Aᵀ
        turned: Attributes = {} if which == "a" else {"turned": "b"}
        sides: Attributes = {"groups": groups, "height": 1, "width": m}
        return emitter.apply("matmul", inputs[::-1], **sides, **turned)
    if (which == "a" and (m == 1 or k == 1)) or (which == "b" and k == 1):
        return emitter.apply("matmul", inputs, groups=groups, height=m, width=n)
    return None


def turn_in_product(
    emitter: Emitter, inputs: tuple[int, ...], attributes: Attributes
) -> int | None:
    """A matmul of a transpose reads the value as it is stored."""
    groups, m, n = (int(attributes[name]) for name in ("groups", "height", "width"))
    k = emitter.values[inputs[0]].size // (groups * m)
    which = attributes.get("turned", "")
    for side, other, sizes in (("a", "b", (k, m)), ("b", "a", (n, k))):
        at = 0 if side == "a" else 1
        inner = emitter.maker(inputs[at], "transpose")
        wanted = sizes if which != side else sizes[::-1]
        stored = (_of(inner, "height"), _of(inner, "width"))
        if inner is None or which == other or _of(inner, "inner") != 1 or stored != wanted:
            continue
        operands = list(inputs)
        operands[at] = inner.inputs[0]
        named: Attributes = {"groups": groups, "height": m, "width": n}
        return emitter.apply("matmul", operands, **named, **({} if which else {"turned": side}))
    return None


BLOCK_RULES: Rules = {
    "mul": (outer_product,),
    "sum": (sum_of_products,),
    "transpose": (turn_back,),
    "matmul": (lie_vectors_down, turn_in_product),
}
