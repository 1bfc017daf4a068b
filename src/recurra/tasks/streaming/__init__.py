"""Endless input: an estimator that predicts while its input comes in, a piece at a time."""

from recurra.tasks.streaming.pool import StreamPool
from recurra.tasks.streaming.stream import TaskStream, advance, open_pool, open_stream

__all__ = ["StreamPool", "TaskStream", "advance", "open_pool", "open_stream"]
