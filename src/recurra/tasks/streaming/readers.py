"""A reader of streams for each estimator that can answer before the end."""

from typing import Any

from recurra.errors import ArgumentError
from recurra.tasks.classifying.classifier import SequenceClassifier
from recurra.tasks.classifying.regressor import SequenceRegressor
from recurra.tasks.estimator import SequenceEstimator
from recurra.tasks.forecasting.forecaster import Forecaster
from recurra.tasks.generating.generator import SequenceGenerator
from recurra.tasks.streaming.pooled import PooledReader
from recurra.tasks.streaming.reader import StreamReader
from recurra.tasks.streaming.symbols import SymbolReader
from recurra.tasks.streaming.tags import TagReader
from recurra.tasks.streaming.window import WindowReader
from recurra.tasks.tagging.tagger import SequenceTagger

_KINDS: dict[type[SequenceEstimator], Any] = {
    SequenceClassifier: PooledReader,
    SequenceRegressor: PooledReader,
    SequenceTagger: TagReader,
    SequenceGenerator: SymbolReader,
    Forecaster: WindowReader,
}


def reader_for(estimator: SequenceEstimator) -> StreamReader:
    """Return what reads streams of a fitted estimator: the same one at every call.

    Raises `ArgumentError` where it cannot answer before the end.
    """
    estimator._check_fitted()
    kept = estimator.__dict__.get("_stream_reader")
    if kept is not None and kept[0] is estimator.network_:
        found: StreamReader = kept[1]
        return found
    made = _build(estimator)
    estimator.__dict__["_stream_reader"] = (estimator.network_, made)
    return made


def _build(estimator: SequenceEstimator) -> StreamReader:
    name = type(estimator).__name__
    kind = _KINDS.get(type(estimator))
    if kind is None:
        raise ArgumentError(f"a {name} answers when it has the whole input: it has no stream.")
    if estimator.bidirectional:
        raise ArgumentError(
            f"this {name} reads in both directions, and needs the end before the beginning: fit "
            "one with bidirectional=False to run along a stream."
        )
    made: StreamReader = kind(estimator)
    return made
