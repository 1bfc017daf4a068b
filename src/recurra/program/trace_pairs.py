"""Recording similarities, distances and products of two vectors."""

import math
from typing import Any

import torch

from recurra.program.trace_elsewhere import DERIVATIVE
from recurra.program.trace_products import contract
from recurra.program.trace_recorder import Recorder
from recurra.program.trace_reductions import norm, reduced, safe_root, total
from recurra.program.trace_refusal import refusal
from recurra.program.trace_shapes import axis_of, detach
from recurra.program.trace_symbol import Leaf, Row
from recurra.program.trace_table import records
from recurra.program.trace_types import COMPLEX
from recurra.program.trace_writer import count


@records("cosine_similarity")
def cosine_similarity(rec: Recorder, a: Any, b: Any, dim: int = 1, eps: float = 1e-8) -> Row:
    """Record the cosine of the angle between two vectors."""
    a, b = rec.lift(a), rec.lift(b)
    rows = [x for x in (a, b) if isinstance(x, Row)]
    axis_of(rows[0], dim)
    sides = []
    for x in (a, b):
        if isinstance(x, Row):
            length = norm(rec, x, 2, dim, True)
            short = rec.pointwise("lt", length, eps)  # torch's gradient goes on as if it were not
            held = rec.pointwise("add", length, detach(rec, rec.pointwise("sub", eps, length)))
            x = rec.pointwise("div", x, rec.pointwise("where", short, held, length))
        else:
            back = dim if dim < 0 else dim - len(rows[0].trailing) - 1
            lengths: Any = torch.linalg.vector_norm(x, dim=back, keepdim=True)
            x = x / (lengths + (lengths.clamp_min(eps) - lengths).detach())
        sides.append(x)
    return total(rec, rec.pointwise("mul", *sides), dim)


def distance(rec: Recorder, apart: Row, p: float, keepdim: bool) -> Row:
    """Return the norm of the last axis, with no gradient at 0."""
    if p == 2:
        squares = rec.pointwise("mul", apart, apart)
        return safe_root(rec, reduced(rec, "sum", squares, [len(apart.trailing) - 1], keepdim))
    if p in (1, math.inf):
        return norm(rec, apart, p, -1, keepdim)
    raise refusal(f"a distance of order {p}; 1, 2 and infinity are known")


@records("pairwise_distance")
def pairwise_distance(
    rec: Recorder, a: Any, b: Any, p: float = 2.0, eps: float = 1e-6, keepdim: bool = False
) -> Row:
    """Record how far two vectors are apart."""
    return distance(rec, rec.pointwise("add", rec.pointwise("sub", a, b), eps), p, keepdim)


@records("cdist")
def cdist(rec: Recorder, a: Any, b: Any, p: float = 2.0, compute_mode: Any = None) -> Row:
    """Record how far each of some vectors is from each of others."""
    sides: list[Any] = [rec.lift(a), rec.lift(b)]
    for x in sides:
        if isinstance(x, Row) and len(x.trailing) < 2:
            raise refusal("cdist of (B, features), which mixes rows of the batch")
        if isinstance(x, Leaf) and x.meta.dim() != 2:
            raise refusal("cdist with a parameter that is no matrix")
    apart = rec.pointwise("sub", sides[0].unsqueeze(-2), sides[1].unsqueeze(-3))
    return distance(rec, apart, p, False)


@records("bilinear")
def bilinear(rec: Recorder, a: Any, b: Any, weight: Any, bias: Any = None) -> Row:
    """Record aᵀ·W·b for each matrix of a weight, plus a bias."""
    W = rec.lift(weight)
    if not (isinstance(a, Row) and isinstance(b, Row) and isinstance(W, Leaf)):
        raise refusal("F.bilinear with a weight that is no parameter, or an input that is one")
    outer: Any = rec.pointwise("mul", a.unsqueeze(-1), b.unsqueeze(-2))
    flat: Any = W.reshape(W.meta.shape[0], -1)
    trailing = outer.trailing[:-2]
    pairs = rec.row((*trailing, count(outer.trailing[-2:])), outer.value, outer.kind)
    letters = "cdefgh"[: len(trailing)]
    y = contract(rec, pairs, flat, f"{letters}k", "nk", f"{letters}n")
    return y if bias is None else rec.pointwise("add", y, bias)


_EACH = (
    "solve inv inv_ex det slogdet cholesky eig eigh eigvals eigvalsh svd svdvals qr lstsq pinv",
    "matrix_exp matrix_power solve_triangular solve_ex lu lu_factor lu_solve matrix_rank",
    "inverse logdet cholesky_solve cholesky_inverse triangular_solve",
)


@records(*" ".join(_EACH).split(), spaces=(torch.linalg, torch, torch.Tensor))
def of_each_matrix(rec: Recorder, *_: Any, **others: Any) -> None:
    """Refuse what takes an algorithm for each row's own matrix."""
    raise refusal(
        "linear algebra (solve, inverse, decompositions) of a matrix that each row has its own of: "
        "no op of a program does that; of parameters alone it is done once a call"
    )


@records("grad", spaces=(torch.autograd,))
def gradient(rec: Recorder, *_: Any, **others: Any) -> None:
    """Refuse a gradient that is taken inside a cell."""
    raise refusal(f"torch.autograd.grad inside the cell{DERIVATIVE}")


_COMPLEX = "complex view_as_complex view_as_real polar angle imag conj_physical"
_FOURIER = "fft ifft rfft irfft fft2 ifft2 rfft2 irfft2 fftn ifftn rfftn irfftn hfft ihfft"


@records(*_COMPLEX.split())
def of_complex_numbers(rec: Recorder, *_: Any, **others: Any) -> None:
    """Refuse complex numbers: a program's are real."""
    raise refusal(COMPLEX)


@records(*_FOURIER.split(), spaces=(torch.fft,))
def fourier(rec: Recorder, *_: Any, **others: Any) -> None:
    """Refuse Fourier transforms, which give complex numbers."""
    raise refusal(
        "a Fourier transform; write it as products with matrices of cosines and sines: "
        "x @ torch.fft.fft(torch.eye(n)).real, and .imag"
    )
