"""Options that several commands share, as dataclasses whose fields are options of typer."""

import inspect
from collections.abc import Callable
from dataclasses import MISSING, dataclass, fields, is_dataclass
from functools import wraps
from pathlib import Path
from typing import Annotated, Any, get_type_hints

import typer


def flat(command: Callable[..., None]) -> Callable[..., None]:
    """Return `command` with each parameter that is a dataclass replaced by that one's fields.

    Typer then makes an option of each; the command gets the dataclasses.
    """
    hints = get_type_hints(command, include_extras=True)
    shown: list[inspect.Parameter] = []
    groups: dict[str, type] = {}
    for name, parameter in inspect.signature(command).parameters.items():
        if not is_dataclass(hints[name]):
            shown.append(parameter.replace(annotation=hints[name]))
            continue
        kind = hints[name]
        assert isinstance(kind, type)
        groups[name] = kind
        types = get_type_hints(kind, include_extras=True)
        for field in fields(kind):
            default = inspect.Parameter.empty if field.default is MISSING else field.default
            place = inspect.Parameter.KEYWORD_ONLY
            shown.append(
                inspect.Parameter(field.name, place, default=default, annotation=types[field.name])
            )

    @wraps(command)
    def run(**given: Any) -> None:
        for name, kind in groups.items():
            own = {field.name: given.pop(field.name) for field in fields(kind)}
            given[name] = kind(**own)
        command(**given)

    ordered = [p.replace(kind=inspect.Parameter.KEYWORD_ONLY) for p in shown]
    run.__signature__ = inspect.Signature(ordered)  # type: ignore[attr-defined]
    run.__annotations__ = {p.name: p.annotation for p in ordered}
    return run


@dataclass(frozen=True)
class Fitting:
    """Where the model goes, what it is judged on, and the parameters all tasks share."""

    model: Annotated[
        Path | None,
        typer.Option(help="The model's folder; DATA without its suffix and '-model' if not given."),
    ] = None
    report: Annotated[
        Path | None, typer.Option(help="The HTML page; report.html in the model's folder.")
    ] = None
    test_fraction: Annotated[
        float, typer.Option(help="The share held out to judge the model; 0.1 is a tenth.")
    ] = 0.1
    split_column: Annotated[
        str | None, typer.Option(help="A column that says train or test, instead of a share.")
    ] = None
    cell: Annotated[str | None, typer.Option(help="lstm, gru, elman, fcn, ...")] = None
    hidden_size: Annotated[int | None, typer.Option(help="The features of the state.")] = None
    layers: Annotated[int | None, typer.Option(help="Layers on top of one another.")] = None
    bidirectional: Annotated[
        bool | None,
        typer.Option("--bidirectional/--forward", help="Whether it is read both ways."),
    ] = None
    epochs: Annotated[int | None, typer.Option(help="Passes over the data, at most.")] = None
    batch_size: Annotated[int | None, typer.Option(help="Sequences a step.")] = None
    learning_rate: Annotated[
        str | None,
        typer.Option(metavar="RATE", help="AdamW's at its peak; auto tries some first."),
    ] = None
    clip: Annotated[
        str | None,
        typer.Option(metavar="L,U", help="The norm band gradients are scaled into, or 'none'."),
    ] = None
    truncate: Annotated[int | None, typer.Option(help="How many steps back a gradient goes.")] = (
        None
    )
    dropout: Annotated[float | None, typer.Option(help="The share of features zeroed.")] = None
    patience: Annotated[
        int | None, typer.Option(help="Epochs without a better validation loss; then it stops.")
    ] = None
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, ...")] = "auto"
    precision: Annotated[
        str, typer.Option(help="What the loss is computed in: float32, or bfloat16 for GPUs.")
    ] = "float32"
    seed: Annotated[int, typer.Option(help="The same model every time.")] = 0
    checkpoint: Annotated[
        Path | None,
        typer.Option(help="A folder where the training is saved, so that it can be resumed."),
    ] = None
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on from the newest checkpoint, if there is one.")
    ] = False
    checkpoint_minutes: Annotated[
        float | None,
        typer.Option(help="Minutes between two checkpoints; 10 if not given. Epochs end in one."),
    ] = None
    checkpoint_steps: Annotated[int | None, typer.Option(help="Steps between two checkpoints.")] = (
        None
    )
    quick: Annotated[
        bool, typer.Option("--quick", help="A small model and few epochs: to see that it runs.")
    ] = False


@dataclass(frozen=True)
class Inputs:
    """What a sequence is: a text, or numbers."""

    text: Annotated[str | None, typer.Option(help="The column of texts.")] = None
    series: Annotated[
        str | None,
        typer.Option(
            metavar="A,B,C", help="Columns of numbers, the steps of a series; A:C is all between."
        ),
    ] = None
    tokens: Annotated[
        str | None, typer.Option(help="How texts are cut: word, char, bpe or auto.")
    ] = None
