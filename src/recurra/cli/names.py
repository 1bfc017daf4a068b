"""`recurra names`: find or train the model, then make names."""

import hashlib
import os
import sys
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from recurra.cli.tour import as_names_are_written, tour
from recurra.data.sources.countries import find_country
from recurra.errors import ArgumentError, ModelFileError, RecurraWarning
from recurra.tasks import SequenceGenerator
from recurra.tasks.saving.config import is_model

if TYPE_CHECKING:
    from recurra.data.sources.names import NameTable


@dataclass(frozen=True)
class Request:
    """What names are wanted."""

    country: str | None
    first: str
    number: int
    temperature: float
    top_k: int | None
    top_p: float | None
    seed: int | None

    def make(self, generator: SequenceGenerator, country: str, first: str, n: int) -> list[str]:
        """Return up to `n` different names."""
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always", RecurraWarning)
            names: list[str] = generator.generate(
                first,
                country,
                n,
                temperature=self.temperature,
                top_k=self.top_k,
                top_p=self.top_p,
                unique=True,
                random_state=self.seed,
            )
        for warning in caught:
            print(f"recurra: {warning.message}", file=sys.stderr)
        return names


@dataclass(frozen=True)
class Training:
    """Where the model is, and how it is trained if it is not there."""

    model: Path | None
    data: Path | None
    name_column: str
    country_column: str
    retrain: bool
    cell: str | None
    weighted: bool | None
    epochs: int | None
    seed: int | None

    def folder(self) -> Path:
        """Return the model's folder: the one given, or one in the cache for just this data."""
        if self.model is not None:
            return self.model.absolute()
        if self.data is None:
            return cache_folder() / "names"
        columns = f"{self.name_column}\0{self.country_column}\0".encode()
        digest = hashlib.sha256(columns + self.data.read_bytes()).hexdigest()
        return cache_folder() / f"names-{self.data.stem}-{digest[:12]}"

    def needed(self, folder: Path) -> bool:
        """Return whether there is something to train."""
        if self.retrain or not folder.exists():
            return True
        for option in ("cell", "weighted", "epochs"):
            if getattr(self, option) is not None:
                raise ArgumentError(
                    f"--{option} is for training, but there is a model in {folder}: "
                    "add --retrain to replace it, or --model to train another."
                )
        return False


def run(request: Request, training: Training, *, list_countries: bool = False) -> None:
    """Train if there is no model yet, then print what was asked for."""
    folder = training.folder()
    fresh = training.needed(folder)
    generator = _train(training, folder) if fresh else _load(folder)
    if list_countries:
        for country in generator.conditions_:
            print(country)
    elif request.country is None:
        _print_tour(request, generator)
    else:
        country = find_country(request.country, generator.conditions_)
        first = as_names_are_written(request.first, generator, country)
        for name in request.make(generator, country, first, request.number):
            print(name)
    report = folder / "report.html"
    if report.is_file() and (fresh or request.country is None):
        print(f"Report: {report}", file=sys.stderr)


def cache_folder() -> Path:
    """Return where models are kept: $RECURRA_CACHE, or the system's cache folder."""
    for variable, *below in (
        ("RECURRA_CACHE",),
        ("XDG_CACHE_HOME", "recurra"),
        ("LOCALAPPDATA", "recurra"),
    ):
        if os.environ.get(variable):
            return Path(os.environ[variable], *below).absolute()
    return Path.home() / ".cache" / "recurra"


def _load(folder: Path) -> SequenceGenerator:
    try:
        return SequenceGenerator.load(folder)
    except ModelFileError as error:
        if not is_model(folder):  # --retrain would leave it alone
            raise
        raise ModelFileError(f"{error} --retrain trains it anew.") from None


def _train(training: Training, folder: Path) -> SequenceGenerator:
    from recurra.cli.models import save_judged
    from recurra.cli.names_report import write_names_report
    from recurra.data.sources.names import load_names, read_names
    from recurra.data.splits import group_key, split_by_group
    from recurra.tasks.judging.judge import Part, judge

    table: NameTable = (
        load_names()
        if training.data is None
        else read_names(training.data, training.name_column, training.country_column)
    )
    groups = [group_key(name) for name in table.names]
    learned, held_out = map(table.select, split_by_group(groups, (0.9, 0.1)))
    countries = len(set(table.countries))
    print(
        f"Training on {len(learned):,} names of {countries} countries "
        f"(kept in {folder}; {len(held_out):,} names held out to judge it) ...",
        file=sys.stderr,
    )
    options: dict[str, Any] = {"cell": training.cell, "epochs": training.epochs}
    generator = SequenceGenerator(
        **{name: value for name, value in options.items() if value is not None},
        random_state=0 if training.seed is None else training.seed,
        validation_fraction=1 / 9,  # a tenth of all names, as many as are held out
        progress=True,
    )
    weights = learned.weights if training.weighted else None
    generator.fit(learned.names, learned.countries, weights)
    if generator.history_.stopped == "interrupted":
        print("This model is kept; --retrain trains it anew.", file=sys.stderr)
    source = "Faker's lists of first names" if training.data is None else training.data.name
    generator.save(folder, about={"data": source})
    parts = (Part(t.names, condition=t.countries) for t in (learned, held_out))
    save_judged(generator, folder, judge(generator, *parts))
    write_names_report(generator, learned, held_out, folder / "report.html")
    return generator


def _print_tour(request: Request, generator: SequenceGenerator) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(title="Generated names", title_justify="left")
    table.add_column("Country")
    table.add_column("First", justify="center")
    table.add_column("Names")
    for country, first in tour(generator, request.first):
        names = request.make(generator, country, first, 5)
        table.add_row(country, first, ", ".join(names))
    Console().print(table)
