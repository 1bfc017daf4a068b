"""What a cell writes in place: tensor, views and gradients are torch's, or it is refused."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from tracing import H, K, Step, assert_agrees, of_program

from recurra import Recurrent, explain, use_backend
from recurra.errors import TraceError
from recurra.program.trace import trace


def made(m: Any, x: Tensor, h: Tensor) -> Tensor:
    """Return a tensor of the cell's own, of six features, with gradients to all there is."""
    z: Tensor = F.linear(x, m.W) + h
    return z


# Functions of such a tensor (three axes where z is viewed as such) that change it.
WRITES: dict[str, Callable[[Any, Tensor, Tensor], Any]] = {
    "iadd": lambda m, z, h: z.__iadd__(h),
    "isub": lambda m, z, h: z.__isub__(1),
    "imul": lambda m, z, h: z.__imul__(m.b),
    "itruediv": lambda m, z, h: z.__itruediv__(2.0),
    "ipow": lambda m, z, h: z.__ipow__(2),
    "add_": lambda m, z, h: z.add_(h, alpha=0.5),
    "sub_": lambda m, z, h: z.sub_(h[:, :1]),
    "mul_": lambda m, z, h: z.mul_(h),
    "div_": lambda m, z, h: z.div_(h.exp()),
    "chain": lambda m, z, h: z.mul_(2).add_(m.b).sigmoid_(),
    "sigmoid_": lambda m, z, h: torch.sigmoid_(z),
    "tanh_": lambda m, z, h: z.tanh_(),
    "relu_": lambda m, z, h: F.relu_(z),
    "elu_": lambda m, z, h: F.elu_(z),
    "leaky_relu_": lambda m, z, h: F.leaky_relu_(z, 0.2),
    "relu inplace": lambda m, z, h: F.relu(z, inplace=True),
    "hardtanh inplace": lambda m, z, h: F.hardtanh(z, -0.5, 0.5, True),
    "nn.ELU": lambda m, z, h: nn.ELU(inplace=True)(z),
    "nn.ReLU": lambda m, z, h: nn.ReLU(True)(z),
    "nn.Dropout in eval": lambda m, z, h: nn.Dropout(0.3, inplace=True).eval()(z).mul_(2),
    "clamp_": lambda m, z, h: z.clamp_(-0.5, 0.5),
    "clamp_min_": lambda m, z, h: z.clamp_min_(0.1),
    "exp_": lambda m, z, h: z.exp_(),
    "neg_": lambda m, z, h: z.neg_(),
    "lerp_": lambda m, z, h: z.lerp_(h, 0.3),
    "addcmul_": lambda m, z, h: z.addcmul_(h, h, value=2),
    "copy_": lambda m, z, h: z[:, :3].copy_(h[:, 3:]),
    "copy_ of a parameter": lambda m, z, h: z.copy_(m.b),
    "zero_": lambda m, z, h: z[:, 1:4].zero_(),
    "fill_": lambda m, z, h: z[:, ::2].fill_(3),
    "masked_fill_": lambda m, z, h: z.masked_fill_(h > 0, 0.5),
    "index_fill_": lambda m, z, h: z.index_fill_(1, torch.tensor([0, 4]), 2.0),
    "index_copy_": lambda m, z, h: z.index_copy_(1, torch.tensor([5, 0]), h[:, :2]),
    "index_add_": lambda m, z, h: z.index_add_(1, torch.tensor([5, 0]), h[:, :2], alpha=2),
    "set slice": lambda m, z, h: z.__setitem__((slice(None), slice(0, 3)), h[:, 2:5]),
    "set ellipsis": lambda m, z, h: z.__setitem__((..., slice(None, None, 2)), h[:, :3]),
    "set one": lambda m, z, h: z.__setitem__((slice(None), -1), h[:, 0] * 2),
    "set list": lambda m, z, h: z.__setitem__((slice(None), [4, 1]), h[:, :2]),
    "set number": lambda m, z, h: z.__setitem__((slice(None), 2), 1),
    "set parameter": lambda m, z, h: z.__setitem__((slice(None), slice(1, 4)), m.b[:3]),
    "set all": lambda m, z, h: z.__setitem__(slice(None), h),
    "set mask": lambda m, z, h: z.__setitem__(h > 0, 0.25),
    "set mask of rows": lambda m, z, h: z.__setitem__(h[:, 0] > 0, 0.25),
    "add to a slice": lambda m, z, h: z.__setitem__(
        (slice(None), slice(0, 2)), z[:, :2].__iadd__(h[:, :2])
    ),
    # through views
    "view": lambda m, z, h: z.view(-1, 2, 3)[:, 1].sigmoid_(),
    "transpose": lambda m, z, h: z.view(-1, 2, 3).transpose(1, 2)[:, 0].copy_(h[:, :2]),
    "permute": lambda m, z, h: z.view(-1, 2, 3).permute(0, 2, 1).mul_(h.view(-1, 3, 2)),
    "unsqueeze": lambda m, z, h: z.unsqueeze(1).add_(m.b),
    "select": lambda m, z, h: z.select(1, 3).fill_(0.1),
    "narrow": lambda m, z, h: z.narrow(1, 1, 2).mul_(0),
    "squeeze": lambda m, z, h: z[:, None].squeeze(1).mul_(3),
    "unflatten": lambda m, z, h: z.unflatten(1, (3, 2))[..., 0].neg_(),
    "movedim": lambda m, z, h: z.view(-1, 2, 3).movedim(2, 1)[:, 1:].mul_(2),
    "views of views": lambda m, z, h: z[:, 1:][:, ::2][:, 1:].mul_(h[:, :2]),
    "set of a view": lambda m, z, h: z.view(-1, 2, 3).__setitem__((slice(None), 1), h[:, :3]),
}


@pytest.mark.parametrize("name", WRITES)
def test_a_write_is_seen_in_the_tensor_and_in_every_view_of_it(name: str) -> None:
    def equations(m: Any, x: Tensor, h: Tensor) -> Tensor:
        z = made(m, x, h)
        before = torch.tanh(z)  # reads what was there
        views = z[:, 1:], z.view(-1, 2, 3).transpose(1, 2)
        WRITES[name](m, z, h)
        flat = views[1].reshape(h.shape[0], -1)
        return torch.tanh(before + z * z + F.pad(views[0], (0, 1)) * 2 + flat * 3)

    assert_agrees(Step(equations, W=torch.randn(H, K), b=torch.rand(H)))


# Torch itself does not differentiate these.
PARTS: dict[str, Callable[[Tensor], Any]] = {
    "chunk": lambda z: z.chunk(2, 1)[1].mul_(2),
    "split": lambda z: [p.add_(k) for k, p in enumerate(z.split([1, 3, 2], -1))],
    "tensor_split": lambda z: z.tensor_split(4, 1)[0].zero_(),
    "unbind": lambda z: z.view(-1, 2, 3).unbind(1)[0].mul_(2),
}


@pytest.mark.parametrize("name", PARTS)
def test_a_write_into_one_of_several_views_is_seen_in_the_whole(name: str) -> None:
    def equations(m: Any, x: Tensor, h: Tensor) -> Tensor:
        z = h * 2
        PARTS[name](z)
        return z * 3

    step, h = Step(equations), torch.randn(2, H, dtype=torch.float64)
    traced = trace(step, K, {"h": H}, torch.float64)
    x = torch.zeros(2, K, dtype=torch.float64)
    found = of_program(step, traced, x, [h], [x.new_ones(2, H).numpy()] * 2)[0][0]
    torch.testing.assert_close(torch.as_tensor(found), step(x, h)[0])


@pytest.mark.parametrize("name", ["zeros", "empty", "zeros_like", "new_zeros", "new_empty"])
def test_a_tensor_made_for_the_batch_is_filled_bit_by_bit(name: str) -> None:
    def equations(m: Any, x: Tensor, h: Tensor) -> Tensor:
        out = {
            "zeros": lambda: torch.zeros(x.shape[0], 6, dtype=h.dtype),
            "empty": lambda: torch.empty(x.shape[0], 6, dtype=h.dtype),
            "zeros_like": lambda: torch.zeros_like(h),
            "new_zeros": lambda: h.new_zeros(x.shape[0], 6),
            "new_empty": lambda: h.new_empty(h.shape),
        }[name]()
        for i in range(6):
            out[:, i] = h[:, 5 - i] * m.b[i] + (out[:, i - 1] if i else 1)
        return out

    assert_agrees(Step(equations, b=torch.rand(H)))


def test_what_is_made_without_gradients_may_be_written_without_them() -> None:
    def equations(m: Any, x: Tensor, h: Tensor) -> Tensor:
        with torch.no_grad():
            mask = torch.ones_like(h)
            mask[:, :2] = 0
            mask.mul_(h > 0)
            mask += h
        return mask * h

    assert_agrees(Step(equations))


def test_of_two_names_of_one_tensor_both_change_and_a_clone_does_not() -> None:
    def equations(m: Any, x: Tensor, h: Tensor) -> Tensor:
        z = made(m, x, h)
        same, copy = z, z.clone()
        other = z.detach()
        z += 1
        z.view(-1, 2, 3)[:, 0] *= 2
        return same * copy + other

    assert_agrees(Step(equations, W=torch.randn(H, K)))


# fmt: off
REFUSED: dict[str, tuple[Callable[..., Any], str]] = {
    "x": (lambda m, x, h: h + x.add_(1)[:, :1], "changes 'x' in place, which is the caller's"),
    "state": (lambda m, x, h: h.mul_(2), "changes 'h' in place"),
    "slice of the state": (lambda m, x, h: (h[:, :2].zero_(), h)[1], "changes 'h' in place"),
    "set in the state": (lambda m, x, h: (h.__setitem__((..., 0), 1), h)[1], "'h' in place"),
    "perhaps the state": (lambda m, x, h: h.reshape(-1, 2, 3).mul_(2).flatten(1), "'h' in place"),
    "itself": (lambda m, x, h: F.dropout(h, 0.5, False).mul_(2), "'h' in place"),
    "perhaps shared": (lambda m, x, h: shared(h + 1), "reshape, contiguous"),
    "expanded": (lambda m, x, h: (h[:, :1] * 1).expand(-1, 6).mul_(2), "features are one"),
    "expanded parameter": (lambda m, x, h: m.b.expand(h.shape[0], -1).mul_(2), "'a parameter' in"),
    "no gradients": (lambda m, x, h: ungraded(h + 1), "without gradients"),
    "behind detach": (lambda m, x, h: behind(h + 1), "behind detach"),
    "parameter": (lambda m, x, h: h * m.b.mul_(2), "the cell's own tensor"),
    "no batch": (lambda m, x, h: h + torch.zeros(6).add_(h[:, 0]), "make it of the batch"),
    "other rows": (lambda m, x, h: (h + 1).__setitem__(0, 1), "along the batch axis"),
    "duplicates": (lambda m, x, h: (h + 1).__setitem__((..., [1, 1]), 1), "features are one"),
    "shape": (lambda m, x, h: (h[:, :1] * 1).add_(h), "written into"),
    "dtype": (lambda m, x, h: (h > 0).mul_(h) + h, "into a tensor of"),
    "transposed": (lambda m, x, h: (h + 1).view(-1, 2, 3).transpose_(1, 2), "in place"),
    "out": (lambda m, x, h: torch.tanh(h, out=torch.empty_like(h)), "in place"),
    "batch norm": (lambda m, x, h: m.norm(h), "running statistics"),
    "spectral norm": (lambda m, x, h: m.spectral(h), "power iteration"),
}  # fmt: skip
# fmt: on


def shared(z: Tensor) -> Tensor:
    flat = z.reshape(-1, 2, 3)
    z += 1
    return flat.flatten(1)


def ungraded(z: Tensor) -> Tensor:
    with torch.no_grad():
        return z.mul_(2)


def behind(z: Tensor) -> Tensor:
    z.detach().mul_(2)
    return z


@pytest.mark.parametrize("name", REFUSED)
def test_a_write_that_others_would_see_is_refused_with_the_reason(name: str) -> None:
    equations, reason = REFUSED[name]
    spectral = nn.utils.parametrizations.spectral_norm(nn.Linear(H, H))
    parts: dict[str, Any] = {"norm": nn.BatchNorm1d(H), "spectral": spectral}
    with pytest.raises(TraceError, match=reason):
        trace(Step(equations, b=torch.rand(H), **parts), K, {"h": H})


def test_a_layer_whose_cell_writes_in_place_runs_natively_with_the_loops_numbers() -> None:
    class Gated(nn.Module):
        state_sizes = {"h": H}  # noqa: RUF012

        def __init__(self, input_size: int, hidden_size: int) -> None:
            super().__init__()
            self.inner = nn.Linear(input_size + hidden_size, 2 * hidden_size)

        def forward(self, x: Tensor, h: Tensor) -> tuple[Tensor, tuple[Tensor]]:
            z = self.inner(torch.cat([x, h], 1))
            z[:, :H].add_(0.5)
            z[:, H:] *= 0.5
            z.sigmoid_()
            gate, new = z.chunk(2, 1)
            h = h.clone()
            h += gate * (new - h)
            return h, (h,)

    layer = Recurrent(Gated, K, H).double()
    assert explain(layer).cells[0].backend == "native"
    x = torch.randn(7, 3, K, dtype=torch.float64)
    found = []
    for backend in ("eager", "native"):
        with use_backend(backend):
            out, _ = layer(x, lengths=torch.tensor([7, 3, 5]))
            found.append([out, *torch.autograd.grad(out.square().sum(), layer.parameters())])
    for a, b in zip(*found, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-10, atol=1e-12)
