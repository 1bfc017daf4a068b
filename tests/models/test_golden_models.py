"""Models of every version load, and answer as they did."""

import json
import math
from pathlib import Path
from typing import Any

import pytest
from subjects import SUBJECTS, VERSIONS

import recurra
from recurra.errors import ModelFileError
from recurra.version import __version__

HERE = Path(__file__).parent
KNOWN = [(version, name) for version in VERSIONS for name in SUBJECTS]


def check_alike(found: Any, wanted: Any) -> None:
    """Check that answers are the same, numbers to 1e-6."""
    if isinstance(wanted, list):
        assert len(found) == len(wanted)
        for one, other in zip(found, wanted, strict=True):
            check_alike(one, other)
    elif isinstance(wanted, float):
        assert math.isclose(found, wanted, rel_tol=1e-6, abs_tol=1e-6)
    else:
        assert found == wanted


@pytest.mark.parametrize(("version", "name"), KNOWN)
def test_it_loads_and_answers_as_it_did(version: str, name: str) -> None:
    known = json.loads((HERE / version / f"{name}.json").read_text(encoding="utf-8"))
    model = recurra.load(HERE / version / name, cell=SUBJECTS[name].cell)
    assert model.about_.examples
    check_alike(SUBJECTS[name].ask(model, known["inputs"]), known["answers"])


def test_a_cell_of_its_own_must_be_passed() -> None:
    for version in VERSIONS:
        with pytest.raises(ModelFileError, match="the class 'Leaky' of its author's own"):
            recurra.load(HERE / version / "own-cell")


def test_there_are_models_of_this_version_and_of_every_task() -> None:
    assert VERSIONS[-1] == __version__
    tasks = {type(recurra.load(HERE / __version__ / name)).__name__ for name in SUBJECTS
             if SUBJECTS[name].cell is None}  # fmt: skip
    assert tasks == {name for name in SUBJECTS if SUBJECTS[name].cell is None}


def test_they_are_small() -> None:
    for version, name in KNOWN:
        files = list((HERE / version / name).iterdir())
        assert sum(file.stat().st_size for file in files) <= 10 * 1024


def test_the_comparison_sees_what_differs() -> None:
    for found in ([[1.0, "a"]], [[1.001, "b"]], [[1.0]], [[1.0, "b"], []]):
        with pytest.raises(AssertionError):
            check_alike(found, [[1.0, "b"]])
    check_alike([[1.0 + 1e-9, "b"]], [[1.0, "b"]])
