"""What is wrong with a request, as the client is told."""

import logging
from typing import Any

from starlette.exceptions import HTTPException

from recurra.errors import RecurraError

log = logging.getLogger("recurra.serve")


class RefusedError(RecurraError):
    """A request that is not done: its status, a code for programs, a sentence for people.

    more: what else stands in the answer (the step a stream is at, say).
    """

    def __init__(self, status: int, code: str, message: str, **more: Any) -> None:
        super().__init__(message)
        self.status, self.code, self.message, self.more = status, code, message, more

    def body(self) -> dict[str, Any]:
        """Return the answer's body."""
        return {"error": {"code": self.code, "message": self.message, **self.more}}


def refusal_of(error: Exception) -> RefusedError:
    """Return what a client is told of an error; one that is not ours is a fault, and logged."""
    if isinstance(error, RefusedError):
        return error
    if isinstance(error, RecurraError):
        return RefusedError(422, "input", str(error))
    if isinstance(error, HTTPException) and error.status_code == 404:
        return RefusedError(404, "path", "there is nothing at this path: see /openapi.json.")
    if isinstance(error, HTTPException) and error.status_code == 405:
        return RefusedError(405, "method", "this path takes other methods: see /openapi.json.")
    log.error("a request failed", exc_info=error)
    return RefusedError(500, "fault", "the server has a fault here; its log says more.")


def busy(message: str) -> RefusedError:
    """Return what is answered where something must wait: ask again."""
    return RefusedError(503, "busy", message)


def too_large(most: int) -> RefusedError:
    """Return what is answered to a body of more bytes than a request may have."""
    return RefusedError(413, "large", f"a request may have {most:,} bytes: send it in parts.")
