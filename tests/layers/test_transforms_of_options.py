"""checkpoint=, truncate= and clip_state_grad= beside other ways to run: right, or named errors."""

import threading
from collections.abc import Iterator

import pytest
import torch
from torch import Tensor, nn
from torch.func import functional_call, grad, jacfwd, jacrev, vmap

from recurra import Cell, Recurrent, use_backend
from recurra.errors import BackendError


@pytest.fixture(params=["auto", "eager"], autouse=True)
def _setting(request: pytest.FixtureRequest) -> Iterator[None]:
    with use_backend(request.param):
        yield


# What torch's forward mode loads warns of itself.
pytestmark = pytest.mark.filterwarnings("ignore:.*torch.jit.script.*:DeprecationWarning")
OPTIONS = [{}, {"checkpoint": 2}, {"truncate": 2}, {"clip_state_grad": 0.1}]
every_option = pytest.mark.parametrize("options", OPTIONS)
T, B, I, H = 6, 2, 3, 4  # noqa: E741 - the axes' names


@every_option
def test_several_gradients_at_once(options: dict[str, float]) -> None:
    layer, x = Recurrent("gru", I, H, 2, **options), torch.randn(T, B, I, requires_grad=True)  # type: ignore[arg-type]
    out, leaves = layer(x)[0], [x, *layer.parameters()]
    given = torch.randn(3, *out.shape)
    one = [torch.autograd.grad(out, leaves, d, retain_graph=True) for d in given]
    found = torch.autograd.grad(out, leaves, given, is_grads_batched=True, retain_graph=True)
    for several, alone in zip(found, zip(*one, strict=True), strict=True):
        torch.testing.assert_close(several, torch.stack(alone))

    def back(d: Tensor) -> Tensor:
        return torch.autograd.grad(out, x, d, retain_graph=True)[0]

    torch.testing.assert_close(vmap(back)(given), found[0])
    once = torch.autograd.functional.jacobian(lambda x: layer(x)[0][-1], x)
    torch.testing.assert_close(
        torch.autograd.functional.jacobian(lambda x: layer(x)[0][-1], x, vectorize=True), once
    )


def test_segments_are_left_out_under_transforms() -> None:
    layer, x = Recurrent("gru", I, H, checkpoint=2), torch.randn(T, B, I)
    plain = Recurrent("gru", I, H)
    plain.load_state_dict(layer.state_dict())
    for transform in (jacrev, jacfwd):
        found = transform(lambda x: layer(x)[0].sum(0))(x)
        torch.testing.assert_close(found, transform(lambda x: plain(x)[0].sum(0))(x))


@pytest.mark.parametrize("options", OPTIONS[2:])
def test_cut_gradients_are_refused_by_transforms(options: dict[str, float]) -> None:
    layer, x = Recurrent("gru", I, H, 2, **options), torch.randn(T, B, I)  # type: ignore[arg-type]
    weights = dict(layer.named_parameters())

    def loss(weights: dict[str, Tensor], x: Tensor) -> Tensor:
        found: Tensor = functional_call(layer, weights, (x,))[0].sum()
        return found

    for call in (
        lambda: grad(loss)(weights, x),
        lambda: vmap(grad(loss), (None, 0))(weights, torch.stack([x, x])),
        lambda: jacrev(lambda x: layer(x)[0])(x),
        lambda: jacfwd(lambda x: layer(x)[0])(x),
    ):
        with pytest.raises(BackendError, match=r"torch\.func"):
            call()


@pytest.mark.parametrize("bidirectional", [False, True])
def test_cut_gradients_of_no_rows(bidirectional: bool) -> None:
    layer = Recurrent("gru", I, H, 2, truncate=2, bidirectional=bidirectional)
    x = torch.randn(T, 0, I, requires_grad=True)
    layer(x)[0].sum().backward()
    assert x.grad is not None
    assert x.grad.shape == (T, 0, I)


@pytest.mark.parametrize(("first", "then"), [("eager", "auto"), ("auto", "eager")])
def test_segments_run_again_as_they_ran(first: str, then: str) -> None:
    layer, x = Recurrent("gru", I, H, checkpoint=2), torch.randn(T, B, I, requires_grad=True)
    wanted = torch.autograd.grad(layer(x)[0].sum(), x)[0]
    with use_backend(first):
        out = layer(x)[0].sum()
    with use_backend(then):
        torch.testing.assert_close(torch.autograd.grad(out, x)[0], wanted)


class Dropping(Cell):
    """A cell that draws in every step, if it is to; `told` is called in each."""

    def __init__(self, draws: bool) -> None:
        super().__init__(I, {"h": I})
        self.weight, self.draws = nn.Parameter(torch.ones(I)), draws
        self.told = lambda: None

    def forward(self, x: Tensor, h: Tensor) -> tuple[Tensor, tuple[Tensor]]:
        self.told()
        h = torch.tanh(self.weight * x + h)
        h = torch.dropout(h, 0.5, True) if self.draws else h
        return h, (h,)


def test_what_segments_draw_is_drawn_again() -> None:
    cell = Dropping(draws=True)
    layer, x = Recurrent(cell, I, I, checkpoint=2), torch.randn(T, B, I, requires_grad=True)
    plain = Recurrent(cell, I, I)
    found = []
    for each in (layer, plain):
        torch.manual_seed(3)
        found.append(torch.autograd.grad(each(x)[0].sum(), x)[0])
    torch.testing.assert_close(*found)


def test_another_threads_numbers_are_its_own() -> None:
    cell = Dropping(draws=False)
    layer, x = Recurrent(cell, I, I, checkpoint=2), torch.randn(T, B, I, requires_grad=True)
    drawn: list[float] = []

    def draw() -> None:
        thread = threading.Thread(target=lambda: drawn.append(float(torch.rand(()))))
        thread.start()
        thread.join()

    with use_backend("eager"):
        out = layer(x)[0].sum()
        cell.told = draw  # type: ignore[assignment]
        out.backward()
    drawn.append(float(torch.rand(())))
    assert len(drawn) > 2
    assert len(set(drawn)) == len(drawn)
