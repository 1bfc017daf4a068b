"""Models and clients that the tests of the server share (`serving.py`)."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest
from serving import Client, client_of, fitted

from recurra.serve import Settings


@pytest.fixture
def serve() -> Iterator[Callable[..., Client]]:
    """Return a function that serves a model by its name, with settings, in the test's process."""
    with ExitStack() as open_ones:

        def start(name: str = "tagger", **settings: object) -> Client:
            app_client = client_of(fitted(name), Settings(**settings))  # type: ignore[arg-type]
            return open_ones.enter_context(app_client)

        yield start
