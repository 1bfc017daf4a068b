"""`recurra names`; what it does is imported when it runs."""

from pathlib import Path
from typing import Annotated

import typer


def add_commands(app: typer.Typer) -> None:
    """Add the command to `recurra`."""
    app.command(epilog=_NAMES)(names)


_NAMES = """Examples:

    recurra names                                       names from a dozen countries

    recurra names --country Italy --first S -n 10       ten Italian names with S

    recurra names --country JP --temperature 0.7        surer, less surprising ones

    recurra names --data my.csv --country Elvish        learned from your own table

    recurra names --cell gru --model my-model           another cell, kept in my-model
"""


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
