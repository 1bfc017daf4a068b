"""Whole networks as ONNX, from their tensor inputs to what they say."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from recurra.data.bags import Bags
from recurra.errors import ExportError
from recurra.export.graph import Graph, Port
from recurra.export.readers import (
    WHOLE,
    WIDE,
    Tensors,
    WrittenEncoder,
    weight,
    word_batch,
    write_linear,
    write_pooling,
)
from recurra.export.stack import Stack, check_streaming, write_stack
from recurra.networks.bag import BagOfWords, BesideBag, TextBatch
from recurra.networks.generator import GeneratorNetwork
from recurra.networks.number_generator import NumberGenerator
from recurra.networks.pooled import PooledNetwork
from recurra.networks.tagger import BlankNetwork, TaggerNetwork

Run = Callable[[Tensors], Sequence[Tensor]]  # the model's own outputs for the graph's inputs


def write_pooled(graph: Graph, network: PooledNetwork, streaming: bool) -> tuple[str, Run]:
    """Write a network of many to one; return its raw outputs (B, O) and what the model gives.

    The states of a stream follow the raw outputs in what the model gives; they are outputs of the
    graph once the caller has made its own.
    """
    encoder = WrittenEncoder(graph, network.encoder, streaming)
    out = graph.cast(encoder.out, WIDE)
    pooled = write_pooling(graph, network.pooling, out, encoder.lengths)
    encoder.give_states()

    def run(tensors: Tensors) -> Sequence[Tensor]:
        if encoder.lengths is not None:
            return [network(encoder.batch(tensors), tensors["lengths"])]
        out, lengths, last = encoder.run(tensors)
        features = network.pooling(out, lengths)
        return [*last, torch.nn.functional.linear(features, *_wide(network.head))]

    return write_linear(graph, network.head, pooled), run


def write_beside_bag(graph: Graph, network: BesideBag, streaming: bool) -> tuple[str, Run]:
    """Write a network with a bag of words beside it, if that counts for anything."""
    assert isinstance(network.deep, PooledNetwork)
    raw, run_deep = write_pooled(graph, network.deep, streaming)
    deep, bag = network.mix.tolist()
    raw = graph.add("Mul", raw, graph.constant(deep, WIDE))
    if bag and streaming:
        raise ExportError("a bag of words needs the whole text: it goes without streaming=True.")
    if bag:
        scores = _write_bag(graph, network.bag)
        raw = graph.add("Add", raw, graph.add("Mul", scores, graph.constant(bag, WIDE)))

    def run(tensors: Tensors) -> Sequence[Tensor]:
        if not bag:
            *states, scores = run_deep(tensors)
            return [*states, scores * deep]
        batch = TextBatch(word_batch(tensors), _bags(tensors))
        return [network(batch, tensors["lengths"])]

    return raw, run


def _write_bag(graph: Graph, bag: BagOfWords) -> str:
    """Write Σ value·weight over the terms of each text, as `BagOfWords` has it."""
    about = "the buckets of each text's different words and word pairs, -1 where it has fewer"
    terms = graph.take(Port("terms", WHOLE, ("B", "P"), about, -1, len(bag.idf) - 1))
    about = "how often each term is there, 1 or more; any such number at -1"
    counts = graph.take(Port("counts", WIDE, ("B", "P"), about, 1.0, 4.0))
    zero, none = graph.constant(0, WHOLE), graph.constant(np.zeros((), WIDE))
    there = graph.add("GreaterOrEqual", terms, zero)
    terms = graph.add("Max", terms, zero)
    often = graph.add("Add", graph.add("Log", counts), graph.constant(1, WIDE))
    idf = graph.cast(graph.add("Gather", graph.constant(weight(bag.idf)), terms), WIDE)
    values = graph.add("Where", there, graph.add("Mul", often, idf), none)
    length = graph.add("ReduceL2", values, graph.numbers(1), keepdims=1)
    values = graph.add("Div", values, graph.add("Max", length, graph.constant(1e-12, WIDE)))
    rows = graph.cast(graph.add("Gather", graph.constant(weight(bag.weight)), terms), WIDE)
    # (B, 1, P) · (B, P, C)
    scores = graph.add("MatMul", graph.add("Unsqueeze", values, graph.numbers(1)), rows)
    scores = graph.add("Squeeze", scores, graph.numbers(1))
    return graph.add("Add", scores, graph.constant(weight(bag.bias), WIDE))


def _bags(tensors: Tensors) -> Bags:
    terms, counts = tensors["terms"], tensors["counts"]
    there = terms >= 0
    rows = torch.arange(len(terms), device=terms.device).unsqueeze(1).expand(terms.shape)
    return Bags(terms[there], rows[there], counts[there], len(terms))


def write_tagger(graph: Graph, network: TaggerNetwork, streaming: bool) -> tuple[str, Run]:
    """Write a network of many to many; return its scores (T, B, C) and what the model gives."""
    encoder = WrittenEncoder(graph, network.encoder, streaming)
    encoder.give_states()

    def run(tensors: Tensors) -> Sequence[Tensor]:
        if encoder.lengths is not None:
            return [network(encoder.batch(tensors), tensors["lengths"])]
        out, _, last = encoder.run(tensors)
        return [*last, torch.nn.functional.linear(out.double(), *_wide(network.head))]

    return write_linear(graph, network.head, graph.cast(encoder.out, WIDE)), run


def write_blank(graph: Graph, network: BlankNetwork, streaming: bool) -> tuple[str, Run]:
    """Write a network that answers at one step; return its scores (B, C), what the model gives."""
    encoder = WrittenEncoder(graph, network.encoder, streaming)
    blank = graph.take(Port("blank", WHOLE, ("B",), "the step of each row's blank", 0, "T-1"))
    rows = graph.add("Transpose", graph.cast(encoder.out, WIDE), perm=[1, 0, 2])
    place = graph.add("Unsqueeze", blank, graph.numbers(1))
    at = graph.add("GatherND", rows, place, batch_dims=1)
    encoder.give_states()

    def run(tensors: Tensors) -> Sequence[Tensor]:
        return [network((encoder.batch(tensors), tensors["blank"]), tensors["lengths"])]

    return write_linear(graph, network.head, at), run


def _wide(layer: torch.nn.Linear) -> tuple[Tensor, Tensor]:
    return layer.weight.double(), layer.bias.double()


class WrittenGenerator:
    """What the two generators share: labels beside the input, states in and out of a stream."""

    def __init__(
        self, graph: Graph, network: GeneratorNetwork | NumberGenerator, streaming: bool
    ) -> None:
        self.graph, self.network = graph, network
        self.stack = Stack.of(network.recurrent)
        check_streaming(self.stack.directions)
        self.ports = self.stack.state_ports("state") if streaming else []

    def write(self, x: str) -> str:
        """Write the layer on x (T, B, E), with the labels; return its outputs."""
        graph, conditions = self.graph, self.network.conditions
        if conditions is not None:
            table = weight(conditions.weight)
            about = "the label's number"
            port = Port("condition", WHOLE, ("B",), about, 0, len(table) - 1)
            label = graph.add("Gather", graph.constant(table), graph.take(port))
            size = [graph.axis_size(x, 0), graph.axis_size(x, 1), graph.numbers(table.shape[1])]
            x = graph.join([x, graph.add("Expand", label, graph.join(size, 0))], -1)
        state = [graph.take(port) for port in self.ports] or None
        out, self.last = write_stack(graph, self.stack, x, state=state)
        return out

    def give_states(self) -> None:
        """Make the last states outputs."""
        for name, port in zip(self.last, self.stack.state_ports("new"), strict=True):
            self.graph.give(name, port)

    def run(self, tensors: Tensors, x: Tensor) -> tuple[Any, Sequence[Tensor]]:
        """Return what the model itself gives, and its states."""
        state = tuple(tensors[port.name] for port in self.ports) or None
        out, last = self.network(x, tensors.get("condition"), state)
        return out, last


def write_generator(graph: Graph, network: GeneratorNetwork, streaming: bool) -> Run:
    """Write a generator of symbols with its outputs; return what the model gives."""
    written = WrittenGenerator(graph, network, streaming)
    table = weight(network.symbols.weight)
    port = Port("symbols", WHOLE, ("T", "B"), "the symbols so far", 0, len(table) - 1)
    x = graph.add("Gather", graph.constant(table), graph.take(port))
    root = np.array(network.symbols.embedding_dim**0.5, table.dtype)
    out = written.write(graph.add("Mul", x, graph.constant(root)))
    project = network.project
    features = graph.linear(out, weight(project.weight), weight(project.bias))
    logits = graph.linear(features, table, weight(network.bias))
    about = "the logit of each next symbol"
    graph.give(logits, Port("logits", table.dtype, ("T", "B", len(table)), about))
    written.give_states()

    def run(tensors: Tensors) -> Sequence[Tensor]:
        logits, last = written.run(tensors, tensors["symbols"])
        return [logits, *last]

    return run


def write_number_generator(graph: Graph, network: NumberGenerator, streaming: bool) -> Run:
    """Write a generator of numbers with its outputs; return what the model gives."""
    written = WrittenGenerator(graph, network, streaming)
    F, K = network.features, network.components
    about = "the steps so far in standard units, a 1 beside each; zeros before the first"
    before = graph.take(Port("before", written.stack.numpy_dtype, ("T", "B", F + 1), about))
    raw = write_linear(graph, network.head, graph.cast(written.write(before), WIDE))
    sizes = graph.numbers(K, K * F, K * F, 1)
    shares, mean, spread, end = graph.add_several("Split", [raw, sizes], 4, axis=-1)
    last = graph.add("Slice", before, *(graph.numbers(n) for n in (0, F, -1)))
    last = graph.add("Unsqueeze", graph.cast(last, WIDE), graph.numbers(2))
    form = graph.numbers(0, 0, K, F)
    mean = graph.add("Add", last, graph.add("Reshape", mean, form))
    spread = graph.add("Softplus", graph.add("Reshape", spread, form))
    given = (
        ("shares", graph.add("LogSoftmax", shares, axis=-1), (K,), "log share of each component"),
        ("mean", mean, (K, F), "its means, in standard units"),
        ("deviation", graph.add("Add", spread, graph.constant(1e-3, WIDE)), (K, F), "and spreads"),
        ("end", graph.add("Squeeze", end, graph.numbers(-1)), (), "the logit of there being none"),
    )
    for name, value, axes, about in given:
        graph.give(value, Port(name, WIDE, ("T", "B", *axes), about))
    written.give_states()

    def run(tensors: Tensors) -> Sequence[Tensor]:
        out, last = written.run(tensors, tensors["before"])
        return [*out, *last]

    return run
