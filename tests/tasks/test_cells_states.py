"""Estimators over cells whose states are matrices or complex, or differ in size by layer."""

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import recurra
from recurra.errors import ArgumentError


class Memory(nn.Module):
    """A matrix state: S' = 0.9·S + k·vᵀ, y = S'ᵀ·q."""

    def __init__(self, input_size: int, hidden_size: int) -> None:
        super().__init__()
        self.state_sizes = {"S": (2, hidden_size)}
        self.q, self.k = nn.Linear(input_size, 2), nn.Linear(input_size, 2)
        self.v = nn.Linear(input_size, hidden_size)

    def forward(self, x: Tensor, S: Tensor) -> Any:
        S = 0.9 * S + torch.tanh(self.k(x)).unsqueeze(2) * self.v(x).unsqueeze(1)
        return (self.q(x).unsqueeze(2) * S).sum(1), S


class Turning(nn.Module):
    """A complex state: s' = λ⊙s + W·x."""

    def __init__(self, input_size: int, hidden_size: int) -> None:
        super().__init__()
        self.state_sizes = {"s": (hidden_size, torch.complex64)}
        self.turn = nn.Parameter(
            torch.polar(torch.full((hidden_size,), 0.9), torch.ones(hidden_size))
        )
        self.inner = nn.Linear(input_size, hidden_size)

    def forward(self, x: Tensor, s: Tensor) -> Any:
        s = self.turn * s + self.inner(x)
        return s.real + s.imag, s


class Recalling(nn.Module):
    """A state as large as x."""

    def __init__(self, input_size: int, hidden_size: int) -> None:
        super().__init__()
        self.state_sizes = {"s": input_size}
        self.inner = nn.Linear(input_size, hidden_size)

    def forward(self, x: Tensor, s: Tensor) -> Any:
        s = 0.5 * s + x
        return torch.tanh(self.inner(s)), s


def fitted(kind: type, cell: type[nn.Module], *data: Any, **options: Any) -> Any:
    return kind(cell=cell, hidden_size=5, num_layers=2, epochs=1, random_state=0, **options).fit(
        *data
    )


NUMBERS = [np.random.default_rng(k).normal(size=(7, 2)) for k in range(24)]
TEXTS = ["abab", "baba", "aaa", "bbb"] * 6


@pytest.mark.parametrize("cell", [Memory, Turning])
def test_matrix_and_complex_states_are_carried(cell: type[nn.Module]) -> None:
    model = fitted(recurra.SequenceClassifier, cell, NUMBERS, [0, 1] * 12, bidirectional=False)
    whole = model.predict_proba(NUMBERS[:1])[0]
    stream = model.stream()
    for piece in (NUMBERS[0][:3], NUMBERS[0][3:4], NUMBERS[0][4:]):
        found = stream.push(piece)
    np.testing.assert_allclose(found, whole, atol=1e-6)
    assert len(fitted(recurra.SequenceGenerator, cell, TEXTS).generate(n=3)) == 3
    translator = fitted(recurra.Translator, cell, TEXTS, TEXTS, bidirectional=True)
    assert len(translator.predict(["ab", "ba"])) == 2


def test_states_that_differ_in_size_by_layer_are_refused_where_they_are_handed_on() -> None:
    model = fitted(recurra.SequenceClassifier, Recalling, NUMBERS, [0, 1] * 12, bidirectional=False)
    assert model.predict_proba(NUMBERS[:2]).shape == (2, 2)
    message = r"takes no cell whose state differs in size.*'s' does \(\d+, 5\): take num_layers=1"
    with pytest.raises(ArgumentError, match=message):
        model.stream()
    with pytest.raises(ArgumentError, match=message):
        fitted(recurra.SequenceGenerator, Recalling, TEXTS)
    with pytest.raises(ArgumentError, match=message):
        fitted(recurra.Translator, Recalling, TEXTS, TEXTS)
