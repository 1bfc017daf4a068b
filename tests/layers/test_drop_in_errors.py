"""What the drop-ins refuse: all that torch.nn refuses, and what it takes or crashes on."""

import warnings
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn
from torch.nn.utils.rnn import PackedSequence, pack_padded_sequence
from torch.testing._internal import common_modules
from torch.testing._internal.common_modules import ModuleErrorEnum

import recurra
from recurra.errors import ArgumentError, ArgumentTypeError, RecurraError, ShapeError

T, B, I, H = 5, 4, 3, 5  # noqa: E741 - the axes' names
CLASSES = ["RNN", "GRU", "LSTM"]

every_class = pytest.mark.parametrize("name", CLASSES)
pytestmark = pytest.mark.usefixtures("backend")

Call = Callable[[nn.RNNBase], object]


def zeros(*shape: int, dtype: torch.dtype = torch.float32, **options: Any) -> torch.Tensor:
    return torch.zeros(shape, dtype=dtype, **options)


def hx_for(layer: nn.RNNBase, *shape: int, **options: object) -> object:
    """Return zeros of `shape` for every state of the layer, in the form it takes them."""
    state = zeros(*shape, **options)
    return (state, state.clone()) if layer.mode == "LSTM" else state


def packed(features: int = I, **options: object) -> PackedSequence:
    return pack_padded_sequence(zeros(T, B, features, **options), torch.tensor([5, 4, 4, 1]))


X = zeros(T, B, I)


def by_hand(sizes: object, **indices: torch.Tensor) -> PackedSequence:
    """Return 14 steps packed as `sizes` says, which torch.nn does not look at."""
    return packed()._replace(batch_sizes=sizes, **indices)


# Calls that torch.nn takes, or ends in an error of another kind, and that have no meaning.
MEANINGLESS_CALLS: dict[str, Call] = {
    "batch_sizes 0": lambda m: m(by_hand(torch.tensor([4, 4, 3, 3, 0]))),
    "batch_sizes negative": lambda m: m(by_hand(torch.tensor([8, 7, -1]))),
    "batch_sizes grow": lambda m: m(by_hand(torch.tensor([3, 4, 4, 3]))),
    "batch_sizes too few": lambda m: m(by_hand(torch.tensor([4, 3, 3]))),
    "batch_sizes too many": lambda m: m(by_hand(torch.tensor([4, 4, 4, 4]))),
    "batch_sizes empty": lambda m: m(by_hand(torch.tensor([], dtype=torch.int64))),
    "batch_sizes of floats": lambda m: m(by_hand(torch.tensor([4.0, 4.0, 3.0, 3.0]))),
    "batch_sizes in a list": lambda m: m(by_hand([4, 3, 3, 3, 1])),
    "batch_sizes 2-d": lambda m: m(by_hand(torch.tensor([[4, 3, 3, 3, 1]]))),
    "order beyond the rows": lambda m: m(
        packed()._replace(sorted_indices=torch.arange(1, 5), unsorted_indices=torch.arange(4))
    ),
    "order of too few": lambda m: m(packed()._replace(unsorted_indices=torch.arange(3))),
    "input sparse": lambda m: m(X.to_sparse()),
    "hx sparse": lambda m: m(X, hx_for(m, 2, B, H, layout=torch.sparse_coo)),
    "input complex": lambda m: m(X.to(torch.complex64)),
    "input float16": lambda m: m(X.half()),
    "input bool": lambda m: m(X.bool()),
    "input array": lambda m: m(X.numpy()),
    "hx text": lambda m: m(X, "zeros"),
    "hx dict": lambda m: m(X, {"h": zeros(2, B, H)}),
    "hx array": lambda m: m(X, zeros(2, B, H).numpy()),
    "hx number": lambda m: m(X, 0),
    "hx elsewhere": lambda m: m(X, hx_for(m, 2, B, H, device="meta")),
}

# Options that torch.nn takes without a look, or that end in an error of another kind.
MEANINGLESS_OPTIONS: dict[str, dict[str, object]] = {
    "bidirectional text": {"bidirectional": "yes"},
    "bidirectional none": {"bidirectional": None},
    "bidirectional two": {"bidirectional": 2},
    "batch_first text": {"batch_first": "no"},
    "bias list": {"bias": [True]},
    "bias float": {"bias": 1.0},
    "input size negative": {"input_size": -1},
    "input size huge": {"input_size": 2**62},
    "input size beyond": {"input_size": 10**30},
    "input size text": {"input_size": "3"},
    "input size half": {"input_size": 2.5},
    "layers half": {"num_layers": 1.5},
    "layers text": {"num_layers": "2"},
    "dropout text": {"dropout": "0.5"},
    "dropout nan": {"dropout": float("nan")},
    "dtype whole": {"dtype": torch.int64},
    "dtype text": {"dtype": "float32"},
    "device unknown": {"device": "nowhere"},
}

# Calls of a layer (I, H, 2 layers) that torch.nn answers with an error.
WRONG_CALLS: dict[str, Call] = {
    "input 0-d": lambda m: m(zeros()),
    "input 1-d": lambda m: m(zeros(I)),
    "input 4-d": lambda m: m(zeros(T, B, I, 1)),
    "input wide": lambda m: m(zeros(T, B, I + 1)),
    "input narrow": lambda m: m(zeros(T, B, I - 1)),
    "input without features": lambda m: m(zeros(T, B, 0)),
    "input wide without batch": lambda m: m(zeros(T, I + 1)),
    "input float64": lambda m: m(zeros(T, B, I, dtype=torch.float64)),
    "input int64": lambda m: m(zeros(T, B, I, dtype=torch.int64)),
    "input elsewhere": lambda m: m(X.to("meta")),
    "input none": lambda m: m(None),
    "input list": lambda m: m([[[0.0] * I] * B] * T),
    "no steps": lambda m: m(zeros(0, B, I)),
    "no steps without batch": lambda m: m(zeros(0, I)),
    "packed wide": lambda m: m(packed(I + 1)),
    "packed float64": lambda m: m(packed(dtype=torch.float64)),
    "hx 1-d": lambda m: m(X, hx_for(m, H)),
    "hx 2-d for a batch": lambda m: m(X, hx_for(m, 2, H)),
    "hx 4-d": lambda m: m(X, hx_for(m, 2, B, H, 1)),
    "hx 0-d": lambda m: m(X, hx_for(m)),
    "hx 3-d without batch": lambda m: m(X[:, 0], hx_for(m, 2, 1, H)),
    "hx 1-d without batch": lambda m: m(X[:, 0], hx_for(m, H)),
    "hx one layer": lambda m: m(X, hx_for(m, 1, B, H)),
    "hx three layers": lambda m: m(X, hx_for(m, 3, B, H)),
    "hx batch": lambda m: m(X, hx_for(m, 2, B + 1, H)),
    "hx batch of one": lambda m: m(X, hx_for(m, 2, 1, H)),
    "hx wide": lambda m: m(X, hx_for(m, 2, B, H + 1)),
    "hx narrow": lambda m: m(X, hx_for(m, 2, B, 1)),
    "hx batch first": lambda m: m(X, hx_for(m, B, 2, H)),
    "hx float64": lambda m: m(X, hx_for(m, 2, B, H, dtype=torch.float64)),
    "hx a number": lambda m: m(X, 3),
    "hx a text": lambda m: m(X, "hx"),
    "hx of none": lambda m: m(X, (None, None)),
    "hx empty": lambda m: m(X, ()),
    "hx packed batch": lambda m: m(packed(), hx_for(m, 2, B + 1, H)),
    "hx packed layers": lambda m: m(packed(), hx_for(m, 1, B, H)),
    "hx packed wide": lambda m: m(packed(), hx_for(m, 2, B, H + 1)),
}


@pytest.mark.parametrize("call", WRONG_CALLS)
@every_class
def test_what_torch_answers_with_an_error_we_answer_with_an_error(name: str, call: str) -> None:
    theirs = getattr(nn, name)(I, H, 2)
    with pytest.raises(Exception) as its:
        WRONG_CALLS[call](theirs)
    ours = getattr(recurra, name)(I, H, 2)
    with pytest.raises(RecurraError) as mine:
        WRONG_CALLS[call](ours)
    if isinstance(its.value, ValueError | RuntimeError) and call != "input none":
        assert isinstance(mine.value, type(its.value))
    ours(X)


STATE_COUNTS: dict[str, Call] = {
    "a tensor": lambda m: m(X, zeros(2, B, H)),
    "one state": lambda m: m(X, (zeros(2, B, H),)),
    "three states": lambda m: m(X, (zeros(2, B, H),) * 3),
    "stacked states": lambda m: m(X, zeros(2, 2, B, H)),
    "h wide": lambda m: m(X, (zeros(2, B, H + 1), zeros(2, B, H))),
    "c wide": lambda m: m(X, (zeros(2, B, H), zeros(2, B, H + 1))),
    "c 2-d": lambda m: m(X, (zeros(2, B, H), zeros(2, H))),
    "c float64": lambda m: m(X, (zeros(2, B, H), zeros(2, B, H, dtype=torch.float64))),
    "c none": lambda m: m(X, (zeros(2, B, H), None)),
}


@pytest.mark.parametrize("call", STATE_COUNTS)
def test_an_lstm_takes_two_states_and_no_other_number(call: str) -> None:
    with pytest.raises(Exception):  # noqa: B017 - of whatever kind
        STATE_COUNTS[call](nn.LSTM(I, H, 2))
    with pytest.raises(ShapeError, match=r"hx must be 2 tensors|Expected hidden"):
        STATE_COUNTS[call](recurra.LSTM(I, H, 2))


@pytest.mark.parametrize("name", ["RNN", "GRU"])
def test_an_rnn_or_gru_takes_one_state_and_no_tuple(name: str) -> None:
    with pytest.raises(AttributeError):
        getattr(nn, name)(I, H)(X, (zeros(1, B, H),))
    with pytest.raises(ShapeError, match=r"Expected hidden size \(1, 4, 5\), got tuple"):
        getattr(recurra, name)(I, H)(X, (zeros(1, B, H),))


def test_a_projected_lstm_tells_the_size_of_h_from_that_of_c() -> None:
    layer = recurra.LSTM(I, H, proj_size=2)
    with pytest.raises(ShapeError, match=r"Expected hidden\[0\] size \(1, 4, 2\), got \[1, 4, 5\]"):
        layer(X, (zeros(1, B, H), zeros(1, B, H)))
    with pytest.raises(ShapeError, match=r"Expected hidden\[1\] size \(1, 4, 5\), got \[1, 4, 2\]"):
        layer(X, (zeros(1, B, 2), zeros(1, B, 2)))


@every_class
def test_an_error_is_given_under_no_grad_and_in_evaluation_too(name: str) -> None:
    layer = getattr(recurra, name)(I, H).eval()
    with torch.no_grad(), pytest.raises(ShapeError, match=r"Expected input to be 2D or 3D"):
        layer(zeros(I))


# --- weights that are not the layer's own any more ---------------------------


def other_shapes(name: str, key: str) -> list[tuple[int, ...]]:
    shape = tuple(getattr(recurra, name)(I, H).get_parameter(key).shape)
    rows, *columns = shape
    if columns:
        (n,) = columns
        return [(1, n), (rows, 1), (rows - 1, n), (rows, n + 1), (2 * rows, n), (n,), (rows, n, 1)]
    return [(1,), (), (0,), (rows - 1,), (rows + 1,), (1, rows), (B, rows)]


@pytest.mark.parametrize("key", ["weight_ih_l0", "weight_hh_l0", "bias_ih_l0", "bias_hh_l0"])
@every_class
def test_a_weight_of_another_shape_is_refused_by_its_name(name: str, key: str) -> None:
    # torch.nn broadcasts a bias of one element; its LSTM ends the process for most of the others.
    for shape in other_shapes(name, key):
        layer = getattr(recurra, name)(I, H)
        setattr(layer, key, nn.Parameter(zeros(*shape)))
        for x in (X, packed(), X[:, 0]):
            with pytest.raises(ShapeError, match=f"{key} must be of .*, got "):
                layer(x)


@every_class
def test_a_weight_that_is_gone_is_refused_by_its_name(name: str) -> None:
    layer = getattr(recurra, name)(I, H)
    layer.bias_ih_l0 = None
    with pytest.raises(ShapeError, match="bias_ih_l0 must be a tensor, got None"):
        layer(X)


@every_class
def test_weights_of_several_dtypes_are_refused(name: str) -> None:
    layer = getattr(recurra, name)(I, H)
    layer.bias_hh_l0 = nn.Parameter(layer.bias_hh_l0.detach().double())
    with pytest.raises(ShapeError, match=r"bias_hh_l0 must be torch.float32 .* got torch.float64"):
        layer(X)


# --- construction ------------------------------------------------------------


@every_class
def test_torchs_error_samples_meet_their_error(name: str) -> None:
    samples = common_modules.module_error_inputs_torch_nn_RNN_GRU(
        None, "cpu", torch.float32, requires_grad=False, training=True
    )
    assert len(samples) >= 14
    for sample in samples:
        module_input = sample.module_error_input
        made, given = module_input.constructor_input, module_input.forward_input
        build = getattr(recurra, name)
        if sample.error_on is ModuleErrorEnum.CONSTRUCTION_ERROR:
            with pytest.raises(sample.error_type, match=sample.error_regex) as caught:
                build(*made.args, **made.kwargs)
        else:
            layer = build(*made.args, **made.kwargs)
            with pytest.raises(sample.error_type, match=sample.error_regex) as caught:
                layer(*given.args, **given.kwargs)
        assert isinstance(caught.value, RecurraError)


@pytest.mark.parametrize(
    ("arguments", "options", "kind"),
    [
        ((I, H), {"num_layers": -1}, ArgumentError),
        ((I, H), {"dropout": 1.5}, ArgumentError),
        ((I, H), {"dropout": -0.5}, ArgumentError),
        ((I, H), {"dropout": True}, ArgumentError),
        ((I, H), {"dropout": "a half"}, ArgumentError),
        ((I, -H), {}, ArgumentError),
        ((I, "5"), {}, ArgumentTypeError),
        ((I, H), {"num_layers": "2"}, ArgumentTypeError),
        ((I,), {}, ArgumentTypeError),
        ((), {}, ArgumentTypeError),
        ((I, H), {"hidden": 3}, ArgumentTypeError),
    ],
)
@every_class
def test_what_torch_refuses_to_build_we_refuse_to_build(
    name: str, arguments: tuple[object, ...], options: dict[str, object], kind: type[RecurraError]
) -> None:
    with pytest.raises((ValueError, TypeError)):
        getattr(nn, name)(*arguments, **options)
    with pytest.raises(kind):
        getattr(recurra, name)(*arguments, **options)


@pytest.mark.parametrize("proj_size", [-1, H, H + 1])
def test_a_projection_that_does_not_shrink_is_refused(proj_size: int) -> None:
    with pytest.raises(ArgumentError, match="proj_size"):
        recurra.LSTM(I, H, proj_size=proj_size)


@pytest.mark.parametrize("name", ["RNN", "GRU"])
def test_only_an_lstm_projects(name: str) -> None:
    with pytest.raises(ArgumentError, match="proj_size argument is only supported for LSTM"):
        getattr(recurra, name)(I, H, proj_size=2)


def test_an_unknown_nonlinearity_is_refused_with_those_there_are() -> None:
    with pytest.raises(ArgumentError, match=r"activation='tanhh' is not known; .*tanh, sigmoid"):
        recurra.RNN(I, H, nonlinearity="tanhh")
    with pytest.raises(ArgumentTypeError, match="activation must be a name or a function"):
        recurra.RNN(I, H, 1, 3)


@every_class
def test_dropout_in_a_single_layer_is_warned_of_as_in_torch(name: str) -> None:
    said = []
    for library in (nn, recurra):
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            getattr(library, name)(I, H, dropout=0.5)
        said.append([str(warning.message) for warning in caught])
    assert said[0] == said[1]
    assert len(said[1]) == 1


@every_class
@pytest.mark.parametrize("call", MEANINGLESS_CALLS.values(), ids=MEANINGLESS_CALLS.keys())
def test_calls_without_meaning_are_refused_in_our_words(name: str, call: Call) -> None:
    with pytest.raises((ShapeError, ArgumentTypeError)):
        call(getattr(recurra, name)(I, H, 2))


@every_class
@pytest.mark.parametrize("options", MEANINGLESS_OPTIONS.values(), ids=MEANINGLESS_OPTIONS.keys())
def test_options_without_meaning_are_refused_in_our_words(
    name: str, options: dict[str, object]
) -> None:
    with pytest.raises((ArgumentError, ArgumentTypeError)):
        getattr(recurra, name)(**{"input_size": I, "hidden_size": H, **options})


@every_class
def test_one_is_an_option_as_in_torch(name: str) -> None:
    layer = getattr(recurra, name)(I, H, bidirectional=1)
    assert layer(X)[0].shape == (T, B, 2 * H)
