"""`--help` of every command."""

import subprocess
import sys
import time

import pytest

from recurra.cli.app import app, command


@pytest.mark.parametrize(
    ("arguments", "example"),
    [
        (["names"], "recurra names --country Italy --first S"),
        (["flow"], "recurra flow --compare elman:tanh,elman:relu,lstm,lstm:squash,gru,fcn"),
        (["explain"], "recurra explain lstm"),
        (["train"], "recurra train classify reviews.csv"),
        (["train", "classify"], "recurra train classify reviews.csv --text review"),
        (["train", "regress"], "recurra train regress wines.csv"),
        (["train", "tag"], "recurra train tag news.conllu"),
        (["train", "translate"], "recurra train translate dates.csv"),
        (["train", "caption"], "recurra train caption pictures.csv"),
        (["train", "fill"], "recurra train fill sentences.csv"),
        (["train", "generate"], "recurra train generate names.csv"),
        (["train", "forecast"], "recurra train forecast sales.csv"),
        (["evaluate"], "recurra evaluate reviews-model new-reviews.csv"),
        (["predict"], "recurra predict reviews-model new.csv"),
        (["generate"], "recurra generate names-model"),
        (["forecast"], "recurra forecast sales-model"),
        (["export"], "recurra export reviews-model reviews.onnx"),
    ],
)
def test_help_has_examples(
    arguments: list[str], example: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command().main([*arguments, "--help"], prog_name="recurra", standalone_mode=False) == 0
    assert example in " ".join(capsys.readouterr().out.split())


@pytest.mark.parametrize("arguments", [["names"], ["train"], ["train", "classify"], ["predict"]])
def test_help_does_not_wait_for_torch(arguments: list[str]) -> None:
    code = (
        "import sys; from recurra.cli import main\n"
        f"try: main({[*arguments, '--help']})\n"
        "except SystemExit as end: code = end.code\n"
        "heavy = ('torch', 'numpy', 'sklearn', 'pandas', 'matplotlib', 'rich')\n"
        "sys.exit(' '.join(name for name in heavy if name in sys.modules) or code)"
    )
    began = time.perf_counter()
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert time.perf_counter() - began < 5  # 0.1 s on a machine that does nothing else


def test_every_option_says_what_it_is() -> None:
    def options(group):  # type: ignore[no-untyped-def]
        for name, one in getattr(group, "commands", {}).items():
            yield from ((name, parameter) for parameter in one.params)
            yield from options(one)

    assert app.info.name == "recurra"
    found = list(options(command()))
    assert len(found) > 100
    assert [f"{name} {p.name}" for name, p in found if not getattr(p, "help", None)] == []
