"""Writes the tiny models of this version, with their answers, for all later versions to load.

    python tests/models/write.py

Run it once before each release; what is there for released versions is never written again.
"""

import json
import sys
from pathlib import Path

import torch
from subjects import SUBJECTS, VERSIONS

from recurra import load
from recurra.version import __version__


def main() -> None:
    """Write the models of this version."""
    if __version__ in VERSIONS[:-1]:
        sys.exit(f"{__version__} is released: its models stay as they are.")
    torch.set_num_threads(1)
    folder = Path(__file__).parent / __version__
    for name, subject in SUBJECTS.items():
        model = subject.make()
        model.history_.epochs = [
            type(epoch)(**{**vars(epoch), "seconds": 0.0}) for epoch in model.history_.epochs
        ]
        loaded = load(model.save(folder / name), cell=subject.cell)
        known = {"inputs": subject.inputs, "answers": subject.ask(loaded, subject.inputs)}
        text = json.dumps(known, indent=1, ensure_ascii=False)
        (folder / f"{name}.json").write_text(text + "\n", encoding="utf-8")
        size = sum(file.stat().st_size for file in (folder / name).iterdir())
        print(f"{name}: {size:,} bytes")


if __name__ == "__main__":
    main()
