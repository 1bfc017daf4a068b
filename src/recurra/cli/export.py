"""`recurra export`: a trained model as an ONNX file; what it does is imported when it runs."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from recurra.export import Exported
    from recurra.export.graph import Port


def add_commands(app: typer.Typer) -> None:
    """Add the command to `recurra`."""
    app.command(epilog=_EXPORT)(export)


_EXPORT = """Examples:

    recurra export reviews-model reviews.onnx           and reviews.json, how to feed it

    recurra export names-model names.onnx --streaming   the state goes in and out
"""


def export(
    model: Annotated[Path, typer.Argument(help="The model's folder.", show_default=False)],
    output: Annotated[
        Path,
        typer.Argument(help="The file to write, which ends in .onnx.", show_default=False),
    ],
    streaming: Annotated[
        bool,
        typer.Option(
            "--streaming", help="The state goes in and out, for input that comes in pieces."
        ),
    ] = False,
) -> None:
    """Write a model as an ONNX file, checked in onnxruntime, for programs without Python."""
    from recurra.cli.models import load_model
    from recurra.export import export_onnx

    loaded, _ = load_model(model)
    print("\n".join(_lines(export_onnx(loaded, output, streaming=streaming))))


def _lines(exported: "Exported") -> list[str]:
    checked = exported.checked
    sizes = " and ".join(f"B = {size['B']}, T = {size['T']}" for size in checked.sizes)
    return [
        f"{exported.path}: {exported.bytes:,} bytes",
        f"{exported.notes}: vocabulary, scales, and what each input is",
        "inputs",
        *_table(exported.inputs),
        "outputs",
        *_table(exported.outputs),
        f"largest difference from the model in onnxruntime, at {sizes}: "
        f"{checked.difference:.1e} ({checked.limit:.0e} is allowed)",
    ]


def _table(ports: "Sequence[Port]") -> list[str]:
    rows = [(port.name, port.type_name, port.shape_text, port.about) for port in ports]
    widths = [max(len(row[k]) for row in rows) for k in range(3)]
    lines = []
    for *cells, about in rows:
        padded = (cell.ljust(width) for cell, width in zip(cells, widths, strict=True))
        lines.append(f"  {'  '.join(padded)}  {about}")
    return lines
