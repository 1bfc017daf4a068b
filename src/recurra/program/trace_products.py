"""Recording products of rows with matrices of parameters, and of rows with rows."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from torch import Tensor

from recurra.program.trace_features import permuted
from recurra.program.trace_recorder import Recorder
from recurra.program.trace_reductions import reduced
from recurra.program.trace_refusal import refusal
from recurra.program.trace_symbol import Leaf, Row
from recurra.program.trace_table import records
from recurra.program.trace_writer import count


def one_linear(rec: Recorder, index: int, weight: Leaf) -> int:
    """Return the value W·x for a value x (k,) and a matrix W (n, k)."""
    n = weight.meta.shape[0]
    if weight.meta.dtype is not rec.dtype:
        raise refusal(f"a matrix of {weight.meta.dtype} where the cell's input is {rec.dtype}")
    return rec.emit("linear", (index, rec.matrix(weight)), n)


@records("linear")
def linear(rec: Recorder, x: Any, weight: Any, bias: Any = None) -> Row:
    """Record W·x + b."""
    x, weight = rec.lift(x), rec.lift(weight)
    if not (isinstance(x, Row) and isinstance(weight, Leaf) and weight.meta.dim() == 2):
        raise refusal("F.linear with a weight that is no matrix of parameters")
    check_size(x.trailing[-1] if x.trailing else 0, weight.meta.shape[1])
    if len(x.trailing) == 1:
        y = rec.row((weight.meta.shape[0],), one_linear(rec, rec.materialise(x), weight), x.kind)
    else:
        letters = "cdefghij"[: len(x.trailing) - 1]
        y = contract(rec, x, weight, f"{letters}k", "nk", f"{letters}n")
    if bias is None:
        return y
    given = rec.lift(bias)
    if isinstance(given, Leaf) and given.meta.dtype is not rec.dtype:
        raise refusal(f"a bias of {given.meta.dtype} where the cell's input is {rec.dtype}")
    total = rec.pointwise("add", y, given)
    if total.trailing != y.trailing:
        raise refusal("F.linear with a bias of more features than its weight gives")
    return total


def check_size(k: int, wanted: int) -> None:
    """Raise unless x has as many features as the matrix has columns."""
    if k != wanted:
        raise ValueError(f"{k} features where the matrix takes {wanted}")


@records("mv")
def mv(rec: Recorder, a: Any, b: Any) -> Row:
    """Refuse a product with a vector that is not of each row."""
    raise refusal("torch.mv, which has no batch axis")


@records("matmul", "mm", "bmm", "__matmul__", "dot")
def matmul(rec: Recorder, a: Any, b: Any) -> Row:
    """Record a·b, where one of the two or both are rows."""
    a, b = rec.lift(a), rec.lift(b)
    if isinstance(a, Row) and isinstance(b, Leaf):
        return row_by_matrix(rec, a, b)
    if isinstance(a, Leaf) and isinstance(b, Row):
        return matrix_by_row(rec, a, b)
    if not (isinstance(a, Row) and isinstance(b, Row)):
        raise refusal("a product with a number")
    axes = len(a.trailing)
    if axes < 2 or len(b.trailing) != axes:
        raise refusal("a product of rows that mixes rows of the batch")
    groups = "cdefgh"[: axes - 2]
    return multiply_rows(rec, a, b, f"{groups}ik", f"{groups}kj", f"{groups}ij")


@records("__rmatmul__")
def rmatmul(rec: Recorder, a: Any, b: Any) -> Row:
    """Record b·a."""
    return matmul(rec, b, a)


def row_by_matrix(rec: Recorder, x: Row, W: Leaf) -> Row:
    """Return x·W, W of (k, n), of (groups, k, n) or of (k,)."""
    shape, rank = W.meta.shape, len(x.trailing)
    if not rank:
        raise refusal("a product of the batch axis")
    check_size(x.trailing[-1], shape[0] if len(shape) == 1 else shape[-2])
    letters = "cdefghij"[: rank - 1]
    if len(shape) == 1:
        return contract(rec, x, W, f"{letters}k", "k", letters)
    if len(shape) == 2:
        if rank == 1:
            turned = rec.on_leaves(Tensor.t, (W,), {})
            y = one_linear(rec, rec.materialise(x), turned)
            return rec.row((shape[1],), y, x.kind)
        return contract(rec, x, W, f"{letters}k", "kn", f"{letters}n")
    if shape[0] == 1 and len(shape) == 3:
        return row_by_matrix(rec, x, rec.on_leaves(Tensor.squeeze, (W, 0), {}))
    groups = letters[: len(shape) - 2]
    if rank != len(shape) or shape[:-2] != x.trailing[:-2]:
        raise refusal(f"a product of (B, {', '.join(map(str, x.trailing))}) with {tuple(shape)}")
    return contract(rec, x, W, f"{letters}k", f"{groups}kn", f"{letters}n")


def matrix_by_row(rec: Recorder, W: Leaf, x: Row) -> Row:
    """Return W·x for x of (B, k, m), W of (n, k)."""
    if W.meta.dim() == 3 and W.meta.shape[0] == 1:
        W = rec.on_leaves(Tensor.squeeze, (W, 0), {})
    if W.meta.dim() != 2 or len(x.trailing) != 2:
        raise refusal("a matrix times rows that are not columns: (B, k, 1)")
    check_size(x.trailing[0], W.meta.shape[1])
    return contract(rec, x, W, "km", "nk", "nm")


@records("addmm", "addbmm")
def addmm(rec: Recorder, bias: Any, a: Any, b: Any, *, beta: Any = 1, alpha: Any = 1) -> Row:
    """Record beta·bias + alpha·a·b."""
    product: Any = matmul(rec, a, b)
    return rec.pointwise(
        "add", bias if beta == 1 else bias * beta, product if alpha == 1 else product * alpha
    )


@records("baddbmm")
def baddbmm(rec: Recorder, bias: Any, a: Any, b: Any, *, beta: Any = 1, alpha: Any = 1) -> Row:
    """Record beta·bias + alpha·a·b of rows."""
    return addmm(rec, bias, a, b, beta=beta, alpha=alpha)


def contract(rec: Recorder, x: Row, W: Leaf, of_x: str, of_W: str, out: str) -> Row:
    """Return the sum of products that the letters of the axes say, as linear maps of slices.

    Letters in both and in `out` are groups, each with a matrix of its own; those in both but not
    in `out` are summed over.
    """
    shape = tuple(W.meta.shape)
    sizes = dict(zip(of_x, x.trailing, strict=True))
    for letter, n in zip(of_W, shape, strict=True):
        if sizes.setdefault(letter, n) != n:
            raise ValueError(f"axis {letter!r} has sizes {sizes[letter]} and {n}")
    for letter in of_x:  # what only x has, and is summed over, comes first
        if letter not in of_W and letter not in out:
            axis = of_x.index(letter)
            x, of_x = reduced(rec, "sum", x, [axis], False), of_x.replace(letter, "")
    lonely = [k for k, letter in enumerate(of_W) if letter not in of_x and letter not in out]
    if lonely:
        W = rec.on_leaves(Tensor.sum, (W, tuple(lonely)), {})
        of_W = "".join(letter for letter in of_W if letter in of_x or letter in out)
    shared = [letter for letter in of_x if letter in of_W]
    groups = [letter for letter in shared if letter in out]
    summed = [letter for letter in shared if letter not in out]
    mine = [letter for letter in of_x if letter not in of_W]
    theirs = [letter for letter in of_W if letter not in of_x]
    if not summed:
        return outer(rec, x, W, of_x, of_W, out)
    x = permuted(rec, x, [of_x.index(letter) for letter in (*groups, *mine, *summed)])
    W = rec.on_leaves(Tensor.permute, (W, [of_W.index(c) for c in (*groups, *theirs, *summed)]), {})
    G, M, N, K = (count([sizes[c] for c in part]) for part in (groups, mine, theirs, summed))
    W = rec.on_leaves(Tensor.reshape, (W, (G, N, K)), {})
    value = rec.row((G * M, K), rec.materialise(x))
    results = []
    for g in range(G):
        matrix = rec.on_leaves(Tensor.select, (W, 0, g), {})
        for m in range(g * M, (g + 1) * M):
            piece = rec.arrange([value], np.arange(m * K, (m + 1) * K))
            results.append(one_linear(rec, piece.value, matrix))
    index = results[0] if len(results) == 1 else rec.emit("concat", results, G * M * N)
    order = [*groups, *mine, *theirs]
    y = rec.row(tuple(sizes[letter] for letter in order), index, x.kind)
    return permuted(rec, y, [order.index(letter) for letter in out])


def outer(rec: Recorder, x: Row, W: Any, of_x: str, of_W: str, out: str) -> Row:
    """Return products that nothing is summed over."""
    row = permuted(rec, x, [of_x.index(letter) for letter in out if letter in of_x])
    sizes = dict(zip(of_x, x.trailing, strict=True))
    shape = tuple(sizes.get(letter, 1) for letter in out)
    row = rec.row(shape, row.value, row.kind)
    W = W.permute([of_W.index(letter) for letter in out if letter in of_W])
    lengths = dict(zip([letter for letter in out if letter in of_W], W.meta.shape, strict=True))
    return rec.pointwise("mul", row, W.reshape([lengths.get(letter, 1) for letter in out]))


def multiply_rows(rec: Recorder, a: Row, b: Row, of_a: str, of_b: str, out: str) -> Row:
    """Return the sum of products of two rows that the letters of their axes say."""
    (a, of_a), (b, of_b) = bare(rec, a, of_a, of_b, out), bare(rec, b, of_b, of_a, out)
    sizes = dict(zip(of_a, a.trailing, strict=True)) | dict(zip(of_b, b.trailing, strict=True))
    if any(sizes[c] != n for c, n in zip(of_a, a.trailing, strict=True)):
        raise ValueError(f"shapes {a.trailing} and {b.trailing} do not fit")
    both = [c for c in of_a if c in of_b]
    groups, summed = [c for c in both if c in out], [c for c in both if c not in out]
    mine, theirs = [c for c in of_a if c not in both], [c for c in of_b if c not in both]
    if not mine and not theirs:
        return side_by_side(rec, (a, of_a), (b, of_b), [*groups, *summed], out)
    if (a_turned := placed(a, of_a, groups, mine, summed)) is None:
        a, a_turned = permuted(rec, a, [of_a.index(c) for c in (*groups, *mine, *summed)]), False
    if (b_turned := placed(b, of_b, groups, summed, theirs)) is None:
        b, b_turned = permuted(rec, b, [of_b.index(c) for c in (*groups, *summed, *theirs)]), False
    if (a_turned and b_turned) or (mine and not theirs):  # (A·B)ᵀ = Bᵀ·Aᵀ
        a, b, mine, theirs = b, a, theirs, mine
        a_turned, b_turned = not b_turned, not a_turned
    if not mine:  # one row is as well a column
        a_turned = False
    G, M, N = (count([sizes[c] for c in part]) for part in (groups, mine, theirs))
    turned = {"turned": "a" if a_turned else "b"} if a_turned or b_turned else {}
    operands = (rec.materialise(a), rec.materialise(b))
    y = rec.emit("matmul", operands, G * M * N, groups=G, height=M, width=N, **turned)
    order = [*groups, *mine, *theirs]
    row = rec.row(tuple(sizes.get(letter, 1) for letter in order), y, a.kind)
    return reshaped_to(rec, row, order, out, sizes)


def bare(rec: Recorder, x: Row, own: str, others: str, out: str) -> tuple[Row, str]:
    """Return a row without the axes that only it has and that are summed over, or of size 1."""
    lonely = [k for k, c in enumerate(own) if c not in others and c not in out]
    x = reduced(rec, "sum", x, lonely, False) if lonely else x
    own = "".join(c for c in own if c in others or c in out)
    single = [k for k, n in enumerate(x.trailing) if n == 1]
    trailing = tuple(n for n in x.trailing if n != 1)
    return rec.row(trailing, x.value, x.kind), "".join(
        c for k, c in enumerate(own) if k not in single
    )


def placed(x: Row, of_x: str, groups: Sequence[str], left: Any, right: Any) -> bool | None:
    """Return whether a row's matrices are stored transposed, None where its axes lie otherwise."""
    if [*of_x] == [*groups, *left, *right]:
        return False
    return True if [*of_x] == [*groups, *right, *left] else None


def side_by_side(
    rec: Recorder, a: tuple[Row, str], b: tuple[Row, str], letters: Sequence[str], out: str
) -> Row:
    """Return the sum of products of two rows of the same axes."""
    x, y = (permuted(rec, row, [of.index(c) for c in letters]) for row, of in (a, b))
    sizes = dict(zip(letters, x.trailing, strict=True))
    product: Any = rec.pointwise("mul", x, y) if letters else rec.pointwise("mul", a[0], b[0])
    summed = [k for k, c in enumerate(letters) if c not in out]
    product = reduced(rec, "sum", product, summed, False) if summed else product
    return reshaped_to(rec, product, [c for c in letters if c in out], out, sizes)


def reshaped_to(rec: Recorder, x: Row, of_x: Sequence[str], out: str, sizes: Any) -> Row:
    """Return a row with its axes in the order of `out`, in which those of size 1 are, too."""
    x = permuted(rec, x, [of_x.index(c) for c in out if c in of_x])
    return rec.row(tuple(sizes.get(c, 1) for c in out), x.value, x.kind)


@records("einsum")
def einsum(rec: Recorder, equation: str, *operands: Any) -> Row:
    """Record a sum of products of one row with parameters or with another row."""
    if len(operands) == 1 and isinstance(operands[0], tuple | list):
        operands = tuple(operands[0])
    left, _, out = equation.replace(" ", "").partition("->")
    parts = left.split(",")
    if not out or "." in equation or len(parts) != len(operands):
        raise refusal(f"einsum {equation!r}; write all letters and ->")
    lifted = [rec.lift(operand) for operand in operands]
    batch = out[0]
    for part, operand in zip(parts, lifted, strict=True):
        if part.startswith(batch) != isinstance(operand, Row) or batch in part[1:] + out[1:]:
            raise refusal(
                f"einsum {equation!r}; the batch must be the first letter of rows and result"
            )
        if len(set(part)) != len(part):
            raise refusal(f"einsum {equation!r} with a letter twice in one operand")
    return contracted(rec, lifted, [part.replace(batch, "") for part in parts], out[1:])


def contracted(rec: Recorder, operands: Sequence[Any], parts: Sequence[str], out: str) -> Row:
    """Return the sum of products of operands, taken in turn from the left."""
    x, of_x = operands[0], parts[0]
    if len(operands) == 1:
        sizes = dict(zip(of_x, x.trailing, strict=True))
        x, of_x = bare(rec, x, of_x, "", out)
        return reshaped_to(rec, x, of_x, out, sizes)
    if len(operands) > 2:
        raise refusal("einsum of more than two operands")
    y, of_y = operands[1], parts[1]
    if isinstance(x, Leaf):
        x, of_x, y, of_y = y, of_y, x, of_x
    if isinstance(y, Leaf):
        return contract(rec, x, y, of_x, of_y, out)
    return multiply_rows(rec, x, y, of_x, of_y, out)
