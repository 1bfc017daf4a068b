"""The gradients that gradient flow measures, against formulas, differences and plain loops."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import recurra
from every_kind import KINDS, build
from recurra import Recurrent, gradient_flow

T, B, I, H = 6, 3, 3, 4  # noqa: E741 - the axes' names


def random_input(T: int = T, B: int = B) -> Tensor:
    return torch.randn(T, B, I)


def by_a_plain_loop(layer: Recurrent, x: Tensor) -> np.ndarray:
    """Return (T, T): one gradient at a time through a loop over one cell, the loss ½‖out_t‖²."""
    cell, x = layer.cells[0], x.double()
    state = tuple(x.new_zeros(x.shape[1], n).requires_grad_() for n in cell.state_sizes.values())
    losses, states = [], []
    for step in x:
        out, state = cell(step, *state)
        states.append(state)
        losses.append(out.square().sum() / 2)
    norms = np.zeros((len(x), len(x)))
    for t, loss in enumerate(losses):
        for s in range(t + 1):
            gradients = torch.autograd.grad(
                loss, states[s], retain_graph=True, allow_unused=True, materialize_grads=True
            )
            norms[t, s] = torch.cat(gradients, -1).norm(dim=-1).mean()
    return norms


def test_a_linear_network_gives_the_powers_of_its_matrix() -> None:
    layer = Recurrent("elman", I, H, activation="identity").double()
    x = random_input().double()
    W = layer.cells[0].affine.weight_hh.detach().mul_(0.8).add_(0.1 * torch.randn(H, H))
    out = layer(x)[0].detach()
    wanted = np.zeros((T, T))
    for t in range(T):
        for s in range(t + 1):
            gradient = out[t] @ torch.linalg.matrix_power(W, t - s)
            wanted[t, s] = gradient.norm(dim=-1).mean()
    flow = gradient_flow(layer, x, compare=False)
    np.testing.assert_allclose(flow.norms[0, 0], wanted, rtol=1e-12, atol=0)
    np.testing.assert_array_equal(flow.norms, flow.state_norms["h"])
    powers = [torch.linalg.matrix_power(W, T - 1 - s) for s in range(T)]
    exact = [float(torch.linalg.matrix_norm(power, 2)) for power in powers]
    np.testing.assert_allclose(flow.product[0, 0], exact, rtol=1e-12)
    np.testing.assert_allclose(flow.local[0, 0], exact[-2], rtol=1e-12)
    np.testing.assert_allclose(flow.bound[0, 0], exact[-2] ** np.arange(T)[::-1], rtol=1e-12)


def differences(layer: Recurrent, x: Tensor, state: str) -> np.ndarray:
    """Return (T, T): the norms by central differences, a state of one step moved by hand."""
    gates = layer.cells[0].gates
    eps = 1e-5

    def losses(step: int, delta: Tensor) -> Tensor:
        h = c = torch.zeros(x.shape[1], H, dtype=torch.float64)
        every = []
        for t in range(len(x)):
            i, f, g, o = gates(x[t], h).detach().chunk(4, -1)
            c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
            c = c + delta if (t, state) == (step, "c") else c
            h = torch.sigmoid(o) * torch.tanh(c)
            h = h + delta if (t, state) == (step, "h") else h
            every.append(h.square().sum(-1) / 2)
        return torch.stack(every)  # (T, B)

    norms = np.zeros((len(x), len(x)))
    for s in range(len(x)):
        unit = eps * torch.eye(H, dtype=torch.float64)
        slopes = [(losses(s, e) - losses(s, -e)) / (2 * eps) for e in unit]
        norms[:, s] = torch.stack(slopes).norm(dim=0).mean(-1)
    return norms


def test_an_lstms_states_agree_with_finite_differences() -> None:
    layer = Recurrent("lstm", I, H).double()
    x = random_input().double()
    flow = gradient_flow(layer, x, compare=False)
    assert flow.state_names == ("h", "c")
    for name in flow.state_names:
        wanted = differences(layer, x, name)
        np.testing.assert_allclose(flow.state_norms[name][0, 0], wanted, rtol=1e-7, atol=1e-10)


@pytest.mark.parametrize("kind", KINDS)
def test_every_cell_agrees_with_one_gradient_at_a_time(kind: str) -> None:
    layer = build(kind, I, H)
    x = random_input()
    flow = gradient_flow(layer, x, compare=False)
    wanted = by_a_plain_loop(layer.double(), x)
    np.testing.assert_allclose(flow.norms[0, 0], wanted, rtol=1e-10, atol=1e-14)
    assert flow.cell == type(layer.cells[0]).__name__
    assert (flow.layers, flow.directions, flow.T, flow.B) == (1, 1, T, B)


def test_a_stack_has_the_gradients_of_every_layer() -> None:
    layer = Recurrent("gru", I, H, num_layers=2).double()
    x = random_input().double()
    states: list[list[Tensor]] = [[], []]
    h = [x.new_zeros(B, H) for _ in range(2)]
    losses = []
    for step in x:
        for k, cell in enumerate(layer.cells):
            step, (h[k],) = cell(step, h[k])
            states[k].append(h[k])
        losses.append(step.square().sum() / 2)
    flow = gradient_flow(layer, x, compare=False)
    assert flow.norms.shape == (2, 1, T, T)
    for k in range(2):
        for t in range(T):
            gradients = torch.autograd.grad(losses[t], states[k][: t + 1], retain_graph=True)
            wanted = [float(g.norm(dim=-1).mean()) for g in gradients]
            np.testing.assert_allclose(flow.norms[k, 0, t, : t + 1], wanted, rtol=1e-10)
            assert not flow.norms[k, 0, t, t + 1 :].any()


def test_a_backward_direction_has_its_gradients_at_later_steps() -> None:
    layer = Recurrent("lstm", I, H, bidirectional=True)
    x = random_input()
    flow = gradient_flow(layer, x, loss=lambda out: out[..., H:].square().sum(-1) / 2)
    alone = Recurrent("lstm", I, H)
    alone.cells[0].load_state_dict(layer.cells[1].state_dict())
    other = gradient_flow(alone, x.flip(0), compare=False)
    assert not flow.norms[0, 0].any()  # the loss does not see the forward direction
    np.testing.assert_allclose(flow.norms[0, 1], other.norms[0, 0, ::-1, ::-1], rtol=1e-12)
    np.testing.assert_allclose(flow.arrives[0, 1], other.arrives[0, 0], rtol=1e-12)
    np.testing.assert_allclose(flow.rate[0, 1], other.rate[0, 0], rtol=1e-9)
    for name in ("local", "product", "bound"):
        here, there = getattr(flow, name)[0, 1], getattr(other, name)[0, 0, ::-1]
        np.testing.assert_allclose(here, there, rtol=1e-10)
    here, there = flow.contributions["cells.1.gates.weight_hh"], other.contributions
    np.testing.assert_allclose(here, there["cells.0.gates.weight_hh"], rtol=1e-12)
    assert np.isnan(flow.rate[0, 0])
    assert flow.verdict.startswith("Backwards: from 5 steps ahead ")


def test_rows_of_other_lengths_count_where_they_have_both_steps() -> None:
    layer, x, lengths = Recurrent("gru", I, H, bidirectional=True), random_input(), [6, 2, 4]
    spoiled = x.clone()
    for b, n in enumerate(lengths):
        spoiled[n:, b] = torch.nan
    flow = gradient_flow(layer, spoiled, lengths=lengths, compare=False)
    rows = np.full((B, 1, 2, T, T), np.nan)
    for b, n in enumerate(lengths):
        rows[b, ..., :n, :n] = gradient_flow(layer, x[:n, b : b + 1], compare=False).norms
    counted = ~np.isnan(rows)
    wanted = np.where(counted, rows, 0).sum(0) / counted.sum(0)
    np.testing.assert_allclose(flow.norms, wanted, rtol=1e-10, atol=1e-15)
    assert np.isfinite(flow.local).all()
    assert (flow.product <= flow.bound * (1 + 1e-12)).all()


def test_steps_that_no_row_has_are_not_numbers() -> None:
    layer = Recurrent("gru", I, H)
    flow = gradient_flow(layer, random_input(), lengths=[4, 2, 0], compare=False)
    assert np.isnan(flow.norms[0, 0, 4:]).all()
    assert np.isnan(flow.norms[0, 0, :, 4:]).all()
    assert np.isfinite(flow.norms[0, 0, :4, :4]).all()
    assert np.isnan(flow.local[0, 0, 4:]).all()
    assert np.isfinite(flow.rate).all()


def test_batch_first_is_the_same_with_axes_swapped() -> None:
    layer = Recurrent("elman", I, H)
    other = Recurrent("elman", I, H, batch_first=True)
    other.load_state_dict(layer.state_dict())
    for rows in (B, T):  # with B = T only the layer can say which axis is which
        x = random_input(B=rows)
        a, b = gradient_flow(layer, x), gradient_flow(other, x.transpose(0, 1))
        np.testing.assert_array_equal(a.norms, b.norms)
        assert a.lstm_rate == b.lstm_rate


def test_all_losses_up_to_128_steps_then_32_of_them_with_the_last() -> None:
    layer = Recurrent("elman", 1, 2)
    flow = gradient_flow(layer, torch.randn(128, 1, 1), compare=False)
    assert flow.times == tuple(range(128))
    flow = gradient_flow(layer, torch.randn(200, 1, 1), compare=False)
    assert len(flow.times) == 32
    assert flow.times[-1] == 199
    gaps = np.diff(flow.times)
    assert set(gaps) == {6, 7}
    assert flow.norms.shape == (1, 1, 32, 200)
    assert any("32 of 200 steps" in note for note in flow.notes)


def test_chosen_times_are_rows_of_the_whole() -> None:
    layer, x = Recurrent("lstm", I, H), random_input()
    whole = gradient_flow(layer, x, compare=False)
    some = gradient_flow(layer, x, times=[5, 2, 2], compare=False)
    assert some.times == (2, 5)
    np.testing.assert_allclose(some.norms, whole.norms[:, :, [2, 5]], rtol=1e-12)


def test_many_losses_go_back_together_or_in_parts_with_one_result(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    layer, x = Recurrent("lstm", I, H), random_input()
    together = gradient_flow(layer, x, compare=False)
    monkeypatch.setattr("recurra.gradients.adjoints._MOST_BYTES", 8 * T * B * 2 * H * 2)
    monkeypatch.setattr("recurra.gradients.jacobians._MOST_NUMBERS", 1)
    parts = gradient_flow(layer, x, compare=False)
    np.testing.assert_allclose(parts.norms, together.norms, rtol=1e-12)
    np.testing.assert_allclose(parts.product, together.product, rtol=1e-12)


class Unbatchable(torch.autograd.Function):
    """tanh, whose derivative looks at a value, which vmap cannot."""

    @staticmethod
    def forward(context, x: Tensor) -> Tensor:
        y = torch.tanh(x)
        context.save_for_backward(y)
        return y

    @staticmethod
    def backward(context, gradient: Tensor) -> Tensor:
        (y,) = context.saved_tensors
        assert float(gradient.sum()) < 1e300
        return gradient * (1 - y * y)


class Stubborn(recurra.cells.Elman):
    def forward(self, x: Tensor, h: Tensor) -> tuple[Tensor, tuple[Tensor, ...]]:
        h = Unbatchable.apply(self.affine(x, h))
        return h, (h,)


def test_what_torch_cannot_batch_is_measured_one_by_one() -> None:
    layer, x = Recurrent(Stubborn, I, H), random_input()
    plain = Recurrent("elman", I, H)
    plain.load_state_dict(layer.state_dict())
    a, b = gradient_flow(layer, x, compare=False), gradient_flow(plain, x, compare=False)
    np.testing.assert_allclose(a.norms, b.norms, rtol=1e-12)
    np.testing.assert_allclose(a.local, b.local, rtol=1e-12)


# --- the loss ----------------------------------------------------------------


class Tagger(nn.Module):
    def __init__(self, outputs: int, batch_first: bool = False) -> None:
        super().__init__()
        self.rnn = nn.GRU(I, H, batch_first=batch_first)
        self.head = nn.Linear(H, outputs)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.rnn(x)[0])


LOSSES: dict[str, tuple[Callable[[], Tensor], Callable[[Tensor, Tensor], Tensor]]] = {
    "classes": (
        lambda: torch.randint(5, (T, B)),
        lambda out, y: nn.functional.cross_entropy(out.mT, y, reduction="none"),
    ),
    "numbers": (
        lambda: torch.randn(T, B, 5),
        lambda out, y: (out - y).square().mean(-1),
    ),
}


@pytest.mark.parametrize("what", LOSSES)
def test_targets_have_the_loss_of_their_kind(what: str) -> None:
    targets, loss = LOSSES[what]
    model, x, y = Tagger(5), random_input(), targets()
    given = gradient_flow(model, x, y, loss=loss, compare=False)
    by_itself = gradient_flow(model, x, y, compare=False)
    np.testing.assert_allclose(by_itself.norms, given.norms, rtol=1e-12)
    swapped = Tagger(5, batch_first=True)
    swapped.load_state_dict(model.state_dict())
    other = gradient_flow(swapped, x.transpose(0, 1), y.transpose(0, 1), compare=False)
    np.testing.assert_allclose(other.norms, given.norms, rtol=1e-12)


def test_a_loss_a_row_is_summed_and_one_over_rows_is_taken_as_it_is() -> None:
    layer, x = Recurrent("gru", I, H), random_input()
    rows = gradient_flow(layer, x, loss=lambda out: out.square().sum(-1) / 2, compare=False)
    mean = gradient_flow(layer, x, loss=lambda out: out.square().sum(-1).mean(-1), compare=False)
    default = gradient_flow(layer, x, compare=False)
    np.testing.assert_allclose(rows.norms, default.norms, rtol=1e-12)
    np.testing.assert_allclose(mean.norms, default.norms * 2 / B, rtol=1e-12)


class Sentiment(nn.Module):
    """Many to one: both directions' last states."""

    def __init__(self) -> None:
        super().__init__()
        self.rnn = recurra.GRU(I, H, batch_first=True, bidirectional=True)
        self.head = nn.Linear(2 * H, 3)

    def forward(self, x: Tensor) -> Tensor:
        _, h = self.rnn(x)
        return self.head(torch.cat([h[0], h[1]], -1))


def test_a_model_with_one_output_has_one_loss_at_each_runs_end() -> None:
    model, x, y = Sentiment(), torch.randn(B, T, I), torch.randint(3, (B,))
    flow = gradient_flow(model, x, y, compare=False)
    assert flow.times == (T - 1,)
    assert flow.norms.shape == (1, 2, 1, T)
    forward, backward = flow.norms[0, :, 0]
    np.testing.assert_allclose(flow.arrives[0, 0], forward[::-1] / forward[-1])
    np.testing.assert_allclose(flow.arrives[0, 1], backward / backward[0])
    given = gradient_flow(
        model,
        x,
        y,
        loss=lambda out, y: nn.functional.cross_entropy(out, y, reduction="sum"),
        compare=False,
    )
    np.testing.assert_allclose(given.norms, flow.norms, rtol=1e-12)
