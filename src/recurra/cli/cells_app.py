"""`recurra explain` and `recurra flow`; what they do is imported when they run."""

from pathlib import Path
from typing import Annotated

import typer


def add_commands(app: typer.Typer) -> None:
    """Add the commands to `recurra`."""
    app.command(epilog=_EXPLAIN)(explain)
    app.command(epilog=_FLOW)(flow)


_EXPLAIN = """Examples:

    recurra explain lstm --input-size 64 --hidden-size 128

    recurra explain gru --layers 2 --bidirectional

    recurra explain elman --option activation=relu --option output_size=10
"""


def explain(
    cell: Annotated[str, typer.Argument(help="The cell's name: lstm, gru, elman, fcn, ...")],
    input_size: Annotated[int, typer.Option(help="The features of x.")] = 64,
    hidden_size: Annotated[int, typer.Option(help="The features of the state.")] = 128,
    layers: Annotated[int, typer.Option(help="Layers on top of one another.")] = 1,
    bidirectional: Annotated[
        bool, typer.Option("--bidirectional", help="A second cell runs backwards in time.")
    ] = False,
    option: Annotated[
        list[str] | None,
        typer.Option(
            "--option", "-o", metavar="K=V", help="An option of the cell; more than once."
        ),
    ] = None,
) -> None:
    """Show what runs of a cell: which backend, every step of it, and what it costs."""
    from recurra.cli.explain import run

    run(cell, input_size, hidden_size, layers, bidirectional, option or [])


_FLOW = """Examples:

    recurra flow --cell elman --activation sigmoid      gradients that vanish

    recurra flow --activation relu --gain 2             gradients that explode

    recurra flow --compare elman:tanh,elman:relu,lstm,lstm:squash,gru,fcn

    recurra flow my-model my.csv                        a saved name generator
"""


def flow(
    model: Annotated[
        Path | None, typer.Argument(help="A saved model's folder; a new cell if not given.")
    ] = None,
    data: Annotated[
        Path | None, typer.Argument(help="The CSV or TSV table the model is measured on.")
    ] = None,
    cell: Annotated[
        str | None,
        typer.Option(help="NAME[:ACTIVATION][:OPTION=VALUE]: elman if not given, lstm, gru, ..."),
    ] = None,
    activation: Annotated[
        str | None, typer.Option(help="The cell's activation: tanh, sigmoid, relu, ...")
    ] = None,
    compare: Annotated[
        str | None, typer.Option(help="Several cells, as --cell has them, with commas between.")
    ] = None,
    length: Annotated[
        int | None, typer.Option(min=2, help="Steps of the random input; 100 if not given.")
    ] = None,
    hidden: Annotated[
        int | None, typer.Option(min=1, help="The features of the state; 64 if not given.")
    ] = None,
    inputs: Annotated[
        int | None, typer.Option(min=1, help="The features of x; 16 if not given.")
    ] = None,
    layers: Annotated[
        int | None, typer.Option(min=1, help="Layers on top of one another; 1 if not given.")
    ] = None,
    bidirectional: Annotated[
        bool, typer.Option("--bidirectional", help="A second cell runs backwards in time.")
    ] = False,
    gain: Annotated[
        float | None, typer.Option(help="Times this are the weights between state and state.")
    ] = None,
    batch: Annotated[int, typer.Option(min=1, help="Sequences to measure.")] = 8,
    seed: Annotated[
        int, typer.Option(min=0, help="Of the weights, the random input, the sample of a table.")
    ] = 0,
    name_column: Annotated[str, typer.Option(help="The table's column of sequences.")] = "name",
    country_column: Annotated[
        str, typer.Option(help="The table's column of labels, if the model has some.")
    ] = "country",
    report: Annotated[Path, typer.Option(help="The HTML page to write.")] = Path("flow.html"),
    quiet: Annotated[
        bool, typer.Option("--quiet", "-q", help="Print the verdict and nothing else.")
    ] = False,
) -> None:
    """Measure how gradients flow back through time, say it, and draw it.

    On random input, or MODEL on DATA. The verdict goes to standard output, the figures to a page.
    """
    from recurra.cli.flow import Network, Output, Table, run

    run(
        Network(
            cell, activation, compare, length, hidden, inputs, layers, bidirectional or None, gain
        ),
        None if model is None else Table(model, data, name_column, country_column),
        Output(batch, seed, report, quiet),
    )
