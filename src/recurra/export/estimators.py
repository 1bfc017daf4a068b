"""A fitted estimator as a graph, and what a user needs to feed it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from numpy.typing import NDArray
from torch import nn

from recurra.errors import ExportError
from recurra.export.forecast import write_forecast
from recurra.export.graph import Graph, Port
from recurra.export.networks import (
    Run,
    write_beside_bag,
    write_blank,
    write_generator,
    write_number_generator,
    write_pooled,
    write_tagger,
)
from recurra.export.notes import generator_notes, reading_notes
from recurra.export.readers import WIDE
from recurra.export.subject import Arrays, Subject, in_use
from recurra.networks.bag import BesideBag
from recurra.tasks import (
    BlankFiller,
    Forecaster,
    SequenceClassifier,
    SequenceGenerator,
    SequenceRegressor,
    SequenceTagger,
)
from recurra.tasks.generating.number_sequences import NumberSequences
from recurra.tasks.parameters import not_fitted

Notes = dict[str, Any]


@dataclass(frozen=True)
class Task:
    """How the estimators of one task are written.

    write: adds all outputs to the graph and returns what the model gives; notes: what a user must
    know; about: what comes in and what goes out.
    """

    write: Callable[[Graph, Any, bool], Run]
    notes: Callable[[Any], Notes]
    about: str


def estimator_subject(model: Any, *, streaming: bool) -> Subject:
    """Write a fitted estimator; raises `ExportError` for a task that cannot be exported."""
    name = type(model).__name__
    task = next((task for kind, task in _TASKS.items() if isinstance(model, kind)), None)
    if task is None:
        names = ", ".join(kind.__name__ for kind in _TASKS)
        raise ExportError(f"a {name} cannot be exported; these can: {names}.")
    if not hasattr(model, "network_"):
        raise not_fitted(model)
    network: nn.Module = model.network_
    graph = Graph()
    with in_use(network):
        give = task.write(graph, model, streaming)

    def run(feeds: Arrays) -> Sequence[NDArray[Any]]:
        device = next(network.parameters()).device
        tensors = {name: torch.from_numpy(array).to(device) for name, array in feeds.items()}
        with in_use(network):
            return [tensor.cpu().numpy() for tensor in give(tensors)]

    notes = {"task": name, "numbers": "float32", **task.notes(model)}
    return Subject(graph, f"{name}: {task.about}", run, notes)


def _classifier(graph: Graph, model: SequenceClassifier, streaming: bool) -> Run:
    network: Any = model.network_
    write = write_beside_bag if isinstance(network, BesideBag) else write_pooled
    scores, run = write(graph, network, streaming)
    return _with_shares(graph, scores, ("B", len(model.classes_)), run)


def _tagger(graph: Graph, model: SequenceTagger, streaming: bool) -> Run:
    network: Any = model.network_
    scores, run = write_tagger(graph, network, streaming)
    return _with_shares(graph, scores, ("T", "B", len(model.classes_)), run)


def _blank(graph: Graph, model: BlankFiller, streaming: bool) -> Run:
    if streaming:
        raise ExportError("a BlankFiller reads a whole sequence: it goes without streaming=True.")
    network: Any = model.network_
    scores, run = write_blank(graph, network, streaming)
    return _with_shares(graph, scores, ("B", len(model.classes_)), run)


def _with_shares(graph: Graph, scores: str, axes: tuple[str | int, ...], run: Run) -> Run:
    """Give scores and probabilities out."""
    about = "the probability of each class"
    graph.give(scores, Port("scores", WIDE, axes, "their logarithms, but for a constant"))
    graph.give(graph.add("Softmax", scores, axis=-1), Port("probabilities", WIDE, axes, about))

    def both(tensors: Any) -> Sequence[torch.Tensor]:
        *states, made = run(tensors)
        return [*states, made, made.softmax(-1)]

    return both


def _regressor(graph: Graph, model: SequenceRegressor, streaming: bool) -> Run:
    network: Any = model.network_
    raw, run = write_pooled(graph, network, streaming)
    deviation, mean = model.target_deviation_, model.target_mean_
    scaled = graph.add("Mul", raw, graph.constant(deviation, WIDE))
    predicted = graph.add("Add", scaled, graph.constant(mean, WIDE))
    graph.give(predicted, Port("predicted", WIDE, ("B", len(mean)), "in the targets' own units"))

    def back(tensors: Any) -> Sequence[torch.Tensor]:
        *states, made = run(tensors)
        scale, shift = (torch.from_numpy(array).to(made) for array in (deviation, mean))
        return [*states, made * scale + shift]

    return back


def _generator(graph: Graph, model: SequenceGenerator, streaming: bool) -> Run:
    network: Any = model.network_
    numbers = isinstance(model.sequences_, NumberSequences)
    return (write_number_generator if numbers else write_generator)(graph, network, streaming)


def _forecaster(graph: Graph, model: Forecaster, streaming: bool) -> Run:
    if streaming:
        raise ExportError("a Forecaster reads a whole window: it goes without streaming=True.")
    network: Any = model.network_
    return write_forecast(graph, network, model.state_.W)


def _read(model: Any) -> Notes:
    return {"reading": reading_notes(model.reading_)}


def _labelled(model: Any) -> Notes:
    classes: list[Any] = model.classes_.tolist()
    return {"classes": classes, **_read(model)}


_TASKS: dict[type, Task] = {
    SequenceClassifier: Task(_classifier, _labelled, "a sequence -> its class"),
    SequenceRegressor: Task(_regressor, _read, "a sequence -> numbers"),
    SequenceTagger: Task(_tagger, _labelled, "a sequence -> a tag for each step"),
    BlankFiller: Task(_blank, _labelled, "a sequence with a blank -> what belongs there"),
    SequenceGenerator: Task(_generator, generator_notes, "what was -> what comes next"),
    Forecaster: Task(
        _forecaster,
        lambda model: {
            "forecast": model.state_.model_dump(exclude={"contexts", "scores"}),
            "head": model.head,
            "quantiles": list(model.quantiles),
            "series_transform": model.series_transform,
        },
        "a window of steps -> a forecast",
    ),
}
