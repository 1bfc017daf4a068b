"""A recurrent layer as a graph of its own."""

from collections.abc import Sequence
from typing import Any

import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from recurra.errors import ExportError
from recurra.export.graph import Graph, Port
from recurra.export.stack import Layer, Stack, check_streaming, lengths_port, write_stack
from recurra.export.subject import Arrays, Subject, in_use
from recurra.layers import Recurrent


def layer_subject(layer: Layer, *, streaming: bool, lengths: bool) -> Subject:
    """Write a layer: x (and lengths, states) -> out and the last states."""
    if streaming and lengths:
        raise ExportError("streaming=True goes without lengths=True: a stream has no end.")
    with in_use(layer):
        stack = Stack.of(layer)
        graph = Graph()
        if streaming:
            check_streaming(stack.directions)
        I, O = layer.input_size, stack.directions * stack.cells[0].output_size  # noqa: E741
        order: tuple[str, str] = ("B", "T") if layer.batch_first else ("T", "B")
        x = graph.take(Port("x", stack.numpy_dtype, (*order, I), "features at each step"))
        if layer.batch_first:
            x = graph.add("Transpose", x, perm=[1, 0, 2])
        ports = stack.state_ports("state") if streaming else []
        state = [graph.take(port) for port in ports] if streaming else None
        steps = (
            graph.take(lengths_port(0 if isinstance(layer, Recurrent) else 1)) if lengths else None
        )
        out, last = write_stack(graph, stack, x, state=state, lengths=steps)
        if layer.batch_first:
            out = graph.add("Transpose", out, perm=[1, 0, 2])
        graph.give(out, Port("out", stack.numpy_dtype, (*order, O), "what the layer gives out"))
        for name, port in zip(last, stack.state_ports("new"), strict=True):
            graph.give(name, port)

    def run(feeds: Arrays) -> Sequence[NDArray[Any]]:
        device = next(layer.parameters()).device
        tensors = {name: torch.from_numpy(a).to(device) for name, a in feeds.items()}
        state = tuple(tensors[port.name] for port in ports) if streaming else None
        with in_use(layer):
            found, last = _run(layer, tensors["x"], state, tensors.get("lengths"))
        return [t.cpu().numpy() for t in (found, *last)]

    modules = (getattr(cell, "module", cell) for cell in stack.cells)
    kinds = ", ".join(dict.fromkeys(type(module).__name__ for module in modules))
    about = f"{len(stack.cells)} recurrent cell(s) of the kind {kinds}, {I} -> {O}"
    start = {f"state_{n}": s.tolist() for n, s in zip(stack.states, stack.fresh, strict=True)}
    return Subject(graph, about, run, {"start": start} if streaming and stack.learned else {})


def _run(
    layer: Layer, x: Tensor, state: tuple[Tensor, ...] | None, lengths: Tensor | None
) -> tuple[Tensor, Sequence[Tensor]]:
    if isinstance(layer, Recurrent):
        return layer(x, state, lengths)  # type: ignore[no-any-return]
    given: Any = x
    if lengths is not None:
        first = layer.batch_first
        given = pack_padded_sequence(x, lengths.cpu(), batch_first=first, enforce_sorted=False)
    out, last = layer(given, state[0] if state is not None and len(state) == 1 else state)
    if lengths is not None:
        steps = x.shape[1 if layer.batch_first else 0]
        out, _ = pad_packed_sequence(out, batch_first=layer.batch_first, total_length=steps)
    return out, last if isinstance(last, tuple) else (last,)
