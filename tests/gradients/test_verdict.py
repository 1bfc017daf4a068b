"""What a flow comes to, in words; and the record that holds it."""

import json
import math
import pickle

import numpy as np
import pytest
import torch

from recurra import GradientFlow, Recurrent, gradient_flow
from recurra.gradients.underflow import FORMATS, first_outside
from recurra.gradients.verdict import number, verdict

NAN = math.nan


def said(
    rate: float,
    T: int = 100,
    interval: tuple[float, float] = (NAN, NAN),
    lstm: float | None = None,
) -> str:
    arrives, rates = (float(rate) ** np.arange(T)).reshape(1, 1, T), np.array([[rate]])
    low, high = (np.array([[end]]) for end in interval)
    underflow = {name: first_outside(arrives, rates, dtype) for name, dtype in FORMATS.items()}
    return verdict(arrives, rates, low, high, underflow, lstm)


def test_vanishing_is_said_with_distance_rate_and_comparison() -> None:
    assert said(0.72, 100, (0.71, 0.73), 0.97) == (
        "From 15 steps back less than 1 % of the gradient arrives: vanishing at 0.72 a step "
        "(95 % interval 0.71 to 0.73); an LSTM with forget bias 1 on this input keeps 0.97. "
        "In float32 it is zero from 315 steps away, if it goes on so."
    )


def test_exploding_is_said_with_float32s_end() -> None:
    assert said(2.0, 200) == (
        "From 7 steps back more than 100 times the gradient arrives: exploding at 2.00 a step. "
        "In float32 it is infinite from 128 steps away."
    )


@pytest.mark.parametrize(
    ("rate", "T", "text"),
    [
        (0.98, 50, "From 49 steps back 37 % of the gradient arrives: fading at 0.98 a step."),
        (0.5, 2, "From 1 step back 50 % of the gradient arrives: fading at 0.50 a step."),
        (0.9, 40, "From 39 steps back 1.6 % of the gradient arrives: fading at 0.90 a step."),
        (1.02, 50, "From 49 steps back 2.6 times the gradient arrives: growing at 1.02 a step."),
        (1.0, 50, "From 49 steps back 100 % of the gradient arrives: steady at 1.00 a step."),
        (0.9996, 50, "From 49 steps back 98 % of the gradient arrives: steady at 0.99960 a step."),
    ],
)
def test_what_lies_between_has_words_of_its_own(rate: float, T: int, text: str) -> None:
    assert said(rate, T).startswith(text)


def test_a_rate_that_cannot_be_told_from_1_is_steady() -> None:
    assert "steady at 0.97 a step (95 % interval 0.93 to 1.03)" in said(0.97, 50, (0.93, 1.03))


def test_the_distance_is_one_from_which_on_nothing_more_arrives() -> None:
    arrives = np.array([[[1, 0.5, 0.001, 0.2, 0.009, NAN, 0.002]]])
    rates = np.array([[0.4]])
    underflow = {"float32": first_outside(arrives, rates, torch.float32)}
    nothing = np.array([[NAN]])
    assert verdict(arrives, rates, nothing, nothing, underflow, None).startswith("From 4 steps")


def test_of_several_the_fastest_is_named() -> None:
    rates = np.array([[0.9, 0.8], [0.95, 0.6], [0.99, NAN]])
    arrives = rates[..., None] ** np.arange(60)
    underflow = {"float32": first_outside(arrives, rates, torch.float32)}
    none = np.full((3, 2), NAN)
    text = verdict(arrives, rates, none, none, underflow, None)
    assert text.startswith("Layer 2, backwards: from 10 steps ahead less than 1 % of the gradient")
    rates[0, 0] = 1.9
    arrives = rates[..., None] ** np.arange(60)
    text = verdict(arrives, rates, none, none, underflow, None)
    assert text.startswith("Layer 1, forwards: from 8 steps back more than 100 times the gradient")


@pytest.mark.parametrize(
    ("factor", "text"),
    [
        (0.7234, "0.72"),
        (0.987, "0.987"),
        (0.99987, "0.99987"),
        (1.0000001, "1.000000"),
        (1.0, "1.00"),
        (0.0004, "0.0004"),
        (12.3456, "12.35"),
        (6.6e11, "6.6e+11"),
    ],
)
def test_a_factor_has_the_digits_that_tell_it_from_1(factor: float, text: str) -> None:
    assert number(factor) == text


# --- measured ----------------------------------------------------------------


def rescaled(activation: str, scale: float) -> Recurrent:
    layer = Recurrent("elman", 4, 8, activation=activation)
    layer.cells[0].affine.weight_hh.detach().mul_(scale)
    return layer


@pytest.mark.parametrize(
    ("layer", "word"),
    [
        (lambda: rescaled("sigmoid", 1.0), "vanishing"),
        (lambda: rescaled("identity", 0.7), "vanishing"),
        (lambda: rescaled("identity", 1.0), "steady at 1"),
        (lambda: rescaled("identity", 1.4), "exploding at 1.40"),
        (lambda: Recurrent("lstm", 4, 8, squash_cell=True), "vanishing"),
    ],
)
def test_known_networks_are_called_what_they_are(layer: object, word: str) -> None:
    flow = gradient_flow(layer(), torch.randn(60, 4, 4))
    assert word in flow.verdict
    assert "an LSTM with forget bias 1 on this input keeps 0." in flow.verdict
    assert 0.5 < flow.lstm_rate < 1


def test_an_lstm_that_remembers_is_compared_with_nothing() -> None:
    x = torch.randn(30, 4, 4)
    layer = Recurrent("lstm", 4, 8)
    assert gradient_flow(layer, x).lstm_rate is None
    assert gradient_flow(Recurrent("lstm", 4, 8, forget_bias=0.0), x).lstm_rate is not None
    assert gradient_flow(torch.nn.LSTM(4, 8), x).lstm_rate is not None
    assert gradient_flow(Recurrent("gru", 4, 8), x, compare=False).lstm_rate is None


def test_the_comparison_is_the_flow_of_such_an_lstm() -> None:
    x = torch.randn(30, 4, 4)
    flow = gradient_flow(Recurrent("gru", 4, 8), x)
    torch.manual_seed(0)
    lstm = gradient_flow(Recurrent("lstm", 4, 8), x)
    assert flow.lstm_rate == pytest.approx(lstm.rate.item(), rel=1e-12)


def test_a_record_survives_pickle_dict_and_json() -> None:
    layer = Recurrent("lstm", 3, 4, num_layers=2, bidirectional=True)
    flow = gradient_flow(layer, torch.randn(5, 2, 3), lengths=[4, 3])
    record = flow.to_dict()
    for again in (
        pickle.loads(pickle.dumps(flow)),
        GradientFlow.from_dict(record),
        GradientFlow.from_dict(json.loads(json.dumps(record))),
    ):
        np.testing.assert_equal(again.to_dict(), record)
        assert type(again.times) is type(again.state_names) is type(again.notes) is tuple
        assert again.norms.dtype == np.float64
        assert again.norms.shape == (2, 2, 5, 5)
    assert str(flow).startswith(flow.verdict)
    assert flow.notes[0] in str(flow)
    assert repr(flow).startswith("GradientFlow(LSTM, layers=2, directions=2, T=5, B=2: ")
