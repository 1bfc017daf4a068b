"""What is done with a trained model: evaluate, predict, generate, forecast."""

from pathlib import Path
from typing import Annotated

import typer

from recurra.cli.training.options import flat

Model = Annotated[Path, typer.Argument(help="The model's folder.", show_default=False)]
Output = Annotated[
    Path | None,
    typer.Option(
        "--output", "-o", help="A file to write, CSV or, by its suffix .jsonl, JSON Lines."
    ),
]


def add_commands(app: typer.Typer) -> None:
    """Add the commands to `recurra`."""
    app.command(epilog=_EVALUATE)(evaluate)
    app.command(epilog=_PREDICT)(flat(predict))
    app.command(epilog=_GENERATE)(generate)
    app.command(epilog=_FORECAST)(forecast)


_EVALUATE = """Examples:

    recurra evaluate reviews-model new-reviews.csv

    recurra evaluate reviews-model reviews.csv          the part that was held out

    recurra evaluate reviews-model new.csv --train reviews.csv --report new.html
"""


def evaluate(
    model: Model,
    data: Annotated[
        Path, typer.Argument(help="A table with the answers in it.", show_default=False)
    ],
    train: Annotated[
        Path | None,
        typer.Option(help="The table the model was trained on, for baselines that must learn."),
    ] = None,
    report: Annotated[Path | None, typer.Option(help="The HTML page to write.")] = None,
    column: Annotated[
        list[str] | None,
        typer.Option(metavar="ROLE=NAME", help="A column's name, if it is another one here."),
    ] = None,
) -> None:
    """Judge a model on a table, beside naive models.

    On the table it was trained on, only the part that was held out counts.
    """
    from recurra.cli.evaluate import run

    run(model, data, train, report, column or [])


_PREDICT = """Examples:

    recurra predict reviews-model new.csv -o answers.csv

    recurra predict reviews-model --text "never again, thank you for nothing"

    cat lines.txt | recurra predict reviews-model -      a text a line in, a line out
"""


def predict(
    model: Model,
    data: Annotated[
        str | None,
        typer.Argument(help="A table; - for texts from standard input.", show_default=False),
    ] = None,
    text: Annotated[
        list[str] | None, typer.Option(help="A text instead of a table; more than once.")
    ] = None,
    output: Output = None,
    column: Annotated[
        list[str] | None,
        typer.Option(metavar="ROLE=NAME", help="A column's name, if it is another one here."),
    ] = None,
    condition: Annotated[
        str | None, typer.Option(help="The kind wanted of all, for a model that knows several.")
    ] = None,
    chunk: Annotated[int, typer.Option(min=1, help="Rows at a time.")] = 1000,
) -> None:
    """Answer for each row of a table, of any size: its columns, the prediction, how sure it is."""
    from recurra.cli.predict import Request, run

    run(model, Request(data, text or [], output, column or [], condition, chunk))


_GENERATE = """Examples:

    recurra generate names-model --condition Italy --prefix S -n 10

    recurra generate names-model --condition Italy --temperature 0.7

    recurra generate book-model --prefix "Once upon" --length 500
"""


def generate(
    model: Model,
    prefix: Annotated[str, typer.Option(help="How each begins.")] = "",
    condition: Annotated[str | None, typer.Option(help="One of the model's labels.")] = None,
    number: Annotated[
        int | None,
        typer.Option("-n", "--number", help="How many; 10, or 1 of an endless text."),
    ] = None,
    length: Annotated[
        int | None, typer.Option(help="How many characters follow, of an endless text.")
    ] = None,
    temperature: Annotated[
        float, typer.Option(help="Below 1 surer, above 1 bolder; more than 0.")
    ] = 1.0,
    top_k: Annotated[int | None, typer.Option(help="Draw among the K likeliest only.")] = None,
    top_p: Annotated[
        float | None, typer.Option(help="Draw among the likeliest that reach probability P.")
    ] = None,
    repeats: Annotated[
        bool, typer.Option("--repeats", help="The same sequence may come twice.")
    ] = False,
    seed: Annotated[int | None, typer.Option(help="The same sequences every time.")] = None,
) -> None:
    """Write new sequences, one a line; or go on with a text, where an endless one was learned."""
    from recurra.cli.generate import Request, run

    run(
        model,
        Request(prefix, condition, number, length, temperature, top_k, top_p, not repeats, seed),
    )


_FORECAST = """Examples:

    recurra forecast sales-model                        what follows the table it learned

    recurra forecast sales-model newer.csv --horizon 7 -o week.csv
"""


def forecast(
    model: Model,
    data: Annotated[
        Path | None,
        typer.Argument(help="Newer series; those of training if not given.", show_default=False),
    ] = None,
    horizon: Annotated[
        int | None, typer.Option(min=1, help="Steps ahead; as many as were learned.")
    ] = None,
    output: Output = None,
) -> None:
    """Say what follows in series of numbers, and how surely."""
    from recurra.cli.forecast import run

    run(model, data, horizon, output)
