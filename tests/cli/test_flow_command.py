"""`recurra flow`, in one process."""

import csv
import io
import re
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

import recurra as library
from recurra import Recurrent, SequenceGenerator
from recurra.cli import main
from recurra.cli.flow_cells import read_cell
from recurra.data.examples import Examples
from recurra.errors import ArgumentError
from recurra.gradients import gradient_flow
from recurra.networks import symbol_losses
from recurra.report import flow_chart

SMALL = ("--length", "12", "--hidden", "5", "--inputs", "3", "--batch", "2")
ITALY = ["Sara", "Sofia", "Luca", "Marco", "Silvia", "Lucia", "Sandro", "Mara", "Luisa", "Mirco"]
POLAND = ["Jan", "Wanda", "Jakub", "Wiktor", "Jacek", "Witold", "Joanna", "Wioleta", "Jola", "Wit"]


def recurra(*arguments: str) -> int:
    with pytest.raises(SystemExit) as exit_:
        main(list(arguments))
    code = exit_.value.code
    assert isinstance(code, int)
    return code


@pytest.fixture(autouse=True)
def _in_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    generator = SequenceGenerator(
        "gru", hidden_size=6, embedding_size=4, epochs=1, random_state=0, validation_fraction=0
    )
    generator.fit([*ITALY, *POLAND], ["Italy"] * 10 + ["Poland"] * 10)
    return generator.save(tmp_path_factory.mktemp("models") / "people")


@pytest.fixture
def table(tmp_path: Path) -> Path:
    path = tmp_path / "people.csv"
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["name", "country"])
        writer.writerows([name, "Italy"] for name in [*ITALY, " "])
        writer.writerows([name, "Poland"] for name in POLAND)
    return path


def test_a_cell_is_measured_on_the_random_input_it_says(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    arguments = ("--cell", "elman", "--activation", "sigmoid", "--seed", "3")
    assert recurra("flow", *arguments, *SMALL) == 0
    out, err = capsys.readouterr()
    torch.manual_seed(3)
    layer = Recurrent("elman", 3, 5, activation="sigmoid")
    x = torch.randn(12, 2, 3, generator=torch.Generator().manual_seed(3))
    flow = gradient_flow(layer, x)
    assert out == (
        "On random input, 12 steps of 3 features, 2 rows, seed 3:\n"
        f"{flow.verdict}\n\n{flow_chart({'elman:sigmoid': flow})}\n"
    )
    assert err == f"Report: {tmp_path / 'flow.html'}\n"
    page = (tmp_path / "flow.html").read_text("utf-8")
    assert flow.verdict in page
    assert page.count("<svg") == 4
    assert "random input, 12 steps of 3 features, 2 rows, seed 3" in page


def test_the_same_seed_gives_the_same_page(tmp_path: Path) -> None:
    for name in ("a", "b"):
        assert recurra("flow", "--cell", "gru", *SMALL, "--report", f"{name}.html", "-q") == 0
    assert (tmp_path / "a.html").read_bytes() == (tmp_path / "b.html").read_bytes()


def test_several_cells_are_laid_over_one_another(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    cells = ["elman:relu", "lstm", "lstm:squash", "gru", "fcn:depth=1"]
    assert recurra("flow", "--compare", ", ".join(cells), *SMALL, "--report", "all.html") == 0
    out, err = capsys.readouterr()
    for cell in cells:
        assert f"\n{cell}: " in out
        assert re.search(rf"^{re.escape(cell)}  .*%", out, re.MULTILINE)
    assert "all.html" in err
    assert "Gradient flow of 5 cells" in (tmp_path / "all.html").read_text("utf-8")


def test_cells_of_a_comparison_read_the_same_input_and_differ_in_what_is_named(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert (
        recurra("flow", "--compare", "lstm,lstm:squash_cell=false,lstm:squash", *SMALL, "-q") == 0
    )
    one, same, other = (line.split(": ", 1)[1] for line in capsys.readouterr().out.splitlines())
    assert one == same != other


def test_layers_and_directions_are_the_ones_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    assert recurra("flow", "--layers", "2", "--bidirectional", *SMALL) == 0
    out = capsys.readouterr().out
    for name in ("layer 1, forwards", "layer 1, backwards", "layer 2, forwards"):
        assert f"\n{name}" in out


@pytest.mark.parametrize("cell", ["elman", "gru", "fcn", "ind_rnn", "co_rnn", "mgu"])
def test_a_gain_scales_the_weights_between_states(
    cell: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[dict[str, torch.Tensor]] = []

    def stop(layer: nn.Module, *_: object, **__: object) -> None:
        seen.append({name: p.detach().clone() for name, p in layer.named_parameters()})
        raise ArgumentError("enough.")

    monkeypatch.setattr("recurra.cli.flow.gradient_flow", stop)
    for options in ((), ("--gain", "3")):
        assert recurra("flow", "--cell", cell, *SMALL, *options) == 2
    plain, scaled = seen
    recurrent = [name for name in plain if not torch.equal(plain[name], scaled[name])]
    assert recurrent
    assert not [name for name in recurrent if "_ih" in name or "bias" in name or "linear" in name]
    for name in recurrent:
        torch.testing.assert_close(scaled[name], 3 * plain[name])


def test_larger_weights_make_gradients_explode(capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ("--activation", "identity", "--length", "40", "--hidden", "5", "--gain", "2", "-q")
    assert recurra("flow", *arguments) == 0
    assert "exploding" in capsys.readouterr().out


def test_quiet_prints_the_verdict_alone(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert recurra("flow", *SMALL, "--quiet") == 0
    out, err = capsys.readouterr()
    assert out.count("\n") == 1
    assert err == ""
    assert (tmp_path / "flow.html").is_file()


def test_a_terminal_without_unicode_gets_ascii(monkeypatch: pytest.MonkeyPatch) -> None:
    written = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(written, encoding="ascii"))
    assert recurra("flow", *SMALL) == 0
    text = written.getvalue().decode("ascii")
    assert "      1  ###" in text
    assert "?" not in text


# A saved model on a table.


def test_a_saved_model_is_measured_on_its_own_loss(
    model: Path, table: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert recurra("flow", str(model), str(table), "--batch", "20", "--report", "m.html") == 0
    out, err = capsys.readouterr()
    generator = SequenceGenerator.load(model)
    order = sorted([*ITALY, *POLAND], key=len, reverse=True)
    labels = ["Italy" if name in ITALY else "Poland" for name in order]
    named = Examples([list(name) for name in order], labels, np.ones(len(order)))
    (batch,) = generator.sequences_.batches(generator.network_, named, 256)
    whole = gradient_flow(Joined(generator.network_, batch), batch.inputs, loss=lambda out: out)
    assert out.startswith(f"On 20 of the 20 sequences of {table}, seed 0:\n{whole.verdict}\n")
    assert "m.html" in err
    assert "Gradient flow of people" in (tmp_path / "m.html").read_text("utf-8")


class Joined(nn.Module):
    """A network whose output is its loss (T, B) already."""

    def __init__(self, network: nn.Module, batch: library.data.batches.TokenBatch) -> None:  # type: ignore[name-defined]
        super().__init__()
        self.network, self.batch = network, batch

    def forward(self, _: torch.Tensor) -> torch.Tensor:
        return symbol_losses(self.network, self.batch)


def test_a_sample_is_drawn_by_the_seed(
    model: Path, table: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    verdicts = []
    for seed in ("1", "1", "2"):
        assert recurra("flow", str(model), str(table), "--batch", "3", "--seed", seed) == 0
        out = capsys.readouterr().out
        assert out.startswith("On 3 of the 20 sequences of")
        verdicts.append(out.split("\n", 1)[1])
    assert verdicts[0] == verdicts[1] != verdicts[2]


def test_a_model_without_labels_needs_no_column_of_them(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = {"hidden_size": 4, "embedding_size": 3, "epochs": 1, "validation_fraction": 0}
    generator = SequenceGenerator("elman", random_state=0, **options)  # type: ignore[arg-type]
    path = generator.fit(ITALY).save(tmp_path / "plain")
    (tmp_path / "first.csv").write_text("first\nSara\nLuca\n")
    arguments = (str(path), "first.csv", "--name-column", "first", "-q")
    assert recurra("flow", *arguments) == 0
    assert "the gradient arrives" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("name,country\nSara,Itly\n", "bad.csv, row 2: the model knows no 'Itly'; it knows Italy"),
        ("name,country\n,Italy\n", "bad.csv: X is empty"),
        ("first,country\nSara,Italy\n", "bad.csv has no column 'name'"),
        (f"name,country\n{'x' * 300},Italy\n", "300 symbols"),
        ("", "bad.csv is empty"),
    ],
)
def test_bad_tables_are_one_line_and_exit_2(
    content: str, message: str, model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "bad.csv"
    path.write_text(content)
    assert recurra("flow", str(model), str(path)) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("\n") == 1
    assert message in err
    assert not (tmp_path / "flow.html").exists()


def test_a_model_of_another_kind_is_an_error(
    model: Path, table: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("recurra.cli.flow_model.load", lambda path: object())
    assert recurra("flow", str(model), str(table)) == 2
    assert "people: holds a object; on a table" in capsys.readouterr().err


# What cannot be done.


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--cell", "lstn"], "--cell lstn: cell='lstn' is not known"),
        (["--cell", "lstn"], "Did you mean 'lstm'"),
        (["--activation", "tahn"], "elman has no activation or switch 'tahn'; it takes identity"),
        (["--cell", "lstm", "--activation", "relu"], "lstm has no activation or switch 'relu'"),
        (["--cell", "elman:depth=2"], "Elman has no option 'depth'"),
        (["--cell", "lstm:forget_bias=much"], "forget_bias"),
        (["--length", "1"], "--length"),
        (["--hidden", "0"], "--hidden"),
        (["--batch", "0"], "--batch"),
        (["--gain", "0"], "--gain must be a number above 0, got 0.0"),
        (["--gain", "nan"], "--gain must be a number above 0"),
        (["--cell", "min_gru", "--gain", "2"], "min_gru has no weights between state and state"),
        (["--compare", "elman,gru,gro"], "--compare 'gro': cell='gro' is not known"),
        (["--compare", "elman,"], "--compare '': cell='' is not known"),
        (["--compare", "elman:tanh,elman:"], "--compare 'elman:': elman has no activation"),
        (["--compare", "gru,lstm,gru"], "'gru' is there twice"),
        (["--compare", "gru,lstm", "--cell", "gru"], "--cell does not go with --compare"),
        (["--report", "."], "cannot be written"),
        (["nothing-here", "my.csv"], "nothing-here: no such model folder"),
        (["lstm"], "for a new cell write --cell lstm"),
        (["nothing-here", "my.csv", "--cell", "gru"], "--cell is for new cells"),
        (["nothing-here", "my.csv", "--bidirectional"], "--bidirectional is for new cells"),
        (["--nonsense"], "--nonsense"),
    ],
)
def test_bad_requests_are_one_line_and_exit_2(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    sizes = [] if "--hidden" in arguments or not arguments[0].startswith("-") else ["--hidden", "3"]
    assert recurra("flow", *arguments, *sizes) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("recurra: ")
    assert err.count("\n") == 1
    assert message in err
    assert not list(tmp_path.iterdir())


def test_a_model_without_a_table_is_an_error(
    model: Path, table: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert recurra("flow", str(model)) == 2
    assert "DATA is missing" in capsys.readouterr().err
    assert recurra("flow", str(model), "gone.csv") == 2
    assert "gone.csv: there is no such file" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("text", "cell", "options"),
    [
        ("elman", "elman", {}),
        ("elman:relu", "elman", {"activation": "relu"}),
        ("lstm:squash", "lstm", {"squash_cell": True}),
        ("fcn:gelu:depth=3", "fcn", {"activation": "gelu", "depth": 3}),
        ("gru:reset_after=false", "gru", {"reset_after": False}),
    ],
)
def test_a_cell_is_written_with_its_options(
    text: str, cell: str, options: dict[str, object]
) -> None:
    assert read_cell(text, "--cell") == (cell, options)
