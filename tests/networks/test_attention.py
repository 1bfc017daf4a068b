import math
from typing import Any

import pytest
import torch

from recurra.errors import ArgumentError, ShapeError
from recurra.networks.attention import AdditiveAttention, DotAttention, build_attention

KINDS = ["dot", "additive"]


def parts(kind: str, **options: Any) -> tuple[Any, torch.Tensor, torch.Tensor]:
    attention = build_attention(kind, 5, 6, 4)
    return attention, torch.randn(3, 2, 5), torch.randn(7, 2, 6)


@pytest.mark.parametrize("kind", KINDS)
def test_the_context_is_the_mean_that_the_weights_say(kind: str) -> None:
    attention, query, memory = parts(kind)
    context, weights = attention(query, memory)
    assert context.shape == (3, 2, 6)
    torch.testing.assert_close(weights.sum(-1), torch.ones(3, 2))
    torch.testing.assert_close(context, torch.einsum("tbs,sbm->tbm", weights, memory))


def test_dot_scores_are_luong_s_general_form_scaled() -> None:
    attention, query, memory = parts("dot")
    W = attention.query.weight.T @ attention.key.weight  # (Q, M)
    scores = torch.einsum("tbq,qm,sbm->tbs", query, W, memory) / math.sqrt(4)
    torch.testing.assert_close(attention(query, memory)[1], scores.softmax(-1))


def test_additive_scores_are_bahdanau_s() -> None:
    attention, query, memory = parts("additive")
    assert isinstance(attention, AdditiveAttention)
    _, weights = attention(query, memory)
    for t in range(3):
        for b in range(2):
            scores = [
                attention.v.weight[0]
                @ torch.tanh(
                    attention.query.weight @ query[t, b] + attention.key.weight @ memory[s, b]
                )
                for s in range(7)
            ]
            torch.testing.assert_close(weights[t, b], torch.stack(scores).softmax(0))


@pytest.mark.parametrize("kind", KINDS)
def test_what_lies_behind_a_row_s_end_is_never_looked_at(kind: str) -> None:
    attention, query, memory = parts(kind)
    memory[4:, 1] = math.nan
    memory.requires_grad_()
    context, weights = attention(query, memory, torch.tensor([7, 4]))
    alone, _ = attention(query[:, 1:], memory[:4, 1:])
    torch.testing.assert_close(context[:, 1:], alone)
    assert not weights[:, 1, 4:].any()
    (dmemory,) = torch.autograd.grad(context.sum(), memory)
    assert torch.isfinite(dmemory).all()
    assert not dmemory[4:, 1].any()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("steps", [0, 3])
def test_a_row_without_memory_gets_zeros(kind: str, steps: int) -> None:
    attention, query, memory = parts(kind)
    context, weights = attention(query, memory[:steps], torch.tensor([steps, 0]))
    assert not context[:, 1].any()
    assert not weights[:, 1].any()
    assert torch.isfinite(context).all()
    context.sum().backward()
    assert torch.isfinite(attention.query.weight.grad).all()


@pytest.mark.parametrize("kind", KINDS)
def test_its_gradients_are_those_of_differences(kind: str) -> None:
    attention, query, memory = parts(kind)
    attention.double()
    lengths = torch.tensor([7, 2])
    query, memory = query.double().requires_grad_(), memory.double().requires_grad_()
    assert torch.autograd.gradcheck(lambda q, m: attention(q, m, lengths), (query, memory))


def test_a_large_score_stays_finite() -> None:
    attention, query, memory = parts("dot")
    context, _ = attention(query * 1e18, memory, torch.tensor([7, 3]))
    assert torch.isfinite(context).all()


def test_rows_that_do_not_agree_and_unknown_names_are_refused() -> None:
    attention = DotAttention(5, 6, 4)
    with pytest.raises(ShapeError, match="query is of 3 rows, memory of 2"):
        attention(torch.randn(1, 3, 5), torch.randn(7, 2, 6))
    with pytest.raises(ArgumentError, match="'dott'"):
        build_attention("dott", 1, 1, 1)
