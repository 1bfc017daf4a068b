"""The build: the native core is there where a compiler is, and its absence stops nothing."""

import importlib.util
import os
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
BUILD = Path(sys.prefix) / "build"  # where `make` builds
BROKEN = {"CC": "/no/such/cc", "CXX": "/no/such/c++"}


def installed() -> bool:
    return importlib.util.find_spec("recurra._core") is not None


def pip(*arguments: str | Path, **environment: str) -> None:
    """Run pip with `environment` and no setting of ours."""
    inherited = {key: value for key, value in os.environ.items() if key != "RECURRA_NATIVE"}
    command = [sys.executable, "-m", "pip", "--quiet", *map(str, arguments)]
    subprocess.run(command, cwd=ROOT, env=inherited | environment, check=True, timeout=900)


def wheel(folder: Path, **environment: str) -> Path:
    options = ["--no-deps", "--no-build-isolation", "--wheel-dir", folder]
    pip("wheel", *options, ".", **environment)
    (made,) = folder.glob("*.whl")
    return made


def test_the_core_was_built_if_there_is_a_compiler() -> None:
    compilers = (os.environ.get("CXX"), "c++", "g++", "clang++")
    if not any(name and shutil.which(name) for name in compilers):
        pytest.skip("no compiler")
    if os.environ.get("RECURRA_NATIVE", "1") == "0":
        pytest.skip("RECURRA_NATIVE=0")
    assert installed(), "the native core did not build: `make native` shows why"


def test_code_for_one_instruction_set_is_never_merged_with_that_for_another() -> None:
    # An inline function compiled for AVX-512 that the linker may take for everyone's (a weak
    # symbol) would stop a processor without it.
    objects = sorted(BUILD.glob("CMakeFiles/kernels_*.dir/native/src/kernels.cpp.o"))
    if not objects or shutil.which("nm") is None:
        pytest.skip("no objects, or no nm")
    for each in objects:
        listed = subprocess.run(["nm", "-C", each], capture_output=True, text=True, check=True)
        kinds = [line.split(maxsplit=2) for line in listed.stdout.splitlines() if line[0] != " "]
        assert [name for _, kind, name in kinds if kind in "WVuwv"] == []
        assert kinds, listed.stdout


@pytest.mark.slow
@pytest.mark.parametrize("why", [BROKEN, {"RECURRA_NATIVE": "0"}], ids=["no compiler", "unwanted"])
def test_without_the_core_the_package_installs_and_works(
    why: dict[str, str], tmp_path: Path
) -> None:
    made = wheel(tmp_path, **why)
    assert made.name.endswith("-py3-none-any.whl")
    subprocess.run([sys.executable, "-m", "venv", tmp_path / "venv"], check=True, timeout=120)
    python = tmp_path / "venv" / "bin" / "python"
    # torch and pytest are those of this environment. Nothing else of it is seen: the editable
    # install is a hook, which a folder put on the path this way does not run.
    own = sysconfig.get_path("purelib", vars={"base": str(tmp_path / "venv")})
    (Path(own) / "others.pth").write_text(sysconfig.get_path("purelib") + "\n")
    pip("--python", python, "install", "--no-deps", "--no-index", made)
    shutil.copy(ROOT / "tests" / "test_minimal.py", tmp_path)
    where = (
        "import recurra, importlib.util as u; print(recurra.__file__, u.find_spec('recurra._core'))"
    )
    told = subprocess.run([python, "-c", where], capture_output=True, text=True, cwd=tmp_path)
    assert told.stdout.split() == [str(Path(own) / "recurra" / "__init__.py"), "None"], told.stderr
    done = subprocess.run(
        [python, "-m", "pytest", "-p", "no:cacheprovider", "test_minimal.py"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.slow
def test_the_core_can_be_insisted_on(tmp_path: Path) -> None:
    with pytest.raises(subprocess.CalledProcessError):
        wheel(tmp_path, RECURRA_NATIVE="1", **BROKEN)


@pytest.mark.slow
def test_the_wheel_has_the_core_and_no_source_of_it(tmp_path: Path) -> None:
    with zipfile.ZipFile(wheel(tmp_path, RECURRA_NATIVE="1")) as packed:
        names = packed.namelist()
    tops = {name.split("/")[0].partition("-")[0] for name in names}
    assert tops == {"recurra"}
    cores = [name for name in names if name.startswith("recurra/_core.")]
    suffixes = {name.partition(".")[2] for name in cores}
    assert sysconfig.get_config_var("EXT_SUFFIX").lstrip(".") in suffixes
    assert suffixes <= {sysconfig.get_config_var("EXT_SUFFIX").lstrip("."), "pyi"}
    for wanted in ("recurra/py.typed", "recurra/report/templates/page.html.j2"):
        assert wanted in names
    page = (ROOT / "src/recurra/serve/static").iterdir()
    assert {f"recurra/serve/static/{file.name}" for file in page} <= set(names)
    assert any(name.endswith("/licenses/LICENSE") for name in names)
    assert not [name for name in names if name.endswith((".cpp", ".h", ".a"))]


@pytest.mark.slow
def test_the_source_distribution_can_build_the_core(tmp_path: Path) -> None:
    code = f"from scikit_build_core.build import build_sdist; build_sdist({str(tmp_path)!r})"
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True, timeout=120)
    (made,) = tmp_path.glob("*.tar.gz")
    with tarfile.open(made) as packed:
        names = {name.partition("/")[2] for name in packed.getnames()}
    for path in ("native", "src", "tests", "docs", "benchmarks"):
        assert any(name.startswith(f"{path}/") for name in names), path
    assert {"CMakeLists.txt", "LICENSE", "README.md", "native/src/kernels.cpp"} <= names
    assert not [n for n in names if n.startswith((".venv", "build/")) or n.endswith(".so")]
