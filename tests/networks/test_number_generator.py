import math

import torch

from recurra import Recurrent
from recurra.networks.number_generator import NextStep, NumberGenerator


def step(n: int = 4000) -> NextStep:
    """Return a mixture of two: three in four about -2, one in four about 3, deviation 0.5."""
    shares = torch.log(torch.tensor([0.75, 0.25])).expand(n, 2)
    mean = torch.tensor([[-2.0], [3.0]]).expand(n, 2, 1)
    return NextStep(shares, mean, torch.full((n, 2, 1), 0.5), torch.full((n,), -1.0))


def test_the_density_is_that_of_the_mixture() -> None:
    z = torch.tensor([[-2.0], [0.0], [3.0]])
    normal = torch.distributions.Normal(torch.tensor([-2.0, 3.0]), 0.5)
    wanted = (normal.log_prob(z).exp() * torch.tensor([0.75, 0.25])).sum(-1).log()
    torch.testing.assert_close(step(3).log_density(z), wanted)


def test_draws_follow_the_mixture_and_the_end_its_probability() -> None:
    z, ends = step().draw(1.0, torch.Generator().manual_seed(0))
    assert abs((z > 0.5).float().mean() - 0.25) < 0.03
    assert abs(z[z > 0.5].std() - 0.5) < 0.05
    assert abs(ends.float().mean() - 1 / (1 + math.e)) < 0.03


def test_a_low_temperature_prefers_the_larger_share_and_spreads_less() -> None:
    z, ends = step().draw(0.25, torch.Generator().manual_seed(0))
    assert (z > 0.5).float().mean() < 0.03  # 1 in 82
    assert abs(z[z < 0.5].std() - 0.25) < 0.03
    assert ends.float().mean() < 0.04


def test_predictions_are_in_float64_so_that_a_row_is_the_same_in_any_batch() -> None:
    torch.manual_seed(0)
    network = NumberGenerator([1.0], [2.0], 0, 4, Recurrent("lstm", 2, 16), 3).eval()
    before = torch.randn(7, 33, 2)
    many, _ = network(before)
    one, _ = network(before[:, 5:6])
    assert many.mean.dtype == torch.float64
    assert torch.allclose(many.mean[:, 5:6], one.mean, rtol=0, atol=1e-12)
