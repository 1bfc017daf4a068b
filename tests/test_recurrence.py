"""One loop over time: lengths, resets, directions, edges, against rows and pieces run alone."""

from collections.abc import Callable, Iterator

import pytest
import torch
from torch import Tensor, nn

from recurra.cells import FCN, GRU, LSTM, Cell, Elman
from recurra.errors import ShapeError
from recurra.recurrence import check_lengths, check_reset, recur

I, H = 3, 4  # noqa: E741 - the axes' names
CPU = torch.device("cpu")
State = tuple[Tensor, ...]

CELLS: dict[str, Callable[[], Cell]] = {
    "elman": lambda: Elman(I, H),
    "elman-read-out": lambda: Elman(I, H, activation="gelu", output_size=2),
    "fcn": lambda: FCN(I, H),
    "gru": lambda: GRU(I, H),
    "lstm": lambda: LSTM(I, H),
    "lstm-lesson": lambda: LSTM(I, H, squash_cell=True),
}
EXACT = {"rtol": 1e-10, "atol": 1e-12}

both_directions = pytest.mark.parametrize("reverse", [False, True], ids=["forward", "reverse"])
every_cell = pytest.mark.parametrize("name", CELLS)
pytestmark = pytest.mark.usefixtures("backend")
# A backend that is named refuses what it cannot run; "auto" leaves it to torch.
or_left_to_torch = pytest.mark.parametrize("backend", ["eager", "auto", "no core"], indirect=True)


def build(name: str, dtype: torch.dtype = torch.float64) -> Cell:
    cell = CELLS[name]().to(dtype)
    for parameter in cell.parameters():
        nn.init.normal_(parameter, std=0.7)
    return cell


def random_state(cell: Cell, B: int, dtype: torch.dtype = torch.float64) -> State:
    return tuple(
        torch.randn(B, size, dtype=dtype, requires_grad=True) for size in cell.state_sizes.values()
    )


def random_input(T: int, B: int, dtype: torch.dtype = torch.float64) -> Tensor:
    return torch.randn(T, B, I, dtype=dtype, requires_grad=True)


def gradients(values: list[Tensor], wrt: list[Tensor]) -> list[Tensor]:
    """Return the gradients of a fixed random mixture of `values`."""
    generator = torch.Generator().manual_seed(5)
    loss = sum((v * torch.randn(v.shape, dtype=v.dtype, generator=generator)).sum() for v in values)
    return list(torch.autograd.grad(loss, wrt, allow_unused=True, materialize_grads=True))


# --- lengths -----------------------------------------------------------------


@both_directions
@every_cell
@pytest.mark.parametrize("lengths", [[7, 7, 7, 7, 7], [3, 7, 1, 5, 4], [0, 2, 7, 0, 1]], ids=str)
def test_a_row_in_padding_equals_the_row_alone(
    name: str, lengths: list[int], reverse: bool
) -> None:
    cell = build(name)
    x, state = random_input(7, 5), random_state(cell, 5)
    out, last = recur(cell, x, state, lengths=torch.tensor(lengths), reverse=reverse)

    rows, ends = [], []
    for b, n in enumerate(lengths):
        alone = tuple(s[b : b + 1] for s in state)
        row = x.new_zeros(7, 1, cell.output_size)
        if n:
            piece, alone = recur(cell, x[:n, b : b + 1], alone, reverse=reverse)
            row = torch.cat([piece, row[n:]])
        assert torch.equal(out[n:, b], torch.zeros_like(out[n:, b]))
        rows.append(row)
        ends.append(alone)
    wanted = torch.cat(rows, 1)
    wanted_last = tuple(torch.cat(s) for s in zip(*ends, strict=True))
    torch.testing.assert_close(out, wanted, **EXACT)
    torch.testing.assert_close(last, wanted_last, **EXACT)

    wrt = [x, *state, *cell.parameters()]
    torch.testing.assert_close(
        gradients([out, *last], wrt), gradients([wanted, *wanted_last], wrt), **EXACT
    )


@both_directions
@every_cell
@pytest.mark.parametrize("filling", [float("nan"), float("inf"), -float("inf")])
def test_what_the_padding_holds_changes_nothing(name: str, filling: float, reverse: bool) -> None:
    cell = build(name, torch.float32)
    lengths = torch.tensor([3, 6, 0, 1])
    state = random_state(cell, 4, torch.float32)
    clean = random_input(6, 4, torch.float32)
    padding = torch.arange(6).unsqueeze(1) >= lengths
    dirty = clean.detach().masked_fill(padding.unsqueeze(-1), filling).requires_grad_()
    found = []
    for x in (clean, dirty):
        out, last = recur(cell, x, state, lengths=lengths, reverse=reverse)
        found.append([out, *last, *gradients([out, *last], [x, *state, *cell.parameters()])])
    assert not torch.isfinite(dirty).all()
    for a, b in zip(*found, strict=True):
        assert torch.equal(a, b)
        assert torch.isfinite(a).all()


@both_directions
@every_cell
@pytest.mark.parametrize("poison", [float("nan"), float("inf")])
@pytest.mark.parametrize("ragged", [False, True], ids=["full", "ragged"])
def test_a_poisoned_row_leaves_the_others_and_its_own_past_bit_equal(
    name: str, poison: float, ragged: bool, reverse: bool
) -> None:
    cell = build(name, torch.float32)
    lengths = torch.tensor([6, 6, 2, 4]) if ragged else None
    state = random_state(cell, 4, torch.float32)
    clean = random_input(6, 4, torch.float32)
    k = 3
    dirty = clean.detach().clone()
    dirty[k, 1, 0] = poison
    dirty.requires_grad_()
    others = [0, 2, 3]
    found = []
    for x in (clean, dirty):
        out, last = recur(cell, x, state, lengths=lengths, reverse=reverse)
        (dx,) = torch.autograd.grad(out[:, others].sum(), [x])
        past = out[k + 1 :, 1] if reverse else out[:k, 1]
        found.append([out[:, others], *(s[others] for s in last), past, dx[:, others]])
    for a, b in zip(*found, strict=True):
        assert torch.equal(a, b)
    if poison != poison:
        assert out[k, 1].isnan().any()


@both_directions
def test_lengths_may_come_in_any_whole_number_type(reverse: bool) -> None:
    cell = build("gru")
    x, state = random_input(5, 3), random_state(cell, 3)
    wanted, _ = recur(cell, x, state, lengths=torch.tensor([2, 5, 0]), reverse=reverse)
    for dtype in (torch.int8, torch.uint8, torch.int16, torch.int32, torch.int64):
        lengths = check_lengths(torch.tensor([2, 5, 0], dtype=dtype), 5, 3, CPU)
        assert lengths.dtype == torch.int64
        assert torch.equal(recur(cell, x, state, lengths=lengths, reverse=reverse)[0], wanted)


@pytest.mark.parametrize(
    ("lengths", "message"),
    [
        ([1, 2], r"of \(3,\), one for each row, got \(2,\)"),
        ([[1, 2, 3]], r"of \(3,\), one for each row, got \(1, 3\)"),
        (2, r"of \(3,\), one for each row, got \(\)"),
        ([], r"of \(3,\), one for each row, got \(0,\)"),
        ([1, 2, 6], r"between 0 and T=5, got 1 to 6"),
        ([-1, 2, 3], r"between 0 and T=5, got -1 to 3"),
        ([1.0, 2.0, 3.0], r"whole numbers, got torch.float32"),
        ([True, False, True], r"whole numbers, got torch.bool"),
        (["1", "2", "3"], r"whole numbers, got \['1', '2', '3'\]"),
        ("abc", r"whole numbers, got 'abc'"),
        ([1, None, 3], r"whole numbers, got \[1, None, 3\]"),
        ([[1], [2, 3]], r"whole numbers, got"),
        (object(), r"whole numbers, got <object"),
    ],
)
def test_other_lengths_are_refused(lengths: object, message: str) -> None:
    with pytest.raises(ShapeError, match=f"lengths must .*{message}"):
        check_lengths(lengths, 5, 3, CPU)
    if isinstance(lengths, list) and all(isinstance(n, int | float) for n in lengths):
        with pytest.raises(ValueError, match="lengths must"):
            check_lengths(torch.tensor(lengths), 5, 3, CPU)


def test_no_rows_have_no_lengths() -> None:
    for lengths in ([], (), torch.zeros(0, dtype=torch.int64)):
        assert check_lengths(lengths, 5, 0, CPU).shape == (0,)


# --- resets ------------------------------------------------------------------

RESETS = torch.tensor(
    [
        [0, 1, 0, 0, 1, 1],
        [0, 0, 0, 1, 0, 1],
        [0, 0, 1, 0, 0, 1],
        [0, 0, 0, 1, 0, 1],
        [0, 0, 1, 0, 0, 1],
        [0, 0, 0, 0, 0, 1],
        [0, 1, 0, 0, 0, 1],
    ],
    dtype=torch.bool,
)


def in_pieces(
    cell: Cell, x: Tensor, state: State, fresh: State, borders: list[int], reverse: bool
) -> tuple[Tensor, State]:
    """Run one row (T, 1, I) piece by piece; the border at t lies between t - 1 and t."""
    T = x.shape[0]
    if T == 0:
        return x.new_zeros(0, 1, cell.output_size), state
    inner = [t for t in borders if 0 < t < T]
    pieces = list(zip([0, *inner], [*inner, T], strict=True))
    if not reverse and 0 in borders:
        state = fresh
    outputs = {}
    for k, (start, end) in enumerate(reversed(pieces) if reverse else pieces):
        begin = fresh if k else state
        outputs[start], last = recur(cell, x[start:end], begin, reverse=reverse)
    return torch.cat([outputs[start] for start, _ in pieces]), last


@both_directions
@every_cell
@pytest.mark.parametrize("lengths", [None, [7, 1, 4, 0, 3, 5]], ids=["full", "ragged"])
@pytest.mark.parametrize("given", [True, False], ids=["own-fresh-state", "zeros"])
def test_resets_make_pieces_that_run_alone(
    name: str, lengths: list[int] | None, given: bool, reverse: bool
) -> None:
    cell = build(name)
    T, B = RESETS.shape
    x, state, fresh = random_input(T, B), random_state(cell, B), random_state(cell, B)
    out, last = recur(
        cell,
        x,
        state,
        lengths=None if lengths is None else torch.tensor(lengths),
        reset=RESETS,
        fresh=fresh if given else None,
        reverse=reverse,
    )
    begin = fresh if given else tuple(torch.zeros_like(s) for s in state)
    rows, ends = [], []
    for b in range(B):
        n = T if lengths is None else lengths[b]
        borders = RESETS[:n, b].nonzero().squeeze(-1).tolist()
        piece, end = in_pieces(
            cell,
            x[:n, b : b + 1],
            tuple(s[b : b + 1] for s in state),
            tuple(s[b : b + 1] for s in begin),
            borders,
            reverse,
        )
        rows.append(torch.cat([piece, piece.new_zeros(T - n, 1, cell.output_size)]))
        ends.append(end)
    wanted = torch.cat(rows, 1)
    wanted_last = tuple(torch.cat(s) for s in zip(*ends, strict=True))
    torch.testing.assert_close(out, wanted, **EXACT)
    torch.testing.assert_close(last, wanted_last, **EXACT)
    wrt = [x, *state, *(fresh if given else ()), *cell.parameters()]
    torch.testing.assert_close(
        gradients([out, *last], wrt), gradients([wanted, *wanted_last], wrt), **EXACT
    )


def test_no_gradient_crosses_a_border() -> None:
    cell = build("lstm")
    for reverse in (False, True):
        x, state = random_input(6, 1), random_state(cell, 1)
        reset = torch.zeros(6, 1, dtype=torch.bool)
        reset[3] = True
        out, _ = recur(cell, x, state, reset=reset, reverse=reverse)
        side = out[:3] if reverse else out[3:]
        dx, *ds = torch.autograd.grad(
            side.sum(), [x, *state], allow_unused=True, materialize_grads=True
        )
        inside, outside = (dx[:3], dx[3:]) if reverse else (dx[3:], dx[:3])
        assert torch.count_nonzero(outside) == 0
        assert torch.count_nonzero(inside) == inside.numel()
        assert all(torch.count_nonzero(d) == 0 for d in ds)


@pytest.mark.parametrize(
    ("reset", "message"),
    [
        (torch.zeros(5, 3), r"got torch.float32 of \(5, 3\)"),
        (torch.zeros(5, 3, dtype=torch.int64), r"got torch.int64 of \(5, 3\)"),
        (torch.zeros(3, 5, dtype=torch.bool), r"got torch.bool of \(3, 5\)"),
        (torch.zeros(5, dtype=torch.bool), r"got torch.bool of \(5,\)"),
        (torch.zeros(5, 3, 1, dtype=torch.bool), r"got torch.bool of \(5, 3, 1\)"),
        ([[True] * 3] * 5, r"got \[\[True"),
    ],
)
def test_other_resets_are_refused(reset: object, message: str) -> None:
    with pytest.raises(ShapeError, match=rf"bool tensor of \(T, B\) = \(5, 3\), {message}"):
        check_reset(reset, 5, 3, CPU)


def test_a_refused_reset_is_spoken_of_in_the_callers_axes() -> None:
    with pytest.raises(ShapeError, match=r"of \(B, T\) = \(3, 5\), got torch.bool of \(5, 3\)"):
        check_reset(torch.zeros(5, 3, dtype=torch.bool), 5, 3, CPU, batch_first=True)
    assert check_reset(torch.zeros(3, 5, dtype=torch.bool), 5, 3, CPU, True).shape == (5, 3)


# --- state -------------------------------------------------------------------


@both_directions
@every_cell
@pytest.mark.parametrize("k", [1, 4, 6])
def test_two_chunks_equal_the_whole(name: str, k: int, reverse: bool) -> None:
    cell = build(name)
    x, state = random_input(7, 3), random_state(cell, 3)
    whole, last = recur(cell, x, state, reverse=reverse)
    if reverse:
        second, between = recur(cell, x[k:], state, reverse=True)
        first, end = recur(cell, x[:k], between, reverse=True)
    else:
        first, between = recur(cell, x[:k], state)
        second, end = recur(cell, x[k:], between)
    chunks = torch.cat([first, second])
    torch.testing.assert_close(chunks, whole, **EXACT)
    torch.testing.assert_close(end, last, **EXACT)
    wrt = [x, *state, *cell.parameters()]
    torch.testing.assert_close(
        gradients([chunks, *end], wrt), gradients([whole, *last], wrt), **EXACT
    )


@every_cell
def test_running_backwards_is_running_the_mirrored_sequence(name: str) -> None:
    cell = build(name)
    x, state = random_input(6, 3), random_state(cell, 3)
    backwards, last = recur(cell, x, state, reverse=True)
    mirrored, end = recur(cell, x.flip(0), state)
    torch.testing.assert_close(backwards, mirrored.flip(0), **EXACT)
    torch.testing.assert_close(last, end, **EXACT)


# --- edges -------------------------------------------------------------------


@or_left_to_torch
@both_directions
@every_cell
@pytest.mark.parametrize("graph", [True, False], ids=["gradients", "no-gradients"])
@pytest.mark.parametrize("with_lengths", [False, True], ids=["full", "ragged"])
@pytest.mark.parametrize("with_reset", [False, True], ids=["no-reset", "reset"])
@pytest.mark.parametrize(("T", "B"), [(0, 3), (4, 0), (0, 0)])
def test_no_steps_or_no_rows_give_empty_outputs_and_the_state_given(
    name: str, T: int, B: int, with_reset: bool, with_lengths: bool, graph: bool, reverse: bool
) -> None:
    cell = build(name)
    x, state = random_input(T, B), random_state(cell, B)
    lengths = torch.zeros(B, dtype=torch.int64) if with_lengths else None
    reset = torch.ones(T, B, dtype=torch.bool) if with_reset else None
    with torch.set_grad_enabled(graph):
        out, last = recur(cell, x, state, lengths=lengths, reset=reset, reverse=reverse)
    assert out.shape == (T, B, cell.output_size)
    assert out.dtype == torch.float64
    assert [s.shape for s in last] == [s.shape for s in state]
    if T == 0:
        assert all(map(torch.equal, last, state))


@both_directions
@every_cell
def test_a_batch_of_rows_without_steps_still_has_gradients(name: str, reverse: bool) -> None:
    cell = build(name)
    x, state = random_input(4, 2), random_state(cell, 2)
    out, last = recur(cell, x, state, lengths=torch.zeros(2, dtype=torch.int64), reverse=reverse)
    assert torch.count_nonzero(out) == 0
    assert all(map(torch.equal, last, state))
    dx, *ds = torch.autograd.grad(
        [out.sum() + sum(s.sum() for s in last)],
        [x, *state],
        allow_unused=True,
        materialize_grads=True,
    )
    assert torch.count_nonzero(dx) == 0
    assert all(torch.equal(d, torch.ones_like(d)) for d in ds)


# --- memory layout -----------------------------------------------------------


def transposed(value: Tensor) -> Tensor:
    return value.detach().transpose(-1, -2).contiguous().transpose(-1, -2)


def batch_major(value: Tensor) -> Tensor:
    return value.detach().transpose(0, 1).contiguous().transpose(0, 1)


def sliced(value: Tensor) -> Tensor:
    """Return `value` as every other element, from an offset, of something larger full of NaN."""
    room = value.new_full((*value.shape[:-1], 2 * value.shape[-1] + 1), float("nan"))
    view = room[..., 1::2]
    view.copy_(value.detach())
    return view


def expanded(value: Tensor) -> Tensor:
    """Return the first row's values for every row, without copies."""
    rows = value.shape[-2]
    return value.detach()[..., :1, :].expand(*value.shape[:-2], rows, -1)


def layouts() -> Iterator[tuple[str, Callable[[Tensor], Tensor]]]:
    yield from ((f.__name__, f) for f in (transposed, batch_major, sliced, expanded))


@both_directions
@every_cell
@pytest.mark.parametrize("ragged", [False, True], ids=["full", "ragged"])
@pytest.mark.parametrize("layout", [f for _, f in layouts()], ids=[n for n, _ in layouts()])
def test_any_memory_layout_gives_what_contiguous_memory_gives(
    name: str, layout: Callable[[Tensor], Tensor], ragged: bool, reverse: bool
) -> None:
    cell = build(name)
    T, B = 5, 4
    lengths = torch.tensor([2, 5, 0, 4]) if ragged else None
    leaves = [layout(v).requires_grad_() for v in (random_input(T, B), *random_state(cell, B))]
    incoming = [
        layout(torch.randn(shape, dtype=torch.float64))
        for shape in [(T, B, cell.output_size), *((B, n) for n in cell.state_sizes.values())]
    ]
    plain = [v.detach().clone(memory_format=torch.contiguous_format) for v in leaves]
    plain = [v.requires_grad_() for v in plain]
    plain_incoming = [v.clone(memory_format=torch.contiguous_format) for v in incoming]
    for odd, even in zip([*leaves, *incoming], [*plain, *plain_incoming], strict=True):
        assert not odd.is_contiguous()
        assert even.is_contiguous()

    found = []
    for (x, *state), grads in ((leaves, incoming), (plain, plain_incoming)):
        out, last = recur(cell, x, tuple(state), lengths=lengths, reverse=reverse)
        values = [out, *last]
        wrt = [x, *state, *cell.parameters()]
        found.append([*values, *torch.autograd.grad(values, wrt, grads)])
    torch.testing.assert_close(*found, **EXACT)
