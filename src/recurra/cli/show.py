"""`recurra show`: a model's card, and whether its files are as they were saved."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from recurra.tasks.saving.check import Check


def add_commands(app: typer.Typer) -> None:
    """Add the command to `recurra`."""
    app.command(epilog=_SHOW)(show)


_SHOW = """Examples:

    recurra show reviews-model

    recurra show reviews-model > reviews.md              the card as Markdown

    recurra show reviews-model --json                   what is known of it, for programs
"""


def show(
    model: Annotated[Path, typer.Argument(help="The model's folder.", show_default=False)],
    as_json: Annotated[
        bool, typer.Option("--json", help="Print JSON: format, task, files, what it was told.")
    ] = False,
) -> None:
    """Print a model's card, and check its files: 2 is returned where one is damaged."""
    from recurra.errors import ModelFileError
    from recurra.tasks.saving.check import check_model

    checked = check_model(model)
    if as_json:
        print(_json(checked))
    else:
        _print(checked)
    if checked.fault:
        raise ModelFileError(checked.fault)


def _print(checked: "Check") -> None:
    """Print the card and the check: set in a terminal, as Markdown otherwise."""
    from recurra.tasks.saving.card_text import table
    from recurra.tasks.saving.files import shown

    # What a terminal would obey is not printed: anybody may have written the card.
    card = "".join(
        sign if sign.isprintable() or sign in "\n\t" else "\ufffd" for sign in checked.card
    )
    rows = [
        (file.name, "–" if file.size is None else f"{file.size:,}", file.state)
        for file in checked.files
    ]
    parts = [card.strip(), "## Its files", table(("File", "Bytes", "Checksum"), rows, (1,))]
    config = checked.config
    if config is not None:
        version = f"Format {config.version}, written by Recurra {shown(config.recurra, 40)}."
        parts.append(version if checked.fault else f"{version} All that is needed is right.")
    text = "\n\n".join(part for part in parts if part)
    if not sys.stdout.isatty():
        print(text)
        return
    from rich.console import Console
    from rich.markdown import Markdown

    Console().print(Markdown(text, hyperlinks=False))


def _json(checked: "Check") -> str:
    import json
    import math
    from dataclasses import asdict

    config = checked.config
    record = {
        "path": str(checked.path),
        "sound": not checked.fault,
        "fault": checked.fault,
        "files": [asdict(file) for file in checked.files],
        **({} if config is None else config.model_dump(exclude={"files", "sha256", "fitted"})),
        "card": checked.card,
    }

    def plain(value: object) -> object:
        """Return what other languages' JSON can hold: null for what is no finite number."""
        if isinstance(value, float) and not math.isfinite(value):
            return None
        if isinstance(value, dict):
            return {key: plain(part) for key, part in value.items()}
        return [plain(part) for part in value] if isinstance(value, list | tuple) else value

    return json.dumps(plain(record), indent=1, allow_nan=False)
