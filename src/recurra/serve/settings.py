"""What a server is told: where it listens, who may come in, how much it takes."""

from dataclasses import dataclass

LOOPBACK = ("127.0.0.1", "localhost", "::1")


@dataclass(frozen=True)
class Settings:
    """How a model is served.

    host: the address listened on; hosts: other names it is reached by (behind a proxy);
    token: what clients must show, or None.

    Limits: idle: seconds after which a stream that nobody asks for ends; streams: live at once;
    memory: bytes that what grows of streams (words counted, answers kept) may take together;
    waiting: pushes that wait for the model, of one stream at most `waiting_each`, together of
    `waiting_size` characters and numbers; batch: pushes run together; body: bytes of a request or
    of a WebSocket's message; text: characters and numbers a request may hold; sequences: those
    made, or answered, by one call; calls: predictions that wait; seconds: how long a request may
    wait and run; slow: how long a client may take to send a request or to read an answer
    (and a second more for each 64 KB of that);
    connections: open at once; unsent: requests of one WebSocket whose replies have not gone out;
    drain: seconds for what is under way when the server ends.
    """

    host: str = "127.0.0.1"
    hosts: tuple[str, ...] = ()
    token: str | None = None
    idle: float = 900.0
    streams: int = 10_000
    memory: int = 512 * 2**20
    waiting: int = 20_000
    waiting_each: int = 64
    waiting_size: int = 2_000_000
    batch: int = 2048
    body: int = 2**20
    text: int = 20_000
    sequences: int = 100
    calls: int = 64
    seconds: float = 30.0
    slow: float = 10.0
    connections: int = 256
    unsent: int = 1000
    drain: float = 10.0

    @property
    def is_local(self) -> bool:
        """Whether only this machine can reach it."""
        return self.host in LOOPBACK and not self.hosts
