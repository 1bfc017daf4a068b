import pytest
import torch

from recurra.errors import ArgumentError
from recurra.networks.pooling import POOLINGS, Pooling


def outputs() -> torch.Tensor:
    return torch.randn(5, 3, 4, generator=torch.Generator().manual_seed(0))


LENGTHS = torch.tensor([5, 2, 0])


def test_last_is_each_directions_own_end() -> None:
    out = outputs()
    one = Pooling("last", 4).eval()(out, LENGTHS)
    assert torch.equal(one[0], out[4, 0].double())
    assert torch.equal(one[1], out[1, 1].double())
    two = Pooling("last", 4, directions=2).eval()(out, LENGTHS)
    assert torch.equal(two[1], torch.cat([out[1, 1, :2], out[0, 1, 2:]]).double())


def test_mean_and_max_are_over_the_steps_there_are() -> None:
    out = outputs()
    assert torch.equal(Pooling("mean", 4).eval()(out, LENGTHS)[1], out[:2, 1].double().mean(0))
    assert torch.equal(Pooling("max", 4).eval()(out, LENGTHS)[1], out[:2, 1].double().amax(0))


def test_attention_is_a_mean_by_learned_weights() -> None:
    torch.manual_seed(0)
    pooling = Pooling("attention", 4).eval()
    out = outputs()
    pooled = pooling(out, LENGTHS)
    row = out[:2, 1].double()
    score = torch.tanh(row @ pooling.key.weight.double().T + pooling.key.bias) @ (
        pooling.query.weight[0].double()
    )
    assert torch.allclose(pooled[1], (score.softmax(0).unsqueeze(1) * row).sum(0))


def test_mix_is_last_mean_and_max() -> None:
    pooled = Pooling("mix", 4).eval()(outputs(), LENGTHS)
    parts = [Pooling(kind, 4).eval()(outputs(), LENGTHS) for kind in ("last", "mean", "max")]
    assert torch.equal(pooled, torch.cat(parts, -1))
    assert Pooling("mix", 4).output_size == 12


@pytest.mark.parametrize("kind", POOLINGS)
def test_a_row_without_steps_is_zero_and_padding_changes_nothing(kind: str) -> None:
    torch.manual_seed(0)
    pooling = Pooling(kind, 4).eval()
    out = outputs()
    pooled = pooling(out, LENGTHS)
    assert torch.equal(pooled[2], torch.zeros_like(pooled[2]))
    out[2:, 1] = 1e30
    assert torch.equal(pooling(out, LENGTHS), pooled)


@pytest.mark.parametrize("kind", POOLINGS)
def test_gradients_are_finite_with_empty_rows(kind: str) -> None:
    torch.manual_seed(0)
    out = outputs().requires_grad_()
    Pooling(kind, 4)(out, LENGTHS).sum().backward()
    assert out.grad is not None
    assert out.grad.isfinite().all()
    assert torch.equal(out.grad[:, 2], torch.zeros(5, 4))


def test_another_kind_is_refused() -> None:
    with pytest.raises(ArgumentError, match="pooling='sum' is not known; there are last, mean"):
        Pooling("sum", 4)
