"""Recomputation in the backward pass: the same results, less kept, whatever else is asked for."""

import pytest
import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from every_kind import KINDS, build, everything, needs_core, random_state, same_bits
from recurra import Recurrent
from recurra.errors import ArgumentError, ArgumentTypeError

every_kind = pytest.mark.parametrize("kind", KINDS)
T, B, I, H = 23, 4, 3, 8  # noqa: E741 - the axes' names


def options() -> list[dict[str, Tensor]]:
    lengths, reset = torch.tensor([23, 7, 0, 12]), torch.rand(T, B) < 0.2
    return [{}, {"lengths": lengths}, {"reset": reset}, {"lengths": lengths, "reset": reset}]


@pytest.mark.parametrize("segment", [True, 1, 22, 23])
@pytest.mark.parametrize("kind", ["lstm", "fcn"])
@pytest.mark.parametrize("backend", ["eager", "native"], indirect=True)
@pytest.mark.usefixtures("backend")
def test_segments_give_what_the_whole_gives(kind: str, segment: bool | int) -> None:
    layer = build(kind, I, H, torch.float64, num_layers=2, bidirectional=True)
    x, state = torch.randn(T, B, I, dtype=torch.float64).requires_grad_(), random_state(layer, B)
    for each in options()[::3]:
        layer.checkpoint = False
        wanted = everything(layer, x, state, **each)
        layer.checkpoint = segment
        found = everything(layer, x, state, **each)
        # Sums over steps are split where segments meet: float64's rounding, no more.
        torch.testing.assert_close(found, wanted, rtol=1e-12, atol=1e-13)


@needs_core
@every_kind
def test_outputs_states_and_their_gradients_keep_their_bits(kind: str) -> None:
    layer = build(kind, I, H, num_layers=2)
    x, state = torch.randn(T, B, I).requires_grad_(), random_state(layer, B)
    for each in options():
        layer.checkpoint = False
        wanted = everything(layer, x, state, **each)
        layer.checkpoint = True
        found = everything(layer, x, state, **each)
        rows = 2 * (1 + len(state))  # outputs, states, and the gradients of x and states
        assert same_bits(found[:rows], wanted[:rows])
        torch.testing.assert_close(found[rows:], wanted[rows:], rtol=1e-5, atol=1e-5)


@every_kind
def test_torchs_own_checkpoint_of_a_layer_keeps_every_bit(kind: str) -> None:
    layer = build(kind, I, H)
    x, state = torch.randn(T, B, I).requires_grad_(), random_state(layer, B)

    class Again(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = layer

        def forward(self, *given: Tensor) -> tuple[Tensor, tuple[Tensor, ...]]:
            return checkpoint(layer, *given, use_reentrant=False)

    assert same_bits(everything(Again(), x, state), everything(layer, x, state))


@needs_core  # torch's kernels keep some things by another way
@pytest.mark.parametrize("kind", ["lstm", "layer_norm_lstm", "elman"])
def test_what_is_kept_may_be_moved_away_and_back(kind: str) -> None:
    layer, kept = build(kind, I, H), []
    x, state = torch.randn(T, B, I).requires_grad_(), random_state(layer, B)
    wanted = everything(layer, x, state)

    def away(value: Tensor) -> Tensor:
        kept.append(value.numel())
        room = torch.empty(value.numel() + 1, dtype=value.dtype)[1:].view(value.shape)
        return room.copy_(value)  # at an address of no alignment beyond its own

    with torch.autograd.graph.saved_tensors_hooks(away, lambda value: value):
        out = everything(layer, x, state)
    assert kept
    assert same_bits(out, wanted)


class Dropped(nn.Module):
    """A cell with dropout on its input."""

    state_sizes = ("h",)

    def __init__(self, input_size: int, hidden_size: int) -> None:
        super().__init__()
        self.inner = nn.Linear(input_size + hidden_size, hidden_size)

    def forward(self, x: Tensor, h: Tensor) -> tuple[Tensor, tuple[Tensor]]:
        x = nn.functional.dropout(x, 0.5, self.training)
        h = torch.tanh(self.inner(torch.cat([x, h], -1)))
        return h, (h,)


@pytest.mark.usefixtures("backend")
def test_random_numbers_are_drawn_again_as_they_were() -> None:
    layer = Recurrent(Dropped, I, H, num_layers=2, dropout=0.5, checkpoint=4).double()
    x = torch.randn(T, B, I, dtype=torch.float64).requires_grad_()
    torch.manual_seed(1)
    out, _ = layer(x)
    (found,) = torch.autograd.grad(out.square().sum(), x)
    direction, eps = torch.randn_like(x), 1e-6
    values = []
    for sign in (1, -1):
        torch.manual_seed(1)  # the same segments, and so the same draws
        moved, _ = layer(x + sign * eps * direction)
        values.append(float(moved.detach().square().sum()))
    wanted = (values[0] - values[1]) / (2 * eps)
    assert abs(wanted) > 0.1
    assert abs(float((found * direction).sum()) - wanted) < 1e-6 * abs(wanted)


def saved_numbers(layer: Recurrent, x: Tensor) -> int:
    """Return how many bytes the graph of a call keeps, each memory counted once."""
    seen: dict[int, int] = {}

    def note(value: Tensor) -> Tensor:
        storage = value.untyped_storage()
        seen[storage.data_ptr()] = storage.nbytes()
        return value

    with torch.autograd.graph.saved_tensors_hooks(note, lambda value: value):
        layer(x)
    return sum(seen.values())


def test_far_less_is_kept() -> None:
    layer, x = Recurrent("lstm", 4, 64), torch.randn(400, 8, 4)
    whole = saved_numbers(layer, x)
    layer.checkpoint = True
    assert saved_numbers(layer, x) < whole / 4


@pytest.mark.parametrize("value", [0, -3])
def test_a_segment_of_no_steps_is_refused(value: int) -> None:
    with pytest.raises(ArgumentError, match="checkpoint"):
        Recurrent("lstm", I, H, checkpoint=value)
    with pytest.raises(ArgumentTypeError, match="checkpoint"):
        Recurrent("lstm", I, H, checkpoint=2.5)
    with pytest.raises(ArgumentTypeError, match="checkpoint"):
        Recurrent("lstm", I, H, checkpoint=None)
