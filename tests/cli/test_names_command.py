import csv
import os
import subprocess
import sys
from pathlib import Path
from typing import IO

import pytest

from recurra.cli import main

ITALY = ["Sara", "Sofia", "Luca", "Marco", "Silvia", "Lucia", "Sandro", "Mara", "Luisa", "Mirco"]
POLAND = ["Jan", "Wanda", "Jakub", "Wiktor", "Jacek", "Witold", "Joanna", "Wioleta", "Jola", "Wit"]


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("data") / "people.csv"
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["first name", "land"])
        for country, names in (("Italy", ITALY), ("Poland", POLAND)):
            writer.writerows([name, country] for name in names)
            writer.writerows([name + "na", country] for name in names)
    return path


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(autouse=True)
def _own_cache(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RECURRA_CACHE", str(cache))


def recurra(*arguments: str) -> int:
    with pytest.raises(SystemExit) as exit_:
        main(list(arguments))
    code = exit_.value.code
    assert isinstance(code, int)
    return code


@pytest.fixture
def untrained(table: Path) -> list[str]:
    columns = ["--name-column", "first name", "--country-column", "land"]
    return ["names", "--data", str(table), *columns]


@pytest.fixture
def own(untrained: list[str], cache: Path, capsys: pytest.CaptureFixture[str]) -> list[str]:
    if not any(cache.iterdir()):
        assert recurra(*untrained, "--epochs", "2", "--list") == 0
        capsys.readouterr()
    return untrained


def test_the_first_run_trains_and_the_second_only_answers(
    untrained: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    own, cache = untrained, tmp_path
    monkeypatch.setenv("RECURRA_CACHE", str(cache))
    assert recurra(*own, "--epochs", "2", "-c", "Italy", "-f", "S", "-n", "3", "--seed", "1") == 0
    out, err = capsys.readouterr()
    names = out.split()
    assert len(names) == 3
    assert all(name.startswith("S") for name in names)
    assert "Training on" in err
    assert "Report:" in err
    (folder,) = cache.iterdir()
    assert (folder / "report.html").read_text().count("<svg") >= 2
    assert recurra(*own, "-c", "Italy", "-f", "S", "-n", "3", "--seed", "1") == 0
    out, err = capsys.readouterr()
    assert out.split() == names
    assert err == ""


def test_countries_are_known_by_name_and_code_in_any_case(
    own: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    for text in ("Poland", "poland", "PL", "pol"):
        assert recurra(*own, "-c", text, "-f", "w", "-n", "2") == 0
        assert all(name.startswith("W") for name in capsys.readouterr().out.split())


def test_without_a_country_there_is_a_table(
    own: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert recurra(*own) == 0
    out, err = capsys.readouterr()
    assert "Italy" in out
    assert "Poland" in out
    assert "report.html" in err


def test_the_countries_can_be_listed(own: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert recurra(*own, "--list") == 0
    assert capsys.readouterr().out.splitlines() == ["Italy", "Poland"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["-c", "Itly"], "did you mean 'Italy'"),
        (["-c", "Brazil"], "Brazil"),
        (["-c", "Italy", "-f", "Ж"], "starts with 'Ж'; they start with L, M, S"),
        (["-c", "Italy", "-n", "0"], "n must be"),
        (["-c", "Italy", "--temperature", "0"], "temperature must be"),
        (["-c", "Italy", "--temperature", "-1"], "temperature must be"),
        (["-f", "Ж"], "'Ж'"),
        (["--epochs", "3"], "--retrain"),
        (["--weighted"], "--retrain"),
        (["--nonsense"], "--nonsense"),
    ],
)
def test_bad_requests_are_one_line_and_exit_2(
    own: list[str], arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert recurra(*own, *arguments) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("recurra: ")
    assert err.count("\n") == 1
    assert message in err


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "empty"),
        ("name,country\n", "no rows"),
        ("first,country\nAnna,Italy\n", "name"),
        ("name,country\nAnna,Italy\nBo,Italy\n", "Italy"),
        ("name,country\nAn\tna,Italy\nBo,Norway\n", "tab"),
        (f"name,country\n{'x' * 10_000},Italy\nBo,Norway\n", "xxx"),
    ],
)
def test_bad_tables_are_one_line_exit_2_and_nothing_is_written(
    content: str,
    message: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    cache = tmp_path / "cache"
    monkeypatch.setenv("RECURRA_CACHE", str(cache))
    path = tmp_path / "bad.csv"
    path.write_text(content)
    assert recurra("names", "--data", str(path)) == 2
    err = capsys.readouterr().err
    assert err.count("\n") == 1
    assert "bad.csv" in err
    assert message in err
    assert not cache.exists()


@pytest.mark.parametrize(
    ("option", "value", "message"),
    [("--epochs", "0", "epochs must be"), ("--cell", "lstn", "'lstm'"), ("--cell", "", "cell=''")],
)
def test_training_options_are_not_passed_over(
    own: list[str],
    option: str,
    value: str,
    message: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert recurra(*own, "--model", str(tmp_path / "model"), option, value) == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / "model").exists()


def test_a_missing_table_and_a_damaged_model_are_named(
    own: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert recurra("names", "--data", str(tmp_path / "gone.csv")) == 2
    assert "gone.csv" in capsys.readouterr().err
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "config.json").write_text("{")
    assert recurra("names", "--model", str(tmp_path / "model"), "-c", "Italy") == 2
    err = capsys.readouterr().err
    assert "damaged" in err
    assert "--retrain" not in err  # which would refuse to replace what is no model
    assert err.count("\n") == 1


def test_a_damaged_model_of_the_cache_can_be_trained_anew(
    own: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = [*own, "--model", str(tmp_path / "model"), "-c", "Italy"]
    assert recurra(*model, "--epochs", "1") == 0
    card = (tmp_path / "model" / "README.md").read_text()
    assert "people.csv" in card
    assert "counted pairs of characters" in card
    (tmp_path / "model" / "model.safetensors").write_bytes(b"")
    capsys.readouterr()
    assert recurra(*model) == 2
    assert "--retrain trains it anew" in capsys.readouterr().err
    assert recurra(*model, "--retrain", "--epochs", "1") == 0


def list_into(stdout: int | IO[str], own: list[str], cache: Path) -> tuple[int, str]:
    """List the countries in a process of its own; return its exit code and standard error."""
    code = f"from recurra.cli import main; main({[*own, '--list']!r})"
    done = subprocess.run(
        [sys.executable, "-c", code],
        stdout=stdout,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "RECURRA_CACHE": str(cache)},
        timeout=120,
    )
    return done.returncode, done.stderr


def test_a_closed_pipe_ends_quietly(own: list[str], cache: Path) -> None:
    read, write = os.pipe()
    os.close(read)
    try:
        assert list_into(write, own, cache) == (1, "")
    finally:
        os.close(write)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full here")
def test_a_full_disk_is_said_in_one_line(own: list[str], cache: Path) -> None:
    with open("/dev/full", "w") as full:
        code, err = list_into(full, own, cache)
    assert (code, err) == (2, "recurra: standard output: No space left on device\n")
