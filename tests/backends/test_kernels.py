"""Torch's kernels against the eager loop, and when they are not used."""

from collections.abc import Callable
from importlib import import_module
from itertools import product

import pytest
import torch
from torch import Tensor, nn

from recurra import cells, use_backend
from recurra.backends import Steps, choose, eager, kernels
from recurra.backends.choose import run_odd
from recurra.cells import FCN, GRU, LSTM, Cell, Elman
from recurra.errors import BackendError, ShapeError

# Torch says so once in a process, whichever test comes first.
pytestmark = pytest.mark.filterwarnings("ignore:LSTM with projections is not supported with oneDNN")

T, B, I = 6, 4, 3  # noqa: E741 - the axes' names

WITH_KERNEL: dict[str, Callable[[int, bool], Cell]] = {
    "elman-tanh": lambda H, bias: Elman(I, H, bias),
    "elman-relu": lambda H, bias: Elman(I, H, bias, activation="relu"),
    "gru": lambda H, bias: GRU(I, H, bias),
    "lstm": lambda H, bias: LSTM(I, H, bias),
    "lstm-projected": lambda H, bias: LSTM(I, H + 1, bias, proj_size=H),
}
LENGTHS = {
    "full": None,
    "ragged": [3, 6, 1, 5],
    "with-zeros": [0, 6, 0, 2],
    "all-zero": [0, 0, 0, 0],
}


@pytest.fixture
def _no_core(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave `auto` what it has without the core: torch's kernels and the loop."""
    chooser = import_module("recurra.backends.choose")
    monkeypatch.setattr(chooser, "native", None)
    monkeypatch.setattr(chooser, "_say_once_that_there_is_no_core", lambda: None)


def steps_for(
    cell: Cell, dtype: torch.dtype, lengths: list[int] | None = None, reverse: bool = False
) -> Steps:
    return Steps(
        torch.randn(T, B, cell.input_size, dtype=dtype, requires_grad=True),
        tuple(
            torch.randn(B, size, dtype=dtype, requires_grad=True)
            for size in cell.state_sizes.values()
        ),
        None if lengths is None else torch.tensor(lengths),
        reverse=reverse,
    )


def results(
    run: Callable[[Cell, Steps], tuple[Tensor, tuple[Tensor, ...]]], cell: Cell, steps: Steps
) -> list[Tensor]:
    """Return the outputs, the last states and the gradients of everything."""
    out, state = run(cell, steps)
    torch.manual_seed(1)
    values = [out, *state]
    incoming = [torch.randn_like(value) for value in values]
    wanted = [steps.x, *steps.state, *cell.parameters()]
    gradients = torch.autograd.grad(
        values, wanted, incoming, allow_unused=True, materialize_grads=True
    )
    return [*values, *gradients]


@pytest.mark.parametrize("reverse", [False, True], ids=["forward", "reverse"])
@pytest.mark.parametrize("lengths", LENGTHS)
@pytest.mark.parametrize("name", WITH_KERNEL)
def test_outputs_states_and_gradients_are_those_of_the_loop(
    name: str, lengths: str, reverse: bool
) -> None:
    for H, bias in product([1, 2, 5, 9, 17], [True, False]):
        cell = WITH_KERNEL[name](H, bias).double()
        steps = steps_for(cell, torch.float64, LENGTHS[lengths], reverse)
        assert kernels.refusal(cell, steps) is None
        torch.testing.assert_close(
            results(kernels.run, cell, steps),
            results(eager.run, cell, steps),
            rtol=1e-10,
            atol=1e-10,
        )


@pytest.mark.parametrize("reverse", [False, True], ids=["forward", "reverse"])
@pytest.mark.parametrize("lengths", LENGTHS)
@pytest.mark.parametrize("name", WITH_KERNEL)
def test_in_single_precision_they_agree_to_its_rounding(
    name: str, lengths: str, reverse: bool
) -> None:
    # oneDNN runs the LSTM in float32 only, so that this is another code than the test above.
    for H in (1, 5, 17):
        cell = WITH_KERNEL[name](H, True)
        steps = steps_for(cell, torch.float32, LENGTHS[lengths], reverse)
        torch.testing.assert_close(
            results(kernels.run, cell, steps),
            results(eager.run, cell, steps),
            rtol=1e-5,
            atol=4e-6,
        )


@pytest.mark.parametrize("name", WITH_KERNEL)
def test_the_second_derivatives_are_those_of_the_loop(name: str) -> None:
    cell = WITH_KERNEL[name](3, True).double()
    steps = steps_for(cell, torch.float64, [3, 6, 0, 5])
    found = []
    for run in (kernels.run, eager.run):
        out, _ = run(cell, steps)
        (dx,) = torch.autograd.grad(out.square().sum(), steps.x, create_graph=True)
        found.append(torch.autograd.grad(dx.square().sum(), [steps.x, *cell.parameters()]))
    torch.testing.assert_close(*found, rtol=1e-10, atol=1e-10)


class Doubled(cells.LSTM):
    """An LSTM with a forward of its own: torch's kernel would be wrong for it."""

    calls = 0

    def forward(self, x: Tensor, h: Tensor, c: Tensor) -> tuple[Tensor, tuple[Tensor, ...]]:
        self.calls += 1
        h, state = super().forward(x, h, c)
        return 2 * h, state


def patched() -> Cell:
    cell = LSTM(I, 3)
    cell.forward = Doubled(I, 3).forward
    return cell


def hooked(register: str, child: bool) -> Cell:
    cell = LSTM(I, 3)
    getattr(cell.gates if child else cell, register)(lambda *args: None)
    return cell


def sparse() -> Cell:
    cell = LSTM(I, 3)
    cell.gates.weight_hh = nn.Parameter(cell.gates.weight_hh.detach().to_sparse())
    return cell


REFUSED: dict[str, tuple[Callable[[], Cell], str]] = {
    "own forward": (lambda: Doubled(I, 3), "Doubled defines a forward of its own"),
    "patched forward": (patched, "LSTM defines a forward of its own"),
    "squashed": (lambda: LSTM(I, 3, squash_cell=True), "no kernel for the equations of LSTM"),
    "gru before": (lambda: GRU(I, 3, reset_after=False), "no kernel for the equations of GRU"),
    "gelu": (lambda: Elman(I, 3, activation="gelu"), "no kernel for the equations of Elman"),
    "read-out": (lambda: Elman(I, 3, output_size=3), "no kernel for the equations of Elman"),
    "sparse": (sparse, "is of the layout sparse_coo"),
    "fcn": (lambda: FCN(I, 3), "no kernel for the equations of FCN"),
    **{
        f"{register} on {'the gates' if child else 'the cell'}": (
            lambda register=register, child=child: hooked(register, child),
            "LSTM has hooks",
        )
        for register, child in product(
            [
                "register_forward_hook",
                "register_forward_pre_hook",
                "register_full_backward_hook",
                "register_full_backward_pre_hook",
            ],
            [False, True],
        )
    },
}


@pytest.mark.usefixtures("_no_core")
@pytest.mark.parametrize("what", REFUSED)
def test_what_a_kernel_would_get_wrong_is_refused_and_left_to_the_loop(what: str) -> None:
    build, reason = REFUSED[what]
    cell = build()
    steps = steps_for(cell, torch.float32)
    assert choose(cell, steps) in (eager.run, run_odd)
    with (
        use_backend("torch"),
        pytest.raises(BackendError, match=f"cannot run this: .*{reason}.*Use 'auto' or 'eager'"),
    ):
        choose(cell, steps)


@pytest.mark.usefixtures("_no_core")
def test_resets_and_empty_inputs_are_refused_and_left_to_the_loop() -> None:
    cell = LSTM(I, 3)
    state = (torch.zeros(B, 3), torch.zeros(B, 3))
    reset = Steps(torch.zeros(T, B, I), state, restart=torch.zeros(T, B, dtype=torch.bool))
    no_time = Steps(torch.zeros(0, B, I), state)
    no_rows = Steps(torch.zeros(T, 0, I), (torch.zeros(0, 3), torch.zeros(0, 3)))
    for steps, reason in ((reset, "no reset"), (no_time, "empty"), (no_rows, "empty")):
        assert choose(cell, steps) in (eager.run, run_odd)
        with use_backend("torch"), pytest.raises(BackendError, match=reason):
            choose(cell, steps)


@pytest.mark.usefixtures("_no_core")
@pytest.mark.parametrize("name", WITH_KERNEL)
def test_the_kernel_is_chosen_where_it_is_right(name: str) -> None:
    cell = WITH_KERNEL[name](3, True)
    steps = steps_for(cell, torch.float32)
    assert choose(cell, steps) is kernels.run
    with use_backend("torch"):
        assert choose(cell, steps) is kernels.run
    with use_backend("eager"):
        assert choose(cell, steps) in (eager.run, run_odd)


def test_auto_runs_the_forward_that_a_subclass_wrote() -> None:
    cell = Doubled(I, 3)
    steps = steps_for(cell, torch.float32)
    out, state = choose(cell, steps)(cell, steps)
    assert cell.calls == T
    plain = LSTM(I, 3)
    plain.load_state_dict(cell.state_dict())
    half, wanted = eager.run(plain, steps)
    assert torch.equal(out, 2 * half)
    assert all(map(torch.equal, state, wanted))


def test_a_hook_on_a_cell_is_called_at_every_step() -> None:
    cell = GRU(I, 3)
    calls = []
    cell.register_forward_hook(lambda *args: calls.append(1))
    steps = steps_for(cell, torch.float32)
    choose(cell, steps)(cell, steps)
    assert len(calls) == T


def other_shapes(weight: Tensor) -> list[tuple[int, ...]]:
    """Return shapes near the weight's own; oneDNN reads past the end of most of them."""
    rows, *columns = weight.shape
    if columns:
        (n,) = columns
        return [(1, n), (rows, 1), (rows - 1, n), (rows, n + 1), (2 * rows, n), (n,), (n, rows)]
    return [(1,), (), (0,), (rows - 1,), (rows + 1,), (1, rows), (B, rows)]


@pytest.mark.parametrize("lengths", ["full", "ragged"])
@pytest.mark.parametrize("name", WITH_KERNEL)
def test_weights_of_another_shape_are_refused(name: str, lengths: str) -> None:
    cell = WITH_KERNEL[name](4, True)
    steps = steps_for(cell, torch.float32, LENGTHS[lengths])
    refused = 0
    for module in cell.modules():
        for key, weight in list(module.named_parameters(recurse=False)):
            for shape in other_shapes(weight):
                if shape == weight.shape:
                    continue
                setattr(module, key, nn.Parameter(torch.zeros(shape)))
                with pytest.raises(ShapeError, match=r"the weights of .* must be of"):
                    kernels.run(cell, steps)
                refused += 1
            setattr(module, key, weight)
    assert refused >= 4 * 6
    kernels.run(cell, steps)


def test_weights_of_several_dtypes_are_refused() -> None:
    cell = LSTM(I, 3)
    cell.gates.bias_hh = nn.Parameter(torch.zeros(12, dtype=torch.float64))
    with pytest.raises(ShapeError, match=r"must be of one dtype and device, got .*float64 on cpu"):
        kernels.run(cell, steps_for(cell, torch.float32))
