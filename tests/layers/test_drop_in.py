"""The drop-ins against torch.nn over the whole grid of options: outputs and every gradient."""

from collections.abc import Callable
from itertools import product

import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence, pack_padded_sequence
from torch.testing._internal import common_modules

import recurra

T, B, I, H = 5, 4, 3, 5  # noqa: E741 - the axes' names
EXACT = {"rtol": 1e-10, "atol": 1e-11}

KINDS: dict[str, tuple[str, dict[str, object]]] = {
    "RNN-tanh": ("RNN", {}),
    "RNN-relu": ("RNN", {"nonlinearity": "relu"}),
    "GRU": ("GRU", {}),
    "LSTM": ("LSTM", {}),
    "LSTM-projected": ("LSTM", {"proj_size": 2}),
}
FORMS: dict[str, list[int] | None] = {
    "contiguous": None,
    "strided": None,
    "packed-sorted": [5, 4, 4, 1],
    "packed-unsorted": [2, 5, 1, 4],
}
CLASSES = ["RNN", "GRU", "LSTM"]

every_kind = pytest.mark.parametrize("kind", KINDS)
every_class = pytest.mark.parametrize("name", CLASSES)


def pair(name: str, *sizes: int, **options: object) -> tuple[nn.RNNBase, nn.RNNBase]:
    """Return our layer and torch's, of the same weights, in float64."""
    ours = getattr(recurra, name)(*sizes, dtype=torch.float64, **options)
    theirs = getattr(nn, name)(*sizes, dtype=torch.float64, **options)
    assert list(ours.state_dict()) == list(theirs.state_dict())
    ours.load_state_dict(theirs.state_dict())
    return ours, theirs


def strided(value: Tensor) -> Tensor:
    """Return `value` in memory that is not contiguous, among NaN."""
    room = value.new_full((*reversed(value.shape[:-1]), 2 * value.shape[-1]), float("nan"))
    view = room.transpose(0, -2)[..., ::2] if value.dim() > 1 else room[::2]
    view.copy_(value)
    assert not view.is_contiguous()
    return view


def flat(result: object) -> list[Tensor]:
    """Return the tensors of a layer's result, in order."""
    if isinstance(result, Tensor):
        return [result]
    if isinstance(result, PackedSequence):
        return [result.data]
    assert isinstance(result, tuple)
    return [tensor for part in result for tensor in flat(part)]


def inputs_for(layer: nn.RNNBase, form: str, with_hx: bool) -> list[Tensor]:
    """Return x and perhaps the states, as leaves in the memory layout of `form`."""
    rows = layer.num_layers * (2 if layer.bidirectional else 1)
    shapes = [(B, T, I) if layer.batch_first else (T, B, I)]
    if with_hx:
        shapes.append((rows, B, layer.proj_size or H))
        if layer.mode == "LSTM":
            shapes.append((rows, B, H))
    leaves = [torch.randn(shape, dtype=torch.float64) for shape in shapes]
    if form == "strided":
        leaves = [strided(leaf) for leaf in leaves]
    return [leaf.requires_grad_() for leaf in leaves]


def call(layer: nn.RNNBase, leaves: list[Tensor], lengths: list[int] | None) -> object:
    x, *hx = leaves
    if lengths is not None:
        x = pack_padded_sequence(x, torch.tensor(lengths), layer.batch_first, enforce_sorted=False)
    return layer(x, (tuple(hx) if len(hx) > 1 else hx[0]) if hx else None)


def values_and_gradients(
    layer: nn.RNNBase, leaves: list[Tensor], form: str
) -> tuple[object, list[Tensor]]:
    result = call(layer, leaves, FORMS[form])
    values = flat(result)
    torch.manual_seed(1)
    incoming = [torch.randn(v.shape, dtype=v.dtype) for v in values]
    if form == "strided":
        incoming = [strided(g) for g in incoming]
    wrt = [*leaves, *layer.parameters()]
    return result, [*values, *torch.autograd.grad(values, wrt, incoming)]


@pytest.mark.usefixtures("backend")
@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("batch_first", [False, True], ids=["time-first", "batch-first"])
@pytest.mark.parametrize("num_layers", [1, 2])
@pytest.mark.parametrize("bidirectional", [False, True], ids=["one-way", "both-ways"])
@every_kind
def test_outputs_states_and_every_gradient_are_torchs(
    kind: str, bidirectional: bool, num_layers: int, batch_first: bool, form: str
) -> None:
    name, options = KINDS[kind]
    for bias, with_hx in product([True, False], [False, True]):
        ours, theirs = pair(
            name,
            I,
            H,
            num_layers,
            bias=bias,
            batch_first=batch_first,
            bidirectional=bidirectional,
            **options,
        )
        leaves = inputs_for(ours, form, with_hx)
        mine, my_values = values_and_gradients(ours, leaves, form)
        its, its_values = values_and_gradients(theirs, leaves, form)
        assert len(my_values) == len(its_values)
        torch.testing.assert_close(my_values, its_values, **EXACT)
        assert type(mine[1]) is type(its[1])
        if FORMS[form] is not None:
            for field in ("batch_sizes", "sorted_indices", "unsorted_indices"):
                assert torch.equal(getattr(mine[0], field), getattr(its[0], field))


def test_a_sequence_packed_as_sorted_has_no_indices_in_the_result_either() -> None:
    ours, theirs = pair("LSTM", I, H)
    x = torch.randn(T, B, I, dtype=torch.float64)
    packed = pack_padded_sequence(x, torch.tensor([5, 4, 4, 1]))
    assert packed.sorted_indices is None
    (mine, state), (its, its_state) = ours(packed), theirs(packed)
    torch.testing.assert_close([mine.data, *state], [its.data, *its_state], **EXACT)
    assert mine.sorted_indices is None
    assert mine.unsorted_indices is None


@pytest.mark.usefixtures("backend")
@every_kind
def test_in_single_precision_they_agree_to_its_rounding(kind: str) -> None:
    name, options = KINDS[kind]
    if "proj_size" in options:
        options = {**options, "dtype": torch.float64}  # oneDNN has no projection
    ours = getattr(recurra, name)(I, H, 2, bidirectional=True, **options)
    theirs = getattr(nn, name)(I, H, 2, bidirectional=True, **options)
    theirs.load_state_dict(ours.state_dict())
    x = torch.randn(T, B, I, dtype=ours.weight_ih_l0.dtype, requires_grad=True)
    found = []
    for layer in (ours, theirs):
        values = flat(layer(x))
        wrt = [x, *layer.parameters()]
        found.append([*values, *torch.autograd.grad(values[0].square().sum(), wrt)])
    torch.testing.assert_close(*found, rtol=1e-5, atol=4e-6)


# --- construction and weights ------------------------------------------------


@pytest.mark.parametrize("num_layers", [1, 3])
@pytest.mark.parametrize("bidirectional", [False, True], ids=["one-way", "both-ways"])
@every_kind
def test_the_same_seed_draws_the_same_weights_and_as_many_random_numbers(
    kind: str, bidirectional: bool, num_layers: int
) -> None:
    name, options = KINDS[kind]
    found = []
    for library in (nn, recurra):
        torch.manual_seed(7)
        layer = getattr(library, name)(I, H, num_layers, bidirectional=bidirectional, **options)
        found.append((layer.state_dict(), torch.get_rng_state()))
    (theirs, its_rng), (ours, my_rng) = found
    assert list(ours) == list(theirs)
    assert all(torch.equal(ours[key], theirs[key]) for key in ours)
    assert torch.equal(my_rng, its_rng)


@every_kind
def test_a_state_dict_loads_both_ways(kind: str) -> None:
    name, options = KINDS[kind]
    ours = getattr(recurra, name)(I, H, 2, bidirectional=True, **options)
    theirs = getattr(nn, name)(I, H, 2, bidirectional=True, **options)
    for source, target in ((ours, theirs), (theirs, ours)):
        for parameter in source.parameters():
            nn.init.normal_(parameter)
        target.load_state_dict(source.state_dict(), strict=True)
        for a, b in zip(source.parameters(), target.parameters(), strict=True):
            assert torch.equal(a, b)


@every_class
def test_every_argument_may_be_given_by_position_as_in_torch(name: str) -> None:
    arguments = [I, H, 2, *(["relu"] if name == "RNN" else []), False, True, 0.25, True]
    ours, theirs = getattr(recurra, name)(*arguments), getattr(nn, name)(*arguments)
    assert repr(ours) == repr(theirs)
    attributes = ("num_layers", "bias", "batch_first", "dropout", "bidirectional", "mode")
    for attribute in attributes:
        assert getattr(ours, attribute) == getattr(theirs, attribute)


@every_class
def test_a_drop_in_is_an_instance_of_torchs_class(name: str) -> None:
    layer = getattr(recurra, name)(I, H)
    assert isinstance(layer, getattr(nn, name))
    assert isinstance(layer, nn.RNNBase)


@every_class
def test_torchs_own_attributes_work(name: str) -> None:
    layer = getattr(recurra, name)(I, H, 2, bidirectional=True)
    layer.flatten_parameters()
    flat_weights = [weight for group in layer.all_weights for weight in group]
    assert [id(w) for w in flat_weights] == [id(p) for p in layer.parameters()]
    x = torch.randn(T, B, I)
    before = layer(x)[0]
    layer.reset_parameters()
    assert not torch.equal(layer(x)[0], before)


# --- inputs of other ranks ---------------------------------------------------


@pytest.mark.usefixtures("backend")
@pytest.mark.parametrize("with_hx", [False, True])
@pytest.mark.parametrize("batch_first", [False, True])
@every_kind
def test_an_input_without_batch_is_a_batch_of_one(
    kind: str, batch_first: bool, with_hx: bool
) -> None:
    name, options = KINDS[kind]
    ours, theirs = pair(name, I, H, 2, bidirectional=True, batch_first=batch_first, **options)
    leaves = [
        leaf.detach().select(1, 0).clone().requires_grad_()
        for leaf in inputs_for(ours, "", with_hx)
    ]
    leaves[0] = torch.randn(T, I, dtype=torch.float64, requires_grad=True)
    found = []
    for layer in (ours, theirs):
        values = flat(call(layer, leaves, None))
        gradients = torch.autograd.grad([v.sum() for v in values], [*leaves, *layer.parameters()])
        found.append([*values, *gradients])
    assert found[0][0].shape == (T, 2 * (ours.proj_size or H))
    torch.testing.assert_close(*found, **EXACT)


# A backend that is named refuses what it cannot run; "auto" leaves it to torch.
@pytest.mark.usefixtures("backend")
@pytest.mark.parametrize("backend", ["eager", "auto", "no core"], indirect=True)
@every_kind
def test_a_batch_of_no_rows_is_as_empty_as_torchs(kind: str) -> None:
    name, options = KINDS[kind]
    ours, theirs = pair(name, I, H, 2, bidirectional=True, **options)
    x = torch.zeros(T, 0, I, dtype=torch.float64)
    for mine, its in zip(flat(ours(x)), flat(theirs(x)), strict=True):
        assert mine.shape == its.shape
        assert mine.dtype == its.dtype


# --- torch's own samples -----------------------------------------------------


def samples(name: str, packed: bool) -> list[common_modules.ModuleInput]:
    options = {"module_info": None, "device": "cpu", "dtype": torch.float64}
    options |= {"requires_grad": True, "training": True}
    if name == "LSTM":
        return common_modules.module_inputs_torch_nn_LSTM(**options)
    return common_modules.module_inputs_torch_nn_RNN_GRU(
        **options, is_rnn=name == "RNN", with_packed_sequence=packed
    )


@pytest.mark.usefixtures("backend")
@every_class
def test_torchs_samples_meet_their_reference_function(name: str) -> None:
    compared = 0
    for sample in samples(name, packed=False):
        made, given = sample.constructor_input, sample.forward_input
        layer = getattr(recurra, name)(*made.args, **made.kwargs, dtype=torch.float64)
        found = flat(layer(*given.args, **given.kwargs))
        wanted = flat(sample.reference_fn(layer, *given.args, **given.kwargs))
        torch.testing.assert_close(found, wanted, **EXACT)
        compared += 1
    assert compared >= 16


@pytest.mark.usefixtures("backend")
@every_class
def test_torchs_samples_give_what_torchs_layer_gives(name: str) -> None:
    compared = 0
    for sample in samples(name, packed=True):
        made, given = sample.constructor_input, sample.forward_input
        ours, theirs = pair(name, *made.args, **made.kwargs)
        leaves = [leaf for leaf in flat(given.args) if leaf.requires_grad]
        found = []
        for layer in (ours, theirs):
            values = flat(layer(*given.args, **given.kwargs))
            wrt = [leaf for leaf in leaves if leaf.is_leaf]
            wrt += list(layer.parameters())
            gradients = torch.autograd.grad([v.square().sum() for v in values], wrt)
            found.append([*values, *gradients])
        torch.testing.assert_close(*found, **EXACT)
        compared += 1
    assert compared >= 32


# --- dropout and random numbers ----------------------------------------------


@pytest.mark.usefixtures("backend")
@every_class
def test_dropout_from_the_same_seed_drops_what_torch_drops(name: str) -> None:
    ours, theirs = pair(name, I, H, 3, dropout=0.5, bidirectional=True)
    x = torch.randn(T, B, I, dtype=torch.float64)
    found = []
    for layer in (ours, theirs):
        torch.manual_seed(11)
        found.append([*flat(layer(x)), torch.get_rng_state()])
    torch.testing.assert_close(*found, **EXACT)
    assert not torch.allclose(ours(x)[0], ours.eval()(x)[0])


@pytest.mark.usefixtures("backend")
@every_class
def test_evaluation_draws_no_random_numbers(name: str) -> None:
    # A size that no other test uses: whatever is made at the first call is made here.
    layer = getattr(recurra, name)(7, 11, 2, dropout=0.5).eval()
    before = torch.get_rng_state()
    first, second = layer(torch.ones(T, B, 7))[0], layer(torch.ones(T, B, 7))[0]
    assert torch.equal(torch.get_rng_state(), before)
    assert torch.equal(first, second)


# --- any activation ----------------------------------------------------------


class Unhashable:
    """An activation that cannot be a dictionary's key."""

    __hash__ = None

    def __call__(self, value: Tensor) -> Tensor:
        return value * torch.sigmoid(value)


ACTIVATIONS: dict[str, Callable[[], object]] = {
    "gelu": lambda: "gelu",
    "identity": lambda: "identity",
    "torch.sin": lambda: torch.sin,
    "lambda": lambda: lambda value: value / (1 + value.square()),
    "module": lambda: nn.PReLU(dtype=torch.float64),
    "unhashable": Unhashable,
}


@pytest.mark.usefixtures("backend")
@pytest.mark.parametrize("by_position", [False, True])
@pytest.mark.parametrize("what", ACTIVATIONS)
def test_an_rnn_takes_any_activation(what: str, by_position: bool) -> None:
    given = ACTIVATIONS[what]()
    phi = {"gelu": nn.functional.gelu, "identity": lambda v: v}.get(what, given)
    if by_position:
        layer = recurra.RNN(I, H, 1, given, True, False, 0.0, True).double()
    else:
        layer = recurra.RNN(I, H, bidirectional=True, nonlinearity=given).double()
    assert layer.nonlinearity is given
    x = torch.randn(T, B, I, dtype=torch.float64, requires_grad=True)
    out, last = layer(x)
    sides, ends = [], []
    for suffix, order in (("", range(T)), ("_reverse", reversed(range(T)))):
        w = {
            key: layer.get_parameter(f"{key}_l0{suffix}")
            for key in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
        }
        h = x.new_zeros(B, H)
        steps: dict[int, Tensor] = {}
        for t in order:
            a = x[t] @ w["weight_ih"].T + w["bias_ih"] + h @ w["weight_hh"].T + w["bias_hh"]
            steps[t] = h = phi(a)
        sides.append(torch.stack([steps[t] for t in range(T)]))
        ends.append(h)
    wanted, wanted_last = torch.cat(sides, -1), torch.stack(ends)
    torch.testing.assert_close([out, last], [wanted, wanted_last], **EXACT)
    wrt = [x, *layer.parameters()]
    torch.testing.assert_close(
        torch.autograd.grad(out.square().sum(), wrt),
        torch.autograd.grad(wanted.square().sum(), wrt),
        **EXACT,
    )


def test_two_rnns_with_other_activations_do_not_mix() -> None:
    x = torch.randn(T, B, I)
    first = recurra.RNN(I, H, nonlinearity=torch.sin)
    second = recurra.RNN(I, H, nonlinearity=torch.cos)
    second.load_state_dict(first.state_dict())
    before = first(x)[0]
    assert not torch.allclose(second(x)[0], before)
    assert torch.equal(first(x)[0], before)
