"""Where the gradients of one sequence go, as the page draws it."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from recurra.data.vocabulary import END, START
from recurra.errors import DataError
from recurra.gradients import gradient_flow
from recurra.gradients.flow_record import GradientFlow
from recurra.networks.bag import BesideBag

MOST = 64  # symbols of an input


class _NextSymbols(nn.Module):
    """A generator's network, of tokens alone."""

    label: Tensor | None

    def __init__(self, network: nn.Module, label: Tensor | None) -> None:
        super().__init__()
        self.network = network
        self.register_buffer("label", label)

    def forward(self, tokens: Tensor) -> Tensor:
        """Return the logits (T, B, V)."""
        logits: Tensor = self.network(tokens, self.label)[0]
        return logits


class _Scores(nn.Module):
    """A network of inputs that are given once and for all."""

    def __init__(self, network: nn.Module, batch: Any, lengths: Tensor) -> None:
        super().__init__()
        self.network, self._given = network, (batch, lengths)

    def forward(self, _: Tensor) -> Tensor:
        """Return the scores."""
        scores: Tensor = self.network(*self._given)
        return scores


def flow_of_symbols(model: Any, given: Any, condition: str | None) -> dict[str, Any]:
    """Return the flow of a generator's losses: of each symbol and of the end."""
    lexicon = model.lexicon_
    symbols = _symbols(lexicon.check_prefix(given, _label(model, condition), model.max_length))
    numbers = lexicon.vocabulary.encode(symbols)
    label = None
    if condition is not None:
        label = torch.tensor([lexicon.conditions.index(condition)])
    tokens = torch.tensor([START, *numbers]).unsqueeze(1)
    wanted = torch.tensor([*numbers, END]).unsqueeze(1)

    def loss(logits: Tensor, y: Tensor) -> Tensor:
        return F.cross_entropy(logits.flatten(0, 1), y.flatten(), reduction="none").view_as(y)

    flow = gradient_flow(
        _NextSymbols(model.network_, label), tokens, wanted, loss=loss, compare=False
    )
    return _record(flow, ["^", *symbols])


def flow_of_tags(model: Any, given: Any) -> dict[str, Any]:
    """Return the flow of a tagger's losses: of its own likeliest tag at each step."""
    rows = model.reading_.read([given], type(model).__name__)
    symbols = _symbols(list(rows[0]))
    batch, lengths = model.reading_.batch(rows, torch.device("cpu"))

    def loss(scores: Tensor) -> Tensor:
        flat = scores.flatten(0, 1)
        return F.cross_entropy(flat, flat.detach().argmax(-1), reduction="none").view(
            scores.shape[:2]
        )

    flow = gradient_flow(
        _Scores(model.network_, batch, lengths), torch.zeros(1), loss=loss, compare=False
    )
    return _record(flow, symbols)


def flow_of_classes(model: Any, given: Any) -> dict[str, Any]:
    """Return the flow of a classifier's loss: of its own likeliest class."""
    rows = model.reading_.read([given], type(model).__name__)
    symbols = _symbols(list(rows[0]))
    network = model.network_
    deep = network.deep if isinstance(network, BesideBag) else network
    batch, lengths = model.reading_.batch(rows, torch.device("cpu"))

    def loss(scores: Tensor) -> Tensor:
        return F.cross_entropy(scores, scores.detach().argmax(-1))

    flow = gradient_flow(_Scores(deep, batch, lengths), torch.zeros(1), loss=loss, compare=False)
    return _record(flow, symbols)


def _label(model: Any, condition: str | None) -> str | None:
    from recurra.tasks.generating.lexicon import check_label

    check_label(condition, model.conditions_)
    return condition


def _symbols(symbols: Sequence[str]) -> list[str]:
    if not symbols or len(symbols) > MOST:
        raise DataError(f"input must have 1 to {MOST} symbols, got {len(symbols)}.")
    return list(symbols)


def _record(flow: GradientFlow, symbols: list[str]) -> dict[str, Any]:
    """Return the record; of two directions the one that runs forward."""
    norms, times = flow.norms[:, 0], np.array(flow.times)
    later = np.arange(norms.shape[-1]) > times[:, np.newaxis]
    return {
        "symbols": symbols,
        "layers": flow.layers,
        "times": list(flow.times),
        "norms": np.where(later, None, norms).tolist(),  # type: ignore[call-overload]
        "rate": float(flow.rate[0, 0]),
        "verdict": flow.verdict,
    }
