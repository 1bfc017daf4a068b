"""The notebooks: each runs from top to bottom, and what is stored in it is fit to be read."""

import base64
import importlib.util
import re
from pathlib import Path
from types import ModuleType

import nbformat
import pytest
from nbclient.exceptions import CellExecutionError
from nbformat import NotebookNode

FOLDER = Path(__file__).parents[1] / "walkthroughs"
PATHS = sorted(FOLDER.glob("*.ipynb"))
# What a machine, a user's folder, a failed cell or a warning leaves behind.
TRACES = re.compile(
    re.escape(str(FOLDER.parent)) + r"|/home/|/root/|/tmp/|/Users/|/usr/|/opt/|/mnt/"
    r"|site-packages|[A-Z]:\\\\|ipykernel_\d|Traceback|Warning:|0x[0-9a-f]{8,}|<matplotlib|\bText\("
)
# What a notebook prints where what it set out to show did not come out.
FAILED = re.compile(r"\b(IS NOT|DOES NOT BEAT|DO NOT EXCEED|ABOVE)\b")
LARGEST = 1_000_000  # bytes


def load_runner() -> ModuleType:
    spec = importlib.util.spec_from_file_location("run_walkthroughs", FOLDER / "run.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def read(path: Path) -> NotebookNode:
    return nbformat.read(path, as_version=4)


def code_cells(notebook: NotebookNode) -> list[NotebookNode]:
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def texts(cell: NotebookNode) -> list[str]:
    """Return what a cell shows as text."""
    found = []
    for output in cell.outputs:
        found.append(output.get("text", ""))
        found += [
            "".join(shown)
            for kind, shown in output.get("data", {}).items()
            if kind.startswith("text/")
        ]
    return found


def complaints(notebook: NotebookNode) -> list[str]:
    """Return what cells wrote to the error stream: warnings come there."""
    return [
        output.text
        for cell in code_cells(notebook)
        for output in cell.outputs
        if output.output_type == "error" or output.get("name") == "stderr"
    ]


each = pytest.mark.parametrize("path", PATHS, ids=lambda path: path.stem)


def test_the_index_names_every_notebook() -> None:
    listed = re.findall(r"\]\((\w+\.ipynb)\)", (FOLDER / "README.md").read_text(encoding="utf-8"))
    assert sorted(listed) == [path.name for path in PATHS]
    assert len(PATHS) == 8


@each
def test_it_runs_from_top_to_bottom_without_a_warning(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS"):
        monkeypatch.setenv(name, "1")
    # Without the core everything runs, and says so once.
    monkeypatch.setenv("PYTHONWARNINGS", "ignore:Recurra was installed without its compiled core")
    done = load_runner().execute(path, short=True)
    assert complaints(done) == []
    assert any("image/png" in o.get("data", {}) for c in code_cells(done) for o in c.outputs)


@each
def test_outputs_are_stored_from_one_run_in_order(path: Path) -> None:
    cells = code_cells(read(path))
    assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1))
    assert sum(bool(cell.outputs) for cell in cells) > len(cells) / 2
    assert complaints(read(path)) == []


@each
def test_nothing_stored_tells_of_a_machine_or_a_failure(path: Path) -> None:
    for cell in code_cells(read(path)):
        for text in (cell.source, *texts(cell)):
            found = TRACES.search(text)
            assert found is None, text[max(0, found.start() - 80) : found.end() + 80]


@each
def test_what_it_set_out_to_show_came_out(path: Path) -> None:
    shown = "\n".join(text for cell in code_cells(read(path)) for text in texts(cell))
    assert FAILED.search(shown) is None


@each
def test_it_is_small_and_has_no_metadata_of_a_run(path: Path) -> None:
    assert path.stat().st_size < LARGEST
    notebook = read(path)
    nbformat.validate(notebook)
    assert set(notebook.metadata) == {"kernelspec", "language_info"}
    assert notebook.metadata.language_info == {"name": "python"}
    assert all(not cell.metadata for cell in notebook.cells)


@each
def test_figures_are_stored_as_pictures_with_words_beside_them(path: Path) -> None:
    cells = read(path).cells
    for place, cell in enumerate(cells):
        shown = [o.data for o in cell.get("outputs", ()) if "data" in o]
        for data in shown:
            assert not data.get("text/plain", "").startswith("<Figure") or "image/png" in data
            if "image/png" in data:
                assert base64.b64decode(data["image/png"]).startswith(b"\x89PNG")
                around = cells[max(0, place - 1) : place + 2]
                assert any(one.cell_type == "markdown" for one in around), cell.source


@each
def test_it_has_one_switch_for_its_sizes_and_a_short_page_of_prose(path: Path) -> None:
    notebook = read(path)
    lines = [line for cell in code_cells(notebook) for line in cell.source.splitlines()]
    assert sum("RECURRA_SHORT" in line for line in lines) == 1
    assert "RECURRA_SHORT" in code_cells(notebook)[0].source
    assert notebook.cells[0].cell_type == "markdown"
    assert notebook.cells[0].source.startswith("# ")


def test_a_cell_that_fails_or_warns_is_noticed(tmp_path: Path) -> None:
    runner = load_runner()
    cells = [nbformat.v4.new_code_cell("import warnings; warnings.warn('beware')")]
    path = tmp_path / "warns.ipynb"
    nbformat.write(nbformat.v4.new_notebook(cells=cells), path)
    assert "beware" in complaints(runner.execute(path, short=True))[0]
    cells.append(nbformat.v4.new_code_cell("1 / 0"))
    nbformat.write(nbformat.v4.new_notebook(cells=cells), path)
    with pytest.raises(CellExecutionError, match="division by zero"):
        runner.execute(path, short=True)


def test_what_is_stored_has_no_metadata_of_the_run(tmp_path: Path) -> None:
    runner = load_runner()
    path = tmp_path / "plain.ipynb"
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("1 + 1")])
    notebook.cells[0].metadata["execution"] = {"iopub.status.busy": "2020-01-01"}
    notebook.metadata["language_info"] = {"name": "python", "version": "3.11.7"}
    nbformat.write(notebook, path)
    runner.store(runner.execute(path, short=True), path)
    stored = read(path)
    assert stored.cells[0].outputs[0].data["text/plain"] == "2"
    assert stored.cells[0].metadata == {}
    assert stored.metadata.language_info == {"name": "python"}
