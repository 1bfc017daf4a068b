"""What the model is, and what it answers: describe, predict, generate, gradient flow."""

from pathlib import Path
from typing import Any

from fastapi import FastAPI

from recurra.serve.bodies import Answer, Flow, Generate, Predict
from recurra.serve.refusals import RefusedError
from recurra.serve.service import Service
from recurra.serve.strict_json import check_size
from recurra.tasks.saving.config import CARD

_MOST = 100_000  # characters of a card


class ModelRoutes:
    """The endpoints of the model itself."""

    def __init__(self, service: Service, folder: Path | str | None) -> None:
        self._service, self._family = service, service.family
        self._card = _card(folder)

    def add(self, app: FastAPI) -> None:
        """Add those that this model has."""
        add = app.router.add_api_route
        add("/model", self.describe, response_model=Answer)
        for name in ("predict", "generate", "flow"):
            add(f"/{name}", getattr(self, name), methods=["POST"], response_model=Answer)

    def describe(self) -> Any:
        """Say what the model is and what it can do here."""
        settings = self._service.settings
        return {
            "name": self._service.name,
            **self._family.about(),
            "card": self._card,
            "limits": {
                "body": settings.body,
                "text": settings.text,
                "n": settings.sequences,
                "streams": settings.streams,
                "idle_seconds": settings.idle,
            },
        }

    async def predict(self, body: Predict) -> Any:
        """Answer for inputs."""
        return await self._call("predict", body)

    async def generate(self, body: Generate) -> Any:
        """Make new sequences."""
        return await self._call("generate", body)

    async def flow(self, body: Flow) -> Any:
        """Measure where the gradients of one sequence go."""
        return await self._call("flow", body)

    async def _call(self, what: str, body: Any) -> Any:
        if what not in self._family.takes:
            takes = ", ".join(self._family.takes)
            raise RefusedError(
                422, "task", f"a {self._family.task} does not {what}: it takes {takes}."
            )
        self._service.check_open()
        check_size(self._service.settings.text, body.model_dump())
        return await self._service.calls.run(lambda: getattr(self._family, what)(body))


def _card(folder: Path | str | None) -> str | None:
    """Return the model card beside the model, if there is one."""
    path = None if folder is None else Path(folder) / CARD
    if path is None or not path.is_file():
        return None
    return path.read_text(encoding="utf-8", errors="replace")[:_MOST]
