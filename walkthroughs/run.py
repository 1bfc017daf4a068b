"""Run the notebooks of this folder from top to bottom and store what they show.

python walkthroughs/run.py                        all of them
python walkthroughs/run.py sentiment.ipynb        one
python walkthroughs/run.py --short sentiment.ipynb  in seconds, and nothing is stored
"""

import argparse
import os
import tempfile
import time
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbformat import NotebookNode

FOLDER = Path(__file__).parent
TIMEOUT = 1800  # seconds for one cell


def main() -> None:
    """Run what the command line names."""
    parser = argparse.ArgumentParser(description="Run notebooks and store what they show.")
    parser.add_argument("names", nargs="*", help="files of this folder; all if none is named")
    parser.add_argument("--short", action="store_true", help="small sizes, nothing is stored")
    given = parser.parse_args()
    names = given.names or sorted(path.name for path in FOLDER.glob("*.ipynb"))
    for name in names:
        path = FOLDER / Path(name).name
        began = time.perf_counter()
        notebook = execute(path, short=given.short)
        if not given.short:
            store(notebook, path)
        print(f"{path.name}: {time.perf_counter() - began:.0f} s", flush=True)


def execute(path: Path, *, short: bool) -> NotebookNode:
    """Return the notebook with the outputs of all its cells; raises on the first error."""
    notebook = nbformat.read(path, as_version=4)
    with tempfile.TemporaryDirectory() as scratch:
        env = os.environ | {"IPYTHONDIR": scratch, "JUPYTER_RUNTIME_DIR": scratch}
        env.pop("RECURRA_SHORT", None)
        env.pop("MPLBACKEND", None)  # the kernel's own puts figures into the notebook
        if short:
            env["RECURRA_SHORT"] = "1"
        client = NotebookClient(
            notebook,
            timeout=TIMEOUT,
            kernel_name="python3",
            record_timing=False,
            coalesce_streams=True,
            resources={"metadata": {"path": str(FOLDER)}},
        )
        kernel = client.create_kernel_manager()
        kernel.transport, kernel.ip = "ipc", f"{scratch}/kernel"  # files, no open port
        client.execute(env=env)
    return notebook


def store(notebook: NotebookNode, path: Path) -> None:
    """Write the notebook without what differs from one run or machine to the next."""
    notebook.metadata = {
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
        "language_info": {"name": "python"},
    }
    for cell in notebook.cells:
        cell.metadata = {}
        for output in cell.get("outputs", ()):
            output.get("metadata", {}).clear()
    nbformat.validate(notebook)
    nbformat.write(notebook, path)


if __name__ == "__main__":
    main()
