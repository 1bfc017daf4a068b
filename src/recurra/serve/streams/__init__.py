"""Streams of a served model: their ids and steps, run together, by HTTP and by WebSocket."""
