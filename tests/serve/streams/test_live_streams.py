"""Live streams, by a clock that the test sets."""

import pytest

from recurra.serve.refusals import RefusedError
from recurra.serve.settings import Settings
from recurra.serve.streams import live as room
from recurra.serve.streams.live import LiveStream, LiveStreams


class Watched(LiveStreams):
    """Live streams whose clock stands still until it is moved."""

    def __init__(self, **settings: float) -> None:
        self.now = 100.0
        self.gone: list[LiveStream] = []
        super().__init__(Settings(**settings), self.gone.append, lambda: self.now)  # type: ignore[arg-type]


def code_of(streams: LiveStreams, name: str) -> str:
    with pytest.raises(RefusedError) as refused:
        streams.find(name)
    return refused.value.code


def test_the_longest_unused_end_first_and_those_in_use_do_not() -> None:
    streams = Watched(idle=10)
    first, second, busy = (streams.add(k) for k in range(3))
    busy.running = True
    streams.now += 6
    streams.find(first.id)
    streams.now += 6
    streams.sweep()
    assert streams.gone == [second]
    assert code_of(streams, second.id) == "expired"
    assert streams.find(first.id) is first
    busy.running = False
    streams.now += 9
    streams.sweep()
    assert len(streams) == 2, "a push that ran has counted as use"
    assert streams.ended_by == {"expired": 1, "closed": 0, "fault": 0}


def test_a_sweep_ends_while_all_streams_are_in_use() -> None:
    streams = Watched(idle=10)
    for k in range(3):
        streams.add(k).running = True
    for _ in range(3):
        streams.now += 20
        streams.sweep()
    assert len(streams) == 3


def test_a_stream_is_looked_at_between_sweeps() -> None:
    streams = Watched(idle=10)
    stream = streams.add(0)
    assert streams.expires_in(stream) == 10
    streams.now += 4
    assert streams.expires_in(stream) == 6
    streams.now += 6.5
    assert code_of(streams, stream.id) == "expired"
    assert streams.gone == [stream]


def test_ids_cannot_be_guessed_and_tell_their_run() -> None:
    streams, others = Watched(), Watched()
    names = {streams.add(k).id for k in range(100)}
    assert len(names) == 100
    assert len({name.split(".")[0] for name in names}) == 1
    assert len({name.split(".")[2] for name in names}) == 100
    name = streams.add(0).id
    assert code_of(others, name) == "restarted"
    streams.close(name)
    assert code_of(streams, name) == "closed"
    run, number, seal = name.split(".")
    assert code_of(streams, f"{run}.{int(number, 16) + 1:x}.{seal}") == "unknown"


def test_what_is_known_of_ended_streams_does_not_grow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "_REMEMBERED", 3)
    streams = Watched()
    names = [streams.add(k).id for k in range(5)]
    for name in names:
        streams.close(name)
    assert [code_of(streams, name) for name in names] == ["expired"] * 2 + ["closed"] * 3
    assert len(streams._ended) == 3
