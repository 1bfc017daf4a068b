"""How the server is: health and metrics."""

from typing import Any

from fastapi import FastAPI
from starlette.responses import Response

from recurra.serve.bodies import Health
from recurra.serve.metrics import CONTENT_TYPE
from recurra.serve.service import Service


class StatusRoutes:
    """The endpoints that ask how the server is."""

    def __init__(self, service: Service) -> None:
        self._service = service

    def add(self, app: FastAPI) -> None:
        """Add the paths."""
        app.router.add_api_route("/health", self.health, response_model=Health)
        app.router.add_api_route(
            "/metrics", self.metrics, response_class=Response,
            responses={200: {"content": {"text/plain": {"schema": {"type": "string"}}}}},
        )  # fmt: skip

    def health(self) -> Any:
        """Say whether requests are taken."""
        status = "draining" if self._service.draining else "ok"
        return {"status": status, "model": self._service.name, "streams": self._service.live}

    def metrics(self) -> Response:
        """Answer with all counters as Prometheus reads them."""
        return Response(self._service.metrics.text(), headers={"content-type": CONTENT_TYPE})
