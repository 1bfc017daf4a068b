"""A model behind HTTP and WebSockets: predictions, streams, a page."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from recurra.serve.app import make_app
    from recurra.serve.settings import Settings

_HOMES = {"make_app": "recurra.serve.app", "Settings": "recurra.serve.settings"}

__all__ = ["Settings", "make_app"]


def __getattr__(name: str) -> object:
    from importlib import import_module

    if name not in _HOMES:
        raise AttributeError(f"module 'recurra.serve' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
