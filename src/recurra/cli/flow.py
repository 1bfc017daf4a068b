"""`recurra flow`: where the gradients of a cell, or of a trained model, go."""

import math
import re
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from recurra.cli.flow_cells import read_cell
from recurra.errors import ArgumentError, RecurraError
from recurra.gradients import GradientFlow, gradient_flow
from recurra.layers import Recurrent
from recurra.report import flow_chart, write_flow_report
from recurra.report.flows.chart import plain

Flows = dict[str, GradientFlow]


@dataclass(frozen=True)
class Network:
    """What is measured on random input: the cells, and the sizes they share."""

    cell: str | None
    activation: str | None
    compare: str | None
    length: int | None
    hidden: int | None
    inputs: int | None
    layers: int | None
    bidirectional: bool | None
    gain: float | None

    def given(self) -> list[str]:
        """Return the options that were given."""
        return [f"--{name}" for name, value in vars(self).items() if value is not None]

    def cells(self) -> dict[str, tuple[str, dict[str, Any]]]:
        """Return each cell's name and options by what it is called in the report."""
        if self.compare is None:
            text = ":".join(filter(None, [self.cell or "elman", self.activation]))
            option = "--cell" if self.activation is None else "--activation"
            return {text: read_cell(text, f"{option} {text}")}
        for option in ("cell", "activation"):
            if getattr(self, option) is not None:
                raise ArgumentError(f"--{option} does not go with --compare, which has the cells.")
        items = [item.strip() for item in self.compare.split(",")]
        twice = {item for item in items if items.count(item) > 1}
        if twice:
            raise ArgumentError(f"--compare {self.compare}: {min(twice)!r} is there twice.")
        return {item: read_cell(item, f"--compare {item!r}") for item in items}


@dataclass(frozen=True)
class Table:
    """A saved model and the sequences it is measured on."""

    model: Path
    data: Path | None
    name_column: str
    country_column: str


@dataclass(frozen=True)
class Output:
    """How many rows are measured, and what is said of it."""

    batch: int
    seed: int
    report: Path
    quiet: bool


def run(network: Network, table: Table | None, output: Output) -> None:
    """Measure a model on a table if there is one, else new cells on random input."""
    if table is None:
        return run_network(network, output)
    if network.given():
        raise ArgumentError(
            f"{network.given()[0]} is for new cells, and {table.model} is a model that is there: "
            "leave one of them out."
        )
    return run_model(table, output)


def run_model(table: Table, output: Output) -> None:
    """Measure a saved generator on a sample of a table's sequences, and say what came out."""
    from recurra.cli.flow_model import sample, symbol_losses

    name = table.model.absolute().name
    chosen = sample(table, output.batch, output.seed)
    with _progress(f"measuring {name} ..."):
        flow = _measured(name, chosen.model, chosen.inputs, chosen.targets, loss=symbol_losses)
    of = f"{chosen.inputs.shape[1]} of the {chosen.rows:,} sequences of {table.data}"
    _say({name: flow}, f"{of}, seed {output.seed}", f"Gradient flow of {name}", output)


def run_network(network: Network, output: Output) -> None:
    """Measure the cells on the same random input, and say what came out."""
    cells = network.cells()
    T, features = network.length or 100, network.inputs or 16
    layers = {name: _layer(network, features, *cell, output.seed) for name, cell in cells.items()}
    generator = torch.Generator().manual_seed(output.seed)
    x = torch.randn(T, output.batch, features, generator=generator)
    on = f"random input, {T:,} steps of {features} features, {output.batch} rows"
    flows: Flows = {}
    for name, layer in layers.items():
        with _progress(f"measuring {name} ({len(flows) + 1} of {len(layers)}) ..."):
            flows[name] = _measured(name, layer, x, compare=len(layers) == 1)
    title = f"Gradient flow of {name if len(flows) == 1 else f'{len(flows)} cells'}"
    _say(flows, f"{on}, seed {output.seed}", title, output)


def _layer(
    network: Network, inputs: int, cell: str, options: Mapping[str, Any], seed: int
) -> Recurrent:
    """Return the layer to measure, its weights drawn from the seed."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        try:
            layer = Recurrent(
                cell,
                inputs,
                network.hidden or 64,
                network.layers or 1,
                bidirectional=bool(network.bidirectional),
                **options,
            )
        except RecurraError:
            raise
        except TypeError as error:  # of an option's value
            raise ArgumentError(f"{cell}, {dict(options)}: {error}") from error
    if network.gain is not None:
        _scale(layer, cell, network.gain)
    return layer


def _scale(layer: nn.Module, cell: str, gain: float) -> None:
    """Multiply all weights between state and state by the gain."""
    if not (math.isfinite(gain) and gain > 0):
        raise ArgumentError(f"--gain must be a number above 0, got {gain}.")
    recurrent = [
        parameter
        for name, parameter in layer.named_parameters()
        if "bias" not in name and re.search(r"_[hz]h\b|\bu$", name)
    ]
    if not recurrent:
        raise ArgumentError(f"--gain {gain}: {cell} has no weights between state and state.")
    with torch.no_grad():
        for parameter in recurrent:
            parameter.mul_(gain)


def _measured(name: str, *arguments: Any, **options: Any) -> GradientFlow:
    try:
        return gradient_flow(*arguments, **options)
    except RecurraError as error:
        raise ArgumentError(f"{name}: {error}") from error


def _say(flows: Flows, on: str, title: str, output: Output) -> None:
    """Write the report, then print the verdicts and a chart."""
    page = write_flow_report(output.report, flows, measured_on=on, title=title)
    if not output.quiet:
        _print(f"On {on}:")
    for name, flow in flows.items():
        _print(f"{name}: {flow.verdict}" if len(flows) > 1 else flow.verdict)
    if not output.quiet:
        _print("")
        _print(flow_chart(flows), lambda: flow_chart(flows, ascii_only=True))
        print(f"Report: {page}", file=sys.stderr)


def _print(text: str, in_ascii: Callable[[], str] | None = None) -> None:
    """Print, in ASCII where standard output has no other characters."""
    try:
        text.encode(sys.stdout.encoding or "ascii")
    except UnicodeEncodeError:
        text = plain(text) if in_ascii is None else in_ascii()
    print(text)


@contextmanager
def _progress(text: str) -> Iterator[None]:
    """Show on a terminal's error stream what is going on while the block runs."""
    if not sys.stderr.isatty():
        yield
        return
    from rich.console import Console

    with Console(stderr=True).status(text):
        yield
