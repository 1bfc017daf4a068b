"""A forecaster's network as ONNX."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from recurra.errors import ExportError
from recurra.export.graph import Graph, Port
from recurra.export.networks import Run
from recurra.export.readers import WHOLE, WIDE, Tensors, weight, write_linear
from recurra.export.stack import Stack, write_stack
from recurra.networks.forecaster import ForecastNetwork
from recurra.networks.heads import GaussianHead, QuantileHead, StudentHead


def write_forecast(graph: Graph, network: ForecastNetwork, window: int) -> Run:
    """Write the network with its output; return what the model gives."""
    stack = Stack.of(network.encoder)
    E = 0 if network.series is None else network.series.weight.shape[1]
    F, H = network.encoder.input_size - E, network.horizon
    about = "the window in standard units, the series' own value first"
    x = graph.take(Port("x", WIDE, (window, "B", F), about))
    read = graph.cast(x, stack.numpy_dtype)
    if network.series is not None:
        table = weight(network.series.weight)
        about = "which series, 0 for one not learned"
        series = graph.take(Port("series", WHOLE, ("B",), about, 0, len(table) - 1))
        rows = graph.add("Gather", graph.constant(table), series)
        shape = [graph.numbers(window), graph.axis_size(x, 1), graph.numbers(E)]
        read = graph.join([read, graph.add("Expand", rows, graph.join(shape, 0))], -1)
    out, state = write_stack(graph, stack, read)
    K = _known(network)
    about = "the covariates of the steps ahead, in standard units"
    known = graph.take(Port("known", WIDE, (H, "B", K), about)) if K else None
    if network.decoder is None:
        features = _direct(graph, network, out, known)
    else:
        features = _decoded(graph, network, x, known, state)
    raw = write_linear(graph, network.out, features)
    P = network.head.size
    if network.linear is not None:
        own = graph.add("Gather", x, graph.constant(0, WHOLE), axis=2)
        along = write_linear(graph, network.linear, graph.add("Transpose", own, perm=[1, 0]))
        raw = _add_to_first(graph, raw, along, P)
    forecast = _spread(graph, network, raw)
    about = "quantiles, or a distribution's parameters, in units of the spread, not calibrated"
    graph.give(forecast, Port("forecast", WIDE, ("B", H, P), about))

    def run(tensors: Tensors) -> Sequence[Tensor]:
        x = tensors["x"]
        none = torch.zeros(x.shape[1], dtype=torch.long, device=x.device)
        return [network(x, tensors.get("series", none), tensors.get("known"))]

    return run


def _known(network: ForecastNetwork) -> int:
    if network.decoder is not None:
        return network.decoder.input_size - 2
    return 0 if network.known is None else network.known.in_features


def _direct(graph: Graph, network: ForecastNetwork, out: str, known: str | None) -> str:
    """Write tanh of a map of the last output for each step ahead: (B, H, D)."""
    last = graph.add("Gather", out, graph.constant(-1, WHOLE), axis=0)
    steps = write_linear(graph, network.steps, graph.cast(last, WIDE))
    steps = graph.add("Reshape", steps, graph.numbers(0, network.horizon, network.out.in_features))
    if known is not None and network.known is not None:
        ahead = graph.add("Transpose", known, perm=[1, 0, 2])
        steps = graph.add("Add", steps, write_linear(graph, network.known, ahead))
    return graph.add("Tanh", steps)


def _decoded(
    graph: Graph, network: ForecastNetwork, x: str, known: str | None, state: Sequence[str]
) -> str:
    """Write the layer that runs over the steps ahead: (B, H, D)."""
    assert network.decoder is not None
    stack = Stack.of(network.decoder)
    far = torch.linspace(0, 1, network.horizon, dtype=torch.float64)
    place = torch.stack([far, torch.ones_like(far)], -1).unsqueeze(1).numpy()
    shape = [graph.numbers(network.horizon), graph.axis_size(x, 1), graph.numbers(2)]
    ahead = graph.add("Expand", graph.constant(place), graph.join(shape, 0))
    ahead = graph.join([ahead] if known is None else [known, ahead], -1)
    ran, _ = write_stack(graph, stack, graph.cast(ahead, stack.numpy_dtype), state=state)
    return graph.cast(graph.add("Transpose", ran, perm=[1, 0, 2]), WIDE)


def _add_to_first(graph: Graph, raw: str, along: str, P: int) -> str:
    along = graph.add("Unsqueeze", along, graph.numbers(2))
    first = np.zeros(P)
    first[0] = 1.0
    return graph.add("Add", raw, graph.add("Mul", along, graph.constant(first)))


def _spread(graph: Graph, network: ForecastNetwork, raw: str) -> str:
    """Write how the head reads raw outputs (B, H, P)."""
    head = network.head
    if isinstance(head, QuantileHead):
        return _quantiles(graph, head, raw)
    if not isinstance(head, GaussianHead | StudentHead):
        raise ExportError(f"a forecast by {type(head).__name__} cannot be exported.")
    first, *rest = graph.add_several("Split", [raw], head.size, axis=-1, num_outputs=head.size)
    least = (1e-3, 2.0)
    spread = [
        graph.add("Add", graph.add("Softplus", part), graph.constant(least[k], WIDE))
        for k, part in enumerate(rest)
    ]
    return graph.join([first, *spread], -1)


def _quantiles(graph: Graph, head: QuantileHead, raw: str) -> str:
    """Write ascending quantiles: the middle one, and positive steps from it."""
    below, above = head.middle, head.size - 1 - head.middle
    sizes = [1] + [n for n in (below, above) if n]
    if len(sizes) == 1:
        return raw
    parts = graph.add_several("Split", [raw, graph.numbers(*sizes)], len(sizes), axis=-1)
    location, others = parts[0], [graph.add("Softplus", part) for part in parts[1:]]
    axis = graph.constant(-1, WHOLE)
    made = [location]
    if below:
        # Summed from the middle outwards: from the last one to the first.
        back = [graph.numbers(n) for n in (-1, -below - 1, -1, -1)]
        down = graph.add("CumSum", graph.add("Slice", others[0], *back), axis)
        made.insert(0, graph.add("Sub", location, graph.add("Slice", down, *back)))
    if above:
        made.append(graph.add("Add", location, graph.add("CumSum", others[-1], axis)))
    return graph.join(made, -1)
