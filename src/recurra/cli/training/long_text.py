"""`recurra train generate --chunk`: one endless text, of which little is ever in memory."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from recurra.cli.models import check_folder, digest_of, save_judged
from recurra.cli.reading import Loaded
from recurra.cli.telling import say, telling
from recurra.cli.training.options import Fitting
from recurra.cli.training.run import check_share, is_auto, model_folder, new_model, write_up
from recurra.data.long_text.source import LongText
from recurra.data.tables.text_lines import shown_path
from recurra.errors import ArgumentError, DataError
from recurra.tasks.generating.endless import count_to_judge
from recurra.tasks.generating.generator import SequenceGenerator
from recurra.tasks.judging.judge import Part, judge
from recurra.training import Callback, Trainer, is_first


def run(data: Path, fitting: Fitting, columns: Mapping[str, Any], own: Mapping[str, Any]) -> None:
    """Train a generator on the file `data` as one text, judge it on its end and write about it.

    Args:
        data: a file of any size.
        fitting: the options all tasks share.
        columns: options that are for tables, all None.
        own: the generator's own parameters, None where they were not given.
    """
    for name, given in {**columns, "split-column": fitting.split_column}.items():
        if given is not None:
            raise ArgumentError(f"--{name} is for tables, --chunk for a file that is one text.")
    if is_auto(fitting.learning_rate):
        raise ArgumentError("--learning-rate auto: an endless text has no range test.")
    check_share(fitting.test_fraction)
    model = new_model("generate", fitting, own)
    assert isinstance(model, SequenceGenerator)
    model.callbacks = [*(model.callbacks or ()), _SayChunks()]
    folder = model_folder(data, fitting)
    there = is_first() and check_folder(folder)
    with telling(DataError, str):
        whole = LongText(data)
        train, test = whole.split(fitting.test_fraction)
        if not len(test):
            raise DataError(
                f"{whole.name}: a share of {fitting.test_fraction:g} of its {len(whole):,} bytes "
                "is too little to judge the model by; give a longer text or a larger "
                "--test-fraction."
            )
        say(f"one text of {len(whole):,} bytes, the last {len(test):,} held out to judge the model")
        held = count_to_judge(test, model.tokens)  # before training, to know that it can be read
        model.fit(train)
    if not is_first():
        return
    if there:
        say(f"the model that was in {shown_path(folder)} is replaced")
    about = {"split": {"fraction": fitting.test_fraction}, "data": data.name}
    folder = model.save(folder, about={**about, "digest": digest_of(data)})
    judged = judge(model, Part(train), Part([held]))
    save_judged(model, folder, judged)
    write_up("generate", model, judged, data, folder, fitting, Loaded(whole.name, Part([]), [], {}))


class _SayChunks(Callback):
    """Says of how many chunks an epoch is."""

    def on_train_begin(self, trainer: Trainer) -> None:
        say(f"an epoch is {trainer.batches_per_epoch:,} chunks")
