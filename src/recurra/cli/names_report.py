"""The report on a trained name generator."""

import math
import warnings
from pathlib import Path
from typing import TYPE_CHECKING

from recurra.cli.tour import tour
from recurra.errors import RecurraWarning
from recurra.report.generator import GeneratorReport, SampleRow, ScoreRow, write_report
from recurra.tasks import SequenceGenerator, mean_losses, score_labels

if TYPE_CHECKING:
    from recurra.data.sources.names import NameTable


def write_names_report(
    generator: SequenceGenerator, learned: "NameTable", held_out: "NameTable", path: Path
) -> Path:
    """Judge the generator on the names held out, and write the page about it."""
    scores = score_labels(generator, held_out.names, held_out.countries, learned.names)
    loss, baseline = mean_losses(scores)
    known = set(learned.names)
    with warnings.catch_warnings():
        # A country with few names may have fewer than eight different ones: those, then.
        warnings.simplefilter("ignore", RecurraWarning)
        samples = [
            SampleRow(
                country, first, generator.generate(first, country, 8, unique=True, random_state=1)
            )
            for country, first in tour(generator)
        ]
    made = [name for row in samples for name in row.sequences]
    history = generator.history_
    best = history.best
    report = GeneratorReport(
        title="Names by country and first letter",
        lead=(
            f"A recurrent network read {len(learned):,} first names of "
            f"{len(generator.conditions_)} countries, letter by letter, and now makes new ones. "
            f"It was judged on {len(held_out):,} other names, none of which it had seen in any "
            "country."
        ),
        facts=[
            ("Held-out loss", f"{loss:.3f} nats a character ({loss / math.log(2):.2f} bits)"),
            ("Baseline", f"{baseline:.3f} nats a character (counted character pairs)"),
            (
                "Cell",
                f"{generator.cell}, {generator.hidden_size} units, "
                f"{generator.num_layers} layer{'s' * (generator.num_layers > 1)}",
            ),
            ("Parameters", f"{generator.parameter_count_:,}"),
            (
                "Training",
                f"{len(history.epochs)} epochs in {history.seconds:.0f} s; "
                f"epoch {best.number if best else 0} was best",
            ),
            (
                "New names below",
                f"{sum(name not in known for name in made)} of {len(made)} "
                "are not in the training names",
            ),
        ],
        history=history,
        samples=samples,
        scores=[ScoreRow(s.label, s.sequences, s.symbols, s.loss, s.baseline) for s in scores],
        baseline_name="counted character pairs",
    )
    return write_report(report, path)
