"""How a generator learns series of numbers, and makes them."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pydantic
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from recurra.data.batches import LengthBatches
from recurra.data.examples import Examples
from recurra.data.inputs import Inputs
from recurra.errors import ArgumentError, DataError
from recurra.layers import Recurrent
from recurra.networks import Sampling, row_sums
from recurra.networks.number_generator import NumberGenerator
from recurra.tasks.generating.number_batches import (
    NumberBatch,
    Series,
    number_batches,
    step_losses,
    summed_step_loss,
)
from recurra.tasks.reading import Reading

_COMPONENTS = 8  # normal distributions mixed for each step


class Measures(pydantic.BaseModel):
    """The form, scale and labels of the series a generator was fitted on.

    reading: their form and scale; steps: how many each has, 0 where that differs;
    flat: whether they were given without an axis of features; conditions: the labels, in order,
    empty without; counts: how many series there are of each (of all, without labels).
    """

    model_config = pydantic.ConfigDict(extra="forbid", strict=True, frozen=True)

    reading: Reading
    steps: int
    flat: bool
    conditions: list[str]
    counts: list[float]


class NumberSequences:
    """Series of numbers, by what is known of them.

    measures: their form, scale and labels; max_length: the steps one may have.
    """

    loss = staticmethod(summed_step_loss)
    unit = "nats a step"

    def __init__(self, measures: Measures, max_length: int) -> None:
        self.measures, self.max_length = measures, max_length

    @classmethod
    def of(
        cls, inputs: Inputs, train: Examples, labels: Sequence[str] | None, max_length: int
    ) -> "NumberSequences":
        """Learn form and scale from the part to train on."""
        reading = Reading.learn(inputs, train.inputs, train.weights)
        names = sorted(set(labels)) if labels else []
        lengths = {len(row) for row in inputs.rows}
        measures = Measures(
            reading=reading,
            steps=lengths.pop() if len(lengths) == 1 else 0,
            flat=inputs.flat,
            conditions=names,
            counts=[float(sum(label == name for label in labels or ())) for name in names],
        )
        made = cls(measures, max_length)
        made.read_rows(inputs)
        return made

    @property
    def conditions(self) -> list[str]:
        """The labels, in order; empty without."""
        return self.measures.conditions

    @property
    def counts(self) -> list[float]:
        """How many series there are of each label."""
        return self.measures.counts

    def read_rows(self, inputs: Inputs) -> list[Series]:
        """Return the series; raises `DataError` for one too long or without a step."""
        for k, row in enumerate(inputs.rows):
            if not 1 <= len(row) <= self.max_length:
                raise DataError(
                    f"X, row {k}: {len(row)} steps; a series has 1 to max_length={self.max_length}."
                )
        return list(inputs.rows)

    def read(self, X: Any) -> list[Series]:
        """Return what a fitted model is given as arrays (T, F); raises `DataError`."""
        return [np.asarray(row) for row in self.measures.reading.read(X, "SequenceGenerator")]

    def build(
        self, recurrent: Callable[[int], Recurrent], embedding_size: int, dropout: float
    ) -> NumberGenerator:
        """Build the network."""
        reading, labels = self.measures.reading, len(self.conditions)
        return NumberGenerator(
            reading.mean,
            reading.deviation,
            labels,
            embedding_size,
            recurrent(reading.features + 1 + (embedding_size if labels else 0)),
            _COMPONENTS,
            dropout,
        )

    def batches(
        self,
        network: nn.Module,
        examples: Examples,
        batch_size: int,
        draw: torch.Generator | None = None,
    ) -> LengthBatches[NumberBatch]:
        """Return batches of series, the targets their labels; with `draw` as trained on."""
        assert isinstance(network, NumberGenerator)
        numbers = {label: k for k, label in enumerate(self.conditions)}
        return number_batches(
            network,
            examples.inputs,
            [numbers[label] for label in examples.targets] if numbers else None,
            examples.weights.tolist(),
            fixed=self.measures.steps > 0,
            batch_size=batch_size,
            draw=draw,
        )

    def log_likelihoods(
        self, network: nn.Module, rows: Sequence[Series], labels: Sequence[str] | None
    ) -> NDArray[np.float64]:
        """Return the log density of each series and its end, in nats: (n,)."""
        targets: Sequence[str | None] = labels or [None] * len(rows)
        batches = self.batches(network, Examples(rows, targets, np.ones(len(rows))), 256)
        found = -row_sums(network, batches, step_losses)
        # From standard units to those of the data.
        scale = float(np.log(self.measures.reading.deviation).sum())
        return found - scale * np.array([len(row) for row in rows])

    def sizes(self, rows: Sequence[Series]) -> int:
        """Return how many steps there are."""
        return sum(len(row) for row in rows)

    def naive_loss(self, train: Examples, judged: Examples) -> float:
        """Return the loss of one normal distribution for all steps, in nats a step.

        It is in standard units, as the training's losses are.
        """
        reading = self.measures.reading
        z = (np.concatenate(judged.inputs) - reading.mean) / reading.deviation
        return float((0.5 * z**2 + 0.5 * np.log(2 * np.pi)).sum(1).mean())

    def begin(self, prefix: Any, condition: str | None) -> Series:
        """Return a beginning as an array (t, F); raises `ArgumentError` for another form."""
        features = self.measures.reading.features
        try:
            array = np.asarray([] if prefix in ("", None) else prefix, dtype=np.float64)
        except (TypeError, ValueError):
            raise ArgumentError(f"prefix={prefix!r} must be numbers for this model.") from None
        array = array.reshape(-1, features) if array.size % features == 0 else array
        most = self.measures.steps or self.max_length
        if array.ndim != 2 or array.shape[1] != features or not np.isfinite(array).all():
            raise ArgumentError(f"prefix must be finite numbers (t, {features}), got {prefix!r}.")
        if len(array) >= most:
            raise ArgumentError(f"prefix has {len(array)} steps; the longest series has {most}.")
        return array

    def draw(
        self,
        network: nn.Module,
        beginning: Series,
        condition: str | None,
        n: int,
        sampling: Sampling,
        generator: torch.Generator | None,
    ) -> list[Series]:
        """Draw `n` series, their beginning included."""
        assert isinstance(network, NumberGenerator)
        if sampling.top_k is not None or sampling.top_p is not None:
            raise ArgumentError("top_k and top_p choose among symbols; numbers have none.")
        label = None
        if condition is not None:
            number = self.conditions.index(condition)
            label = torch.full((n,), number, device=network.head.weight.device)
        return draw_series(
            network,
            beginning,
            label,
            n,
            steps=self.measures.steps or self.max_length,
            fixed=self.measures.steps > 0,
            temperature=sampling.temperature,
            generator=generator,
        )

    def joined(self, row: Series) -> Series:
        """Return a series as the user gives them: (T,) or (T, F)."""
        return row[:, 0] if self.measures.flat else row


@torch.no_grad()
def draw_series(
    network: NumberGenerator,
    beginning: Series,
    condition: Tensor | None,
    n: int,
    *,
    steps: int,
    fixed: bool,
    temperature: float,
    generator: torch.Generator | None,
) -> list[Series]:
    """Draw `n` series that begin with `beginning` (t, F), of at most (or, fixed, of) `steps`."""
    device = network.head.weight.device
    x = torch.from_numpy(beginning).to(device).unsqueeze(1).expand(-1, n, -1)
    z = network.standard(x)
    before = F.pad(torch.cat([z, torch.ones_like(z[..., :1])], -1), (0, 0, 0, 0, 1, 0))
    state: Any = None
    drawn: list[Tensor] = []
    lengths = torch.full((n,), steps, device=device)
    for step in range(len(beginning), steps):
        after, state = network(before, condition, state)
        last = type(after)(*(part[-1] for part in after))
        value, over = last.draw(temperature, generator)
        if not fixed:
            lengths = torch.where((lengths == steps) & over, max(step, 1), lengths)
            if (lengths < steps).all():
                break
        drawn.append(value)
        before = torch.cat([value, torch.ones_like(value[:, :1])], -1).to(before).unsqueeze(0)
    made = torch.stack(drawn) if drawn else x.new_zeros(0, n, x.shape[-1])
    made = made * network.scale.deviation + network.scale.mean
    whole = torch.cat([x.to(made), made]).cpu().numpy()
    return [whole[:length, k] for k, length in enumerate(lengths.tolist())]
