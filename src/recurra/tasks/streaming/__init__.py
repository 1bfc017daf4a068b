"""Endless input: an estimator that predicts while its input comes in, a piece at a time."""

from recurra.tasks.streaming.stream import TaskStream, advance, open_stream

__all__ = ["TaskStream", "advance", "open_stream"]
