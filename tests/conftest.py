"""What every test starts from: the same random numbers, the default backend."""

from collections.abc import Iterator
from importlib import import_module

import pytest
import torch
from hypothesis import settings

from recurra import use_backend
from recurra.backends import current_backend

choose = import_module("recurra.backends.choose")  # the package has a function of that name

# The same examples on every machine and every day.
settings.register_profile("recurra", derandomize=True, deadline=None, max_examples=60)
settings.load_profile("recurra")

# The tests' tensors are small: a second thread costs more than it brings.
torch.set_num_threads(1)


@pytest.fixture(autouse=True)
def _fixed_start() -> Iterator[None]:
    torch.manual_seed(0)
    yield
    assert current_backend() == "auto", "a test left its backend behind"


@pytest.fixture(params=["eager", "native", "no core"])
def backend(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Run the test in the eager loop, in the core, and with what `auto` takes where there is none.

    "auto" can be asked for as well: it is the core, but for what the core refuses.
    """
    if request.param == "no core":
        monkeypatch.setattr(choose, "native", None)
        monkeypatch.setattr(choose, "_say_once_that_there_is_no_core", lambda: None)
    elif request.param == "native":
        pytest.importorskip("recurra._core")
    name = "auto" if request.param == "no core" else request.param
    with use_backend(name):
        yield name
