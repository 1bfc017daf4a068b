import math
import random
from statistics import median

import matplotlib
import pytest
from matplotlib import style
from matplotlib.colors import to_hex

from recurra.report import ScoreRow, gradient_norms, loss_curves, score_bars
from recurra.report.canvas import LIGHT
from recurra.report.series import envelope, log_ticks, median_window, running_median
from recurra.report.svg import inline_svg
from recurra.training.history import Epoch, History

INF, NAN = math.inf, math.nan


def lines(figure):
    """The labelled lines of a figure, by label."""
    return {line.get_label(): line for line in figure.axes[0].get_lines()}


def edges(figure):
    """The edges of the band, by their letter."""
    drawn = figure.axes[0].get_lines()
    return {line.get_gid(): line.get_ydata()[0] for line in drawn if line.get_gid() in ("L", "U")}


def texts(figure):
    return [text.get_text() for text in figure.axes[0].texts]


def band_of(figure):
    """The (lower, upper) of the shaded region, None without."""
    for patch in figure.axes[0].patches:
        if str(patch.get_label()).startswith("band"):
            low, high = (
                patch.get_extents().transformed(figure.axes[0].transData.inverted()).intervaly
            )
            return low, high
    return None


def steady(norm=1.0, n=10, band=None):
    return gradient_norms(History([], [norm] * n, band))


def test_the_loss_curves_show_the_history(history):
    drawn = lines(loss_curves(history, "nats a character"))
    for name, losses in (
        ("training", [e.train_loss for e in history.epochs]),
        ("validation", [e.valid_loss for e in history.epochs]),
    ):
        assert list(drawn[name].get_xdata()) == list(range(1, 11))
        assert list(drawn[name].get_ydata()) == losses


def test_the_best_epoch_is_ringed_and_labelled_with_its_value(history):
    figure = loss_curves(history, "nats a character")
    ring = next(line for line in figure.axes[0].get_lines() if line.get_gid() == "best")
    best = history.best
    assert best.number == 8
    assert (ring.get_xdata()[0], ring.get_ydata()[0]) == (8, best.valid_loss)
    assert texts(figure) == [f"best: epoch 8, {best.valid_loss:.3f}"]


def test_the_label_of_the_best_epoch_keeps_off_the_curves(history):
    figure = loss_curves(history, "nats a character", ("bigrams", 2.3))
    (label,) = figure.axes[0].texts
    height = label.xyann[1] * figure.dpi / 72
    to_pixels = figure.axes[0].transData.transform
    best = to_pixels((history.best.number, history.best.valid_loss))
    for level in (history.best.valid_loss, history.best.train_loss, 2.3):
        gap = to_pixels((history.best.number, level))[1] - best[1] - height
        assert abs(gap) > 7 * figure.dpi / 72


def test_the_baseline_is_a_dashed_line_named_in_the_key(history):
    figure = loss_curves(history, "nats a character", ("character bigrams", 2.9))
    line = lines(figure)["character bigrams"]
    assert set(line.get_ydata()) == {2.9}
    assert line.is_dashed()
    key = [text.get_text() for text in figure.legends[0].get_texts()]
    assert key == ["training", "validation", "character bigrams"]
    low, high = figure.axes[0].get_ylim()
    assert low < 2.9 < high


def test_a_loss_that_is_not_finite_leaves_a_gap():
    losses = [3.0, NAN, 2.0, INF, 1.5]
    epochs = [Epoch(k, x, None, 1.0, 0.1, False) for k, x in enumerate(losses, 1)]
    drawn = lines(loss_curves(History(epochs), "nats"))
    ys = drawn["training"].get_ydata()
    assert [math.isnan(y) for y in ys] == [False, True, False, True, False]
    assert "validation" not in drawn


@pytest.mark.parametrize(
    ("band", "shaded", "marked"),
    [
        ((0.25, 4.0), (0.25, 4.0), {"L": 0.25, "U": 4.0}),
        ((0.0, 4.0), ("bottom", 4.0), {"U": 4.0}),
        ((0.25, INF), (0.25, "top"), {"L": 0.25}),
        ((0.0, INF), ("bottom", "top"), {}),
        ((2.0, 2.0), (2.0, 2.0), {"L": 2.0}),
        ((50.0, 80.0), (50.0, 80.0), {"L": 50.0, "U": 80.0}),
        (None, None, {}),
    ],
)
def test_the_band_is_shaded_from_edge_to_edge(history, band, shaded, marked):
    history.band = band
    figure = gradient_norms(history)
    low, high = figure.axes[0].get_ylim()
    if shaded is None:
        assert band_of(figure) is None
    else:
        want = [{"bottom": low, "top": high}.get(edge, edge) for edge in shaded]
        assert band_of(figure) == pytest.approx(want)
    assert edges(figure) == marked
    for name, edge in marked.items():
        assert low < edge < high
        assert any(text.startswith(f"{name} = ") for text in texts(figure))


def test_labels_of_close_edges_do_not_touch():
    figure = steady(band=(1.0, 1.05))
    low, high = figure.axes[0].texts
    to_pixels = figure.axes[0].transData.transform
    apart = (to_pixels((1, 1.05)) - to_pixels((1, 1.0)))[1] * 72 / figure.dpi
    assert apart < 13
    assert apart + high.xyann[1] - low.xyann[1] > 13


def test_zero_and_not_finite_norms_are_left_out():
    figure = gradient_norms(History([], [1.0, 0.0, NAN, INF, 2.0], (0.5, 3.0)))
    line = lines(figure)["each step"]
    assert list(line.get_xdata()) == [1, 5]
    assert list(line.get_ydata()) == [1.0, 2.0]


def test_a_long_run_is_thinned_and_keeps_its_extremes():
    draw = random.Random(3)
    norms = [math.exp(draw.gauss(0, 1)) for _ in range(50_000)]
    norms[12_345], norms[40_001] = 1e4, 1e-4
    line = lines(gradient_norms(History([], norms)))["each step"]
    points = dict(zip(line.get_xdata(), line.get_ydata(), strict=True))
    assert len(points) <= 2000
    assert all(norms[step - 1] == norm for step, norm in points.items())
    assert points[12_346] == 1e4
    assert points[40_002] == 1e-4


def test_a_short_series_is_not_thinned():
    assert envelope([1, 2, 3], [5.0, 1.0, 4.0]) == ([1, 2, 3], [5.0, 1.0, 4.0])


def test_the_running_median_is_the_median_around_each_step():
    draw = random.Random(4)
    values = [draw.random() for _ in range(1000)]
    steps, medians = running_median(range(1, 1001), values)
    half = median_window(1000) // 2
    assert (steps[0], steps[-1], len(steps)) == (1, 1000, 200)
    for step, value in zip(steps, medians, strict=True):
        assert value == median(values[max(0, step - 1 - half) : step + half])


@pytest.mark.parametrize("low", [1e-90, 3e-7, 0.11, 1.01, 2.1, 9.9])
@pytest.mark.parametrize("factor", [2.25, 5, 60, 1e4, 1e40, 1e90])
def test_a_log_axis_always_has_some_ticks_but_not_many(low, factor):
    ticks = log_ticks(low, low * factor)
    assert 1 <= len(ticks) <= 10
    assert all(low * (1 - 1e-9) <= tick <= low * factor * (1 + 1e-9) for tick in ticks)


def test_bars_are_sorted_and_start_at_zero(scores):
    figure = score_bars(scores)
    axes = figure.axes[0]
    ranked = sorted(scores, key=lambda row: row.loss)
    assert [text.get_text() for text in axes.get_yticklabels()] == [r.condition for r in ranked]
    bars = sorted(axes.patches, key=lambda bar: bar.get_y())
    assert [bar.get_width() for bar in bars] == [row.loss for row in ranked]
    assert {bar.get_x() for bar in bars} == {0}
    assert axes.get_xlim()[0] == 0
    # The first row is on top.
    assert axes.get_ylim()[0] > axes.get_ylim()[1]


def test_each_row_has_its_baseline_as_a_tick_and_its_colour_says_who_wins(scores):
    axes = score_bars(scores).axes[0]
    ranked = sorted(scores, key=lambda row: row.loss)
    ticks = [segment[0][0] for segment in axes.collections[0].get_segments()]
    assert ticks == [row.baseline for row in ranked]
    bars = sorted(axes.patches, key=lambda bar: bar.get_y())
    colours = [to_hex(bar.get_facecolor()) for bar in bars]
    assert colours == [LIGHT["second" if row.baseline < row.loss else "first"] for row in ranked]


def test_rows_keep_their_height_however_many_there_are(scores):
    few, many = score_bars(scores[:30]), score_bars(scores)
    gained = (many.get_figheight() - few.get_figheight()) * 72
    assert gained == pytest.approx(35 * 17)


def test_of_very_many_rows_both_ends_are_drawn():
    rows = [ScoreRow(f"c{k}", 1, 1, 1 + k / 1000, 2.0) for k in range(300)]
    axes = score_bars(rows).axes[0]
    labels = [text.get_text() for text in axes.get_yticklabels()]
    assert labels[:50] == [f"c{k}" for k in range(50)]
    assert labels[50] == "… 200 more"
    assert labels[51:] == [f"c{k}" for k in range(250, 300)]
    assert len(axes.patches) == 100


def test_losses_that_are_not_finite_stand_as_words():
    rows = [ScoreRow("a", 1, 1, NAN, 1.0), ScoreRow("b", 1, 1, INF, NAN)]
    figure = score_bars([*rows, ScoreRow("c", 1, 1, 2.0, INF)])
    assert sorted(text.strip() for text in texts(figure)) == ["not a number", "∞"]
    assert len(figure.axes[0].patches) == 1


@pytest.mark.parametrize(
    "figure",
    [
        lambda: loss_curves(History(), "nats"),
        lambda: loss_curves(History([Epoch(1, NAN, INF, 1.0, 0.1, True)]), "nats", ("b", 1.0)),
        lambda: gradient_norms(History()),
        lambda: gradient_norms(History([], [0.0, NAN], (0.1, 1.0))),
        lambda: score_bars([]),
    ],
)
def test_nothing_to_draw_is_said_in_the_figure(figure):
    drawn = figure()
    assert not drawn.axes[0].axison
    assert drawn.texts


def test_a_figure_is_saved_by_matplotlib_as_any_other(history, scores, tmp_path):
    for k, figure in enumerate(
        [loss_curves(history, "nats"), gradient_norms(history), score_bars(scores[:3])]
    ):
        figure.savefig(tmp_path / f"{k}.png")
        assert (tmp_path / f"{k}.png").stat().st_size > 1000


def test_a_users_style_changes_neither_the_figure_nor_is_it_changed(history, scores):
    def drawn():
        figures = [
            loss_curves(history, "nats", ("bigrams", 2.9)),
            gradient_norms(history),
            score_bars(scores),
        ]
        return [inline_svg(figure, "f", "figure") for figure in figures]

    plain = drawn()
    dark = style.library["dark_background"]
    own = {
        "text.usetex": True,
        "font.weight": "bold",
        "font.size": 30,
        "axes.grid": True,
        "axes.titlelocation": "left",
        "xtick.minor.visible": True,
        "ytick.right": True,
        "legend.frameon": True,
        "lines.marker": "x",
        "svg.fonttype": "path",
        "figure.autolayout": True,
        "patch.edgecolor": "red",
        "patch.force_edgecolor": True,
        "hatch.color": "red",
        "axes.unicode_minus": False,
    }
    with matplotlib.rc_context(dict(dark) | own):
        before = dict(matplotlib.rcParams)
        assert drawn() == plain
        assert dict(matplotlib.rcParams) == before
