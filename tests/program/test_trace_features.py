"""What moves, copies and reduces features, and products with parameters."""

import math
from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from tracing import H, K, Step, assert_agrees

from recurra.program.trace import trace

# Functions of a state of six features, giving six.
MOVES: dict[str, Callable[[Tensor], Tensor]] = {
    "chunk": lambda h: torch.cat(h.chunk(3, -1)[::-1], -1),
    "chunk uneven": lambda h: torch.cat(torch.chunk(h, 4, 1)[::-1], 1),
    "split": lambda h: torch.cat(h.split(4, dim=1)[::-1], 1),
    "split sizes": lambda h: torch.cat(torch.split(h, [1, 3, 2], -1)[::-1], dim=-1),
    "tensor_split": lambda h: torch.cat(h.tensor_split(4, 1)[::-1], 1),
    "narrow": lambda h: torch.cat([h.narrow(1, 2, 4), h.narrow(-1, 0, 2)], 1),
    "slices": lambda h: torch.cat([h[:, 3:], h[..., :3]], 1),
    "steps": lambda h: torch.cat([h[:, ::2], h[:, 1::2]], 1),
    "one feature": lambda h: h[:, 2:3] * h + h[:, -1].unsqueeze(1),
    "list index": lambda h: h[:, [5, 0, 0, 1, 3, 2]],
    "new axis": lambda h: (h[:, None] * h[:, :, None]).sum(1),
    "stack": lambda h: torch.stack([h, h * 2], 1).sum(1),
    "stack last": lambda h: torch.stack([h, h * 2], -1).mean(-1),
    "unbind": lambda h: torch.stack(h.unbind(1)[::-1], 1),
    "view": lambda h: h.view(h.size(0), 2, 3).transpose(1, 2).reshape(h.shape[0], -1),
    "view -1": lambda h: h.view(-1, 3, 2).permute(0, 2, 1).flatten(1),
    "reshape as": lambda h: h.reshape(len(h.shape[1:]) * [-1] + [6]).view_as(h),
    "unflatten": lambda h: h.unflatten(1, (3, 2)).flip(1).flatten(1),
    "unflatten inferred": lambda h: h.unflatten(-1, (-1, 2)).mT.flatten(start_dim=1),
    "squeeze": lambda h: h.unsqueeze(1).squeeze(1).unsqueeze(-1).squeeze(-1),
    "flip": lambda h: torch.flip(h, dims=[1]),
    "roll": lambda h: torch.roll(h, 1, -1) + h.roll(-2, dims=1),
    "movedim": lambda h: h.view(-1, 2, 3).movedim(1, 2).reshape(-1, 6),
    "expand": lambda h: h[:, :2].unsqueeze(-1).expand(-1, -1, 3).reshape(-1, 6),
    "expand first": lambda h: h[:, None, :3].expand(h.shape[0], 2, 3).flatten(1),
    "expand middle": lambda h: h.view(-1, 3, 1, 2).expand(-1, 3, 2, 2).sum(2).flatten(1),
    "repeat": lambda h: h[:, :3].repeat(1, 2),
    "repeat_interleave": lambda h: h[:, :3].repeat_interleave(2, dim=1),
    "tile": lambda h: torch.tile(h[:, :2], (1, 3)),
    "broadcast": lambda h: (h.view(-1, 2, 3) * h.view(-1, 2, 3).mean(-1, keepdim=True)).flatten(1),
    "broadcast other": lambda h: (h.view(-1, 3, 2) + h[:, :2].unsqueeze(1)).flatten(1),
    "broadcast both": lambda h: (h[:, :3, None] - h[:, None, 3:5]).flatten(1),
    "broadcast_tensors": lambda h: torch.broadcast_tensors(h[:, :1], h)[0] + h,
    "pad": lambda h: F.pad(h[:, 1:5], (1, 1)),
    "pad value": lambda h: F.pad(h.view(-1, 2, 3), (0, 1, 1, 0), value=0.5).flatten(1)[:, 3:9],
    "index_select": lambda h: h.index_select(1, torch.tensor([5, 4, 3, 2, 1, 0])),
    "zeros_like": lambda h: torch.zeros_like(h) + h * torch.ones_like(h),
    "new_zeros": lambda h: torch.cat([h.new_zeros(h.size(0), 2), h[:, :4]], 1),
    "zeros of a shape": lambda h: h - torch.zeros(h.shape, dtype=h.dtype),
    "full": lambda h: h * torch.full((h.shape[0], 1), 0.5, dtype=h.dtype) + h.new_ones(6),
    "full_like": lambda h: torch.full_like(h, 0.1) * h + h.new_full((h.size(0), 6), 2.0),
    "constants alone": lambda h: torch.sigmoid(torch.zeros_like(h)) + 0 * h,
    "numbers": lambda h: h * torch.tensor(0.1) + torch.tensor([1.0, 2, 3, 4, 5, 6]).to(h),
    "vector of ones": lambda h: torch.ones(6).double() * h,
    "sum": lambda h: h + h.sum(-1, keepdim=True) + h.sum(1).unsqueeze(-1),
    "sum inner": lambda h: h.view(-1, 2, 3).sum(1).repeat(1, 2),
    "sum of all features": lambda h: h * h.view(-1, 2, 3).sum((1, 2)).view(-1, 1),
    "mean": lambda h: h - h.mean(dim=1, keepdim=True),
    "var": lambda h: h * h.var(1, keepdim=True) + h.var(-1, unbiased=False).unsqueeze(1),
    "std": lambda h: h / h.std(-1, keepdim=True) + h.std(1, correction=0, keepdim=True),
    "amax": lambda h: h / h.amax(-1, keepdim=True),
    "amin": lambda h: h * h.view(-1, 3, 2).amin(1).repeat(1, 3),
    "norm": lambda h: h / h.norm(dim=-1, keepdim=True),
    "vector_norm": lambda h: h * torch.linalg.vector_norm(h, dim=1)[:, None],
    "norm 1": lambda h: h / h.norm(1, dim=1, keepdim=True),
    "norm inf": lambda h: h / torch.norm(h, math.inf, dim=1, keepdim=True),
    "normalize": lambda h: F.normalize(h) + F.normalize(h.view(-1, 2, 3), dim=-1).flatten(1),
    "softmax": lambda h: h.softmax(-1) + F.softmax(h.view(-1, 2, 3), dim=1).flatten(1),
    "log_softmax": lambda h: F.log_softmax(h, dim=-1) * h,
    "logsumexp": lambda h: h - torch.logsumexp(h, -1, keepdim=True) + h.logsumexp(1)[:, None],
    "softmin": lambda h: F.softmin(h, -1) * 2,
    "cumsum": lambda h: h.cumsum(1) * torch.cumsum(h.view(-1, 2, 3), 1).flatten(1),
    "any": lambda h: h * (h > 0.5).any(1, keepdim=True) + (h > -3).all(-1).double()[:, None],
    "layer_norm": lambda h: F.layer_norm(h, (6,)),
    "layer_norm 2": lambda h: F.layer_norm(h.view(-1, 2, 3), (2, 3), eps=1e-3).flatten(1),
    "group_norm": lambda h: F.group_norm(h, 2),
    "rms_norm": lambda h: F.rms_norm(h, (6,)),
    "bmm": lambda h: torch.bmm(h.view(-1, 2, 3), h.view(-1, 3, 2)).flatten(1).repeat(1, 2)[:, :6],
    "attention": lambda h: (
        (h.view(-1, 2, 3) @ h.view(-1, 2, 3).mT).softmax(-1) @ h.view(-1, 2, 3)
    ).flatten(1),
    "einsum rows": lambda h: torch.einsum("bi,bj->bij", h[:, :2], h[:, 2:5]).flatten(1),
    "einsum sum": lambda h: torch.einsum("bij->bi", h.view(-1, 2, 3)).repeat(1, 3),
    "no_grad": lambda h: h * masked_without_gradient(h),
    "keywords": lambda h: torch.add(input=torch.sigmoid(input=h), other=h, alpha=2),
    "keywords of features": lambda h: torch.softmax(input=torch.cat(tensors=[h], dim=1), dim=1),
    "dtypes": lambda h: torch.softmax(h, -1, torch.float64) + F.softmax(h, 1, dtype=h.dtype),
    "nan constant": lambda h: torch.where(h == float("nan"), float("nan"), h),
    "asserts": lambda h: asserted(h),
}


def masked_without_gradient(h: Tensor) -> Tensor:
    with torch.no_grad():
        return torch.tanh(h) * 2


def asserted(h: Tensor) -> Tensor:
    assert isinstance(h, Tensor)
    assert torch.is_tensor(h)
    assert h.shape == (h.shape[0], 6)
    assert h.dim() == h.ndim == 2
    assert h.size(-1) == 6
    assert h.dtype is torch.float64
    assert h.device == torch.device("cpu")
    assert not h.is_cuda
    assert h.is_floating_point()
    assert f"{h}"
    return h.to(h.device).cpu() if False else h.to("cpu")


@pytest.mark.parametrize("name", MOVES)
def test_what_is_done_with_features_is_what_torch_does(name: str) -> None:
    assert_agrees(Step(lambda m, x, h: MOVES[name](h)))


# Functions of a state of six features and parameters, giving six.
W, V, G, b = torch.randn(6, 6), torch.randn(3, 3), torch.randn(2, 3, 3), torch.randn(6)
PRODUCTS: dict[str, Callable[..., Tensor]] = {
    "linear": lambda m, x, h: F.linear(h, m.W, m.b),
    "linear of heads": lambda m, x, h: F.linear(h.view(-1, 2, 3), m.V).flatten(1),
    "matmul": lambda m, x, h: h @ m.W,
    "matmul transposed": lambda m, x, h: h @ m.W.t() + torch.matmul(h, m.W.T),
    "mm": lambda m, x, h: torch.mm(h, m.W),
    "addmm": lambda m, x, h: torch.addmm(m.b, h, m.W, beta=0.5, alpha=2),
    "vector": lambda m, x, h: (h @ m.b).unsqueeze(-1) * h,
    "column": lambda m, x, h: (m.W @ h.unsqueeze(-1)).squeeze(-1),
    "columns": lambda m, x, h: torch.matmul(m.V, h.view(-1, 3, 2)).flatten(1),
    "groups": lambda m, x, h: (h.view(-1, 2, 1, 3) @ m.G).flatten(1),
    "heads": lambda m, x, h: torch.einsum("bhd,hde->bhe", h.view(-1, 2, 3), m.G).flatten(1),
    "heads turned": lambda m, x, h: torch.einsum("hed,bhd->bhe", m.G, h.view(-1, 2, 3)).flatten(1),
    "einsum linear": lambda m, x, h: torch.einsum("bi,ji->bj", h, m.W),
    "einsum scale": lambda m, x, h: torch.einsum("bi, i -> bi", h, m.b),
    "einsum outer": lambda m, x, h: torch.einsum("bi,j->bij", h[:, :2], m.b[:3]).flatten(1),
    "vector of features": lambda m, x, h: h * m.b + m.b.view(1, 6),
    "one number": lambda m, x, h: h * m.a + torch.sigmoid(m.a),
    "rows of a matrix": lambda m, x, h: torch.cat([h @ m.W[:3].t(), h @ m.W[3:].t()], 1),
    "sliced": lambda m, x, h: F.linear(h, m.W[[5, 4, 3, 2, 1, 0]], m.b[:6]),
    "antisymmetric": lambda m, x, h: F.linear(h, m.W - m.W.T - 0.1 * torch.eye(6)),
    "joined": lambda m, x, h: F.linear(torch.cat([x, h], 1), torch.cat([m.U, m.W], 1)),
    "softplus of a parameter": lambda m, x, h: F.softplus(m.b) * h,
    "matrix exponential": lambda m, x, h: h @ torch.matrix_exp(m.W - m.W.T),
    "expanded": lambda m, x, h: h + m.b.expand(h.shape[0], -1) + m.b.repeat(h.size(0), 1),
    "expanded alone": lambda m, x, h: torch.tanh(m.b.unsqueeze(0).expand_as(h)) + 0 * h,
    "chosen": lambda m, x, h: torch.where(h > m.b, m.b, h),
    "without gradient": lambda m, x, h: F.linear(h, m.W.detach()) + m.b.data * h,
    "weight norm": lambda m, x, h: F.linear(h, m.W / m.W.norm(dim=1, keepdim=True) * m.b[:, None]),
    "diagonal": lambda m, x, h: h @ torch.diag(m.b) + h @ torch.tril(m.W),
    "spectral": lambda m, x, h: F.linear(h, F.normalize(m.W, dim=1)),
    "powers": lambda m, x, h: m.b.exp() ** h,
    "lerp": lambda m, x, h: torch.lerp(h, h * 2, torch.sigmoid(m.b)),
}


@pytest.mark.parametrize("name", PRODUCTS)
def test_parameters_are_used_as_torch_uses_them_and_get_its_gradients(name: str) -> None:
    step = Step(PRODUCTS[name], W=W, V=V, G=G, b=b, U=torch.randn(6, K), a=torch.tensor(0.3))
    assert_agrees(step)


LAYERS: dict[str, nn.Module] = {
    "linear": nn.Linear(H, H),
    "layer norm": nn.LayerNorm(H),
    "group norm": nn.GroupNorm(3, H),
    "rms norm": nn.RMSNorm(H),
    "batch norm": nn.BatchNorm1d(H).eval(),
    "sequential": nn.Sequential(
        nn.Linear(H, 9), nn.GELU(), nn.Dropout(0.5), nn.Linear(9, H)
    ).eval(),
    "flatten": nn.Sequential(nn.Unflatten(1, (2, 3)), nn.Linear(3, 3), nn.Flatten()),
    "parametrised": nn.utils.parametrizations.weight_norm(nn.Linear(H, H)),
    "orthogonal": nn.utils.parametrizations.orthogonal(nn.Linear(H, H), "weight", "cayley"),
    "softmax": nn.Softmax(dim=-1),
}


@pytest.mark.parametrize("name", LAYERS)
def test_modules_of_torch_are_traced(name: str) -> None:
    assert_agrees(Step(lambda m, x, h: m.layer(h), layer=LAYERS[name]))


def test_norms_and_deviations_of_zeros_have_torchs_gradient() -> None:
    zeros = [torch.zeros(2, H).double()]
    x = torch.zeros(2, K).double()
    for function in ("norm", "std"):
        step = Step(lambda m, x, h, f=function: h + getattr(h, f)(dim=1, keepdim=True))
        assert_agrees(step, x=x, state=zeros)


@pytest.mark.parametrize("name", ["amax", "softmax", "log_softmax", "logsumexp", "norm"])
def test_reductions_of_infinities_and_nan_are_torchs(name: str) -> None:
    rows = torch.tensor([[1.0, math.inf, 2], [1, -math.inf, 2], [math.nan, 0, 1], [3, 3, 3]])
    step = Step(lambda m, x, h: h * 0 + getattr(torch, name)(h, dim=1).reshape(h.shape[0], -1))
    if name == "norm":
        step = Step(lambda m, x, h: h.norm(dim=1, keepdim=True) + 0 * h)
    assert_agrees(step, 1, {"h": 3}, torch.zeros(4, 1).double(), [rows.double()], gradients=False)


def test_a_parameter_is_named_and_used_once_however_often_it_is_read() -> None:
    step = Step(lambda m, x, h: F.linear(F.linear(h, m.W, m.b), m.W, m.b), W=W, b=b).float()
    program = trace(step, K, {"h": H}).program
    assert [program.values[i].name for i in program.parameters] == ["W", "b"]
