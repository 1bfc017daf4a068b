import math

import matplotlib
import numpy as np
import pytest
from made_flows import made_flow
from matplotlib import style
from matplotlib.colors import to_hex, to_rgb

from recurra.cells.activations import ACTIVATIONS
from recurra.errors import ArgumentError
from recurra.report import activation_figure, contribution_figure, decay_figure, flow_figure
from recurra.report.canvas import LIGHT
from recurra.report.flows.colours import DASHES, HEAT_LIGHT, LINES_LIGHT
from recurra.report.flows.grid import band_edges, norm_grid
from recurra.report.flows.labels import spread
from recurra.report.svg import inline_svg

INF, NAN = math.inf, math.nan


def drawn(figure, place=0):
    """The labelled lines of one axes, by label."""
    lines = figure.axes[place].get_lines()
    return {line.get_label(): line for line in lines if not line.get_label().startswith("_")}


def marked(figure, place=0):
    """What is marked on a panel, by its name in the key."""
    axes = figure.axes[place]
    return {artist.get_gid(): artist for artist in [*axes.get_lines(), *axes.patches]}


def colour_at(figure, s, t, place=0):
    """The colour on top at a step and a loss, None where nothing is painted."""
    patches = figure.axes[place].patches
    top = [patch for patch in patches if patch.get_path().contains_point((s, t))]
    return to_hex(top[-1].get_facecolor()) if top else None


def written(figure):
    """All words of a figure but those at ticks."""
    texts = [*figure.texts, *(text for axes in figure.axes for text in axes.texts)]
    return [text.get_text() for text in texts]


def key_of(figure):
    return [text.get_text() for legend in figure.legends for text in legend.get_texts()]


def pieces(figure):
    """How high each label stands, in the axes' height."""
    axes = figure.axes[0]
    names = {line.get_label() for line in axes.get_lines()}
    return {t.get_text(): t.get_position()[1] for t in axes.texts if t.get_text() in names}


# The heat map.


def test_each_norm_has_the_colour_of_its_band():
    flow = made_flow(0.5, T=40)
    figure = flow_figure(flow)
    edges = band_edges([norm_grid(flow, 0, 0)])
    colours = {}
    for distance in range(40):
        exponent = distance * math.log10(0.5)
        band = max(k for k, edge in enumerate(edges[:-1]) if exponent >= edge)
        colours.setdefault(band, set()).add(colour_at(figure, 39 - distance, 39))
    assert all(len(of) == 1 for of in colours.values())
    order = [colours[band].pop() for band in sorted(colours)]
    assert len(order) == len(edges) - 1 >= 5
    assert order == sorted(order, key=HEAT_LIGHT.index)
    assert order[0] == HEAT_LIGHT[0]
    assert order[-1] == HEAT_LIGHT[-1]
    assert colour_at(figure, 30, 10) is None, "no step acts on an earlier loss"


def test_the_colours_are_told_apart_in_grey():
    def lightness(colour):
        r, g, b = to_rgb(colour)
        return 0.2126 * r + 0.7152 * g + 0.0722 * b

    steps = np.diff([lightness(colour) for colour in HEAT_LIGHT])
    assert (steps < -0.03).all()


def test_the_key_names_the_bands_by_powers_of_ten():
    figure = flow_figure(made_flow(0.5, T=40))
    ticks = [text.get_text() for text in figure.axes[-1].get_xticklabels()]
    assert ticks == ["10⁻¹²", "10⁻¹⁰", "10⁻⁸", "10⁻⁶", "10⁻⁴", "0.01", "1"]


def test_one_percent_is_marked_where_it_is():
    figure = flow_figure(made_flow(0.5, T=40, size=1e-3))
    line = marked(figure)["1 % arrives"]
    t, x = line.get_ydata(), line.get_xdata()
    assert list(t) == list(range(40))
    # 0.5^7 is the first below 1 %: the line lies between 6 and 7 steps back.
    assert list(x[7:]) == [step - 6.5 for step in range(7, 40)]
    assert np.isnan(x[:7]).all()
    assert "under 1 %" in written(figure)


def test_backwards_one_percent_lies_ahead():
    figure = flow_figure(made_flow(0.5, T=40, directions=2))
    line = marked(figure, 1)["1 % arrives"]
    assert list(line.get_xdata()[:33]) == [step + 6.5 for step in range(33)]


@pytest.mark.parametrize(
    ("factor", "names"),
    [
        (0.99, []),
        (0.7, ["1 % arrives"]),
        (0.5, ["1 % arrives", "zero in float16"]),
        (0.05, ["1 % arrives", "zero in float16", "zero in float32"]),
    ],
)
def test_what_underflows_is_marked_if_it_is_within(factor, names):
    figure = flow_figure(made_flow(factor, T=40))
    assert key_of(figure) == names
    assert [name for name in marked(figure) if name in names] == names


def test_float16_is_zero_from_the_first_step_below_its_smallest_number():
    line = marked(flow_figure(made_flow(0.5, T=40)))["zero in float16"]
    # 2^-24 is float16's smallest number above zero, and 2^-25 is below.
    assert line.get_xdata()[39] == 39 - 24.5


def test_zeros_and_what_is_not_finite_are_told_apart():
    norms = made_flow(0.5, T=20).norms
    norms[0, 0, :, :5] = np.where(norms[0, 0, :, :5] > 0, 0.0, 0.0)
    norms[0, 0, 18, 10], norms[0, 0, 17, 9] = INF, NAN
    figure = flow_figure(made_flow(0.5, T=20, norms=norms))
    assert colour_at(figure, 2, 12) == LIGHT["grid"]
    assert colour_at(figure, 10, 18) == LIGHT["second"]
    assert colour_at(figure, 9, 17) is None
    assert {"zero", "not finite"} <= set(key_of(figure))
    assert colour_at(figure, 15, 3) is None, "a zero where no path leads is no loss of gradient"


@pytest.mark.parametrize("value", [NAN, 0.0, INF])
def test_a_flow_of_nothing_but_one_odd_value_is_drawn(value, tmp_path):
    norms = np.full((1, 1, 20, 20), value)
    figure = flow_figure(made_flow(0.5, T=20, norms=norms))
    figure.savefig(tmp_path / "flow.png")
    if math.isnan(value):
        assert not figure.axes[0].axison
        assert "no norm to show" in written(figure)
    else:
        assert key_of(figure) == ["zero" if value == 0 else "not finite"]


def test_each_layer_and_direction_has_a_named_panel():
    figure = flow_figure(made_flow(0.9, T=12, layers=2, directions=2))
    assert len(figure.axes) == 5
    names = ["layer 1, forwards", "layer 1, backwards", "layer 2, forwards", "layer 2, backwards"]
    assert [text for text in written(figure) if text.startswith("layer")] == names
    assert colour_at(figure, 2, 8, place=2) is not None
    assert colour_at(figure, 8, 2, place=2) is None
    assert colour_at(figure, 2, 8, place=3) is None
    assert colour_at(figure, 8, 2, place=3) is not None


def test_below_the_last_of_two_directions_a_zero_is_a_loss():
    flow = made_flow(0.9, T=12, layers=2, directions=2)
    assert np.isneginf(norm_grid(flow, 0, 0).exponents[2, 8])
    assert np.isnan(norm_grid(flow, 1, 0).exponents[2, 8])


def test_of_many_layers_four_are_drawn():
    figure = flow_figure(made_flow(0.9, T=6, layers=9))
    names = [text for text in written(figure) if text.startswith("layer")]
    assert names == ["layer 1", "layer 4", "layer 6", "layer 9"]


def test_of_many_steps_each_column_is_a_geometric_mean():
    times = range(99, 1000, 100)
    flow = made_flow(0.99, T=1000, times=times)
    grid = norm_grid(flow, 0, 0)
    assert grid.exponents.shape == (10, 112)
    # The 9 steps 0 to 8 lie 999 to 991 steps before the last loss.
    assert grid.exponents[-1, 0] == pytest.approx(995 * math.log10(0.99))
    assert grid.columns[[0, 1, -1]] == pytest.approx([-0.5, 8.5, 999.5])
    assert grid.rows[[0, 1, -1]] == pytest.approx([49, 149, 999.5])
    assert np.isnan(grid.exponents[0, 12:]).all()


def test_a_column_is_zero_only_if_all_its_steps_are():
    norms = made_flow(0.99, T=240, times=[239]).norms
    norms[0, 0, 0, [10, 11, 20]] = 0.0
    grid = norm_grid(made_flow(0.99, T=240, times=[239], norms=norms), 0, 0)
    assert np.isneginf(grid.exponents[0, 5])
    # Steps 20 and 21 share a cell, of which only 21 is left: 218 steps before the loss.
    assert grid.exponents[0, 10] == pytest.approx(218 * math.log10(0.99))


def test_panels_side_by_side_have_fewer_cells():
    figure = flow_figure(made_flow(0.99, T=200, directions=2))
    boxes = [patch.get_path() for patch in figure.axes[0].patches]
    assert max(len(path.vertices) // 5 for path in boxes) == 60


def test_a_single_loss_and_a_single_step_are_drawn():
    for T, times in ((1, [0]), (2, [1]), (30, [29])):
        figure = flow_figure(made_flow(0.5, T=T, times=times))
        assert colour_at(figure, T - 1, T - 1) is not None


@pytest.mark.parametrize(("low", "high"), [(0.0, 0.0), (-0.3, 0.4), (-9, 3), (-330, 2), (250, 290)])
def test_bands_are_few_round_and_hold_what_is_shown(low, high):
    norms = np.full((1, 1, 2, 2), 10.0**low if low > -320 else 5e-324)
    norms[0, 0, 1] = 10.0**high
    edges = band_edges([norm_grid(made_flow(T=2, norms=norms), 0, 0)])
    steps = np.diff(edges)
    assert 1 <= len(steps) <= 9
    assert steps == pytest.approx(steps[0])
    assert edges[-1] >= high - 1e-6
    assert edges[0] <= max(low, high - 50) + 1e-6


# What arrives from how far.


def several(T=60):
    factors = {"elman": 0.7, "relu": 0.72, "lstm": 0.97, "squash": 0.2, "gru": 0.9, "fcn": 0.6}
    return {name: made_flow(factor, T=T) for name, factor in factors.items()}


def test_the_curves_are_what_arrives_of_each_flow():
    flows = several()
    lines = drawn(decay_figure(flows))
    assert list(lines)[:6] == list(flows)
    for name in ("elman", "lstm", "gru"):
        assert lines[name].get_ydata() == pytest.approx(flows[name].arrives[0, 0])
        assert list(lines[name].get_xdata()) == list(range(60))


def test_a_curve_ends_where_it_leaves_the_figure():
    line = drawn(decay_figure(several()))["squash"]
    low, _ = decay_figure(several()).axes[0].get_ylim()
    assert line.get_ydata()[-1] == pytest.approx(low)
    assert line.get_xdata()[-1] == pytest.approx(math.log(low) / math.log(0.2))


def test_of_several_flows_the_last_layer_is_drawn_and_of_one_all_are():
    deep = made_flow(0.9, layers=2, directions=2)
    deep.arrives[1, 0] *= 0.5
    both = drawn(decay_figure({"deep": deep, "other": made_flow(0.8)}))
    assert both["deep"].get_ydata()[0] == 0.5
    alone = drawn(decay_figure({"deep": deep}))
    names = ["layer 1, forwards", "layer 1, backwards", "layer 2, forwards", "layer 2, backwards"]
    assert [name for name in alone if name in names] == names


def test_each_curve_is_named_at_its_end_with_its_factor_and_interval():
    figure = decay_figure(several())
    heights = pieces(figure)
    order = ["lstm", "gru", "relu", "elman", "fcn", "squash"]
    assert sorted(heights, key=heights.get, reverse=True) == order
    assert "0.97 (0.94–1.00)" in written(figure)
    assert "0.70 (0.67–0.73)" in written(figure)
    narrow = made_flow(0.7, rate_low=np.full((1, 1), 0.6999), rate_high=np.full((1, 1), 0.7001))
    assert "0.70 a step" in written(decay_figure({"narrow": narrow}))


def test_labels_do_not_touch_and_keep_within_the_axes():
    figure = decay_figure(several())
    tall = figure.axes[0].get_position().height * figure.get_figheight() * 72
    heights = sorted(pieces(figure).values())
    assert np.diff(heights).min() * tall >= 28
    assert heights[-1] <= 1
    assert heights[0] * tall >= 14


def test_labels_move_no_further_than_they_must():
    assert spread([10, 50, 90], [20, 20, 20], 0, 100) == [10, 50, 90]
    assert spread([50, 51], [20, 20], 0, 100) == pytest.approx([40.5, 60.5])
    assert spread([51, 50], [20, 20], 0, 100) == pytest.approx([60.5, 40.5])
    assert spread([-40, -30, 5], [20, 20, 20], 0, 100) == pytest.approx([10, 30, 50])
    assert spread([99, 98], [20, 40], 0, 100) == pytest.approx([90, 60])
    assert spread([0, 0, 0], [50, 50, 50], 0, 100) == pytest.approx([100 / 6, 50, 500 / 6])
    assert spread([], [], 0, 100) == []


def test_lines_differ_in_colour_and_in_dashes_and_so_do_the_pieces_at_their_names():
    figure = decay_figure(several())
    lines = [drawn(figure)[name] for name in several()]
    looks = [(line.get_color(), str(line._dash_pattern)) for line in lines]
    assert len({colour for colour, _ in looks}) == len({dashes for _, dashes in looks}) == 6
    pieces = [line for line in figure.axes[0].get_lines() if line.get_gid() == "piece"]
    assert [(piece.get_color(), str(piece._dash_pattern)) for piece in pieces] == looks
    assert len(set(LINES_LIGHT)) == len(set(DASHES)) == 7


def test_one_percent_is_a_line_where_it_is_within():
    assert "1 %" in written(decay_figure({"fast": made_flow(0.5)}))
    assert "1 %" not in written(decay_figure({"slow": made_flow(0.99)}))


def test_gaps_zeros_and_odd_values_are_left_out():
    arrives = np.array([[[1.0, 0.5, NAN, 0.25, 0.0, INF, 0.1]]])
    line = drawn(decay_figure({"odd": made_flow(T=7, arrives=arrives)}))["odd"]
    assert list(line.get_xdata()) == list(range(7))
    assert line.get_ydata() == pytest.approx([1, 0.5, NAN, 0.25, NAN, NAN, 0.1], nan_ok=True)


@pytest.mark.parametrize("value", [NAN, 0.0, INF])
def test_nothing_that_arrives_is_said_in_the_figure(value):
    figure = decay_figure({"a": made_flow(T=5, arrives=np.full((1, 1, 5), value))})
    assert not figure.axes[0].axison
    assert "no positive, finite number to show" in written(figure)


def test_an_exploding_curve_stays_within_the_axes():
    figure = decay_figure({"up": made_flow(40.0, T=60), "down": made_flow(0.9, T=60)})
    low, high = figure.axes[0].get_ylim()
    assert 1e15 < high < 1e18
    assert low < 0.9**59
    assert drawn(figure)["up"].get_ydata()[-1] <= high


def test_a_long_curve_is_thinned_and_keeps_its_end():
    line = drawn(decay_figure({"long": made_flow(0.999, T=5000, times=[4999])}))["long"]
    assert len(line.get_xdata()) <= 400
    assert line.get_xdata()[-1] == 4999


def test_no_flow_is_an_error():
    with pytest.raises(ArgumentError, match="flows is empty"):
        decay_figure({})


# The parameters.


def test_the_parameters_with_the_largest_parts_are_drawn_without_their_common_prefix():
    flow = made_flow(0.8, layers=4)
    lines = drawn(contribution_figure(flow))
    assert len(lines) == 7
    assert next(iter(lines)) == "3.affine.weight_hh"
    assert lines["3.affine.weight_hh"].get_ydata() == pytest.approx(8 * 0.8 ** np.arange(40))
    assert "0.affine.bias_ih" not in lines
    one = drawn(contribution_figure(made_flow(0.8)))
    assert list(one) == ["weight_hh", "weight_ih", "bias_ih"]


@pytest.mark.parametrize("parts", [{}, {"w": np.zeros(4)}, {"w": np.array([NAN, INF, 0.0, NAN])}])
def test_no_parts_are_said_in_the_figure(parts):
    figure = contribution_figure(made_flow(T=4, contributions=parts))
    assert not figure.axes[0].axison


# The activations.


def test_the_largest_derivatives_of_sigmoid_and_tanh_are_marked():
    figure = activation_figure()
    dots = [line for line in figure.axes[0].get_lines() if line.get_gid() == "largest"]
    assert [(dot.get_xdata()[0], dot.get_ydata()[0]) for dot in dots] == [(0, 0.25), (0, 1)]
    assert {"¼", "1"} <= set(written(figure))


def test_the_derivatives_are_drawn_with_no_line_across_a_jump():
    lines = drawn(activation_figure())
    at, slope = lines["sigmoid"].get_xdata(), lines["sigmoid"].get_ydata()
    assert slope == pytest.approx(1 / (2 + 2 * np.cosh(at)))
    at, slope = lines["relu"].get_xdata(), lines["relu"].get_ydata()
    assert set(slope[~np.isnan(slope)]) == {0, 1}
    assert np.isnan(slope).sum() == 1
    assert (slope[at < 0] == 0).all()
    assert (slope[at > 0] == 1).all()


def test_any_activation_can_be_drawn_and_an_unknown_one_not(tmp_path):
    names = list(ACTIVATIONS)
    figure = activation_figure(names)
    figure.savefig(tmp_path / "all.png")
    assert set(names) <= set(drawn(figure))
    low, high = figure.axes[0].get_ylim()
    for name in names:
        assert low <= np.nanmin(drawn(figure)[name].get_ydata())
        assert np.nanmax(drawn(figure)[name].get_ydata()) <= high
    with pytest.raises(ArgumentError, match="tahn"):
        activation_figure(["tahn"])


def test_a_users_style_changes_no_figure():
    deep = made_flow(0.5, T=20, layers=2, directions=2)

    def pictures():
        figures = [
            flow_figure(deep),
            decay_figure(several()),
            contribution_figure(deep),
            activation_figure(),
        ]
        return [inline_svg(figure, "f", "figure") for figure in figures]

    plain = pictures()
    own = {
        "text.usetex": True,
        "font.size": 30,
        "axes.grid": True,
        "lines.marker": "x",
        "lines.linewidth": 9,
        "patch.force_edgecolor": True,
        "ytick.right": True,
        "legend.frameon": True,
        "image.cmap": "hot",
        "figure.autolayout": True,
    }
    with matplotlib.rc_context(dict(style.library["dark_background"]) | own):
        assert pictures() == plain
