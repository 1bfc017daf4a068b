import math
from itertools import pairwise

import pytest

from recurra.errors import ArgumentError
from recurra.networks.teacher_forcing import SCHEDULES, TeacherForcing


@pytest.mark.parametrize("kind", SCHEDULES)
@pytest.mark.parametrize("least", [0.0, 0.3, 1.0])
def test_it_falls_from_about_1_and_never_below_the_least(kind: str, least: float) -> None:
    ratios = [TeacherForcing(kind, least).ratio(k / 20) for k in range(21)]
    assert ratios[0] > 0.9
    assert all(a >= b for a, b in pairwise(ratios))
    assert min(ratios) >= least


def test_each_schedule_is_its_formula() -> None:
    assert TeacherForcing().ratio(0.9) == 1.0
    assert TeacherForcing("linear", 0.2).ratio(0.25) == pytest.approx(0.8)
    sigmoid = TeacherForcing("inverse sigmoid").ratio(0.5)
    assert sigmoid == pytest.approx(15 / (15 + math.exp(50 / 15)))


def test_other_schedules_are_refused() -> None:
    with pytest.raises(ArgumentError, match=r"always, linear, inverse sigmoid, got 'never'"):
        TeacherForcing("never")
    with pytest.raises(ArgumentError, match="least must lie from 0 to 1, got 2"):
        TeacherForcing("linear", 2)
