"""`recurra forecast`: what follows in series, as a table."""

from pathlib import Path
from typing import Any

from recurra.cli.models import load_model
from recurra.cli.training.series_inputs import load_series
from recurra.cli.writing import row_writer
from recurra.data.tables.text_lines import shown_path
from recurra.errors import ArgumentError
from recurra.tasks.forecasting.forecast import Forecast
from recurra.tasks.forecasting.forecaster import Forecaster

_SHOWN = (0.05, 0.95)


def run(folder: Path, data: Path | None, horizon: int | None, output: Path | None) -> None:
    """Forecast what follows the series in `data`, or those the model learned, and write it."""
    model, _ = load_model(folder)
    if not isinstance(model, Forecaster):
        raise ArgumentError(
            f"{shown_path(folder)}: holds a {type(model).__name__}, which forecasts no series."
        )
    series: Any = None
    if data is not None:
        gaps = str(model.about_.settings.get("gaps", "refuse"))
        series, _, _ = load_series(data, model.about_.columns, gaps)
    made = model.forecast(series, horizon=horizon)
    if output is None:
        _print(made)
        return
    names = ["unique_id", "ds", "forecast", *(f"q{level:g}" for level in made.levels)]
    with row_writer(output) as out:
        for k, name in enumerate(made.ids):
            for h, when in enumerate(made.times[k]):
                numbers = [made.point[k, h], *made.quantiles[k, h]]
                out.write(names, [name, _time(when), *(float(f"{n:.6g}") for n in numbers)])


def _print(made: Forecast) -> None:
    """Print a table: a row a series and step, with the interval that nine in ten should lie in."""
    from rich.console import Console
    from rich.table import Table

    low, high = (_nearest(made.levels, level) for level in _SHOWN)
    table = Table(title="Forecast", title_justify="left")
    for name in ("Series", "Time"):
        table.add_column(name)
    for name in ("Forecast", f"q{made.levels[low]:g}", f"q{made.levels[high]:g}"):
        table.add_column(name, justify="right")
    for k, name in enumerate(made.ids):
        for h, when in enumerate(made.times[k]):
            numbers = [made.point[k, h], made.quantiles[k, h, low], made.quantiles[k, h, high]]
            table.add_row(name, _time(when), *(f"{number:.5g}" for number in numbers))
    Console().print(table)


def _nearest(levels: tuple[float, ...], wanted: float) -> int:
    return min(range(len(levels)), key=lambda k: abs(levels[k] - wanted))


def _time(when: Any) -> str:
    """Return a time as text, without the part of it that is zero."""
    text = str(when)
    return text.removesuffix(".000000").removesuffix("T00:00:00")
