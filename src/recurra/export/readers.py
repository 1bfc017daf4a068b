"""What stands before and behind a recurrent layer, as ONNX: readers, encoders, pooling."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from recurra.data.words import WordBatch
from recurra.errors import ExportError
from recurra.export.graph import Graph, Port
from recurra.export.stack import Stack, check_streaming, lengths_port, write_stack, write_valid
from recurra.networks.encoder import Encoder
from recurra.networks.pooling import Pooling
from recurra.networks.readers import NumberReader, SymbolReader, WordReader

Tensors = Mapping[str, Tensor]
Batch = Callable[[Tensors], Any]  # from a graph's inputs to what a network's reader takes
WIDE = np.dtype(np.float64)  # what heads compute in when they predict
WHOLE = np.dtype(np.int64)


def weight(tensor: Tensor) -> NDArray[Any]:
    """Return a weight as an array."""
    array: NDArray[Any] = tensor.detach().cpu().numpy()
    return array


def write_linear(graph: Graph, layer: nn.Linear, x: str) -> str:
    """Write a linear layer in float64."""
    bias = None if layer.bias is None else weight(layer.bias)
    return graph.linear(x, weight(layer.weight), bias, WIDE)


def write_reader(graph: Graph, reader: nn.Module, dtype: Any) -> tuple[str, Batch]:
    """Write a reader with its inputs; return the features (T, B, I) and how to feed its model."""
    if isinstance(reader, SymbolReader):
        table = reader.embedding.weight
        port = Port("symbols", WHOLE, ("T", "B"), "the symbols' numbers", 0, len(table) - 1)
        x = graph.add("Gather", graph.constant(weight(table)), graph.take(port))
        return x, lambda tensors: tensors["symbols"]
    if isinstance(reader, WordReader):
        return _write_words(graph, reader), word_batch
    if isinstance(reader, NumberReader):
        mean, deviation = weight(reader.mean), weight(reader.deviation)
        low, high = mean - 2 * deviation, mean + 2 * deviation
        port = Port("x", WIDE, ("T", "B", len(mean)), "the numbers as they are", low, high)
        x = graph.add("Sub", graph.take(port), graph.constant(mean))
        x = graph.add("Div", x, graph.constant(deviation))
        return graph.cast(x, dtype), lambda tensors: tensors["x"]
    raise ExportError(f"a network that reads by {type(reader).__name__} cannot be exported.")


def _write_words(graph: Graph, reader: WordReader) -> str:
    """Write each word's embedding plus 3 times the mean of its pieces'."""
    own, spelt = weight(reader.words.weight), weight(reader.pieces.weight)
    words = graph.take(Port("words", WHOLE, ("T", "B"), "the words' numbers", 0, len(own) - 1))
    about = "the buckets of each word's pieces, -1 where it has fewer than others"
    pieces = graph.take(Port("pieces", WHOLE, ("T", "B", "K"), about, -1, len(spelt) - 1))
    zero, axis = graph.constant(0, WHOLE), graph.numbers(2)
    there = graph.add("GreaterOrEqual", pieces, zero)
    rows = graph.add("Gather", graph.constant(spelt), graph.add("Max", pieces, zero))
    mask = graph.add("Unsqueeze", there, graph.numbers(3))
    rows = graph.add("Where", mask, rows, graph.constant(np.zeros((), spelt.dtype)))
    count = graph.add("ReduceSum", graph.cast(there, spelt.dtype), axis, keepdims=1)
    count = graph.add("Max", count, graph.constant(np.ones((), spelt.dtype)))
    mean = graph.add("Div", graph.add("ReduceSum", rows, axis, keepdims=0), count)
    mean = graph.add("Mul", mean, graph.constant(np.array(3, spelt.dtype)))
    return graph.add("Add", graph.add("Gather", graph.constant(own), words), mean)


def word_batch(tensors: Tensors) -> WordBatch:
    """Return the words as the model's reader takes them, each looked up by itself."""
    words, pieces = tensors["words"], tensors["pieces"]
    there = pieces >= 0
    ends = there.flatten(0, 1).sum(-1).cumsum(0)
    offsets = torch.cat([ends.new_zeros(1), ends[:-1]])
    places = torch.arange(words.numel(), device=words.device).view(words.shape)
    return WordBatch(places, words.flatten(), pieces[there], offsets)


class WrittenEncoder:
    """An encoder that was written: its inputs are there, its outputs and states too.

    out: (T, B, D·O); last: the states after the last step; lengths: the input's name, None for a
    stream.
    """

    def __init__(self, graph: Graph, encoder: Encoder, streaming: bool) -> None:
        self.graph, self.encoder = graph, encoder
        self.stack = stack = Stack.of(encoder.recurrent)
        if streaming:
            check_streaming(stack.directions)
        x, self.batch = write_reader(graph, encoder.reader, stack.numpy_dtype)
        self._ports = stack.state_ports("state") if streaming else []
        state = [graph.take(port) for port in self._ports] if streaming else None
        self.lengths = None if streaming else graph.take(lengths_port())
        self.out, self.last = write_stack(graph, stack, x, state=state, lengths=self.lengths)

    def give_states(self) -> None:
        """Make the last states outputs, in a stream."""
        for name, port in zip(self.last, self.stack.state_ports("new"), strict=True):
            if self._ports:
                self.graph.give(name, port)

    def run(self, tensors: Tensors) -> tuple[Tensor, Tensor, Sequence[Tensor]]:
        """Return the model's own outputs, lengths, and in a stream its states."""
        x = self.encoder.reader(self.batch(tensors))
        lengths = tensors.get("lengths")
        state = [tensors[port.name] for port in self._ports] or None
        out, last = self.encoder.recurrent(x, state, lengths)
        if lengths is None:
            lengths = torch.full((x.shape[1],), len(x), device=x.device)
        return out, lengths, last if state else ()


def write_pooling(graph: Graph, pooling: Pooling, out: str, lengths: str | None) -> str:
    """Write the pooling of out (T, B, N) float64 over lengths (B,); None for the last step."""
    if lengths is None:
        if pooling.kind != "last":
            raise ExportError(
                f"pooling={pooling.kind!r} needs all steps at once: with streaming=True only "
                "pooling='last' can be exported."
            )
        return graph.add("Gather", out, graph.constant(-1, WHOLE), axis=0)
    real = write_valid(graph, out, lengths)
    if pooling.kind == "attention":
        return _attend(graph, pooling, out, real)
    kinds = ("last", "mean", "max") if pooling.kind == "mix" else (pooling.kind,)
    written = {
        "last": lambda: _last(graph, out, lengths, pooling.directions),
        "mean": lambda: _mean(graph, out, real, lengths),
        "max": lambda: _max(graph, out, real),
    }
    return graph.join([written[kind]() for kind in kinds], -1)


def _last(graph: Graph, out: str, lengths: str, directions: int) -> str:
    place = graph.add("Sub", lengths, graph.constant(1, WHOLE))
    place = graph.add("Max", place, graph.constant(0, WHOLE))
    rows = graph.add("Transpose", out, perm=[1, 0, 2])
    last = graph.add(
        "GatherND", rows, graph.add("Unsqueeze", place, graph.numbers(1)), batch_dims=1
    )
    if directions == 2:
        first = graph.add("Gather", out, graph.constant(0, WHOLE), axis=0)
        halves = [graph.add_several("Split", [v], 2, axis=-1, num_outputs=2) for v in (last, first)]
        last = graph.join([halves[0][0], halves[1][1]], -1)
    some = graph.add("Greater", lengths, graph.constant(0, WHOLE))
    some = graph.add("Unsqueeze", graph.cast(some, WIDE), graph.numbers(1))
    return graph.add("Mul", last, some)


def _mean(graph: Graph, out: str, real: str, lengths: str) -> str:
    zero = graph.constant(np.zeros((), WIDE))
    total = graph.add(
        "ReduceSum", graph.add("Where", real, out, zero), graph.numbers(0), keepdims=0
    )
    count = graph.cast(graph.add("Max", lengths, graph.constant(1, WHOLE)), WIDE)
    return graph.add("Div", total, graph.add("Unsqueeze", count, graph.numbers(1)))


def _max(graph: Graph, out: str, real: str) -> str:
    least = graph.constant(np.array(-np.inf, WIDE))
    most = graph.add(
        "ReduceMax", graph.add("Where", real, out, least), graph.numbers(0), keepdims=0
    )
    some = graph.add("Gather", real, graph.constant(0, WHOLE), axis=0)
    return graph.add("Where", some, most, graph.constant(np.zeros((), WIDE)))


def _attend(graph: Graph, pooling: Pooling, out: str, real: str) -> str:
    u = graph.add("Tanh", write_linear(graph, pooling.key, out))
    score = write_linear(graph, pooling.query, u)
    score = graph.add("Where", real, score, graph.constant(np.array(-np.inf, WIDE)))
    zero = graph.constant(np.zeros((), WIDE))
    share = graph.add("Where", real, graph.add("Softmax", score, axis=0), zero)
    return graph.add("ReduceSum", graph.add("Mul", share, out), graph.numbers(0), keepdims=0)
