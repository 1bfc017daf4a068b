"""What holds for every cell by its name, as a layer."""

import pytest
import torch
from torch import Tensor
from torch.autograd import gradcheck
from torch.func import functional_call

from recurra import Recurrent
from recurra.cells import CELLS

I, H, B = 2, 4, 3  # noqa: E741 - the axes' names
EXACT = {"rtol": 1e-10, "atol": 1e-12}
OPTIONS: dict[str, tuple[str, dict[str, object]]] = {name: (name, {}) for name in CELLS} | {
    "ind_rnn-tanh": ("ind_rnn", {"activation": "tanh"}),
    "min_gru-linear": ("min_gru", {"positive": False}),
    "rhn-1": ("rhn", {"depth": 1}),
    "s_lstm-2-heads": ("s_lstm", {"heads": 2}),
    "s_lstm-4-heads": ("s_lstm", {"heads": 4}),
}
every_cell = pytest.mark.parametrize("kind", OPTIONS)


def build(kind: str, **layer_options: object) -> Recurrent:
    name, options = OPTIONS[kind]
    return Recurrent(name, I, H, **layer_options, **options).double()


@every_cell
@pytest.mark.parametrize("T", [1, 2, 7])
def test_whole_in_chunks_and_step_by_step_are_one(kind: str, T: int) -> None:
    layer = build(kind)
    (cell,) = layer.cells
    x = torch.randn(T, B, I, dtype=torch.float64)
    whole, last = layer(x)

    state = None
    pieces = []
    for piece in x.split(3):
        out, state = layer(piece, state)
        pieces.append(out)
    torch.testing.assert_close(torch.cat(pieces), whole, **EXACT)
    torch.testing.assert_close(state, last, **EXACT)

    state = tuple(x.new_zeros(B, size) for size in cell.state_sizes.values())
    outputs = []
    for x_t in x:
        y, state = cell(x_t, *state)
        outputs.append(y)
    torch.testing.assert_close(torch.stack(outputs), whole, **EXACT)
    torch.testing.assert_close(state, tuple(s[0] for s in last), **EXACT)


@every_cell
def test_a_ragged_row_is_the_row_alone(kind: str) -> None:
    layer = build(kind, num_layers=2, bidirectional=True)
    x = torch.randn(5, B, I, dtype=torch.float64)
    lengths = [3, 5, 1]
    out, last = layer(x, lengths=lengths)
    for b, n in enumerate(lengths):
        alone, end = layer(x[:n, b : b + 1])
        torch.testing.assert_close(out[:n, b : b + 1], alone, **EXACT)
        torch.testing.assert_close(tuple(s[:, b : b + 1] for s in last), end, **EXACT)


@every_cell
def test_the_layers_gradients_are_those_of_finite_differences(kind: str) -> None:
    layer = build(kind, num_layers=2, bidirectional=True)
    x = torch.randn(3, B, I, dtype=torch.float64, requires_grad=True)
    names = [name for name, _ in layer.named_parameters()]

    def run(x: Tensor, *values: Tensor) -> tuple[Tensor, ...]:
        weights = dict(zip(names, values, strict=True))
        out, state = functional_call(layer, weights, (x,), {"lengths": [2, 3, 1]})
        return out, *state

    values = (x, *(p.detach().requires_grad_() for p in layer.parameters()))
    assert gradcheck(run, values, fast_mode=True)


@every_cell
def test_the_weights_go_through_a_state_dict_and_back(kind: str) -> None:
    layer, other = build(kind), build(kind)
    x = torch.randn(4, B, I, dtype=torch.float64)
    assert not torch.equal(other(x)[0], layer(x)[0])
    assert set(layer.state_dict()) == {name for name, _ in layer.named_parameters()}
    other.load_state_dict(layer.state_dict())
    assert torch.equal(other(x)[0], layer(x)[0])


@every_cell
def test_a_learned_initial_state_stays_usable_while_it_is_learned(kind: str) -> None:
    layer = build(kind, learn_initial_state=True)
    x, target = torch.randn(2, 4, B, H, dtype=torch.float64)
    optimizer = torch.optim.SGD(layer.parameters(), lr=0.2)
    losses = []
    for _ in range(30):
        optimizer.zero_grad()
        loss = (layer(x[..., :I])[0] - target).square().mean()
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < losses[0]
    assert all(p.isfinite().all() for p in layer.parameters())
    assert all(s.count_nonzero() > 0 for s in layer.initial_state)


@every_cell
def test_a_batch_without_rows_gives_empty_outputs(kind: str) -> None:
    out, state = build(kind)(torch.zeros(2, 0, I, dtype=torch.float64))
    assert out.shape == (2, 0, H)
    assert all(s.shape == (1, 0, H) for s in state)
