"""A saved model edited, with its checksums made right again: a lie, not damage."""

import json
from pathlib import Path
from typing import Any

from recurra.tasks.saving.config import FileSum, sealed


def forge(folder: Path, change: dict[str, Any]) -> None:
    """Change entries of a model's config."""
    file = folder / "config.json"
    file.write_bytes(sealed({**json.loads(file.read_bytes()), **change}))


def forge_file(folder: Path, name: str, content: bytes) -> None:
    """Put another content in the place of one of a model's files."""
    (folder / name).write_bytes(content)
    files = json.loads((folder / "config.json").read_bytes())["files"]
    forge(folder, {"files": {**files, name: FileSum.of(content).model_dump()}})
