"""What a hostile client sends: each kind makes one of its attacks, drawn at random."""

import json
import random
import struct
from collections.abc import Callable
from dataclasses import dataclass

HERE = b"Host: 127.0.0.1\r\n"
JSON = b"Content-Type: application/json\r\n"
END = b"Connection: close\r\n"
ODD = (
    None, True, -1, 0, 2**63, 2**64, 1e308, "", "x" * 300, "<script>alert(1)</script>", "../../x",
    [], [[]], {}, {"$ref": "#"}, "\ud800", "\0",
)  # fmt: skip


@dataclass(frozen=True)
class Attack:
    """Bytes to send.

    parts: one after the other; pause: seconds after each; is_deaf: whether nothing is read.
    """

    parts: tuple[bytes, ...]
    pause: float = 0.0
    is_deaf: bool = False


def head(method: str, path: str, *headers: bytes, host: bytes = HERE) -> bytes:
    return f"{method} {path} HTTP/1.1\r\n".encode() + host + b"".join(headers) + b"\r\n"


def post(path: str, body: bytes, *headers: bytes, host: bytes = HERE) -> Attack:
    size = b"Content-Length: %d\r\n" % len(body)
    return Attack((head("POST", path, JSON, size, END, *headers, host=host) + body,))


def paths(draw: random.Random, stream: str) -> str:
    return draw.choice(("/predict", "/streams", f"/streams/{stream}/steps", "/flow"))


def no_json(draw: random.Random, stream: str) -> Attack:
    bodies = (
        b"", b"{", b"{}}", b"[1,]", b"NaN", b'{"inputs": [NaN]}', b'{"inputs": [-Infinity]}',
        b'{"inputs": [1e400]}', b'{"inputs": ["\\ud800"]}', b"\xff\xfe{}", b"\xef\xbb\xbf{}",
        b"{'inputs': ['a']}", b'{"step": 1, "step": 2, "piece": "a"}', b"\0" * 50, b"nul",
        b"1" * 5000, b'{"a": "' + b"\\u0000" * 200 + b'"', draw.randbytes(200),
    )  # fmt: skip
    return post(paths(draw, stream), draw.choice(bodies))


def deep(draw: random.Random, stream: str) -> Attack:
    depth = draw.choice((33, 1000, 100_000))
    opening, closing = draw.choice(((b"[", b"]"), (b'{"a":', b"}")))
    body = opening * depth + b"1" + closing * depth
    return post(paths(draw, stream), b'{"inputs": ' + body + b"}")


def odd_fields(draw: random.Random, stream: str) -> Attack:
    path = paths(draw, stream)
    forms = {
        "/predict": ("inputs", "condition", "series", "horizon"),
        "/streams": ("state", "condition"),
        "/flow": ("input", "condition"),
    }
    names = forms.get(path, ("step", "piece", "show"))
    name = draw.choice(names)
    # What is no error where it is left out is given in a form that is one.
    odd = [v for v in ODD if v is not None] if path == "/streams" else list(ODD)
    body = {name: draw.choice(odd), "another": 1}
    return post(path, json.dumps(body).encode())


def large(draw: random.Random, stream: str) -> Attack:
    """Claim a gigabyte, or send more than a request may have."""
    path = paths(draw, stream)
    if draw.random() < 0.5:
        size = b"Content-Length: %d\r\n" % draw.choice((2**30, 2**40, 2**63, 10**30))
        return Attack((head("POST", path, JSON, size, END) + b'{"inputs": ["',))
    body = b'{"inputs": ["' + b"a" * draw.choice((100_000, 2**20 + 1)) + b'"]}'
    return post(path, body)


def lying_lengths(draw: random.Random, stream: str) -> Attack:
    lengths = (b"-1", b"1.5", b"0x10", b"", b"1 1", b"\xb2", b"9" * 400, b"3, 3")
    if draw.random() < 0.5:  # two that disagree: one request, or two?
        lies = b"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n"
        body = b"0\r\n\r\nGET /metrics HTTP/1.1\r\n\r\n"
    else:
        lies, body = b"Content-Length: %b\r\n" % draw.choice(lengths), b"{}"
    return Attack((head("POST", "/predict", JSON, lies, END) + body,))


def chunks(draw: random.Random, stream: str) -> Attack:
    """Send a body a byte a chunk: more than it may have, or none that is whole."""
    count = draw.choice((2**20 + 2, 1000))
    sizes = b"1\r\na\r\n" * count
    last = draw.choice((b"0\r\n\r\n", b"ZZ\r\n", b"-5\r\n\r\n", b"fffffffffffffffff\r\n"))
    start = head("POST", "/predict", JSON, b"Transfer-Encoding: chunked\r\n", END)
    return Attack((start, sizes, last))


def slow(draw: random.Random, stream: str) -> Attack:
    """Send a byte now and then, and never all."""
    start = head("POST", "/predict", JSON, b"Content-Length: 1000\r\n", END)
    cut = draw.choice((len(start) - 30, len(start)))  # in the head, or in the body
    first, rest = start[:cut], start[cut:] + b'{"inputs": ['
    return Attack((first, *(rest[k : k + 1] for k in range(min(24, len(rest) - 1)))), 0.5)


def nothing(draw: random.Random, stream: str) -> Attack:
    """Connect, and say nothing or half a line."""
    return Attack((draw.choice((b"", b"G", b"POST /predict HT", b"\r\n\r\n")),))


def deaf(draw: random.Random, stream: str) -> Attack:
    """Ask for much, and read nothing."""
    ask = head("GET", draw.choice(("/static/style.css", "/openapi.json", "/metrics")))
    return Attack((ask * draw.choice((50, 400)),), is_deaf=True)


def no_http(draw: random.Random, stream: str) -> Attack:
    lines = (
        b"\x16\x03\x01\x02\x00\x01\x00", b"GET\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n",
        b"SSH-2.0-x\r\n", b"GET / HTTP/1.1\r\nHost : x\r\n\r\n", draw.randbytes(300),
        b"GET / HTTP/1.1\r\n" + b"A: b\r\n" * 5000 + b"\r\n",
        b"GET /" + b"a" * 2**17 + b" HTTP/1.1\r\n\r\n",
    )  # fmt: skip
    return Attack((draw.choice(lines),))


def foreign(draw: random.Random, stream: str) -> Attack:
    """Ask as a page elsewhere would."""
    hosts = (b"evil.example", b"127.0.0.1.evil.example", b"[::1", b"", b"localhost@evil", b"0x7f.1")
    origins = (b"http://evil.example", b"null", b"http://127.0.0.1:1", b"file://", b"", b"data:")
    path = paths(draw, stream)
    if draw.random() < 0.5:
        return post(path, b"{}", host=b"Host: %b\r\n" % draw.choice(hosts))
    return post(path, b"{}", b"Origin: %b\r\n" % draw.choice(origins))


def forms(draw: random.Random, stream: str) -> Attack:
    """Send what a form of any page can send."""
    kinds = (b"text/plain", b"application/x-www-form-urlencoded", b"multipart/form-data", b"")
    kind = b"Content-Type: %b\r\n" % draw.choice(kinds)
    return Attack((head("POST", "/streams", kind, b"Content-Length: 2\r\n", END) + b"{}",))


def methods(draw: random.Random, stream: str) -> Attack:
    method = draw.choice(("TRACE", "OPTIONS", "PATCH", "CONNECT", "PROPFIND", "get", "PUT"))
    ask = b"Access-Control-Request-Method: POST\r\nOrigin: http://evil.example\r\n"
    return Attack((head(method, "/predict", ask, END),))


def climbing(draw: random.Random, stream: str) -> Attack:
    ups = ("../", "..%2f", "%2e%2e/", "..%5c", "....//", "%252e%252e%252f", "..;/")
    start = draw.choice(("/", "/static/", "/static//", "//", "/streams/"))
    path = (
        start
        + draw.choice(ups) * draw.randint(1, 8)
        + draw.choice(("etc/passwd", "config.json", "app.py", "%00", "etc/passwd%00.js"))
    )
    return Attack((head("GET", path, END),))


def guesses(draw: random.Random, stream: str) -> Attack:
    """Push to streams that are another's, or none."""
    run, number, seal = stream.split(".")
    ids = (
        f"{run}.{number}.{seal[::-1]}", f"{run}.ff.{seal}", f"{run}..{seal}", "x", "%00",
        f"{run}.{number}", "%3Cscript%3E", "'%20OR%201=1", f"{run}.{'f' * 16}.{seal}", "a" * 4000,
    )  # fmt: skip
    body = json.dumps({"step": draw.choice((1, 2)), "piece": "a"}).encode()
    return post(f"/streams/{draw.choice(ids)}/steps", body)


def steps(draw: random.Random, stream: str) -> Attack:
    """Push to a stream, but not its next step."""
    step = draw.choice((0, -1, 1, 3, 2**63 - 1, 2**63, "2", 2.5, True))
    piece = draw.choice(("another", ["a", 1], {"a": 1}, 5)) if step == 1 else "a"
    return post(f"/streams/{stream}/steps", json.dumps({"step": step, "piece": piece}).encode())


def sockets(draw: random.Random, stream: str) -> Attack:
    """Open a WebSocket, and send frames that are none, or too much."""
    upgrade = b"Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
    key = b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n"
    start = head("GET", "/streams/ws", upgrade, key)
    masked = b"\0\0\0\0"
    frames: tuple[tuple[bytes, ...], ...] = (
        (b"\x81\x05hello",),  # not masked
        (b"\xff\xff" + masked,),  # bits that mean nothing
        (b"\x81\xff" + struct.pack(">Q", 2**62) + masked + b"x" * 100,),  # a length that lies
        (b"\x81\xff" + struct.pack(">Q", 2**21) + masked + b"[" * 2**21,),  # too long
        (b"\x81\x82" + masked + b"\xff\xff",),  # not UTF-8
        (b"\x80\x80" + masked,),  # goes on with nothing
        (b"\x01\x81" + masked + b"[", (b"\x00\x81" + masked + b"[") * 1500),  # in many pieces
        (draw.randbytes(500),),
    )
    return Attack((start, *draw.choice(frames), b"\x88\x80" + masked))


def pages_elsewhere(draw: random.Random, stream: str) -> Attack:
    """Open a WebSocket from another site's page."""
    upgrade = b"Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
    key = b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n"
    origin = b"Origin: %b\r\n" % draw.choice((b"http://evil.example", b"null", b"https://x"))
    return Attack((head("GET", "/streams/ws", upgrade, key, origin), b""))


_ALL = (
    no_json, deep, odd_fields, large, lying_lengths, chunks, slow, nothing, deaf, no_http, foreign,
    forms, methods, climbing, guesses, steps, sockets, pages_elsewhere,
)  # fmt: skip
ATTACKS: dict[str, Callable[[random.Random, str], Attack]] = {
    made.__name__.replace("_", " "): made for made in _ALL
}
