"""`Recurrent`: stacks and directions against cells composed by hand, its state, its options."""

import copy
import pickle
import warnings
from collections.abc import Callable
from itertools import product

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from recurra import Recurrent
from recurra.cells import CELLS, Cell
from recurra.errors import ArgumentError

T, B, I, H = 6, 4, 3, 5  # noqa: E741 - the axes' names
State = tuple[Tensor, ...]
EXACT = {"rtol": 1e-10, "atol": 1e-12}

KINDS: dict[str, tuple[str, dict[str, object]]] = {
    "elman": ("elman", {}),
    "elman-read-out": ("elman", {"activation": "sigmoid", "output_size": 2}),
    "fcn": ("fcn", {"depth": 2, "width": 3}),
    "gru": ("gru", {}),
    "gru-before": ("gru", {"reset_after": False}),
    "lstm": ("lstm", {}),
    "lstm-lesson": ("lstm", {"squash_cell": True}),
    "lstm-projected": ("lstm", {"proj_size": 2}),
}


def build(kind: str, **options: object) -> Recurrent:
    name, cell_options = KINDS[kind]
    return Recurrent(name, I, H, **options, **cell_options).double()


def state_for(layer: Recurrent, rows: int = B, dtype: torch.dtype = torch.float64) -> State:
    count = layer.num_layers * layer.directions
    return tuple(
        torch.randn(count, rows, size, dtype=dtype, requires_grad=True)
        for size in layer.state_sizes.values()
    )


def one_row(
    cell: Cell, x: Tensor, state: State, fresh: State, borders: list[bool], reverse: bool
) -> tuple[Tensor, State]:
    """Run a cell step by step over one row's own steps (n, 1, I)."""
    outputs = list(x)
    steps = range(len(x))
    for t in reversed(steps) if reverse else steps:
        crossed = t + 1 < len(x) and borders[t + 1] if reverse else borders[t]
        outputs[t], state = cell(x[t], *(fresh if crossed else state))
    return torch.stack(outputs) if outputs else x.new_zeros(0, 1, cell.output_size), state


def by_hand(
    layer: Recurrent, x: Tensor, state: State, fresh: State, lengths: list[int], reset: Tensor
) -> tuple[Tensor, State]:
    """Compose the layer's cells row by row: layers over layers, directions side by side."""
    D = layer.directions
    rows, ends = [], []
    for b, n in enumerate(lengths):
        below = x[:n, b : b + 1]
        last = []
        for k in range(layer.num_layers):
            sides = []
            for d in range(D):
                at = k * D + d
                side, end = one_row(
                    layer.cells[at],
                    below,
                    tuple(s[at, b : b + 1] for s in state),
                    tuple(s[at, b : b + 1] for s in fresh),
                    reset[:n, b].tolist(),
                    reverse=d == 1,
                )
                sides.append(side)
                last.append(end)
            below = torch.cat(sides, -1)
        rows.append(torch.cat([below, below.new_zeros(len(x) - n, 1, below.shape[-1])]))
        ends.append(tuple(torch.stack(s) for s in zip(*last, strict=True)))
    return torch.cat(rows, 1), tuple(torch.cat(s, 1) for s in zip(*ends, strict=True))


def gradients(values: list[Tensor], wrt: list[Tensor]) -> list[Tensor]:
    generator = torch.Generator().manual_seed(5)
    loss = sum((v * torch.randn(v.shape, dtype=v.dtype, generator=generator)).sum() for v in values)
    return list(torch.autograd.grad(loss, wrt, allow_unused=True, materialize_grads=True))


@pytest.mark.usefixtures("backend")
@pytest.mark.parametrize("bidirectional", [False, True], ids=["one-way", "both-ways"])
@pytest.mark.parametrize("num_layers", [1, 2, 3])
@pytest.mark.parametrize("kind", KINDS)
def test_it_is_its_cells_composed_by_hand(kind: str, num_layers: int, bidirectional: bool) -> None:
    layer = build(kind, num_layers=num_layers, bidirectional=bidirectional)
    x = torch.randn(T, B, I, dtype=torch.float64, requires_grad=True)
    zeros = tuple(torch.zeros_like(s) for s in state_for(layer))
    no_reset = torch.zeros(T, B, dtype=torch.bool)
    for given, lengths in product([None, state_for(layer)], [None, [2, 6, 0, 5]]):
        out, last = layer(x, given, lengths)
        wanted, wanted_last = by_hand(layer, x, given or zeros, zeros, lengths or [T] * B, no_reset)
        torch.testing.assert_close(out, wanted, **EXACT)
        torch.testing.assert_close(last, wanted_last, **EXACT)
        wrt = [x, *(given or ()), *layer.parameters()]
        torch.testing.assert_close(
            gradients([out, *last], wrt), gradients([wanted, *wanted_last], wrt), **EXACT
        )


@pytest.mark.usefixtures("backend")
@pytest.mark.parametrize("learned", [False, True], ids=["zeros", "learned"])
@pytest.mark.parametrize("kind", ["gru", "lstm", "fcn"])
def test_resets_and_lengths_hold_in_every_layer_and_direction(kind: str, learned: bool) -> None:
    layer = build(kind, num_layers=2, bidirectional=True, learn_initial_state=learned)
    for parameter in layer.initial_state or ():
        nn.init.normal_(parameter)
    x = torch.randn(T, B, I, dtype=torch.float64, requires_grad=True)
    reset = torch.rand(T, B) < 0.4
    assert 0 < int(reset.sum()) < T * B
    fresh = tuple(
        p.unsqueeze(1).expand(-1, B, -1) if learned else torch.zeros_like(s)
        for p, s in zip(layer.initial_state or state_for(layer), state_for(layer), strict=True)
    )
    lengths = [2, 6, 0, 5]
    for given in (None, state_for(layer)):
        out, last = layer(x, given, torch.tensor(lengths), reset)
        wanted, wanted_last = by_hand(layer, x, given or fresh, fresh, lengths, reset)
        torch.testing.assert_close(out, wanted, **EXACT)
        torch.testing.assert_close(last, wanted_last, **EXACT)
        wrt = [x, *(given or ()), *layer.parameters()]
        torch.testing.assert_close(
            gradients([out, *last], wrt), gradients([wanted, *wanted_last], wrt), **EXACT
        )


@pytest.mark.parametrize("name", CELLS)
def test_every_registered_name_is_a_layer_that_trains(name: str) -> None:
    layer = Recurrent(name, I, H, num_layers=2, bidirectional=True)
    assert [type(cell) for cell in layer.cells] == [CELLS[name]] * 4
    out, state = layer(torch.randn(T, B, I))
    assert out.shape == (T, B, 2 * H)
    assert [s.shape for s in state] == [(4, B, H)] * len(layer.state_sizes)
    out.square().sum().backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in layer.parameters())


def test_layers_and_directions_have_weights_of_their_own() -> None:
    layer = Recurrent("lstm", I, H, num_layers=2, bidirectional=True)
    weights = [cell.gates.weight_hh for cell in layer.cells]
    assert len({id(w) for w in weights}) == 4
    for k, j in product(range(4), range(4)):
        assert k == j or not torch.equal(weights[k], weights[j])
    assert [cell.input_size for cell in layer.cells] == [I, I, 2 * H, 2 * H]


def test_the_rows_of_a_state_are_layers_and_in_them_directions() -> None:
    layer = Recurrent("gru", I, H, num_layers=2, bidirectional=True)
    x = torch.randn(T, B, I)
    out, (last,) = layer(x)
    assert torch.equal(out[-1, :, :H], last[2])
    assert torch.equal(out[0, :, H:], last[3])
    lower, (lower_last,) = Recurrent("gru", I, H, bidirectional=True), (last[:2],)
    for mine, its in zip(lower.cells, layer.cells[:2], strict=True):
        mine.load_state_dict(its.state_dict())
    assert torch.equal(lower(x)[1][0], lower_last)


# --- the order of axes -------------------------------------------------------


@pytest.mark.parametrize("kind", ["gru", "fcn"])
def test_batch_first_turns_inputs_outputs_and_resets_but_not_states(kind: str) -> None:
    time_first = build(kind, num_layers=2, bidirectional=True)
    batch_first = build(kind, num_layers=2, bidirectional=True, batch_first=True)
    batch_first.load_state_dict(time_first.state_dict())
    x = torch.randn(T, B, I, dtype=torch.float64)
    state = state_for(time_first)
    reset = torch.rand(T, B) < 0.4
    for options in ({}, {"lengths": [2, 6, 0, 5]}, {"state": state}):
        for marks in (None, reset):
            out, last = time_first(x, **options, reset=marks)
            turned, same = batch_first(
                x.transpose(0, 1), **options, reset=None if marks is None else marks.t()
            )
            assert torch.equal(turned, out.transpose(0, 1))
            assert all(map(torch.equal, last, same))


# --- dropout -----------------------------------------------------------------


@pytest.mark.parametrize("batch_first", [False, True])
def test_dropout_acts_between_layers_in_training_only(batch_first: bool) -> None:
    layer = Recurrent("gru", I, H, 3, dropout=0.5, bidirectional=True, batch_first=batch_first)
    singles = [Recurrent("gru", size, H, bidirectional=True) for size in (I, 2 * H, 2 * H)]
    for k, single in enumerate(singles):
        for mine, its in zip(single.cells, layer.cells[2 * k : 2 * k + 2], strict=True):
            mine.load_state_dict(its.state_dict())
    x = torch.randn(B, T, I) if batch_first else torch.randn(T, B, I)

    torch.manual_seed(3)
    out, _ = layer(x)
    after = torch.get_rng_state()
    torch.manual_seed(3)
    value = x.transpose(0, 1) if batch_first else x
    for k, single in enumerate(singles):
        value, _ = single(F.dropout(value, 0.5) if k else value)
    assert torch.equal(out, value.transpose(0, 1) if batch_first else value)
    assert torch.equal(torch.get_rng_state(), after)


def test_dropout_is_off_in_evaluation_and_draws_nothing() -> None:
    layer = Recurrent("lstm", I, H, 2, dropout=0.5).eval()
    plain = Recurrent("lstm", I, H, 2).eval()
    plain.load_state_dict(layer.state_dict())
    x = torch.randn(T, B, I)
    before = torch.get_rng_state()
    assert torch.equal(layer(x)[0], plain(x)[0])
    assert torch.equal(torch.get_rng_state(), before)


def test_dropping_everything_leaves_the_top_layer_nothing_to_read() -> None:
    layer = Recurrent("gru", I, H, 2, dropout=1.0)
    assert torch.equal(layer(torch.randn(T, B, I))[0], layer(torch.randn(T, B, I))[0])
    layer.eval()
    assert not torch.equal(layer(torch.randn(T, B, I))[0], layer(torch.randn(T, B, I))[0])


@pytest.mark.parametrize("dropout", [-0.1, 1.1, float("nan"), True, "0.5", None])
def test_a_dropout_that_is_no_probability_is_refused(dropout: object) -> None:
    with pytest.raises(ArgumentError, match=f"dropout must be a probability.*got {dropout!r}"):
        Recurrent("gru", I, H, 2, dropout=dropout)


def test_dropout_in_a_single_layer_is_warned_of_where_the_layer_is_built() -> None:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        Recurrent("gru", I, H, dropout=0.5)
    (warning,) = caught
    assert "dropout=0.5 acts between layers, and there is only one" in str(warning.message)
    assert warning.filename == __file__


# --- the state to start from -------------------------------------------------


@pytest.mark.parametrize("kind", ["elman", "gru", "lstm", "lstm-projected"])
def test_a_learned_initial_state_starts_at_zero_and_gets_gradients(kind: str) -> None:
    layer = build(kind, num_layers=2, bidirectional=True, learn_initial_state=True)
    plain = build(kind, num_layers=2, bidirectional=True)
    plain.load_state_dict(layer.state_dict(), strict=False)
    x = torch.randn(T, B, I, dtype=torch.float64)
    assert torch.equal(layer(x)[0], plain(x)[0])
    assert [tuple(p.shape) for p in layer.initial_state] == [
        (4, size) for size in layer.state_sizes.values()
    ]
    layer(x)[0].square().sum().backward()
    for parameter in layer.initial_state or ():
        assert parameter.grad is not None
        assert torch.count_nonzero(parameter.grad) == parameter.numel()


def test_a_learned_initial_state_is_the_same_as_giving_it() -> None:
    layer = build("lstm", num_layers=2, learn_initial_state=True)
    for parameter in layer.initial_state or ():
        nn.init.normal_(parameter)
    x = torch.randn(T, B, I, dtype=torch.float64)
    given = tuple(p.detach().unsqueeze(1).repeat(1, B, 1) for p in layer.initial_state)
    learned, last = layer(x)
    explicit, same = layer(x, given)
    assert torch.equal(learned, explicit)
    assert all(map(torch.equal, last, same))


def test_a_reset_restarts_from_the_learned_state_though_another_was_given() -> None:
    layer = build("gru", learn_initial_state=True)
    nn.init.normal_(layer.initial_state[0])
    x = torch.randn(T, B, I, dtype=torch.float64)
    reset = torch.zeros(T, B, dtype=torch.bool)
    reset[2] = True
    out, _ = layer(x, torch.randn(1, B, H, dtype=torch.float64), reset=reset)
    torch.testing.assert_close(out[2:], layer(x[2:])[0], **EXACT)
    out[2:].sum().backward()
    assert torch.count_nonzero(layer.initial_state[0].grad) == H


def test_a_cell_with_one_state_takes_it_as_a_tensor_or_in_a_tuple_or_list() -> None:
    layer = build("gru", num_layers=2)
    x = torch.randn(T, B, I, dtype=torch.float64)
    (state,) = state_for(layer)
    wanted = layer(x, (state,))[0]
    assert torch.equal(layer(x, state)[0], wanted)
    assert torch.equal(layer(x, [state])[0], wanted)
    assert isinstance(layer(x)[1], tuple)


def test_the_returned_state_goes_on_where_it_stopped() -> None:
    layer = build("lstm", num_layers=2)
    x = torch.randn(T, B, I, dtype=torch.float64)
    whole, last = layer(x)
    first, between = layer(x[:2])
    second, end = layer(x[2:], between)
    torch.testing.assert_close(torch.cat([first, second]), whole, **EXACT)
    torch.testing.assert_close(end, last, **EXACT)


def test_no_steps_or_no_rows_give_empty_outputs() -> None:
    layer = Recurrent("lstm", I, H, 2, bidirectional=True)
    for t, b, lengths in ((0, B, [0] * B), (T, 0, []), (0, 0, [])):
        for given in (None, lengths):
            out, state = layer(torch.zeros(t, b, I), lengths=given)
            assert out.shape == (t, b, 2 * H)
            assert [s.shape for s in state] == [(4, b, H)] * 2


# --- as a module -------------------------------------------------------------


def deep_copy(layer: Recurrent) -> Recurrent:
    return copy.deepcopy(layer)


def pickled(layer: Recurrent) -> Recurrent:
    return pickle.loads(pickle.dumps(layer))


def reloaded(layer: Recurrent) -> Recurrent:
    other = Recurrent("lstm", I, H, 2, bidirectional=True, learn_initial_state=True)
    other.load_state_dict(layer.state_dict())
    return other


@pytest.mark.parametrize("twin", [deep_copy, pickled, reloaded])
def test_a_copy_gives_the_same_bits_and_shares_nothing(
    twin: Callable[[Recurrent], Recurrent],
) -> None:
    layer = Recurrent("lstm", I, H, 2, bidirectional=True, learn_initial_state=True)
    other = twin(layer)
    x = torch.randn(T, B, I)
    out, state = layer(x)
    same, same_state = other(x)
    assert torch.equal(out, same)
    assert all(map(torch.equal, state, same_state))
    with torch.no_grad():
        for parameter in other.parameters():
            parameter.zero_()
    assert torch.equal(layer(x)[0], out)


def test_it_can_be_converted_to_double_precision_and_back() -> None:
    layer = Recurrent("gru", I, H, 2, learn_initial_state=True)
    x = torch.randn(T, B, I)
    single, _ = layer(x)
    double, (state,) = layer.double()(x.double())
    assert double.dtype == state.dtype == torch.float64
    torch.testing.assert_close(single.double(), double, rtol=1e-5, atol=1e-6)
    assert torch.equal(layer.float()(x)[0], single)


@pytest.mark.parametrize("name", CELLS)
@pytest.mark.parametrize("lengths", [None, [2, 6, 0, 5]], ids=["full", "ragged"])
def test_on_the_meta_device_it_gives_shapes(name: str, lengths: list[int] | None) -> None:
    with torch.device("meta"):
        built_there = Recurrent(name, I, H, 2, bidirectional=True)
    moved = Recurrent(name, I, H, 2, bidirectional=True).to("meta")
    for layer in (built_there, moved):
        out, state = layer(torch.zeros(T, B, I, device="meta"), lengths=lengths)
        assert (out.shape, out.device.type) == ((T, B, 2 * H), "meta")
        assert [s.shape for s in state] == [(4, B, H)] * len(state)


# A backend that is named refuses what it cannot run; "auto" leaves it to torch.
@pytest.mark.usefixtures("backend")
@pytest.mark.parametrize("backend", ["eager", "auto", "no core"], indirect=True)
@pytest.mark.parametrize("name", CELLS)
@pytest.mark.parametrize("lengths", [None, [2, 6, 0, 5]], ids=["full", "ragged"])
def test_under_autocast_it_runs_near_its_single_precision_result(
    name: str, lengths: list[int] | None
) -> None:
    layer = Recurrent(name, I, H, 2)
    x, state = torch.randn(T, B, I), state_for(layer, dtype=torch.float32)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        low, _ = layer(x.bfloat16(), state, lengths)
    wanted, _ = layer(x, state, lengths)
    torch.testing.assert_close(low.float(), wanted, rtol=0, atol=0.02)
    low.sum().backward()


def test_the_repr_shows_the_options_that_are_not_the_defaults() -> None:
    shown = repr(Recurrent("lstm", I, H, 2, bidirectional=True, dropout=0.25, batch_first=True))
    assert "3, 5, num_layers=2, bidirectional=True, dropout=0.25, batch_first=True" in shown
    assert "LSTM(" in shown
    assert Recurrent("gru", I, H).extra_repr() == "3, 5"
    learned = Recurrent("gru", I, H, learn_initial_state=True)
    assert "initial_state" in repr(learned)


def test_hyper_parameters_are_stored_unchanged() -> None:
    layer = Recurrent("elman", I, H, 2, bidirectional=True, dropout=0.25, output_size=7)
    assert (layer.input_size, layer.hidden_size, layer.num_layers) == (I, H, 2)
    assert (layer.bidirectional, layer.dropout, layer.batch_first) == (True, 0.25, False)
    assert layer.output_size == 14
    assert layer.state_sizes == {"h": H}
