"""Each of the other tasks from a small table to an answer."""

import datetime
import json
import math
import random
from pathlib import Path

import numpy as np
import pytest
from commands import recurra, write_csv

Capture = pytest.CaptureFixture[str]
SMALL = ("--quick", "--epochs", "1", "--hidden-size", "8")


def trained(capsys: Capture, *arguments: object) -> tuple[str, str]:
    code = recurra("train", *arguments)
    out, err = capsys.readouterr()
    assert code == 0, err
    return out, err


def page(folder: Path) -> str:
    return (folder / "report.html").read_text(encoding="utf-8")


def test_a_number_for_a_text(tmp_path: Path, capsys: Capture) -> None:
    draw = random.Random(0)
    rows = [
        (f"a {size} house with {n} rooms", 10 * n + (30 if size == "big" else 0))
        for n, size in ((draw.randint(1, 9), draw.choice(("big", "small"))) for _ in range(90))
    ]
    path = write_csv(tmp_path / "houses.csv", ["description", "price"], rows)
    out, err = trained(capsys, "regress", path, *SMALL)
    assert "text: column 'description'" in err
    assert "target: column 'price' (from 10 to 120)" in err
    assert out.startswith("mean absolute error ")
    assert "the training mean" in out
    assert "TF-IDF + ridge regression" in out
    folder = tmp_path / "houses-model"
    assert "Predicted against true" in page(folder)
    assert recurra("predict", folder, "--text", "a big house with 3 rooms") == 0
    assert math.isfinite(float(capsys.readouterr().out))


def test_a_class_for_a_series_of_columns(tmp_path: Path, capsys: Capture) -> None:
    draw = np.random.default_rng(0)
    rows = []
    for k in range(60):
        wave = np.sin(np.arange(12) * (0.4 if k % 2 else 1.2) + draw.uniform(0, 6))
        rows.append([*(f"{value:.3f}" for value in wave), "slow" if k % 2 else "fast"])
    path = write_csv(tmp_path / "w.csv", [*(f"t{k}" for k in range(12)), "kind"], rows)
    out, err = trained(capsys, "classify", path, *SMALL)
    assert "series: 12 steps, columns 't0' to 't11'" in err
    assert "summaries + logistic regression" in out
    assert recurra("predict", tmp_path / "w-model", path) == 0
    assert capsys.readouterr().out.splitlines()[0].endswith("kind,prediction,probability")
    path.write_text(path.read_text().replace("0.", "x.", 1))
    assert recurra("predict", tmp_path / "w-model", path) == 2
    assert "w.csv, row 2: column 't" in capsys.readouterr().err


def test_lists_of_words_and_of_numbers_in_json_lines(tmp_path: Path, capsys: Capture) -> None:
    words, numbers = tmp_path / "w.jsonl", tmp_path / "n.jsonl"
    lines = [json.dumps({"words": ["a", "bc", str(k)], "label": k % 2}) for k in range(40)]
    words.write_text("\n".join(lines))
    out, err = trained(capsys, "classify", words, *SMALL)
    assert "label: column 'label' (2 classes: 0, 1)" in err
    assert recurra("predict", tmp_path / "w-model", words) == 0
    first = capsys.readouterr().out.splitlines()[1]
    assert first.startswith('"[""a"", ""bc"", ""0""]",0,')
    lines = [
        json.dumps({"values": [k % 2 + k / 99] * (3 + k % 4), "level": k % 2}) for k in range(40)
    ]
    numbers.write_text("\n".join(lines))
    wanted = ("--text", "values", "--target", "level")
    out, err = trained(capsys, "regress", numbers, *wanted, *SMALL)
    assert "summaries + ridge regression" in out
    assert recurra("predict", tmp_path / "n-model", numbers, "-o", tmp_path / "o.jsonl") == 0
    record = json.loads((tmp_path / "o.jsonl").read_text().splitlines()[0])
    assert set(record) == {"values", "level", "prediction"}
    numbers.write_text(lines[0] + "\n" + json.dumps({"values": ["x"], "level": 1}))
    assert recurra("predict", tmp_path / "n-model", numbers) == 2
    assert "n.jsonl" in capsys.readouterr().err


def test_parquet(tmp_path: Path, capsys: Capture) -> None:
    polars = pytest.importorskip("polars")
    frame = {
        "text": [f"what a fine day {k}" for k in range(40)],
        "ok": [k % 2 == 0 for k in range(40)],
    }
    path = tmp_path / "t.parquet"
    polars.DataFrame(frame).write_parquet(path)
    _, err = trained(capsys, "classify", path, *SMALL)
    assert "label: column 'ok' (2 classes: False, True)" in err
    assert recurra("predict", tmp_path / "t-model", path) == 0
    assert capsys.readouterr().out.splitlines()[1].split(",")[2] in ("True", "False")


def test_new_texts_for_a_label(tmp_path: Path, capsys: Capture) -> None:
    rows = [(f"{a}{b}{c}", land) for land, vowels in (("Aia", "ai"), ("Uou", "uo"))
            for a in "bdklmnprst" for b in vowels for c in ("na", "lo", "ra")]  # fmt: skip
    path = write_csv(tmp_path / "names.csv", ["name", "country"], rows)
    out, err = trained(capsys, "generate", path, *SMALL)
    assert "condition: column 'country' (2 of them)" in err
    assert "nats a character" in out
    assert "counted pairs of characters" in out
    assert "Generated sequences" in page(tmp_path / "names-model")
    folder = tmp_path / "names-model"
    wanted = ("--condition", "Aia", "--prefix", "b", "-n", "4", "--seed", "1")
    assert recurra("generate", folder, *wanted) == 0
    made = capsys.readouterr().out.splitlines()
    assert len(made) == 4
    assert all(name.startswith("b") for name in made)
    assert recurra("generate", folder) == 2
    assert "--condition is missing: one of Aia, Uou" in capsys.readouterr().err
    assert recurra("predict", folder, "--text", "x") == 2
    assert "use recurra generate" in capsys.readouterr().err


CONLLU = "".join(
    f"# text = {noun} {verb}\n"
    f"1\t{noun}\t_\tNOUN\t_\t_\t_\t_\t_\t_\n2\t{verb}\t_\tVERB\t_\t_\t_\t_\t_\t_\n\n"
    for noun in ("dogs", "cats", "birds", "boys", "girls", "cows", "rats")
    for verb in ("run", "sing", "eat", "sleep", "jump")
)


def test_a_tag_for_each_word(tmp_path: Path, capsys: Capture) -> None:
    path = tmp_path / "s.conllu"
    path.write_text(CONLLU)
    out, err = trained(capsys, "tag", path, *SMALL)
    assert "tags: UPOS of 70 words (2 kinds)" in err
    assert "each word's most frequent tag" in out
    assert "Each tag, the most frequent first" in page(tmp_path / "s-model")
    blank = tmp_path / "new.conllu"
    blank.write_text(CONLLU.replace("NOUN", "_").replace("VERB", "_"))
    assert recurra("predict", tmp_path / "s-model", blank, "-o", tmp_path / "out.conllu") == 0
    tagged = (tmp_path / "out.conllu").read_text()
    assert tagged.count("NOUN") + tagged.count("VERB") == 70
    assert tagged.replace("NOUN", "_").replace("VERB", "_") == blank.read_text()


def test_a_text_for_another(tmp_path: Path, capsys: Capture) -> None:
    rows = [(f"{a}-{b}", f"{b}/{a}") for a in range(1, 9) for b in range(10, 20)]
    path = write_csv(tmp_path / "t.csv", ["source", "target"], rows)
    out, err = trained(capsys, "translate", path, *SMALL)
    assert "source: column 'source'" in err
    assert out.startswith("exact match ")
    assert "the nearest input's target" in out
    assert page(tmp_path / "t-model").count("Where example") == 8  # a heading and a label each
    assert recurra("predict", tmp_path / "t-model", "--text", "3-12", "--text", "4-11") == 0
    assert len(capsys.readouterr().out.splitlines()) == 2
    assert recurra("evaluate", tmp_path / "t-model", path) == 0
    assert "chrF" in capsys.readouterr().out


def test_a_word_for_a_blank_that_is_made(tmp_path: Path, capsys: Capture) -> None:
    path = tmp_path / "s.txt"
    path.write_text(
        "".join(
            f"I am {word} {state}{end}\n"
            for word, end in (("very", ", so I eat"), ("not", ""))
            for state in ("hungry", "tired", "cold", "warm", "busy", "late", "early", "sad")
            for _ in range(2)
        )
    )
    out, err = trained(capsys, "fill", path, "--choices", "very,not", *SMALL)
    assert "blanks: 32 made in 32 sentences" in err
    assert "the most frequent word" in out
    assert recurra("predict", tmp_path / "s-model", "--text", "I am __ hungry") == 0
    assert capsys.readouterr().out.split("\t")[0] in ("very", "not")
    assert recurra("predict", tmp_path / "s-model", "--text", "__ and __") == 2
    assert "2 blanks" in capsys.readouterr().err


def test_words_for_a_picture(tmp_path: Path, capsys: Capture) -> None:
    from PIL import Image

    rows = []
    for k in range(24):
        dark = k % 2 == 0
        Image.new("L", (12, 10), k if dark else 200 + k).save(tmp_path / f"{k}.png")
        rows.append((f"{k}.png", "a dark wall" if dark else "a bright wall"))
    path = write_csv(tmp_path / "p.csv", ["file", "caption"], rows)
    out, err = trained(capsys, "caption", path, "--size", "8", *SMALL)
    assert "picture: column 'file'" in err
    assert "held-out pictures" in out
    assert page(tmp_path / "p-model").count("data:image/png;base64,") >= 2
    assert recurra("predict", tmp_path / "p-model", path) == 0
    assert len(capsys.readouterr().out.splitlines()) == 25
    write_csv(path, ["file", "caption"], [*rows[:3], ("gone.png", "a wall")])
    assert recurra("predict", tmp_path / "p-model", path) == 2
    assert "p.csv, row 5: there is no picture" in capsys.readouterr().err
    (tmp_path / "0.png").write_bytes(b"no picture")
    assert recurra("predict", tmp_path / "p-model", path) == 2
    assert "0.png cannot be read, it is no picture" in capsys.readouterr().err


def sales(days: int) -> list[tuple[str, str, float]]:
    first = datetime.date(2024, 1, 1)
    return [
        (shop, str(first + datetime.timedelta(k)), round(20 + 5 * math.sin(k * 0.9) + k / 50, 2))
        for shop in ("north", "south")
        for k in range(days)
    ]


def test_what_comes_next(tmp_path: Path, capsys: Capture) -> None:
    path = write_csv(tmp_path / "sales.csv", ["shop", "day", "sold"], sales(80))
    options = ("--horizon", "3", "--window", "8", *SMALL)
    out, err = trained(capsys, "forecast", path, *options)
    for line in ("time: column 'day'", "id: column 'shop'", "value: column 'sold'", "2 series"):
        assert line in err
    assert out.startswith("mean absolute error ")
    assert "naive" in out
    folder = tmp_path / "sales-model"
    assert "Walking forward" in page(folder)
    assert recurra("forecast", folder, "--horizon", "2") == 0
    assert "2024-03-21" in capsys.readouterr().out
    assert recurra("forecast", folder, "-o", tmp_path / "f.csv") == 0
    lines = (tmp_path / "f.csv").read_text().splitlines()
    assert lines[0].startswith("unique_id,ds,forecast,q0.025")
    assert len(lines) == 1 + 2 * 3
    newer = write_csv(tmp_path / "newer.csv", ["shop", "day", "sold"], sales(95))
    assert recurra("forecast", folder, newer) == 0
    assert "2024-04-05" in capsys.readouterr().out
    assert recurra("evaluate", folder, newer) == 0
    assert capsys.readouterr().out.startswith("mean absolute error ")
    assert recurra("evaluate", folder, path) == 2
    assert "learned from all of this table" in capsys.readouterr().err
    assert recurra("forecast", folder, "--horizon", "4") == 2
    assert "from 1 to 3 steps" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda rows: rows[:10], "t.csv: series 'north' has 10 steps"),
        (lambda rows: [*rows[:20], *rows[25:]], "t.csv: series 'north'"),
        (lambda rows: [*rows[:-1], ("south", "2024-13-41", 3)], "t.csv"),
        (lambda rows: [*rows[:-1], ("south", rows[-1][1], "many")], "t.csv"),
        (lambda rows: [*rows, rows[-1]], "t.csv: series 'south'"),
    ],
)
def test_series_that_cannot_be_learned(
    change: object, message: str, tmp_path: Path, capsys: Capture
) -> None:
    assert callable(change)
    path = write_csv(tmp_path / "t.csv", ["shop", "day", "sold"], change(sales(60)))
    assert recurra("train", "forecast", path, "--horizon", "2", "--value", "sold", *SMALL) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert message in err.splitlines()[-1]
    assert list(tmp_path.iterdir()) == [path]
