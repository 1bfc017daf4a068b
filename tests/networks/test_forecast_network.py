import pytest
import torch

from recurra.errors import ArgumentError
from recurra.layers import Recurrent
from recurra.networks.forecaster import ForecastNetwork
from recurra.networks.heads import build_head

W, H, K, B = 7, 3, 2, 5


def network(decoder="direct", *, known=0, series=0, bidirectional=False, **options):
    torch.manual_seed(0)
    features = 3 if series else 0
    encoder = Recurrent("lstm", 1 + known + features, 8, bidirectional=bidirectional)
    ahead = Recurrent("lstm", known + 2, 8) if decoder == "recurrent" else None
    return ForecastNetwork(
        W, H, encoder, build_head("gaussian", (0.5,)), ahead,
        known=known, series=series, series_features=features, **options,
    )  # fmt: skip


def inputs(known=0, seed=1):
    draw = torch.Generator().manual_seed(seed)
    x = torch.randn(W, B, 1 + known, generator=draw, dtype=torch.float64)
    ahead = torch.randn(H, B, known, generator=draw, dtype=torch.float64) if known else None
    return x, torch.arange(B) % 3, ahead


@pytest.mark.parametrize("decoder", ["direct", "recurrent"])
@pytest.mark.parametrize("known", [0, K])
def test_a_forecast_has_the_heads_numbers_for_each_step_ahead(decoder, known):
    made = network(decoder, known=known, series=2).eval()(*inputs(known))
    assert made.shape == (B, H, 2)
    assert made.dtype == torch.float64


@pytest.mark.parametrize("decoder", ["direct", "recurrent"])
def test_a_row_alone_is_forecast_as_in_a_batch(decoder):
    net = network(decoder, known=K, series=2).eval()
    x, series, ahead = inputs(K)
    whole = net(x, series, ahead)
    for b in range(B):
        alone = net(x[:, b : b + 1], series[b : b + 1], ahead[:, b : b + 1])
        assert torch.allclose(alone[0], whole[b], rtol=0, atol=1e-12)


def test_a_direct_decoder_takes_each_steps_covariates_for_that_step_alone():
    net = network(known=K).eval()
    x, series, ahead = inputs(K)
    other = ahead.clone()
    other[1] += 1
    changed = (net(x, series, ahead) != net(x, series, other)).any(-1).any(0)
    assert changed.tolist() == [False, True, False]


def test_a_recurrent_decoder_takes_covariates_from_their_step_on():
    net = network("recurrent", known=K).eval()
    x, series, ahead = inputs(K)
    other = ahead.clone()
    other[1] += 1
    changed = (net(x, series, ahead) != net(x, series, other)).any(-1).any(0)
    assert changed.tolist() == [False, True, True]


def test_the_linear_model_moves_where_a_forecast_lies_and_not_its_spread():
    net = network().eval()
    x, series, _ = inputs()
    before = net(x, series)
    with torch.no_grad():
        net.linear.weight[1, -1] = 2.0
    after = net(x, series)
    assert torch.allclose(after[:, 1, 0], before[:, 1, 0] + 2 * x[-1, :, 0])
    assert torch.equal(after[..., 1], before[..., 1])
    assert torch.equal(after[:, [0, 2]], before[:, [0, 2]])


def test_series_are_told_apart_by_their_embedding_alone():
    net = network(series=2).eval()
    x, _, _ = inputs()
    same = x[:, :1].expand(-1, 3, -1)
    made = net(same, torch.tensor([0, 1, 1]))
    assert not torch.equal(made[0], made[1])
    assert torch.equal(made[1], made[2])


def test_every_weight_gets_a_gradient():
    for decoder in ("direct", "recurrent"):
        net = network(decoder, known=K, series=2, dropout=0.1).train()
        made = net(*inputs(K))
        net.head.loss(made, torch.ones(B, H)).sum().backward()
        assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in net.parameters())


def test_a_recurrent_decoder_refuses_two_directions():
    with pytest.raises(ArgumentError, match="decoder='recurrent' goes without bidirectional=True"):
        network("recurrent", bidirectional=True)
    assert network(bidirectional=True).eval()(*inputs()).shape == (B, H, 2)
