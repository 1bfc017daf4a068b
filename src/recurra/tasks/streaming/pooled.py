"""Streams of a classifier or a regressor: pooled so far, and scored."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from recurra.networks import PooledNetwork
from recurra.networks.bag import BesideBag
from recurra.networks.linear import linear_like
from recurra.networks.running_pool import RunningPool
from recurra.tasks.classifying.classifier import SequenceClassifier
from recurra.tasks.classifying.regressor import SequenceRegressor
from recurra.tasks.streaming.bag import RunningBag
from recurra.tasks.streaming.encoded import EncoderReader
from recurra.tasks.streaming.reader import Kept, State


class PooledReader(EncoderReader):
    """Reads streams of a classifier or a regressor."""

    def __init__(self, estimator: SequenceClassifier | SequenceRegressor) -> None:
        network = estimator.network_
        deep = network.deep if isinstance(network, BesideBag) else network
        assert isinstance(deep, PooledNetwork)
        super().__init__(estimator, deep.encoder)
        self._estimator, self._deep = estimator, deep
        self._pool = RunningPool(deep.pooling)
        self._bag = RunningBag(network) if isinstance(network, BesideBag) else None

    def start(self, condition: Any = None) -> State:
        """Return the state of a stream of which nothing was read."""
        pool = self._pool.start(self._deep.encoder.output_size)
        bag = self._bag.start() if self._bag else {}
        return super().start(condition) | {f"pool.{k}": v for k, v in pool.items()} | bag

    def grows(self, name: str) -> bool:
        """Return whether a tensor of the state may have any length."""
        return name in ("bag.terms", "bag.counts", "bag.before")

    def fixed_of(self, state: State) -> tuple[State, Any]:
        """Return a stream's state as it is kept: the bag beside the tensors."""
        if self._bag is None:
            return state, None
        return {k: v for k, v in state.items() if not k.startswith("bag.")}, self._bag.of(state)

    def state_of(self, fixed: State, loose: Any) -> State:
        """Return what is kept of a stream as its state."""
        return fixed if self._bag is None else fixed | self._bag.state(loose)

    def room_of(self, loose: Any) -> int:
        """Return about how many bytes the bag takes."""
        return 0 if loose is None else loose.size()

    @torch.no_grad()
    def advance(self, kept: Kept, rows: Sequence[Any], most: int | None = None) -> list[Any]:
        """Read rows on and return the probabilities, or the numbers."""
        out, lengths = self._run(kept, rows)
        pool = {k[5:]: v.to(out.device) for k, v in kept.fixed.items() if k.startswith("pool.")}
        pool = self._pool.update(pool, out, torch.tensor(lengths, device=out.device))
        scores = linear_like(self._deep.head, self._pool.pooled(pool))
        kept.fixed.update((f"pool.{name}", tensor) for name, tensor in pool.items())
        if self._bag is not None:
            scores = self._bag.beside(scores, kept.loose, rows)
        return self._answers(scores)

    def _answers(self, scores: Tensor) -> list[Any]:
        if isinstance(self._estimator, SequenceClassifier):
            return list(scores.softmax(-1).cpu().numpy())
        one = self._estimator
        values = scores.cpu().numpy() * one.target_deviation_ + one.target_mean_
        return values[:, 0].tolist() if one.flat_ else list(values)
