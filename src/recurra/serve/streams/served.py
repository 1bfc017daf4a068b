"""Streams as clients ask for them: open, push, tell, save, close."""

import base64
import binascii
from collections.abc import Callable
from typing import Any

from recurra.serve.bodies import Open, Push
from recurra.serve.refusals import RefusedError, busy
from recurra.serve.settings import Settings
from recurra.serve.streams.batching import Done
from recurra.serve.streams.live import LiveStreams
from recurra.serve.streams.pushing import Pushes
from recurra.serve.streams.runner import StreamRunner


class ServedStreams:
    """The live streams of a model; each method raises `RefusedError`, and what the model raises.

    Args:
        model: a fitted estimator that has streams.
        settings: limits.
        seen: told how many pushes went together, each time.
    """

    def __init__(self, model: Any, settings: Settings, seen: Callable[[int], None]) -> None:
        self._settings = settings
        self._runner = StreamRunner(model)
        self.live = LiveStreams(settings, lambda live: self.pushes.forget(live))
        self.pushes = Pushes(self._runner, self.live, settings, seen)

    def open(self, body: Open) -> dict[str, Any]:
        """Open a stream."""
        self.live.check_room()
        self.pushes.check_memory()
        state = None
        if body.state is not None:
            try:
                state = base64.b64decode(body.state, validate=True)
            except (binascii.Error, ValueError):
                said = "the state is no base64: give it as it came."
                raise RefusedError(422, "state", said) from None
        live = self.live.add(self._runner.open(body.condition, state))
        self.pushes.took(live)
        return {"stream": live.id, "step": 0, "expires_in": self._settings.idle}

    def push(self, stream: str, push: Push, done: Done) -> None:
        """Read the next piece; `done` gets the answer, or why there is none."""
        self.pushes.push(stream, push, done)

    def tell(self, stream: str) -> dict[str, Any]:
        """Say where a stream is."""
        live = self.live.find(stream)
        left = self.live.expires_in(live)
        return {"stream": live.id, "step": live.step, "read": live.read, "expires_in": left}

    def save(self, stream: str) -> dict[str, Any]:
        """Return a stream's state, unless a push is under way."""
        live = self.live.find(stream)
        if live.running:
            raise busy("a push to the stream is under way: ask for the state after its answer.")
        return {"state": base64.b64encode(self._runner.save(live.place)).decode()}

    def close(self, stream: str) -> None:
        """End a stream."""
        self.live.close(stream)
