"""From a name, a class or a module to a cell, and what is refused on the way."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from recurra import Affine, Cell, cells
from recurra.cells import CELLS, FCN, GRU, LSTM, Elman, as_cell, build_cell
from recurra.errors import ArgumentError, ArgumentTypeError, ShapeError


class Leaky(Cell):
    """A cell of a user's own: h' = h + rate·(tanh(W·x + U·h) - h)."""

    def __init__(self, input_size: int, hidden_size: int, rate: float = 0.5) -> None:
        super().__init__(input_size, {"h": hidden_size})
        self.rate = rate
        self.affine = Affine(input_size, hidden_size)

    def forward(self, x: Tensor, h: Tensor) -> tuple[Tensor, tuple[Tensor, ...]]:
        h = h + self.rate * (torch.tanh(self.affine(x, h)) - h)
        return h, (h,)


class Returns(Cell):
    """A cell that returns whatever it is told to."""

    def __init__(self, returned: Callable[[Tensor, Tensor, Tensor], object]) -> None:
        super().__init__(3, {"h": 4, "c": 5})
        self.returned = returned

    def forward(self, x: Tensor, h: Tensor, c: Tensor) -> object:
        return self.returned(x, h, c)


def test_every_name_builds_its_cell() -> None:
    kinds = {
        "elman": Elman,
        "fcn": FCN,
        "gru": GRU,
        "lstm": LSTM,
        "peephole_lstm": cells.PeepholeLSTM,
        "layer_norm_lstm": cells.LayerNormLSTM,
        "coupled_lstm": cells.CoupledLSTM,
        "mgu": cells.MGU,
        "min_gru": cells.MinGRU,
        "ind_rnn": cells.IndRNN,
        "janet": cells.JANET,
        "co_rnn": cells.CoRNN,
        "s_lstm": cells.SLSTM,
        "rhn": cells.RHN,
    }
    assert kinds == CELLS
    for name, kind in CELLS.items():
        cell = build_cell(name, 3, 4)
        assert type(cell) is kind
        assert cell.input_size == 3
        assert cell.state_sizes["h"] == 4


def test_options_reach_the_cell() -> None:
    assert build_cell("elman", 3, 4, activation="relu").activation == "relu"
    assert build_cell("lstm", 3, 4, squash_cell=True).squash_cell is True
    assert build_cell("gru", 3, 4, reset_after=False).reset_after is False
    assert build_cell("fcn", 3, 4, depth=3).depth == 3
    assert build_cell(Leaky, 3, 4, rate=0.25).rate == 0.25


def test_a_built_cell_is_taken_as_it_is() -> None:
    cell = Leaky(3, 4)
    assert build_cell(cell, 3, 4) is cell
    assert as_cell(cell, 3, 4) is cell


@pytest.mark.parametrize(
    ("name", "meant"), [("LSTM", "lstm"), ("lsmt", "lstm"), ("elmann", "elman"), ("gru2", "gru")]
)
def test_a_near_miss_of_a_name_is_answered_with_the_name(name: str, meant: str) -> None:
    with pytest.raises(ArgumentError, match=f"cell='{name}' is not known.*mean '{meant}'"):
        build_cell(name, 3, 4)


def test_an_unknown_name_is_answered_with_those_there_are() -> None:
    with pytest.raises(ArgumentError, match=r"take one of elman, fcn, gru, lstm.*class\.$"):
        build_cell("transformer", 3, 4)


@pytest.mark.parametrize("thing", [None, 3, torch.tanh, dict, lambda i, h: nn.GRUCell(i, h)])
def test_what_is_no_module_is_refused(thing: object) -> None:
    with pytest.raises(ArgumentTypeError, match="cell must be a name, a class derived from"):
        build_cell(thing, 3, 4)


def test_an_unknown_option_is_answered_with_those_there_are() -> None:
    with pytest.raises(
        ArgumentError, match=r"GRU has no option 'squash_cell'; it takes bias, reset_after\."
    ):
        build_cell("gru", 3, 4, squash_cell=True)
    with pytest.raises(ArgumentError, match=r"Leaky has no option 'speed'; it takes rate\."):
        build_cell(Leaky, 3, 4, speed=1)


def test_a_class_that_takes_any_option_gets_it() -> None:
    class Open(Leaky):
        def __init__(self, input_size: int, hidden_size: int, **options: float) -> None:
            super().__init__(input_size, hidden_size, options["speed"])

    assert build_cell(Open, 3, 4, speed=0.125).rate == 0.125


def test_options_for_a_built_cell_are_refused() -> None:
    with pytest.raises(ArgumentError, match="the options rate cannot be applied"):
        build_cell(Leaky(3, 4), 3, 4, rate=1.0)


def test_a_built_cell_of_another_input_size_is_refused() -> None:
    with pytest.raises(ShapeError, match="the cell takes input_size=5, not 3"):
        build_cell(Leaky(5, 4), 3, 4)


@pytest.mark.parametrize("size", [0, -1])
def test_sizes_below_one_are_refused(size: int) -> None:
    for name in CELLS:
        with pytest.raises(ArgumentError, match="input_size must be at least 1"):
            build_cell(name, size, 4)
        with pytest.raises(ArgumentError, match=r"hidden_size|state 'h'"):
            build_cell(name, 3, size)


WRONG_SHAPES = {
    "output one too wide": (lambda x, h, c: (x.new_zeros(2, 5), (h, c)), r"output.*\(2, 4\).*5\)"),
    "output without batch": (lambda x, h, c: (h[0], (h, c)), r"output of \(B, 4\).*got \(4,\)"),
    "states swapped": (lambda x, h, c: (h, (c, h)), r"state 'h' of \(B, 4\).*got \(2, 5\)"),
    "second state too wide": (lambda x, h, c: (h, (h, h)), r"state 'c' of \(B, 5\).*\(2, 4\)"),
    "a state that is no tensor": (lambda x, h, c: (h, (h, None)), "state 'c'.*got NoneType"),
    "an output that is no tensor": (lambda x, h, c: (1.0, (h, c)), "the output.*got float"),
}

WRONG_STATES = {
    "one state of two": (lambda x, h, c: (h, (h,)), r"2 new states \(h, c\).*got tuple of 1"),
    "three states of two": (lambda x, h, c: (h, (h, c, c)), "2 new states.*got tuple of 3"),
    "a list": (lambda x, h, c: (h, [h, c]), "as a tuple, got list of 2"),
    "a bare tensor": (lambda x, h, c: (h, h), r"as a tuple, got \(2, 4\)"),
    "the output alone": (lambda x, h, c: h, r"must return \(output, new_state\), got Tensor"),
    "three values": (lambda x, h, c: (h, h, c), r"must return \(output, new_state\), got tuple"),
    "nothing": (lambda x, h, c: None, r"must return \(output, new_state\), got NoneType"),
}


@pytest.mark.parametrize("what", WRONG_SHAPES)
def test_a_cell_that_returns_other_shapes_than_it_says_is_refused(what: str) -> None:
    returned, message = WRONG_SHAPES[what]
    with pytest.raises(ShapeError, match=f"Returns.forward must return .*{message}"):
        as_cell(Returns(returned), 3, 4)


@pytest.mark.parametrize("what", WRONG_STATES)
def test_a_cell_that_returns_another_number_of_states_is_refused(what: str) -> None:
    returned, message = WRONG_STATES[what]
    with pytest.raises(ArgumentError, match=message):
        as_cell(Returns(returned), 3, 4)


def test_a_cell_that_returns_a_bare_state_is_refused_with_one_state_too() -> None:
    class Bare(Leaky):
        def forward(self, x: Tensor, h: Tensor) -> object:
            return h, h

    with pytest.raises(ArgumentError, match=r"1 new states \(h\) as a tuple, got \(2, 4\)"):
        build_cell(Bare, 3, 4)


@pytest.mark.parametrize("kind", [RuntimeError, KeyError, AttributeError, NotImplementedError])
def test_a_cell_whose_step_fails_is_refused_with_the_reason(kind: type[Exception]) -> None:
    def fail(x: Tensor, h: Tensor, c: Tensor) -> None:
        raise kind("the reason")

    message = r"Returns failed on one step with inputs of \(2, 3\), \(2, 4\), \(2, 5\).*the reason"
    with pytest.raises(ShapeError, match=message) as caught:
        as_cell(Returns(fail), 3, 4)
    assert type(caught.value.__cause__) is kind


@pytest.mark.parametrize("name", [*CELLS, "torch"])
def test_building_draws_the_weights_random_numbers_and_no_more(name: str) -> None:
    kind = nn.GRUCell if name == "torch" else CELLS[name]
    kind(3, 4)
    wanted = torch.get_rng_state()
    torch.manual_seed(0)
    build_cell(kind, 3, 4, state_sizes=("h",))
    assert torch.equal(torch.get_rng_state(), wanted)


def test_a_cell_that_draws_random_numbers_is_built_without_drawing_any() -> None:
    class Noisy(Leaky):
        def forward(self, x: Tensor, h: Tensor) -> tuple[Tensor, tuple[Tensor, ...]]:
            return super().forward(x, h + torch.rand_like(h))

    cell = Noisy(3, 4)
    before = torch.get_rng_state()
    build_cell(cell, 3, 4)
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize("modes", [(True, True), (True, False), (False, True), (False, False)])
@pytest.mark.parametrize("fails", [False, True], ids=["good", "bad"])
def test_building_leaves_every_modules_mode_as_it_was(
    modes: tuple[bool, bool], fails: bool
) -> None:
    seen = []

    class Watched(Leaky):
        def forward(self, x: Tensor, h: Tensor) -> tuple[Tensor, tuple[Tensor, ...]]:
            seen.append((self.training, self.affine.training))
            if fails:
                raise RuntimeError
            return super().forward(x, h)

    cell = Watched(3, 4)
    cell.training, cell.affine.training = modes
    if fails:
        with pytest.raises(ShapeError):
            build_cell(cell, 3, 4)
    else:
        build_cell(cell, 3, 4)
    assert set(seen) == {(False, False)}
    assert (cell.training, cell.affine.training) == modes


def test_building_leaves_no_gradients_and_no_graph() -> None:
    cell = build_cell("lstm", 3, 4)
    assert all(p.grad is None and p.is_leaf for p in cell.parameters())


def test_a_built_cell_must_have_the_hidden_size_that_is_said() -> None:
    with pytest.raises(ShapeError, match=r"hidden_size is 9, but the cell's states are \{'h': 5"):
        build_cell(CELLS["lstm"](3, 5), 3, 9)


@pytest.mark.parametrize("wrong", ["yes", 1, None, 0.5])
@pytest.mark.parametrize("name", CELLS)
def test_an_option_that_is_true_or_false_is_nothing_else(name: str, wrong: object) -> None:
    with pytest.raises(ArgumentTypeError, match="bias must be True or False, got"):
        build_cell(name, 3, 4, bias=wrong)


class Needy(Cell):
    """A cell whose class needs what a layer does not say."""

    def __init__(self, input_size: int, hidden_size: int, rate: float) -> None:
        super().__init__(input_size, {"h": hidden_size})
        self.rate = 1 / rate

    def forward(self, x: Tensor, h: Tensor) -> tuple[Tensor, tuple[Tensor]]:
        return h, (self.rate * h,)


@pytest.mark.parametrize(
    ("options", "kind", "message"),
    [
        (
            {},
            ArgumentTypeError,
            r"Needy\(3, 4\) failed with TypeError: .*missing.*'rate'.*as options of the layer",
        ),
        ({"rate": 0}, ArgumentError, r"Needy\(3, 4, rate=0\) failed with ZeroDivisionError"),
        ({"rate": "a"}, ArgumentTypeError, r"Needy\(3, 4, rate='a'\) failed with TypeError"),
    ],
)
def test_a_class_that_fails_is_answered_with_how_it_was_called(
    options: dict[str, object], kind: type[Exception], message: str
) -> None:
    with pytest.raises(kind, match=message):
        build_cell(Needy, 3, 4, **options)


def test_a_cell_that_does_not_say_its_sizes_is_told_so() -> None:
    class Silent(Cell):
        def __init__(self, input_size: int, hidden_size: int) -> None:
            nn.Module.__init__(self)

    with pytest.raises(ArgumentError, match=r"Silent.__init__ does not say its sizes: call super"):
        build_cell(Silent, 3, 4)


def test_a_class_may_make_other_sizes_of_the_one_it_is_told() -> None:
    class Doubled(Cell):
        def __init__(self, input_size: int, hidden_size: int) -> None:
            super().__init__(input_size, {"h": 2 * hidden_size}, hidden_size)
            self.inner = nn.Linear(input_size, hidden_size)

        def forward(self, x: Tensor, h: Tensor) -> tuple[Tensor, tuple[Tensor]]:
            y = self.inner(x) + h[:, :4]
            return y, (torch.cat([y, y], -1),)

    assert build_cell(Doubled, 3, 4).state_sizes == {"h": 8}


def test_sizes_may_be_numpys_and_not_bools() -> None:
    size = np.int64(4)
    cell = build_cell("gru", np.int32(3), size)
    assert (type(cell.input_size), cell.input_size) == (int, 3)
    assert build_cell(nn.GRUCell, 3, 4, state_sizes={"h": size}).state_sizes == {"h": 4}
    for wrong in (True, np.True_, 4.0, np.float64(4)):
        with pytest.raises(ArgumentTypeError, match="hidden_size must be a whole number"):
            build_cell("gru", 3, wrong)


WRONG_STATE_SIZES: dict[str, tuple[object, str]] = {
    "a number": (4, "state_sizes must be names with sizes.*got 4"),
    "a text": ("hc", "state_sizes must be names with sizes.*got 'hc'"),
    "a function": (len, "state_sizes must be names with sizes"),
    "numbers": ([4, 4], r"state_sizes must be names with sizes.*got \[4, 4\]"),
    "nothing": ({}, "state_sizes is empty"),
    "no names": ((), "state_sizes is empty"),
    "a name twice": (("h", "h"), "state_sizes names a state twice"),
    "a name that is none": ({1: 4}, "got the name 1"),
    "None": ({"h": None}, "the size of state 'h' must be a whole number, got None"),
    "a size as text": ({"h": "4"}, "the size of state 'h' must be a whole number, got '4'"),
    "a bool": ({"h": True}, "the size of state 'h' must be a whole number, got True"),
    "zero": ({"h": 0}, "the size of state 'h' must be at least 1, got 0"),
    "an empty shape": ({"h": ()}, "the size of state 'h' is empty"),
    "a shape with zero": ({"h": (4, 0)}, "the size of state 'h' must be at least 1, got 0"),
    "a real dtype": ({"h": (4, torch.float64)}, "state 'h' cannot be of torch.float64"),
    "a dtype alone": ({"h": torch.complex64}, "the size of state 'h' is missing"),
    "a dtype in a tuple": ({"h": (torch.complex64,)}, "the size of state 'h' is missing"),
    "a dtype in front": ({"h": (torch.complex64, 4)}, "must be a whole number, got torch.comp"),
}


@pytest.mark.parametrize("what", WRONG_STATE_SIZES)
def test_state_sizes_that_cannot_be_understood_are_refused(what: str) -> None:
    given, message = WRONG_STATE_SIZES[what]
    with pytest.raises((ArgumentError, ArgumentTypeError), match=message):
        build_cell(nn.GRUCell, 3, 4, state_sizes=given)


class Stated(Cell):
    """A cell whose states are given by the caller."""

    def __init__(self, input_size: int, hidden_size: int, state: dict[str, object]) -> None:
        super().__init__(input_size, state)


@pytest.mark.parametrize("what", [k for k, (v, _) in WRONG_STATE_SIZES.items() if type(v) is dict])
def test_a_cells_states_that_cannot_be_understood_are_refused(what: str) -> None:
    given, message = WRONG_STATE_SIZES[what]
    with pytest.raises(
        (ArgumentError, ArgumentTypeError), match=message.replace("state_sizes", "state")
    ):
        build_cell(Stated, 3, 4, state=given)
