"""What `make fuzz` has found, kept as it was found but for the names."""

import pytest
import torch
import torch.utils.checkpoint
from torch import Tensor, nn

from recurra import Recurrent, use_backend

pytest.importorskip("recurra._core")


class Shifted(nn.Module):
    state_sizes = ("h",)

    def __init__(self, input_size: int, hidden_size: int, left: bool = False) -> None:
        super().__init__()
        self.of_state = nn.Linear(hidden_size, hidden_size, bias=False)
        self.of_input = nn.Linear(input_size, hidden_size, bias=False)
        self.left = left

    def forward(self, x: Tensor, h: Tensor) -> tuple[Tensor, tuple[Tensor]]:
        a, b = self.of_state(h), self.of_input(x)
        h = torch.tanh(0.75 + a) + torch.tanh(0.5 + b) if self.left else (a + 0.75) * (b + 0.5)
        return h, (h,)


@pytest.mark.parametrize("left", [False, True])
@pytest.mark.parametrize("hidden_size", [1, 3])
def test_a_number_may_be_added_to_a_product(hidden_size: int, left: bool) -> None:
    layer = Recurrent(Shifted, 2, hidden_size, left=left).double()
    x = torch.randn(4, 3, 2, dtype=torch.float64, requires_grad=True)
    found = []
    for name in ("native", "eager"):
        with use_backend(name):
            out, _ = layer(x)
        found.append((out, *torch.autograd.grad(out.sin().sum(), [x, *layer.parameters()])))
    for got, wanted in zip(*found, strict=True):
        torch.testing.assert_close(got, wanted, rtol=1e-10, atol=1e-12)


class Between(nn.Module):
    state_sizes = ("h",)

    def __init__(self, input_size: int, hidden_size: int, how: str) -> None:
        super().__init__()
        self.how, self.weight = how, nn.Parameter(torch.rand(hidden_size))

    def forward(self, x: Tensor, h: Tensor) -> tuple[Tensor, tuple[Tensor]]:
        weight = {"row": torch.sigmoid(x), "parameter": self.weight, "far": 0.7, "one": 1.0}
        h = torch.lerp(h, x, weight[self.how])
        return h, (h,)


@pytest.mark.parametrize("how", ["row", "parameter", "far", "one"])
def test_lerp_begins_at_the_nearer_end_as_torch_does(how: str) -> None:
    layer = Recurrent(Between, 5, 5, how=how).double()
    inf = float("inf")
    x = torch.tensor([inf, -inf, float("nan"), 1e300, -3.0], dtype=torch.float64).expand(1, 1, 5)
    more = torch.randn(4, 3, 5, dtype=torch.float64, requires_grad=True)
    found = []
    for name in ("native", "eager"):
        with use_backend(name):
            out, _ = layer(more)
            found.append((layer(x)[0], out, *torch.autograd.grad(out.sin().sum(), more)))
    for got, wanted in zip(*found, strict=True):
        torch.testing.assert_close(got, wanted, rtol=1e-12, atol=1e-13, equal_nan=True)


class Noted(nn.Module):
    """Keeps the mean over all rows in a buffer, as a batch norm does."""

    state_sizes = ("h",)

    def __init__(self, input_size: int, hidden_size: int, how: str) -> None:
        super().__init__()
        self.how = how
        self.register_buffer("mean", torch.zeros(1))

    def forward(self, x: Tensor, h: Tensor) -> tuple[Tensor, tuple[Tensor]]:
        mean = x.mean().detach()
        if self.how == "copy_":
            self.mean.copy_(mean)
        elif self.how == "lerp_":
            self.mean.lerp_(mean, 0.1)
        elif self.how == "item":
            self.mean[0] = mean
        else:
            torch.mul(mean, 2, out=self.mean)
        h = torch.tanh(x + h)
        return h, (h,)


@pytest.mark.parametrize("how", ["copy_", "lerp_", "item", "out"])
def test_a_number_of_all_rows_that_is_written_into_a_buffer_is_written(how: str) -> None:
    layer = Recurrent(Noted, 2, 2, how=how)
    x = torch.randn(3, 4, 2)
    means = []
    for name in ("auto", "eager"):
        layer.cells[0].module.mean.zero_()
        with use_backend(name), torch.no_grad():
            layer(x)
        means.append(layer.cells[0].module.mean.clone())
    assert means[0] != 0
    assert torch.equal(means[0], means[1])


class Handed(nn.Module):
    """x becomes the state c; h stays what it was."""

    state_sizes = ("h", "c")

    def __init__(self, input_size: int, hidden_size: int) -> None:
        super().__init__()

    def forward(self, x: Tensor, h: Tensor, c: Tensor) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        return h, (h, 2 * x)


@pytest.mark.parametrize("backend", ["native", "eager"])
def test_gradients_that_are_numbers_can_be_asked_for_with_their_graph(backend: str) -> None:
    layer = Recurrent(Handed, 3, 3)
    x = torch.randn(2, 1, 3, requires_grad=True)
    with use_backend(backend):
        _, (_, c) = layer(x)
    (dx,) = torch.autograd.grad(c.sum(), x, create_graph=True)
    other = (dx * x).sum()  # its own derivative by x is dx, and nothing through the layer
    (again,) = torch.autograd.grad(other, x)
    assert torch.equal(again, torch.tensor([0.0, 2.0]).view(2, 1, 1).expand(2, 1, 3))


@pytest.mark.parametrize("backend", ["native", "eager"])
def test_cut_gradients_of_outputs_that_depend_on_nothing_learned_are_none(backend: str) -> None:
    class Idle(nn.Module):
        state_sizes = ("h",)

        def __init__(self, input_size: int, hidden_size: int) -> None:
            super().__init__()
            self.unused = nn.Linear(input_size, hidden_size)

        def forward(self, x: Tensor, h: Tensor) -> tuple[Tensor, tuple[Tensor]]:
            self.unused(x)
            return h, (h,)

    layer = Recurrent(Idle, 2, 3, truncate=2)
    x = torch.randn(4, 1, 2, requires_grad=True)
    with use_backend(backend):
        out, _ = layer(x)
    out.sum().backward()
    assert all(w.grad is None or not w.grad.any() for w in (x, *layer.parameters()))


class Weighed(nn.Module):
    state_sizes = ("h",)

    def __init__(self, input_size: int, hidden_size: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(()))

    def forward(self, x: Tensor, h: Tensor) -> tuple[Tensor, tuple[Tensor]]:
        h = torch.tanh(x + h * torch.sigmoid(self.weight))
        return h, (h,)


@pytest.mark.parametrize("own", [False, True])
def test_a_first_call_under_checkpointing_keeps_what_later_calls_keep(own: bool) -> None:
    layer = Recurrent(Weighed, 3, 3, checkpoint=2 if own else False)
    x = torch.randn(5, 2, 3, requires_grad=True)
    if own:
        out, _ = layer(x)
    else:
        out, _ = torch.utils.checkpoint.checkpoint(layer, x, use_reentrant=False)
    out.sum().backward()
    assert x.grad is not None
