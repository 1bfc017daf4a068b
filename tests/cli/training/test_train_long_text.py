"""`recurra train generate --chunk`: from a file that is one text to what goes on with it."""

import random
import shutil
from pathlib import Path

import pytest
from commands import recurra

from recurra import load
from recurra.data import LongText
from recurra.tasks.judging.judge import Part, judge
from recurra.training import Checkpoints

Capture = pytest.CaptureFixture[str]
SMALL = ("--quick", "--chunk", "16", "--hidden-size", "12", "--learning-rate", "0.03")


def book(n: int = 3000, seed: int = 0) -> str:
    draw = random.Random(seed)
    return " ".join(draw.choice(["étude", "bat", "abate\n", "debut"]) for _ in range(n))[:n]


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("text")
    (folder / "book.txt").write_text(book(), encoding="utf-8")
    assert recurra("train", "generate", folder / "book.txt", *SMALL) == 0
    return folder


def test_it_trains_judges_and_reports(tmp_path: Path, capsys: Capture) -> None:
    path = tmp_path / "book.txt"
    path.write_text(book(), encoding="utf-8")
    assert recurra("train", "generate", path, *SMALL, "--epochs", "2") == 0
    out, err = capsys.readouterr()
    assert out.startswith("loss ")
    assert "nats a character on 297 held-out characters" in out
    assert "counted pairs of characters" in out
    size = len(book().encode())
    assert f"one text of {size:,} bytes, the last " in err
    assert "an epoch is " in err
    assert "epoch 2/2: loss" in err
    model = load(tmp_path / "book-model")
    assert model.about_.split == {"fraction": 0.1}
    assert model.about_.data == "book.txt"
    learned, chose = model.about_.examples, model.about_.validation
    assert learned + chose + model.about_.scores[0].examples == 3000
    page = (tmp_path / "book-model" / "report.html").read_text(encoding="utf-8")
    assert "learned to go on with a text" in page
    assert f"{learned:,} characters learned from, {chose:,} to choose the epoch" in page
    assert "bits" in page
    card = (tmp_path / "book-model" / "README.md").read_text(encoding="utf-8")
    assert "the text `book.txt`" in card
    assert "On the end of the text, which it never saw" in card


def test_it_goes_on_with_a_text(trained: Path, capsys: Capture) -> None:
    model = trained / "book-model"
    wanted = ("--prefix", "bat ", "--length", "50", "--seed", "1")
    assert recurra("generate", model, *wanted) == 0
    first = capsys.readouterr().out
    assert first.startswith("bat ")
    assert len(first) == 4 + 50 + 1
    assert recurra("generate", model, *wanted) == 0
    assert capsys.readouterr().out == first
    assert recurra("generate", model, "--length", "5", "-n", "3") == 0
    assert len(capsys.readouterr().out) == 3 * 6
    assert recurra("generate", model, "--prefix", "☃") == 2
    assert "the model never learned '☃'" in capsys.readouterr().err


def test_it_is_judged_again_on_the_same_end(trained: Path, capsys: Capture) -> None:
    model = load(trained / "book-model")
    assert recurra("evaluate", trained / "book-model", trained / "book.txt") == 0
    out, err = capsys.readouterr()
    assert "is the text it was trained on: judged on the end held out" in err
    score, _ = model.about_.scores
    for line, unit in zip(out.splitlines(), ("nats", "bits"), strict=True):
        assert f" {unit} a character on {score.examples} held-out characters; counted" in line
    assert out.startswith(f"loss {score.value:.3f} nats")


def test_it_is_judged_on_another_text(trained: Path, tmp_path: Path, capsys: Capture) -> None:
    other = tmp_path / "other.txt"
    other.write_text(book(600, seed=5), encoding="utf-8")
    assert recurra("evaluate", trained / "book-model", other) == 0
    out, err = capsys.readouterr()
    assert "on 600 held-out characters\n" in out
    assert "give the text it was trained on as --train" in err
    given = ("--train", trained / "book.txt", "--report", tmp_path / "other.html")
    assert recurra("evaluate", trained / "book-model", other, *given) == 0
    learned, _ = LongText(trained / "book.txt").split(0.1)
    model = load(trained / "book-model")
    # The end that was held out is not counted.
    part, whole = (
        judge(model, Part(text), Part(other)).scores[0] for text in (learned, trained / "book.txt")
    )
    assert capsys.readouterr().out.splitlines()[0] == part.line() != whole.line()
    assert "other.txt" in (tmp_path / "other.html").read_text(encoding="utf-8")


def test_bytes_of_any_file(tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    path = tmp_path / "program.bin"
    path.write_bytes(bytes([0, 255, 7, 200] * 700))
    assert recurra("train", "generate", path, *SMALL, "--tokens", "byte") == 0
    assert b"nats a byte" in capfdbinary.readouterr().out
    model = tmp_path / "program-model"
    assert recurra("generate", model, "--length", "8", "--temperature", "0.1") == 0
    made = capfdbinary.readouterr().out
    assert len(made) == 9
    assert set(made[:-1]) <= {0, 255, 7, 200}


def test_a_training_that_was_interrupted_is_resumed(tmp_path: Path, capsys: Capture) -> None:
    path = tmp_path / "book.txt"
    path.write_text(book(), encoding="utf-8")
    kept = ("--checkpoint", tmp_path / "kept", "--checkpoint-steps", "3")
    where = ("--model", tmp_path / "model")
    assert recurra("train", "generate", path, *SMALL, *kept, *where) == 0
    first = capsys.readouterr().out
    shutil.rmtree(tmp_path / "model")
    *before, newest = Checkpoints(tmp_path / "kept").files()
    assert before
    newest.unlink()  # as if it had been stopped before
    assert recurra("train", "generate", path, *SMALL, *kept, *where, "--resume") == 0
    assert capsys.readouterr().out == first


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (("--text", "name"), "--text is for tables, --chunk for a file that is one text"),
        (("--condition", "x"), "--condition is for tables, --chunk for a file"),
        (("--split-column", "x"), "--split-column is for tables, --chunk for a file"),
        (("--learning-rate", "auto"), "--learning-rate auto: an endless text has no range test"),
        (("--test-fraction", "1"), "--test-fraction must be above 0 and below 1, got 1"),
        (("--test-fraction", "0.0001"), "is too little to judge the model by; give a longer text"),
        (("--tokens", "word"), "tokens must be 'char' or 'byte', got 'word'"),
        (("--chunk", "0"), "'--chunk': Input should be greater than or equal to 1"),
        (("--chunk", "4000"), "book.txt has 2,430 symbols to train on beside 270 held out; chunk"),
        (("--bidirectional",), "a generator predicts each symbol from those before it"),
    ],
)
def test_what_cannot_be_is_told(
    options: tuple[str, ...], told: str, tmp_path: Path, capsys: Capture
) -> None:
    path = tmp_path / "book.txt"
    path.write_text(book().replace("é", "e"), encoding="utf-8")
    assert recurra("train", "generate", path, *SMALL, *options) == 2
    assert told in capsys.readouterr().err
    assert not (tmp_path / "book-model").exists()


@pytest.mark.parametrize("place", [5, -5])
def test_a_file_that_is_no_text_is_refused_before_training(
    place: int, tmp_path: Path, capsys: Capture
) -> None:
    data = bytearray(book().encode())
    data[place] = 0xFF
    (tmp_path / "book.txt").write_bytes(data)
    assert recurra("train", "generate", tmp_path / "book.txt", *SMALL) == 2
    err = capsys.readouterr().err
    assert f"book.txt is not UTF-8 at byte {place % len(data):,} (0xff)" in err
    assert "--tokens byte" in err
    assert "epoch" not in err


def test_bytes_and_lengths_are_for_endless_texts(tmp_path: Path, capsys: Capture) -> None:
    path = tmp_path / "names.txt"
    path.write_text("".join(f"anna{'bcdefgh'[k % 7] * (k // 7)}\n" for k in range(60)))
    assert recurra("train", "generate", path, "--quick", "--tokens", "byte") == 2
    assert "tokens='byte' is for one endless text: give chunk=256" in capsys.readouterr().err
    assert recurra("train", "generate", path, "--quick", "--hidden-size", "4") == 0
    assert recurra("generate", tmp_path / "names-model", "--length", "5") == 2
    assert "length=5 is for an endless text" in capsys.readouterr().err
