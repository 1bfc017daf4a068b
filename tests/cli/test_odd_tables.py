"""Five hundred odd tables: an answer, or exit 2 and one line with the file; never a traceback."""

import random
from pathlib import Path

import pytest
from commands import recurra

from recurra.cli.training.inputs import load_examples
from recurra.errors import DataError
from recurra.tasks.classifying.classifier import SequenceClassifier

HEAD = "text,label\n"
BODY = [f'"what a fine day, {k}",{"good" if k % 3 else "bad"}\n' for k in range(24)]
ODD = ["\0", '"', "\r", "\n", ",", ";", "\t", "\ufeff", "\ud800", "é", "\u200b", "😡", "", "NaN",
       "1e999", "\x1b[2J", "-", " "]  # fmt: skip


def odd_table(draw: random.Random) -> bytes:
    """Return a table with something wrong in it, or nothing."""
    lines = [HEAD, *draw.sample(BODY, draw.randint(0, len(BODY)))]
    for _ in range(draw.randint(0, 3)):
        k = draw.randrange(len(lines))
        at = draw.randint(0, len(lines[k]))
        kind = draw.choice(("insert", "cut", "double", "drop"))
        if kind == "insert":
            lines[k] = lines[k][:at] + draw.choice(ODD) * draw.choice((1, 1, 500)) + lines[k][at:]
        elif kind == "cut":
            lines[k] = lines[k][:at]
        elif kind == "double":
            lines.insert(k, lines[k])
        elif len(lines) > 1:
            del lines[k]
    data = "".join(lines).encode(
        draw.choice(("utf-8", "utf-8", "utf-8-sig", "utf-16")), "surrogatepass"
    )
    if draw.random() < 0.2:
        place = draw.randrange(len(data) + 1)
        data = data[:place] + bytes([draw.randrange(256)]) + data[place:]
    return data


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    texts = [line.split('"')[1] for line in BODY]
    labels = [line.strip().rpartition(",")[2] for line in BODY]
    small = SequenceClassifier("gru", 4, epochs=1, random_state=0, bag_of_words=False)
    return small.fit(texts, labels).save(tmp_path_factory.mktemp("m") / "model")


def test_what_is_read_to_learn_from_is_examples_or_a_data_error(tmp_path: Path) -> None:
    draw = random.Random(1)
    path = tmp_path / "t.csv"
    messages = []
    for _ in range(500):
        path.write_bytes(odd_table(draw))
        try:
            loaded = load_examples("classify", path, {"text": None, "label": None})
        except DataError as error:
            messages.append(str(error))
            continue
        assert len(loaded.part.X) == len(loaded.part.y) == len(loaded.rows)
        assert len(set(loaded.part.y)) > 1
    assert 50 < len(messages) < 400
    assert [text for text in messages if "t.csv" not in text or "\n" in text] == []


def test_what_is_answered_is_whole_or_one_line_that_says_why_not(
    model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    draw = random.Random(2)
    path, out = tmp_path / "t.csv", tmp_path / "out.csv"
    codes = []
    for _ in range(120):
        path.write_bytes(odd_table(draw))
        codes.append(recurra("predict", model, path, "--column", "text=text", "-o", out))
        printed, err = capsys.readouterr()
        assert printed == ""
        assert out.exists() == (codes[-1] == 0)
        if codes[-1]:
            assert codes[-1] == 2
            assert err.startswith("recurra: ")
            assert err.count("\n") == 1
            assert "t.csv" in err
        out.unlink(missing_ok=True)
        assert list(tmp_path.iterdir()) == [path]
    assert {0, 2} == set(codes)
