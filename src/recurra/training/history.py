"""The record of a training run: plain numbers, one row an epoch, one row a step."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass
class Epoch:
    """What one epoch came to.

    train_loss, valid_loss: the mean loss (nats a symbol for a generator), None without validation;
    seconds: how long the epoch took; learning_rate: at its end; best: whether the validation
    loss is the lowest so far.
    """

    number: int
    train_loss: float
    valid_loss: float | None
    seconds: float
    learning_rate: float
    best: bool


@dataclass
class History:
    """A run's record.

    epochs: one `Epoch` each, in order; gradient_norms: the total norm at every optimiser step,
    before clipping; band: the norm band (L, U) that clipped them, None without; clip_by: whose
    norm that is ("total", "layer", "parameter"); group_norms: by layer or parameter, its norm at
    every step in which it had a gradient, unless the band is for the total;
    stopped: why training ended ("epochs", "patience", "interrupted").
    """

    epochs: list[Epoch] = field(default_factory=list)
    gradient_norms: list[float] = field(default_factory=list)
    band: tuple[float, float] | None = None
    stopped: str = "epochs"
    clip_by: str = "total"
    group_norms: dict[str, list[float]] = field(default_factory=dict)

    @property
    def best(self) -> Epoch | None:
        """The epoch whose weights were kept: the last one marked best, None before any."""
        return next((epoch for epoch in reversed(self.epochs) if epoch.best), None)

    @property
    def seconds(self) -> float:
        """How long all epochs took together."""
        return sum(epoch.seconds for epoch in self.epochs)

    def clipped(self) -> tuple[float, float]:
        """Return the shares of norms that were raised to L and lowered to U."""
        norms = self.gradient_norms
        if self.clip_by != "total":
            norms = [norm for each in self.group_norms.values() for norm in each]
        return self._outside(norms)

    def clipped_by_group(self) -> dict[str, tuple[float, float]]:
        """Return for each layer or parameter the shares of its norms that were raised, lowered."""
        return {name: self._outside(norms) for name, norms in self.group_norms.items()}

    def _outside(self, norms: Sequence[float]) -> tuple[float, float]:
        if self.band is None or not norms:
            return 0.0, 0.0
        L, U = self.band
        raised = sum(0 < norm < L for norm in norms)
        lowered = sum(U < norm < math.inf for norm in norms)
        return raised / len(norms), lowered / len(norms)

    def to_dict(self) -> dict[str, Any]:
        """Return the record as plain lists, dicts and numbers."""
        return asdict(self)

    @classmethod
    def from_dict(cls, record: Mapping[str, Any]) -> "History":
        """Rebuild a record from `to_dict`'s result."""
        epochs: Sequence[Mapping[str, Any]] = record["epochs"]
        band = record["band"]
        return cls(
            epochs=[Epoch(**epoch) for epoch in epochs],
            gradient_norms=list(record["gradient_norms"]),
            band=None if band is None else (band[0], band[1]),
            stopped=record["stopped"],
            clip_by=record.get("clip_by", "total"),
            group_norms={k: list(v) for k, v in record.get("group_norms", {}).items()},
        )
