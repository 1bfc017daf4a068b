"""scikit-learn's own checks, on every estimator, with none expected to fail."""

import inspect
import warnings
from collections.abc import Callable
from typing import Any

import pytest
from sklearn.utils.estimator_checks import estimator_checks_generator

from recurra.tasks.loading import TASKS

# These ask for skill; the others are as strict after two epochs as after all.
_SKILLED = ("check_classifiers_train", "check_regressors_train", "check_class_weight_classifiers")


def checks_of(task: type) -> list[tuple[str, Any, Any]]:
    """Return the name of each check, the check, and the estimator it is to be run on."""
    with warnings.catch_warnings():
        # They would like their own base class, which takes a second to import.
        warnings.filterwarnings("ignore", message=".*does not inherit from", category=UserWarning)
        found = list(estimator_checks_generator(task(epochs=2)))
    rows = []
    for estimator, check in found:
        name: str = getattr(check, "func", check).__name__
        rows.append((name, check, task() if name in _SKILLED else estimator))
    return rows


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    ("check", "estimator"),
    [
        pytest.param(check, estimator, id=f"{task.__name__}-{k}-{name}")
        for task in TASKS.values()
        for k, (name, check, estimator) in enumerate(checks_of(task))
    ],
)
def test_scikit_learns_check_passes(check: Callable[[Any], None], estimator: Any) -> None:
    check(estimator)


@pytest.mark.parametrize("task", TASKS.values(), ids=TASKS.keys())
def test_scikit_learn_runs_more_than_its_first_checks(task: type) -> None:
    assert len(checks_of(task)) > 45


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("task", TASKS.values(), ids=TASKS.keys())
def test_scikit_learns_checks_pass_with_every_default(task: type) -> None:
    for estimator, check in estimator_checks_generator(task()):
        check(estimator)


@pytest.mark.parametrize("task", TASKS.values(), ids=TASKS.keys())
def test_every_estimator_has_the_common_parameters(task: type) -> None:
    common = (
        "cell hidden_size num_layers bidirectional dropout truncate clip epochs batch_size "
        "learning_rate validation_fraction patience device random_state progress callbacks "
        "checkpoint resume"
    )
    assert set(common.split()) <= set(inspect.signature(task).parameters)
