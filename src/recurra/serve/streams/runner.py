"""The streams of a model, as the server runs them."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import safetensors.torch
from safetensors import SafetensorError

from recurra.serve.refusals import RefusedError
from recurra.tasks.streaming import open_pool

_MOST = 32  # symbols told of those that may come next
_ROOM = 64  # streams there is room for at first
_NUMBER = 32  # bytes of a number in a list


class StreamRunner:
    """Opens, reads on, saves and closes streams of a model, by their places in a pool.

    Raises `ArgumentError` where the model has none.
    """

    def __init__(self, model: Any) -> None:
        self._pool = open_pool(model, _ROOM, _MOST)
        self._by_step = self._pool.reader.by_step

    def open(self, condition: str | None, state: bytes | None) -> int:
        """Return the place of a new stream.

        Raises `ArgumentError` for a condition, `RefusedError` for a state of another kind.
        """
        if state is None:
            return self._pool.open(condition)
        try:
            return self._pool.open(condition, safetensors.torch.load(state))
        except (SafetensorError, ValueError, KeyError) as error:
            said = f"the state is none of this model's: {str(error).rstrip('.')}."
            raise RefusedError(422, "state", said) from None

    def close(self, place: int) -> None:
        """Forget a stream."""
        self._pool.close(place)

    def read(self, place: int, piece: Any) -> Any:
        """Return a stream's next piece as a row of steps; raises `DataError` for another form."""
        return self._pool.read(place, piece)

    def advance(self, places: Sequence[int], rows: Sequence[Any]) -> list[Any]:
        """Read on in streams and return their answers, as JSON can hold them."""
        answers = self._pool.advance(places, rows)
        return [a.tolist() if isinstance(a, np.ndarray) else a for a in answers]

    def joined(self, before: Any, answer: Any) -> Any:
        """Return the answer to a piece that was read in two parts."""
        return before + answer if self._by_step else answer

    def steps(self, place: int) -> int:
        """Return how many steps a stream has read."""
        return self._pool.steps(place)

    def room_of(self, place: int, answer: Any) -> int:
        """Return about how many bytes what grows of a stream takes, its last answer included."""
        room = self._pool.room_of(place)
        if self._by_step and answer:
            room += _NUMBER * len(answer) * len(answer[0])
        return room

    def save(self, place: int) -> bytes:
        """Return a stream's state as safetensors."""
        return safetensors.torch.save(self._pool.state(place))

    def layers(self, place: int) -> dict[str, Any]:
        """Return what the recurrent layers remember: {"h": [L][H], ...}."""
        state = self._pool.state(place)
        return {n[6:]: t.tolist() for n, t in state.items() if n.startswith("layer.")}
