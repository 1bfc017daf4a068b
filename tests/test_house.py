"""The standards of the house, as tests: imports, sizes, what `import recurra` costs."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
LIBRARY = ROOT / "src" / "recurra"
FILES = sorted(LIBRARY.rglob("*.py"))

LONGEST_FILE = 450
LONGEST_FUNCTION = 80
HEAVY = ("sklearn", "pandas", "matplotlib", "typer", "rich", "faker")


def run_python(code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=120
    )


def test_no_room_imports_from_a_room_above_it() -> None:
    done = run_python(
        "import sys; from importlinter.cli import lint_imports; "
        "sys.exit(lint_imports(no_cache=True))"
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(r"[1-9]\d* kept, 0 broken", done.stdout), done.stdout


def test_there_are_files_to_measure() -> None:
    assert len(FILES) > 20


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(LIBRARY)))
def test_files_and_functions_are_short_enough_to_read(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert len(text.splitlines()) <= LONGEST_FILE
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            assert node.end_lineno is not None
            lines = node.end_lineno - node.lineno + 1
            assert lines <= LONGEST_FUNCTION, f"{node.name} has {lines} lines"


def brought(statement: str, packages: tuple[str, ...]) -> list[str]:
    """Return which of `packages` a fresh interpreter has imported after `statement`."""
    done = run_python(
        f"import sys; {statement}; print(*[name for name in {packages} if name in sys.modules])"
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


def test_importing_the_package_brings_no_heavy_package_with_it() -> None:
    assert brought("import recurra", (*HEAVY, "torch")) == []
    assert brought("import recurra, rich", HEAVY) == ["rich"]


def test_layers_and_the_norm_band_bring_torch_and_no_other_heavy_package() -> None:
    use = "import recurra; recurra.cells, recurra.Recurrent, recurra.LSTM, recurra.clip_norm_band"
    assert brought(use, (*HEAVY, "torch")) == ["torch"]
