"""Streams by HTTP: open, push a step, ask, close."""

import asyncio
from typing import Any

from fastapi import FastAPI
from starlette.routing import WebSocketRoute

from recurra.serve.bodies import Open, Opened, Push, Pushed, SavedState, Told
from recurra.serve.refusals import RefusedError
from recurra.serve.service import Service
from recurra.serve.streams.websocket import StreamSocket

PUSH = "/streams/{stream}/steps"


class StreamRoutes:
    """The endpoints of streams; each raises `RefusedError`, and what the model raises."""

    def __init__(self, service: Service) -> None:
        self._service = service

    def add(self, app: FastAPI) -> None:
        """Add the paths."""
        add = app.router.add_api_route
        add(PUSH, self.push, methods=["POST"], response_model=Pushed)
        app.router.routes.append(WebSocketRoute("/streams/ws", StreamSocket(self._service)))
        add("/streams", self.open, methods=["POST"], status_code=201, response_model=Opened)
        add("/streams/{stream}", self.tell, response_model=Told)
        add("/streams/{stream}/state", self.state, response_model=SavedState)
        add("/streams/{stream}", self.close, methods=["DELETE"], status_code=204)

    def open(self, body: Open) -> Any:
        """Open a stream: one input that comes in pieces, whose state the server keeps."""
        self._service.check_open()
        return self._service.streams.open(body)

    async def push(self, stream: str, body: Push) -> Any:
        """Read the next piece; the last step's number again gives its answer again."""
        self._service.check_open()
        answer: asyncio.Future[Any] = asyncio.get_running_loop().create_future()

        def done(result: Any) -> None:
            if not answer.cancelled():  # the client has gone; the push counts all the same
                answer.set_result(result)

        self._service.streams.push(stream, body, done)
        result = await answer
        if isinstance(result, RefusedError):
            raise result
        return result

    def tell(self, stream: str) -> Any:
        """Say which step a stream is at."""
        return self._service.streams.tell(stream)

    def state(self, stream: str) -> Any:
        """Return a stream's state, to go on from with POST /streams, here or elsewhere."""
        return self._service.streams.save(stream)

    def close(self, stream: str) -> None:
        """End a stream."""
        self._service.streams.close(stream)
