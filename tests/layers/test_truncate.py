"""`truncate=k`: what the output at t sends back stops k steps back, along every path."""

from collections.abc import Sequence

import pytest
import torch
from torch import Tensor, nn

from every_kind import KINDS, build, needs_core, random_state, same_bits
from recurra import Recurrent
from recurra.errors import ArgumentError, ArgumentTypeError, BackendError

T, B, I, H = 7, 3, 3, 4  # noqa: E741 - the axes' names
LENGTHS = [7, 0, 4]
RESET = torch.zeros(T, B, dtype=torch.bool)
RESET[3, 0] = RESET[0, 2] = RESET[2, 2] = True
SHAPES = {
    "one": {},
    "stack": {"num_layers": 3},
    "both ways": {"bidirectional": True},
    "stack, both ways": {"num_layers": 2, "bidirectional": True},
}

State = tuple[Tensor, ...]


def by_budget(
    layer: Recurrent, x: Tensor, state: State, lengths: Sequence[int], reset: Tensor
) -> tuple[Tensor, list[State]]:
    """Return out and last states, made so that torch's own gradients are the ones wanted.

    Everything is computed k + 1 times: copy j is the same number, but its graph goes only j steps
    back, because its state comes from copy j - 1, and that of copy 0 from no graph at all.
    """
    rows = [
        row_by_budget(layer, x[:n, b : b + 1], tuple(s[:, b : b + 1] for s in state), reset[:n, b])
        for b, n in enumerate(lengths)
    ]
    out = x.new_zeros(T, B, layer.output_size)
    padded = [
        torch.cat([o, out[n:, b : b + 1]])
        for b, (n, (o, _)) in enumerate(zip(lengths, rows, strict=True))
    ]
    last = [torch.cat(s, 1) for s in zip(*(last for _, last in rows), strict=True)]
    return torch.cat(padded, 1), last


def row_by_budget(
    layer: Recurrent, x: Tensor, state: State, reset: Tensor
) -> tuple[Tensor, list[Tensor]]:
    ages = range(layer.truncate + 1)
    steps = range(len(x))
    copies = [[x[t] for t in steps] for _ in ages]
    ends: list[State] = []
    fresh = layer.fresh_state(x, 1)
    for level in range(layer.num_layers):
        of_direction = []
        for d in range(layer.directions):
            c = level * layer.directions + d
            cell, begin = layer.cells[c], tuple(s[c] for s in state)
            again = tuple(s[c] for s in fresh)
            states = [begin] * len(ages)
            outputs: list[list[Tensor]] = [[x] * len(x) for _ in ages]
            for t in reversed(steps) if d else steps:
                border = t + 1 < len(x) and reset[t + 1] if d else reset[t]
                before = [again if border else s for s in states]
                cut = tuple(s.detach() for s in before[0])
                found = [cell(copies[j][t], *(before[j - 1] if j else cut)) for j in ages]
                states = [new for _, new in found]
                for j in ages:
                    outputs[j][t] = found[j][0]
            of_direction.append(outputs)
            ends.append(states[-1])
        copies = [[torch.cat([o[j][t] for o in of_direction], -1) for t in steps] for j in ages]
    out = torch.stack(copies[-1]) if len(x) else x.new_zeros(0, 1, layer.output_size)
    return out, [torch.stack(s) for s in zip(*ends, strict=True)]


def gradients(
    layer: nn.Module, x: Tensor, state: State, out: Tensor, last: Sequence[Tensor]
) -> list[Tensor]:
    torch.manual_seed(1)
    loss = (out * torch.randn_like(out)).sum() + sum((s * torch.randn_like(s)).sum() for s in last)
    wanted = [x, *state, *layer.parameters()]
    found = torch.autograd.grad(loss, wanted, allow_unused=True, materialize_grads=True)
    return list(found)


def made(kind: str, k: int, **options: object) -> tuple[Recurrent, Tensor, State]:
    layer = build(kind, I, H, torch.float64, truncate=k, **options)
    x = torch.randn(T, B, I, dtype=torch.float64, requires_grad=True)
    return layer, x, random_state(layer, B)


def check(layer: Recurrent, x: Tensor, state: State, lengths: list[int], reset: Tensor) -> None:
    wanted = by_budget(layer, x, state, lengths, reset)
    found = layer(x, state, lengths=lengths, reset=reset)
    torch.testing.assert_close(found[0], wanted[0], rtol=1e-9, atol=1e-10)
    for a, b in zip(
        gradients(layer, x, state, *found), gradients(layer, x, state, *wanted), strict=True
    ):
        torch.testing.assert_close(a, b, rtol=1e-8, atol=1e-9)


@pytest.mark.parametrize("k", [1, 2, 5])
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("kind", ["elman", "lstm"])
def test_the_gradients_are_those_of_graphs_that_go_k_steps_back(
    kind: str, shape: str, k: int, backend: str
) -> None:
    layer, x, state = made(kind, k, **SHAPES[shape])
    check(layer, x, state, [T] * B, torch.zeros(T, B, dtype=torch.bool))


def test_paths_that_turn_round_are_longer_than_the_sequence(backend: str) -> None:
    layer, x, state = made("elman", T + 2, **SHAPES["stack, both ways"])
    check(layer, x, state, [T] * B, torch.zeros(T, B, dtype=torch.bool))


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("kind", ["gru", "lstm"])
def test_padding_and_resets_end_a_path_as_ever(kind: str, shape: str, backend: str) -> None:
    check(*made(kind, 2, learn_initial_state=True, **SHAPES[shape]), LENGTHS, RESET)


@pytest.mark.parametrize("kind", KINDS)
def test_every_cell_is_cut_off_by_the_core_too(kind: str) -> None:
    check(*made(kind, 2, num_layers=2), LENGTHS, RESET)


@pytest.mark.parametrize("k", [1, 2, 3, 6])
def test_the_output_at_t_reaches_step_t_minus_k_and_none_before(k: int, backend: str) -> None:
    layer = Recurrent("elman", 1, 1, truncate=k, activation="identity", bias=False).double()
    nn.init.constant_(layer.cells[0].affine.weight_ih, 1.0)
    nn.init.constant_(layer.cells[0].affine.weight_hh, 0.5)
    for t in range(T):
        x = torch.randn(T, 1, 1, dtype=torch.float64, requires_grad=True)
        out, _ = layer(x)
        (dx,) = torch.autograd.grad(out[t].sum(), x)
        wanted = [0.5 ** (t - s) if t - k <= s <= t else 0.0 for s in range(T)]
        assert dx.flatten().tolist() == wanted


def test_the_gradient_is_the_slope_of_windows_run_from_their_fixed_states(backend: str) -> None:
    k, step = 2, 1e-6
    layer, x, _ = made("gru", k)
    cell, given = layer.cells[0], torch.randn(T, B, H, dtype=torch.float64)
    with torch.no_grad():
        states = [torch.zeros(B, H, dtype=torch.float64)]
        for t in range(T):
            states.append(cell(x[t], states[-1])[0])

    def loss() -> Tensor:
        """Sum over t of what window t gives, run from the state before it, which stays."""
        total = x.new_zeros(())
        for t in range(T):
            h = states[max(0, t - k)]
            for s in range(max(0, t - k), t + 1):
                h, _ = cell(x[s], h)
            total = total + (h * given[t]).sum()
        return total

    out, _ = layer(x)
    found = torch.autograd.grad((out * given).sum(), list(layer.parameters()))
    for parameter, d in zip(layer.parameters(), found, strict=True):
        direction = torch.randn_like(parameter)
        with torch.no_grad():
            parameter += step * direction
            above = loss()
            parameter -= 2 * step * direction
            below = loss()
            parameter += step * direction
        slope = (above - below) / (2 * step)
        torch.testing.assert_close((d * direction).sum(), slope, rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("shape", SHAPES)
def test_the_forward_values_keep_every_bit(shape: str, backend: str) -> None:
    layer = build("lstm", I, H, dropout=0.5 if "stack" in shape else 0.0, **SHAPES[shape])
    x = torch.randn(T, B, I)
    torch.manual_seed(4)
    wanted = layer(x, lengths=LENGTHS)
    layer.truncate = 2
    for gradients_too in (True, False):
        torch.manual_seed(4)
        with torch.set_grad_enabled(gradients_too):
            found = layer(x, lengths=LENGTHS)
        if backend == "auto":  # torch's own kernel, which cannot be cut off, rounds otherwise
            torch.testing.assert_close(found, wanted)
        else:
            assert same_bits([found[0], *found[1]], [wanted[0], *wanted[1]])


def test_dropout_between_layers_is_that_of_the_forward_pass(backend: str) -> None:
    layer, x, state = made("elman", T - 1, num_layers=3, dropout=0.4)
    state = tuple(s.detach() for s in state)  # no path through the steps is cut
    results = []
    for k in (T - 1, None):
        layer.truncate = k
        torch.manual_seed(5)
        results.append(gradients(layer, x, (), *layer(x, state)))
    torch.testing.assert_close(*results, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("shape", ["one", "stack"])
def test_a_window_as_long_as_the_sequence_changes_nothing(shape: str, backend: str) -> None:
    layer, x, state = made("lstm", T, **SHAPES[shape])
    found = gradients(layer, x, state, *layer(x, state))
    layer.truncate = None
    assert same_bits(found, gradients(layer, x, state, *layer(x, state)))


def test_weights_below_that_are_frozen_leave_the_others_theirs(backend: str) -> None:
    layer, x, state = made("gru", 2, num_layers=2)
    wanted = gradients(layer, x, state, *layer(x, state))[-4:]
    layer.cells[0].requires_grad_(False)
    out, last = layer(x.detach(), tuple(s.detach() for s in state))
    torch.manual_seed(1)
    loss = (out * torch.randn_like(out)).sum() + sum((s * torch.randn_like(s)).sum() for s in last)
    found = torch.autograd.grad(loss, list(layer.cells[1].parameters()))
    torch.testing.assert_close(list(found), wanted)


@needs_core
def test_one_thread_and_two_give_the_same_bits() -> None:
    layer = build("lstm", I, 32, num_layers=2, truncate=3)
    x = torch.randn(40, 24, I, requires_grad=True)
    results = []
    try:
        for threads in (1, 2):
            torch.set_num_threads(threads)
            results.append(gradients(layer, x, (), *layer(x)))
    finally:
        torch.set_num_threads(1)
    assert same_bits(*results)


class Stepwise(nn.Module):
    """A cell with a branch that no trace can follow."""

    def __init__(self, input_size: int, hidden_size: int) -> None:
        super().__init__()
        self.state_sizes = {"h": hidden_size}
        self.inner = nn.Linear(input_size + hidden_size, hidden_size)

    def forward(self, x: Tensor, h: Tensor) -> tuple[Tensor, Tensor]:
        h = torch.tanh(self.inner(torch.cat([x, h], -1)))
        return (h if float(h.detach().sum()) > 0 else 2 * h), h


def test_a_cell_that_cannot_be_traced_is_cut_off_in_the_loop() -> None:
    layer = Recurrent(Stepwise, I, H, truncate=2).double()
    x = torch.randn(T, B, I, dtype=torch.float64, requires_grad=True)
    for t in range(T):
        out, _ = layer(x)
        (dx,) = torch.autograd.grad(out[t].sum(), x)
        reached = dx.abs().sum((1, 2)) > 0
        assert reached.tolist() == [t - 2 <= s <= t for s in range(T)]


@pytest.mark.filterwarnings("ignore:The .grad attribute")  # torch.compile's own, at a break
def test_torch_compile_steps_aside() -> None:
    layer, x, state = made("gru", 2, num_layers=2)
    wanted = gradients(layer, x, state, *layer(x, state))
    compiled = torch.compile(layer, backend="aot_eager")
    found = gradients(layer, x, state, *compiled(x, state))
    torch._dynamo.reset()
    torch.testing.assert_close(found, wanted)


def test_gradients_that_were_cut_off_have_none_themselves(backend: str) -> None:
    layer, x, _ = made("lstm", 2)
    with pytest.raises(BackendError, match="Leave out create_graph=True, or that option"):
        torch.autograd.grad(layer(x)[0].sum(), x, create_graph=True)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"truncate": 0}, ArgumentError, "truncate must be at least 1, got 0"),
        ({"truncate": -3}, ArgumentError, "truncate must be at least 1, got -3"),
        ({"truncate": 2.0}, ArgumentTypeError, "truncate must be a whole number, got 2.0"),
        ({"truncate": True}, ArgumentTypeError, "truncate must be a whole number, got True"),
        ({"truncate": 5, "checkpoint": 3}, ArgumentError, "truncate=5 goes without checkpoint=3"),
        (
            {"truncate": 5, "clip_state_grad": 1.0},
            ArgumentError,
            "truncate=5 goes without clip_state_grad=1.0",
        ),
    ],
)
def test_what_makes_no_window_is_refused(
    options: dict[str, object], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        Recurrent("lstm", I, H, **options)


@pytest.mark.parametrize("option", ["checkpoint", "clip_state_grad"])
def test_an_option_set_later_that_does_not_go_with_it_is_refused_too(option: str) -> None:
    layer = Recurrent("lstm", I, H, truncate=2)
    setattr(layer, option, 3)
    with pytest.raises(ArgumentError, match=f"truncate=2 goes without {option}=3"):
        layer(torch.randn(T, B, I))


def test_the_window_is_shown() -> None:
    assert "truncate=5" in repr(Recurrent("lstm", I, H, truncate=5))
