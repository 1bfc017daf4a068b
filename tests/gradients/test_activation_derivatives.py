"""The derivatives of activations, for the lesson's figure."""

import numpy as np
import pytest
import torch

from recurra.cells import ACTIVATIONS
from recurra.errors import ArgumentError
from recurra.gradients import activation_derivatives


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_a_derivative_agrees_with_central_differences(name: str) -> None:
    at = np.linspace(-4, 4, 50)  # 0, ±1 and ±3, where some have corners, are not among them
    phi, eps = ACTIVATIONS[name], 1e-6
    up, down = (phi(torch.from_numpy(at + e)).numpy() for e in (eps, -eps))
    found = activation_derivatives([name], at)
    assert list(found) == [name]
    np.testing.assert_allclose(found[name], (up - down) / (2 * eps), rtol=1e-6, atol=1e-8)
    assert found[name].dtype == np.float64


def test_the_sigmoids_is_never_above_a_quarter_and_tanhs_never_above_1() -> None:
    at = np.linspace(-5, 5, 1001)
    found = activation_derivatives(["sigmoid", "tanh"], at)
    assert found["sigmoid"].max() == found["sigmoid"][500] == 0.25
    assert found["tanh"].max() == found["tanh"][500] == 1


def test_the_result_has_the_shape_of_the_points() -> None:
    with torch.no_grad():
        found = activation_derivatives(["relu", "sin"], [[-1, 0], [2, 3]])
    np.testing.assert_array_equal(found["relu"], [[0, 0], [1, 1]])
    np.testing.assert_allclose(found["sin"], np.cos([[-1, 0], [2, 3]]))


def test_an_unknown_name_is_said() -> None:
    with pytest.raises(ArgumentError, match="activation='tan' is not known"):
        activation_derivatives(["tan"], 0.0)
