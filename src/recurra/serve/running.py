"""`recurra serve`: a model run by uvicorn until it is told to end."""

import socket
import sys
from pathlib import Path

from recurra.errors import ArgumentError
from recurra.serve.settings import Settings

_FIRST = 8000  # the port where it is free
_BACKLOG = 2048  # clients that may wait to be taken
_SWITCH = 0.0005  # seconds a thread may keep the interpreter from another one


def listen(host: str, port: int | None) -> socket.socket:
    """Return a socket that listens on a port: the one given, else 8000, else a free one.

    Raises `ArgumentError` where the port or the address cannot be had.
    """
    if port is not None:
        return _listen(host, port)
    try:
        return _listen(host, _FIRST)
    except ArgumentError:
        return _listen(host, 0)


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    made = socket.socket(family, socket.SOCK_STREAM)
    try:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        made.bind((host, port))
        made.listen(_BACKLOG)  # at once: until then another may bind the same port
    except OSError as error:
        made.close()
        said = f"{host}:{port}: {error.strerror or error}"
        raise ArgumentError(f"{said}; give another --port (0 for a free one) or --host.") from None
    made.set_inheritable(True)
    return made


def check(settings: Settings) -> None:
    """Raise `ArgumentError` where others could come in without a token."""
    if not settings.is_local and settings.token is None:
        raise ArgumentError(
            f"--host {settings.host} is reached from other machines: give --token SECRET, which "
            "clients must show."
        )


def run(
    folder: Path, settings: Settings, port: int | None, threads: int | None, access_log: bool
) -> int:
    """Serve the model in a folder until SIGTERM or Ctrl-C; return the exit status.

    Raises `ArgumentError` for what it cannot listen on, and what loading a model raises.
    """
    check(settings)
    listening = listen(settings.host, port)  # before what takes long
    try:
        from recurra.serve.server import serve
    except ModuleNotFoundError as error:
        raise ArgumentError(
            f"the server needs the package {error.name}: pip install 'recurra[serve]'"
        ) from None
    if threads is not None:
        import torch

        torch.set_num_threads(threads)
    # Each of torch's operations gives the interpreter away: with Python's 5 ms a batch of streams
    # would wait that long at each of some dozen, while sequences are generated beside it.
    sys.setswitchinterval(_SWITCH)
    return serve(folder, settings, listening, access_log)
