"""`clip_state_grad=U`: the gradient of each row's state is cut to norm U at every step."""

import pytest
import torch
from torch import Tensor, nn

from every_kind import KINDS, build
from recurra import Recurrent, use_backend
from recurra.errors import ArgumentError, ArgumentTypeError, BackendError

T, B, I, H = 6, 3, 3, 4  # noqa: E741 - the axes' names
LENGTHS = [6, 0, 4]
RESET = torch.zeros(T, B, dtype=torch.bool)
RESET[3, 0] = True


def gradients(layer: nn.Module, x: Tensor, **options: object) -> list[Tensor]:
    torch.manual_seed(1)
    out, last = layer(x, **options)
    loss = (out * torch.randn_like(out)).sum() + sum((s * torch.randn_like(s)).sum() for s in last)
    return list(torch.autograd.grad(loss, [x, *layer.parameters()]))


@pytest.mark.parametrize("most", [1e-3, 0.7, 1e6])
def test_each_step_cuts_each_row_of_each_state_by_itself(most: float, backend: str) -> None:
    layer = build("lstm", I, H, torch.float64, clip_state_grad=most)
    x = torch.randn(T, B, I, dtype=torch.float64, requires_grad=True)
    dout = torch.randn(T, B, H, dtype=torch.float64)
    found = torch.autograd.grad((layer(x)[0] * dout).sum(), x)[0]

    cell = layer.cells[0]
    states = [(torch.zeros(B, H, dtype=torch.float64),) * 2]
    with torch.no_grad():
        for t in range(T):
            states.append(cell(x[t], *states[-1])[1])
    carried = tuple(torch.zeros_like(s) for s in states[0])
    cut = 0
    for t in reversed(range(T)):
        own = [s.detach().requires_grad_() for s in (x[t], *states[t])]
        out, new = cell(*own)
        dx, *left = torch.autograd.grad((out, *new), own, (dout[t], *carried))
        torch.testing.assert_close(found[t], dx, rtol=1e-9, atol=1e-12)
        norms = [d.norm(dim=-1, keepdim=True) for d in left]
        cut += sum(int((n > most).sum()) for n in norms)
        carried = tuple(d * (most / n).clamp(max=1) for d, n in zip(left, norms, strict=True))
    every = T * B * 2
    assert cut == {1e-3: every, 1e6: 0}.get(most, cut)
    assert most != 0.7 or 0 < cut < every


@pytest.mark.parametrize("kind", KINDS)
def test_the_core_cuts_as_the_loop_does(kind: str) -> None:
    layer = build(kind, I, H, torch.float64, num_layers=2, bidirectional=True, clip_state_grad=0.3)
    x = torch.randn(T, B, I, dtype=torch.float64, requires_grad=True)
    options = {"lengths": LENGTHS, "reset": RESET}
    found = gradients(layer, x, **options)
    with use_backend("eager"):
        wanted = gradients(layer, x, **options)
    torch.testing.assert_close(found, wanted, rtol=1e-8, atol=1e-9)
    layer.clip_state_grad = None
    assert not torch.allclose(found[0], gradients(layer, x, **options)[0])


def test_an_explosion_stays_below_the_edge(backend: str) -> None:
    def first(most: float | None) -> float:
        layer = Recurrent("ind_rnn", 1, 2, activation="identity", clip_state_grad=most)
        nn.init.constant_(layer.cells[0].u, 3.0)
        state = (torch.zeros(1, 1, 2, requires_grad=True),)
        out, _ = layer(torch.zeros(400, 1, 1), state)
        (d,) = torch.autograd.grad(out[-1].sum(), state)
        return float(d.norm())

    assert first(None) == float("inf")
    assert first(0.5) == pytest.approx(0.5, rel=1e-5)


def test_a_gradient_that_is_not_finite_stays_what_it_is(backend: str) -> None:
    layer = Recurrent("ind_rnn", 1, 2, activation="identity", clip_state_grad=1.0)
    nn.init.constant_(layer.cells[0].u, 1.0)
    state = torch.zeros(1, 3, 2, requires_grad=True)
    out, _ = layer(torch.zeros(2, 3, 1), (state,))
    given = torch.zeros(2, 3, 2)
    given[1, 0, 0], given[1, 1, 0], given[1, 2, 0] = float("nan"), float("inf"), 5.0
    (d,) = torch.autograd.grad(out, state, given)
    assert d[0, 0, 0].isnan()
    assert d[0, 1, 0].isinf()
    assert d[0, 2].tolist() == [1.0, 0.0]


def test_gradients_that_were_cut_have_none_themselves(backend: str) -> None:
    layer, x = build("elman", I, H, clip_state_grad=0.4), torch.randn(T, B, I, requires_grad=True)
    with pytest.raises(BackendError, match="Leave out create_graph=True, or that option"):
        torch.autograd.grad(layer(x)[0].sum(), x, create_graph=True)


def test_torch_compile_cuts_too() -> None:
    layer = build("gru", I, H, clip_state_grad=0.3)
    x = torch.randn(T, B, I, requires_grad=True)
    found = gradients(torch.compile(layer, backend="aot_eager", fullgraph=True), x)
    torch._dynamo.reset()
    torch.testing.assert_close(found, gradients(layer, x))


def test_with_checkpoints_it_is_the_same(backend: str) -> None:
    layer = build("lstm", I, H, torch.float64, clip_state_grad=0.3)
    x = torch.randn(T, B, I, dtype=torch.float64, requires_grad=True)
    wanted = gradients(layer, x)
    layer.checkpoint = 2
    torch.testing.assert_close(gradients(layer, x), wanted)


@pytest.mark.parametrize(
    ("value", "error", "message"),
    [
        (0, ArgumentError, "clip_state_grad must be above 0, got 0"),
        (-1.0, ArgumentError, "clip_state_grad must be above 0, got -1.0"),
        (float("nan"), ArgumentError, "clip_state_grad must be finite, got nan"),
        ("1", ArgumentTypeError, "clip_state_grad must be a number, got '1'"),
    ],
)
def test_what_is_no_norm_is_refused(value: object, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        Recurrent("lstm", I, H, clip_state_grad=value)
