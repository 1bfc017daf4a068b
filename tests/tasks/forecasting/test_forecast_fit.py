import numpy as np
import pytest

from recurra.data.series.reading import read_series
from recurra.tasks.forecasting.fitting import series_ends, series_state
from recurra.tasks.forecasting.state import Scale
from recurra.tasks.forecasting.transforms import inverse, steps_of, targets_of
from recurra.tasks.forecasting.windows import cut_windows


@pytest.mark.parametrize("transform", ["none", "difference"])
@pytest.mark.parametrize(("W", "H", "fraction"), [(5, 3, 0.2), (1, 1, 0.5), (20, 10, 0.9)])
def test_no_target_learned_from_is_held_out(transform, W, H, fraction):
    series = read_series({"long": np.arange(200.0), "short": np.arange(32.0)})
    train, valid, cuts = series_ends(series, W, H, transform, fraction)
    for learned, held, cut, values in zip(train, valid, cuts, series.values, strict=True):
        assert learned.min() == W + (transform == "difference")
        assert learned.max() + H <= cut
        assert len(learned)
        if len(held):
            assert held.min() == cut
            assert held.max() + H == len(values)


def test_without_a_part_held_out_everything_is_learned():
    train, valid, cuts = series_ends(read_series(np.arange(30.0)), 5, 3, "none", 0.0)
    assert train[0].tolist() == list(range(5, 28))
    assert len(valid[0]) == 0
    assert cuts == [30]


def test_a_window_and_its_target_stand_side_by_side():
    values = np.arange(30.0) ** 2
    series = read_series(values)
    state = series_state(series, [30], 4, 2, "difference")
    windows = cut_windows(state, series, [np.array([10])], "difference", targets=True)
    scale = state.scales[0]
    steps = windows.steps[windows.ends[0] - 4 : windows.ends[0], 0]
    assert steps * scale.deviation + scale.mean == pytest.approx(np.diff(values)[5:9])
    ahead = windows.targets[0] * scale.spread + scale.centre
    assert ahead == pytest.approx(values[10:12] - values[9])


@pytest.mark.parametrize("transform", ["none", "log", "difference", "log_difference"])
def test_targets_are_put_back(transform):
    draw = np.random.default_rng(0)
    last, ahead = draw.uniform(1, 9, 20), draw.uniform(1, 9, (20, 3))
    targets = targets_of(last, ahead, transform, "y")
    assert inverse(last, targets, transform) == pytest.approx(ahead)
    stacked = np.stack([targets, targets + 1], -1)
    assert inverse(last, stacked, transform)[..., 0] == pytest.approx(ahead)


def test_steps_are_as_many_as_the_values():
    assert steps_of(np.array([1.0, 4.0, 2.0]), "difference", "y").tolist() == [0, 3, -2]


def test_the_scale_of_a_walk_grows_with_the_steps_ahead():
    walk = np.cumsum(np.random.default_rng(0).normal(1, 2, 4000))
    scale = Scale.of(walk, "difference", 9, "y")
    assert scale.mean == pytest.approx(1, abs=0.1)
    assert scale.centre == pytest.approx(np.arange(1, 10), rel=0.1)
    assert scale.spread == pytest.approx(2 * np.sqrt(np.arange(1, 10)), rel=0.1)


def test_a_walk_too_short_to_see_so_far_is_scaled_as_independent_steps_would_be():
    scale = Scale.of(np.array([0.0, 1.0, 3.0]), "difference", 4, "y")
    assert scale.centre == pytest.approx([1.5, 3, 4.5, 6])
    assert scale.spread == pytest.approx(0.5 * np.sqrt([1, 2, 3, 4]))


def test_what_never_changes_is_divided_by_one():
    scale = Scale.of(np.full(20, 0.1), "none", 2, "y")
    assert (scale.deviation, scale.spread) == (1.0, [1.0, 1.0])
