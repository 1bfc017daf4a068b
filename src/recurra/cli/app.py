"""The command `recurra`, made of all others."""

from typing import Annotated, Any

import typer

from recurra.cli import cells_app, export, names_app, serve, show, use_app
from recurra.cli.training import app as train_app
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


names_app.add_commands(app)
app.add_typer(train_app.app)
use_app.add_commands(app)
cells_app.add_commands(app)
export.add_commands(app)
show.add_commands(app)
serve.add_commands(app)
