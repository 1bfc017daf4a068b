"""Recording attention over what a row itself holds: its last states, its parts, its slots."""

import math
from typing import Any

import torch
from torch import Tensor

from recurra.program.trace_creation import dropout
from recurra.program.trace_elsewhere import TURNED, Turned, turned
from recurra.program.trace_products import linear, multiply_rows
from recurra.program.trace_recorder import Recorder
from recurra.program.trace_reductions import amax, mean, softmax
from recurra.program.trace_refusal import refusal
from recurra.program.trace_shapes import detach
from recurra.program.trace_symbol import Row
from recurra.program.trace_table import functions, records


def weights_of(
    rec: Recorder, q: Row, k: Row, scale: float, masks: list[tuple[str, Any]], safe: bool
) -> Row:
    """Return what each query gives to each key: (B, ..., L, S), their sum 1.

    masks: ("where", flags) keeps what is flagged, ("add", numbers) is added to the scores.
    safe: whether a query to which all is masked gives 0 and not NaN.
    """
    heads = "cdefgh"[: len(q.trailing) - 2]
    scores = multiply_rows(rec, q, k, f"{heads}le", f"{heads}se", f"{heads}ls")
    scores = rec.pointwise("mul", scores, scale)
    for op, mask in masks:
        if op == "add":
            scores = rec.pointwise("add", scores, mask)
        else:
            scores = rec.pointwise("where", mask, scores, -math.inf)
    if not (masks and safe):
        return softmax(rec, scores, -1)
    nothing = rec.pointwise("eq", detach(rec, amax(rec, scores, -1, True)), -math.inf)
    weights = softmax(rec, rec.pointwise("where", nothing, 0.0, scores), -1)
    return rec.pointwise("where", nothing, 0.0, weights)


def attended(rec: Recorder, weights: Row, v: Row) -> Row:
    """Return the sum of values by their weights."""
    heads = "cdefgh"[: len(v.trailing) - 2]
    return multiply_rows(rec, weights, v, f"{heads}ls", f"{heads}se", f"{heads}le")


def as_mask(rec: Recorder, mask: Any) -> tuple[str, Any]:
    """Return what a mask does to the scores."""
    lifted = rec.lift(mask)
    kind = lifted.kind if isinstance(lifted, Row) else lifted.meta.dtype  # type: ignore[union-attr]
    return ("where" if kind is torch.bool else "add"), lifted


@records("scaled_dot_product_attention")
def scaled_dot_product_attention(
    rec: Recorder, query: Any, key: Any, value: Any, attn_mask: Any = None, dropout_p: float = 0.0,
    is_causal: bool = False, *, scale: float | None = None, enable_gqa: bool = False,
) -> Row:  # fmt: skip
    """Record softmax(q·kᵀ·scale)·v within each row."""
    for x in (query, key, value):
        if not isinstance(x, Row):
            raise refusal("attention over parameters; expand them to the batch first")
        if len(x.trailing) < 2:
            raise refusal(
                "attention over (B, features), whose sequence is the batch itself; it needs (B, "
                "length, features) of each row's own"
            )
    if enable_gqa:
        raise refusal("attention with enable_gqa; repeat keys and values")
    masks = [] if attn_mask is None else [as_mask(rec, attn_mask)]
    if is_causal:
        masks.append(("where", rec.hold(causal(rec, query.trailing[-2], key.trailing[-2]))))
    factor = 1 / math.sqrt(query.trailing[-1]) if scale is None else scale
    weights = weights_of(rec, query, key, factor, masks, True)
    if dropout_p > 0:
        weights = dropout(rec, weights, dropout_p, True)
    return attended(rec, weights, value)


def causal(rec: Recorder, L: int, S: int) -> Tensor:
    """Return which keys a query may see: those that are not after it."""
    return torch.ones(L, S, dtype=torch.bool, device=rec.device).tril()


def in_heads(rec: Recorder, x: Any, heads: int) -> Row:
    """Return (B, L, E) as (B, heads, L, E / heads)."""
    length, size = x.trailing
    parts: Row = x.reshape(rec.batch, length, heads, size // heads).transpose(1, 2)
    return parts


@records("multi_head_attention_forward", spaces=(torch.nn.functional,))
def multi_head_attention(
    rec: Recorder, query: Any, key: Any, value: Any, embed_dim: int, num_heads: int,
    in_proj_weight: Any, in_proj_bias: Any, bias_k: Any, bias_v: Any, add_zero_attn: bool,
    dropout_p: float, out_proj_weight: Any, out_proj_bias: Any, training: bool = True,
    key_padding_mask: Any = None, need_weights: bool = True, attn_mask: Any = None,
    use_separate_proj_weight: bool = False, q_proj_weight: Any = None, k_proj_weight: Any = None,
    v_proj_weight: Any = None, static_k: Any = None, static_v: Any = None,
    average_attn_weights: bool = True, is_causal: bool = False,
) -> tuple[Any, Any]:  # fmt: skip
    """Record torch.nn.MultiheadAttention over sequences that each row has its own of."""
    if not all(isinstance(x, Turned) for x in (query, key, value)):
        raise refusal(
            "MultiheadAttention over a sequence whose axis is the batch; give it (B, length, "
            "features) with batch_first=True, or (length, B, features)"
        )
    if any(x is not None for x in (bias_k, bias_v, static_k, static_v)) or add_zero_attn:
        raise refusal("MultiheadAttention with bias_k, bias_v, add_zero_attn or static keys")
    if use_separate_proj_weight:
        weights = [q_proj_weight, k_proj_weight, v_proj_weight]
    else:
        weights = list(in_proj_weight.chunk(3))
    biases = [None] * 3 if in_proj_bias is None else list(in_proj_bias.chunk(3))
    q, k, v = (
        in_heads(rec, linear(rec, x.row, W, b), num_heads)
        for x, W, b in zip((query, key, value), weights, biases, strict=True)
    )
    masks = []
    for mask, padding in ((attn_mask, False), (key_padding_mask, True)):
        if mask is None:
            continue
        op, given = as_mask(rec, mask)
        if op == "where":
            given = given.logical_not()  # here what is flagged is left out
        if padding and isinstance(given, Row):
            given = rec.row((1, 1, *given.trailing), given.value, given.kind)
        masks.append((op, given))
    if is_causal and attn_mask is None:
        raise refusal("MultiheadAttention with is_causal and no attn_mask")
    shares = weights_of(rec, q, k, 1 / math.sqrt(q.trailing[-1]), masks, not need_weights)
    if training and dropout_p > 0:
        shares = dropout(rec, shares, dropout_p, True)
    y: Any = attended(rec, shares, v)
    y = y.transpose(1, 2).reshape(rec.batch, q.trailing[1], -1)
    out = turned(rec, linear(rec, y, out_proj_weight, out_proj_bias))
    if not need_weights:
        return out, None
    return out, mean(rec, shares, 1) if average_attn_weights else shares


for _function in functions("multi_head_attention_forward", (torch.nn.functional,)):
    TURNED[_function] = multi_head_attention
