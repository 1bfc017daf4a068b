"""The commands and their options; what they do is imported when they run."""

from pathlib import Path
from typing import Annotated, Any

import typer

from recurra.version import __version__

app = typer.Typer(
    name="recurra",
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Recurrent networks on PyTorch: train them on your data, use them.",
    epilog="Example: recurra names --country Italy --first S -n 10",
)


def command() -> Any:
    """Return the command that `recurra` runs."""
    return typer.main.get_command(app)


def _print_version(wanted: bool) -> None:
    if wanted:
        print(f"recurra {__version__}")
        raise typer.Exit


@app.callback()
def recurra(
    _version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_print_version, is_eager=True, help="Print the version and exit."
        ),
    ] = False,
) -> None:
    """Recurrent networks on PyTorch: train them on your data, use them."""


@app.command(
    epilog="""Examples:

    recurra names                                       names from a dozen countries

    recurra names --country Italy --first S -n 10       ten Italian names with S

    recurra names --country JP --temperature 0.7        surer, less surprising ones

    recurra names --data my.csv --country Elvish        learned from your own table

    recurra names --cell gru --model my-model           another cell, kept in my-model
"""
)
def names(
    country: Annotated[
        str | None, typer.Option("--country", "-c", help="Country, by name or ISO code.")
    ] = None,
    first: Annotated[
        str, typer.Option("--first", "-f", help="The letter, or letters, each name starts with.")
    ] = "",
    number: Annotated[int, typer.Option("-n", "--number", help="How many names.")] = 10,
    temperature: Annotated[
        float, typer.Option(help="Below 1 surer, above 1 bolder; more than 0.")
    ] = 1.0,
    top_k: Annotated[
        int | None, typer.Option(help="Draw each letter among the K likeliest only.")
    ] = None,
    top_p: Annotated[
        float | None,
        typer.Option(help="Draw each letter among the likeliest that reach probability P only."),
    ] = None,
    seed: Annotated[
        int | None, typer.Option(help="The same names every time (and the same training).")
    ] = None,
    list_countries: Annotated[
        bool, typer.Option("--list", help="Print the countries the model knows, and exit.")
    ] = False,
    model: Annotated[
        Path | None, typer.Option(help="The model's folder; one in the cache if not given.")
    ] = None,
    data: Annotated[
        Path | None,
        typer.Option(help="A CSV or TSV table of names; the built-in names if not given."),
    ] = None,
    name_column: Annotated[str, typer.Option(help="The table's column of names.")] = "name",
    country_column: Annotated[
        str, typer.Option(help="The table's column of countries.")
    ] = "country",
    retrain: Annotated[
        bool, typer.Option("--retrain", help="Train anew although there is a model.")
    ] = False,
    cell: Annotated[
        str | None, typer.Option(help="Training: lstm (the default), gru, elman, fcn, ...")
    ] = None,
    weighted: Annotated[
        bool,
        typer.Option("--weighted", help="Training: count names as often as they are given."),
    ] = False,
    epochs: Annotated[
        int | None, typer.Option(help="Training: passes over the names, 10 if not given.")
    ] = None,
) -> None:
    """Make first names for a country and a first letter.

    The first run trains a model (two minutes or so) and keeps it; later runs answer at once.
    Names go to standard output, one a line; everything else to standard error.
    """
    from recurra.cli.names import Request, Training, run

    run(
        Request(country, first, number, temperature, top_k, top_p, seed),
        Training(
            model, data, name_column, country_column, retrain, cell, weighted or None, epochs, seed
        ),
        list_countries=list_countries,
    )


@app.command(
    epilog="""Examples:

    recurra explain lstm --input-size 64 --hidden-size 128

    recurra explain gru --layers 2 --bidirectional

    recurra explain elman --option activation=relu --option output_size=10
"""
)
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


@app.command(
    epilog="""Examples:

    recurra flow --cell elman --activation sigmoid      gradients that vanish

    recurra flow --activation relu --gain 2             gradients that explode

    recurra flow --compare elman:tanh,elman:relu,lstm,lstm:squash,gru,fcn

    recurra flow my-model my.csv                        a saved name generator
"""
)
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
