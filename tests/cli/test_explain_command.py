"""`recurra explain`, in one process."""

import pytest

import recurra as library
from recurra.cli import main


def recurra(*arguments: str) -> int:
    with pytest.raises(SystemExit) as exit_:
        main(list(arguments))
    code = exit_.value.code
    assert isinstance(code, int)
    return code


def test_it_prints_what_explain_returns(capsys: pytest.CaptureFixture[str]) -> None:
    sizes = ("--input-size", "2", "--hidden-size", "3")
    assert recurra("explain", "lstm", *sizes, "--layers", "2", "--bidirectional") == 0
    out, err = capsys.readouterr()
    layer = library.Recurrent("lstm", 2, 3, num_layers=2, bidirectional=True)
    assert out == f"{library.explain(layer)}\n"
    assert err == ""


def test_options_are_the_cells(capsys: pytest.CaptureFixture[str]) -> None:
    options = ("--option", "activation=relu", "-o", "output_size=5", "-o", "bias=false")
    assert recurra("explain", "elman", *options) == 0
    out = capsys.readouterr().out
    assert out.startswith("Elman: x 64, h 128, out 5, float32; ")
    assert "h' = relu(" in out
    assert "bias_ih" not in out


def test_the_help_has_an_example(capsys: pytest.CaptureFixture[str]) -> None:
    assert recurra("explain", "--help") == 0
    assert "recurra explain lstm --input-size 64 --hidden-size 128" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["lstn"], "Did you mean 'lstm'"),
        (["lstm", "--input-size", "0"], "input_size must be at least 1"),
        (["lstm", "--layers", "0"], "num_layers must be at least 1"),
        (["lstm", "-o", "depth=2"], "LSTM has no option 'depth'"),
        (["lstm", "-o", "depth"], "'depth': write it as NAME=VALUE"),
        (["lstm", "-o", "num_layers=2"], "num_layers"),
        (["lstm", "-o", "forget_bias=much"], "forget_bias='much'"),
        (["elman", "-o", "activation=tahn"], "tanh"),
        ([], "cell"),
    ],
)
def test_bad_requests_are_one_line_and_exit_2(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert recurra("explain", *arguments) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("recurra: ")
    assert err.count("\n") == 1
    assert message in err
