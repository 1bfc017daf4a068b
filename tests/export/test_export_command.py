"""`recurra export`."""

from pathlib import Path

import numpy as np
import pytest
from running import run_file

from recurra.cli import main
from recurra.tasks import SequenceTagger, Translator


def recurra(*arguments: object) -> int:
    """Run `recurra` and return its exit code."""
    with pytest.raises(SystemExit) as exit_:
        main([str(argument) for argument in arguments])
    assert isinstance(exit_.value.code, int)
    return exit_.value.code


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    rng = np.random.default_rng(0)
    X = [rng.normal(size=(n, 2)) for n in (3, 5, 4, 6, 2, 7)]
    y = [["up" if step[0] > 0 else "down" for step in row] for row in X]
    model = SequenceTagger("gru", 4, bidirectional=False, epochs=1, random_state=0).fit(X, y)
    return model.save(tmp_path_factory.mktemp("models") / "tags")


def test_it_writes_the_file_and_says_what_goes_in_and_out(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert recurra("export", folder, tmp_path / "tags.onnx") == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith(f"{tmp_path / 'tags.onnx'}: ")
    text = [" ".join(line.split()) for line in lines]
    assert "x float64 (T, B, 2) the numbers as they are" in text
    assert "lengths int64 (B,) how many steps each row has" in text
    assert "probabilities float64 (T, B, 2) the probability of each class" in text
    assert "at B = 3, T = 5 and B = 1, T = 9" in lines[-1]
    found = run_file(tmp_path / "tags.onnx", x=np.zeros((4, 1, 2)), lengths=np.array([4]))
    np.testing.assert_allclose(found["probabilities"].sum(-1), 1)


def test_a_stream_has_states(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert recurra("export", folder, tmp_path / "tags.onnx", "--streaming") == 0
    assert "state_h" in capsys.readouterr().out


def test_errors_are_one_line(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = Translator(hidden_size=4, epochs=1, random_state=0, validation_fraction=0)
    other.fit(["a b", "c d"], ["x", "y"]).save(tmp_path / "other")
    path = tmp_path / "tags.onnx"
    for said, arguments in (
        ("must end in .onnx", (folder, tmp_path / "tags.bin")),
        (
            "a Translator cannot be exported; these can: Seq",
            (tmp_path / "other", path),
        ),
        ("none", (tmp_path / "none", path)),
    ):
        assert recurra("export", *arguments) == 2
        error = capsys.readouterr().err
        assert said in error
        assert error.count("\n") == 1
    assert list(tmp_path.glob("*.onnx")) == []
