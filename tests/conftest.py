"""What every test starts from: the same random numbers, the default backend."""

from collections.abc import Iterator

import pytest
import torch
from hypothesis import settings

from recurra import use_backend
from recurra.backends import current_backend

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


@pytest.fixture(params=["eager", "auto"])
def backend(request: pytest.FixtureRequest) -> Iterator[str]:
    """Run the test in the eager loop and with the kernels that `auto` chooses."""
    with use_backend(request.param):
        yield request.param
