"""`recurra train TASK DATA`: read, split, train, judge, report."""

import inspect
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from recurra.cli.models import TASKS, check_folder, digest_of, estimator_of, save_judged
from recurra.cli.reading import Loaded
from recurra.cli.telling import say, told
from recurra.cli.training.inputs import load_examples, options_of
from recurra.cli.training.options import Fitting, Inputs
from recurra.cli.training.resuming import SayHow, checkpoints_of
from recurra.data.examples import Examples, fingerprint
from recurra.data.sequences import check_sequences
from recurra.data.tables.text_lines import shown_path
from recurra.errors import ArgumentError, DataError
from recurra.tasks.estimator import SequenceEstimator
from recurra.tasks.generating.generator import SequenceGenerator
from recurra.tasks.judging.judge import Judged, Part, judge
from recurra.tasks.supervised import SupervisedEstimator
from recurra.tasks.writing.targets import Conditioned
from recurra.training import is_first

Parameters = dict[str, Any]


def run(
    task: str,
    data: Path,
    inputs: Inputs | None,
    fitting: Fitting,
    columns: Mapping[str, Any],
    own: Mapping[str, Any],
    **settings: Any,
) -> None:
    """Train a model of `task` on the table `data`, judge it and write about it.

    Of several processes that train together the first alone judges and writes.

    Args:
        task: as `TASKS` has it.
        data: the user's table.
        inputs: the options for texts and series, for tasks that have both.
        fitting: the options all tasks share.
        columns: the other columns by their roles, None where they are to be guessed.
        own: the task's own parameters, None where they were not given.
        settings: what else reading the table needs.
    """
    model = new_model(task, fitting, own, inputs)
    folder = model_folder(data, fitting)
    there = is_first() and check_folder(folder)
    given = {**options_of(inputs), **columns}
    loaded = load_examples(task, data, given, split_column=fitting.split_column, settings=settings)
    for line in loaded.said:
        say(line)
    if isinstance(model, SequenceGenerator):  # others cut what is too long
        with told(loaded, list(range(len(loaded.part)))):
            check_sequences(loaded.part.X, model.max_length)
    split: dict[str, Any] = {"fraction": fitting.test_fraction, "seed": fitting.seed}
    if fitting.split_column is not None:
        split = {"column": fitting.split_column}
    train, test = split_rows(loaded, fitting.test_fraction, fitting.seed)
    say(f"training on {len(train):,} examples, {len(test):,} held out to judge the model")
    with told(loaded, train):
        if is_auto(fitting.learning_rate):
            find_rate(model, loaded.part.select(train))
        fit(model, loaded.part.select(train))
    if not is_first():
        return
    if there:
        say(f"the model that was in {shown_path(folder)} is replaced")
    about = {"split": split, "settings": settings, "columns": loaded.columns}
    folder = model.save(folder, about={**about, "data": data.name, "digest": digest_of(data)})
    with told(loaded, test):
        judged = judge(model, loaded.part.select(train), loaded.part.select(test))
    save_judged(model, folder, judged)
    write_up(task, model, judged, data, folder, fitting, loaded)


def write_up(
    task: str,
    model: SequenceEstimator,
    judged: Judged,
    data: Path,
    folder: Path,
    fitting: Fitting,
    loaded: Loaded,
) -> None:
    """Print the main score, and write the report."""
    from recurra.cli.training.report import report_on
    from recurra.report.tasks.page import write_task_report

    print(judged.scores[0].line(), flush=True)
    report = report_on(task, model, judged, data.name, loaded)
    path = write_task_report(report, fitting.report or folder / "report.html")
    say(f"model: {folder}")
    say(f"report: {path}")


def new_model(
    task: str, fitting: Fitting, own: Mapping[str, Any], inputs: Inputs | None = None
) -> SequenceEstimator:
    """Return the estimator with the parameters given; raises `ArgumentError` for wrong ones."""
    kind = estimator_of(task)
    known = inspect.signature(kind).parameters
    parameters: Parameters = {
        "cell": fitting.cell,
        "hidden_size": fitting.hidden_size,
        "num_layers": fitting.layers,
        "bidirectional": fitting.bidirectional,
        "epochs": fitting.epochs,
        "batch_size": fitting.batch_size,
        "learning_rate": read_rate(fitting.learning_rate),
        "truncate": fitting.truncate,
        "dropout": fitting.dropout,
        "patience": fitting.patience,
        "tokens": None if inputs is None else inputs.tokens,
        **own,
    }
    parameters = {name: value for name, value in parameters.items() if value is not None}
    if fitting.quick:
        parameters = {**TASKS[task][1], **parameters}
    if fitting.clip is not None:
        parameters["clip"] = read_band(fitting.clip)
    for name in parameters:
        if name not in known:
            raise ArgumentError(f"--{name.replace('_', '-')} has no meaning for {task}.")
    model = kind(
        **parameters,
        device=fitting.device,
        precision=fitting.precision,
        random_state=fitting.seed,
        progress=True,
        callbacks=[SayHow()],
        checkpoint=checkpoints_of(fitting),
        resume=fitting.resume,
    )
    model._check_parameters()
    return model


def read_band(text: str) -> tuple[float, float] | None:
    """Return the norm band written as L,U; None for "none". Raises `ArgumentError`."""
    if text.strip().casefold() == "none":
        return None
    try:
        low, high = (float(part) for part in text.split(","))
    except ValueError:
        raise ArgumentError(f"--clip {text!r}: write it as L,U, say 0,1, or none.") from None
    return low, high


def read_rate(text: str | None) -> float | None:
    """Return the learning rate that a text is, None for none and for "auto"."""
    if text is None or is_auto(text):
        return None
    try:
        return float(text)
    except ValueError:
        raise ArgumentError(f"--learning-rate {text!r}: give a number, or auto.") from None


def is_auto(rate: str | None) -> bool:
    """Return whether a learning rate is to be found by a range test."""
    return (rate or "").strip().casefold() == "auto"


def find_rate(model: SequenceEstimator, part: Part) -> None:
    """Set the learning rate that a range test on the examples suggests, and say it."""
    if not isinstance(model, SupervisedEstimator):
        raise ArgumentError(f"--learning-rate auto: a {type(model).__name__} has no range test.")
    y = part.y if part.condition is None else Conditioned(part.y, part.condition)
    rate = float(f"{model.find_learning_rate(part.X, y).suggestion:.3g}")
    model.set_params(learning_rate=rate)
    say(f"learning rate: {rate:g}, by a range test")


def model_folder(data: Path, fitting: Fitting) -> Path:
    """Return where the model goes: where the option says, or beside the data."""
    if fitting.model is not None:
        return fitting.model.absolute()
    return data.absolute().with_name(f"{data.stem}-model")


def split_rows(loaded: Loaded, fraction: float, seed: int) -> tuple[list[int], list[int]]:
    """Return the examples to train on and those held out, as the table or the share says.

    The same input never falls in both parts; each class gives its share.
    Raises `DataError` where a part would be empty.
    """
    n = len(loaded.part)
    if loaded.split is not None:
        return _split_as_told(loaded)
    check_share(fraction)
    classes = loaded.part.y if _has_classes(loaded.part) else None
    groups = list(loaded.part.X) if loaded.groups is None else loaded.groups
    examples = Examples(groups, list(range(n)), np.ones(n))
    train, test = examples.split(fraction, seed, strata=classes)
    if not len(test):
        train, test = examples.split(fraction, seed)
    if not len(test) or not len(train):
        different = len({fingerprint(group) for group in groups})
        raise DataError(
            f"{loaded.source}: {n} examples ({different} different ones) are too few to hold out a "
            f"share of {fraction:g}; give more rows, or a larger --test-fraction."
        )
    _tell_of_rare_classes(classes)
    return list(train.targets), list(test.targets)


def check_share(fraction: float) -> None:
    """Raise `ArgumentError` unless a share can be held out."""
    if not 0 < fraction < 1:
        raise ArgumentError(f"--test-fraction must be above 0 and below 1, got {fraction}.")


def _split_as_told(loaded: Loaded) -> tuple[list[int], list[int]]:
    assert loaded.split is not None
    test = [k for k, held in enumerate(loaded.split) if held]
    train = [k for k, held in enumerate(loaded.split) if not held]
    known = {_key(loaded.part.X[k]) for k in train}
    both = sum(_key(loaded.part.X[k]) in known for k in test)
    if both:
        say(f"warning: {both:,} of {len(test):,} held-out inputs are among those trained on, too")
    return train, test


def _key(item: Any) -> Any:
    if isinstance(item, np.ndarray):
        return item.tobytes()
    return tuple(item) if isinstance(item, list) else item


def _has_classes(part: Part) -> bool:
    y = part.y
    if y is None or isinstance(y, np.ndarray) or not all(isinstance(v, str | int) for v in y):
        return False
    return len(set(y)) <= max(2, len(y) // 3)


def _tell_of_rare_classes(classes: Any) -> None:
    if classes is None:
        return
    once = sorted({str(label) for label in classes if list(classes).count(label) == 1})
    if once:
        names = ", ".join(repr(name) for name in once[:5])
        say(f"warning: {names} {'is' if len(once) == 1 else 'are'} there once: too few to judge")


def fit(model: SequenceEstimator, part: Part) -> None:
    """Fit a model of any task on its examples."""
    learner: Any = model
    if part.condition is not None:
        if part.y is None:
            learner.fit(part.X, part.condition)
        else:
            learner.fit(part.X, part.y, condition=part.condition)
    elif part.y is None:
        learner.fit(part.X)
    else:
        learner.fit(part.X, part.y)
