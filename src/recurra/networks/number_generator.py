"""One to many, in numbers: each step's distribution from the steps before it."""

import math
from collections.abc import Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from recurra.layers import Recurrent
from recurra.networks.embedding import drop_features, embedding
from recurra.networks.linear import linear_like
from recurra.networks.readers import NumberReader

State = tuple[Tensor, ...]
_LEAST = 1e-3  # of a standard deviation; a spread of zero has no likelihood


class NextStep(NamedTuple):
    """The distribution of a next step, in standard units: a mixture of K normal ones.

    shares: (..., K), logarithms; mean, deviation: (..., K, F); end: (...), the logit of there
    being no next step.
    """

    shares: Tensor
    mean: Tensor
    deviation: Tensor
    end: Tensor

    def log_density(self, z: Tensor) -> Tensor:
        """Return log p(z) of steps z (..., F), given that there is one: (...)."""
        e = (z.unsqueeze(-2) - self.mean) / self.deviation
        each = -0.5 * e.square() - self.deviation.log() - 0.5 * math.log(2 * math.pi)
        return (self.shares + each.sum(-1)).logsumexp(-1)

    def draw(self, temperature: float, generator: torch.Generator | None) -> tuple[Tensor, Tensor]:
        """Draw a step of each row: z (B, F), and whether it is none but the end (B,).

        A temperature below 1 is surer: it divides the logits and, rooted, multiplies the
        deviations. Source: Ha and Eck, arXiv 1704.03477, equation 8.
        """
        p = (self.shares / temperature).softmax(-1)
        chosen = torch.multinomial(p, 1, generator=generator)
        rows = torch.arange(len(p), device=p.device)
        mean = self.mean[rows, chosen[:, 0]]
        deviation = self.deviation[rows, chosen[:, 0]] * math.sqrt(temperature)
        noise = torch.randn(mean.shape, generator=generator, dtype=mean.dtype, device=mean.device)
        ends = torch.rand(len(p), generator=generator, dtype=p.dtype, device=p.device)
        return mean + deviation * noise, ends < (self.end / temperature).sigmoid()


class NumberGenerator(nn.Module):
    """Predicts each next step of a series, and its end, given a label for the whole.

    Source: Graves, arXiv 1308.0850, equations 16 to 22, with independent features.

    Args:
        mean, deviation: F numbers each, what the data are scaled by.
        conditions: how many labels there are, 0 for none.
        embedding_size: the features a label is read as.
        recurrent: the layer, with input_size F + 1, and embedding_size more with labels.
        components: K, how many normal distributions are mixed.
        dropout: the probability of a feature's being zeroed after the layer.
    """

    def __init__(
        self,
        mean: Sequence[float],
        deviation: Sequence[float],
        conditions: int,
        embedding_size: int,
        recurrent: Recurrent,
        components: int,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        self.scale = NumberReader(mean, deviation)
        self.conditions = embedding(conditions, embedding_size) if conditions else None
        recurrent.states().check_even("a generator")
        self.recurrent, self.dropout = recurrent, dropout
        self.features, self.components = len(mean), components
        outputs = components * (1 + 2 * len(mean)) + 1
        self.head = nn.Linear(recurrent.output_size, outputs)

    def forward(
        self, before: Tensor, condition: Tensor | None = None, state: State | None = None
    ) -> tuple[NextStep, State]:
        """Return the distribution of the step that follows each.

        Args:
            before: (T, B, F + 1), steps in standard units with a 1 beside them, zeros for what is
                before the first one.
            condition: (B,), the labels' numbers, None where the network has none.
            state: what an earlier call returned, to go on from there.
        """
        x = before
        if self.conditions is not None:
            x = torch.cat([x, self.conditions(condition).expand(len(x), -1, -1)], -1)
        out, state = self.recurrent(x, state)
        out = drop_features(out, self.dropout if self.training else 0.0)
        if not self.training:
            out = out.double()  # so that a row is the same in any batch
        raw = linear_like(self.head, out)
        return self._read(raw, before[..., :-1].to(raw)), state

    def standard(self, x: Tensor) -> Tensor:
        """Return steps in standard units."""
        scaled: Tensor = self.scale(x)
        return scaled

    def _read(self, raw: Tensor, last: Tensor) -> NextStep:
        """Return what raw outputs stand for; means are told from the last step (..., F)."""
        K, features = self.components, self.features
        shares, rest, end = torch.split(raw, [K, 2 * K * features, 1], -1)
        mean, deviation = rest.reshape(*rest.shape[:-1], 2, K, features).unbind(-3)
        return NextStep(
            shares.log_softmax(-1),
            last.unsqueeze(-2) + mean,
            F.softplus(deviation) + _LEAST,
            end.squeeze(-1),
        )
