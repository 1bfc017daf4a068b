import io
import sys

import pytest
import torch
from test_training_loop import Points, scripted, squares
from torch import nn

from recurra.training import Trainer
from recurra.training.progress import TerminalProgress


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def fit(**options: object) -> None:
    model = nn.Linear(1, 1)
    made = Trainer(
        model,
        squares,
        torch.optim.SGD(model.parameters(), lr=0.1),
        callbacks=[TerminalProgress("nats a character")],
    )
    made.fit(Points(), Points(), epochs=2)


def test_without_a_terminal_there_is_a_line_an_epoch(capsys: pytest.CaptureFixture[str]) -> None:
    fit()
    out, err = capsys.readouterr()
    assert out == ""
    first, second = err.splitlines()
    assert first.startswith("epoch 1/2: loss ")
    assert "validation" in first
    assert "nats a character" in first
    assert "s left" in first
    assert second.startswith("epoch 2/2")


def test_on_a_terminal_the_bar_shows_loss_gradient_and_time_left(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setenv("COLUMNS", "120")
    monkeypatch.setenv("TERM", "xterm")
    fit()
    shown = terminal.getvalue()
    assert "|gradient|" in shown
    assert "left" in shown
    assert "epoch 2/2" in shown


def test_an_early_end_says_why_and_what_is_kept(capsys: pytest.CaptureFixture[str]) -> None:
    made = scripted([1.0, 2.0, 3.0], patience=2, callbacks=[TerminalProgress()])
    made.fit(Points(), Points(), epochs=9)
    assert "stopped: no better validation loss; keeping epoch 1" in capsys.readouterr().err
