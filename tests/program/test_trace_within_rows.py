"""Attention, convolutions, pools and distances of what a row itself holds: torch's numbers."""

import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from tracing import H, K, Step, assert_agrees

from recurra.errors import TraceError
from recurra.program.trace import trace

sdpa = F.scaled_dot_product_attention


def heads(h: Tensor) -> Tensor:
    """Return 24 features as 2 heads of 3 steps of 4."""
    return torch.cat([h, h * 2, h.flip(1), h + 1], 1).view(-1, 2, 3, 4)


def wide(h: Tensor) -> Tensor:
    """Return 24 features as 3 steps of 8."""
    return torch.cat([h, h * 2, h.flip(1), h + 1], 1).view(-1, 3, 8)


MASK = torch.tensor([[True, False, True], [False, False, False], [True, True, True]])
KERNEL = torch.randn(3, 2, 2, dtype=torch.float64)

WITHIN: dict[str, Callable[[Any, Tensor], Tensor]] = {
    "sdpa": lambda m, h: sdpa(*[wide(h)] * 3).flatten(1)[:, :6],
    "sdpa heads": lambda m, h: sdpa(heads(h), heads(h.sin()), heads(h)).flatten(1)[:, 7:13],
    "sdpa causal": lambda m, h: sdpa(*[heads(h)] * 3, is_causal=True).flatten(1)[:, 7:13],
    "sdpa scale": lambda m, h: sdpa(*[wide(h)] * 3, scale=0.3).flatten(1)[:, :6],
    "sdpa mask": lambda m, h: sdpa(*[heads(h)] * 3, attn_mask=MASK).flatten(1)[:, 3:9],
    "sdpa added mask": lambda m, h: sdpa(*[wide(h)] * 3, attn_mask=m.b[:3]).flatten(1)[:, :6],
    "sdpa mask of rows": lambda m, h: sdpa(
        *[wide(h)] * 3, attn_mask=(h[:, :3] > 0)[:, None].expand(-1, 3, -1)
    ).flatten(1)[:, :6],
    "mha": lambda m, h: m.mha(*[wide(h)] * 3)[0].flatten(1)[:, :6],
    "mha weights": lambda m, h: m.mha(wide(h), wide(h.sin()), wide(h))[1].flatten(1)[:, :6],
    "mha no weights": lambda m, h: m.mha(*[wide(h)] * 3, need_weights=False)[0][:, 1, :6],
    "mha each head": lambda m, h: m.mha(*[wide(h)] * 3, average_attn_weights=False)[1][:, 1, 0]
    .repeat(1, 2),
    "mha mask": lambda m, h: m.mha(*[wide(h)] * 3, attn_mask=MASK.T.tril(-1))[0][:, 1, :6],
    "mha padding": lambda m, h: m.mha(
        *[wide(h)] * 3, key_padding_mask=F.pad(h[:, :2] > 0, (1, 0), value=False)
    )[0][:, 1, :6],
    "mha batch second": lambda m, h: m.second(*[wide(h).transpose(0, 1)] * 3)[0]
    .transpose(0, 1)[:, 2, :6],
    "mha one query": lambda m, h: m.second(
        wide(h)[:, 0].unsqueeze(0), *[wide(h).transpose(1, 0)] * 2
    )[0].squeeze(0)[:, :6],
    "turned without gradients": lambda m, h: ungraded(h) + h,
    "conv1d": lambda m, h: F.conv1d(h.view(-1, 2, 3), m.k, m.b[:3]).flatten(1),
    "conv1d padded": lambda m, h: F.conv1d(h.view(-1, 2, 3), m.k, padding=1, stride=2).flatten(1),
    "conv1d same": lambda m, h: F.conv1d(h.view(-1, 2, 3), m.conv.weight, padding="same")
    .flatten(1),
    "conv1d groups": lambda m, h: F.conv1d(
        h.view(-1, 2, 3), m.k[:2, :1], groups=2, dilation=2, padding=2
    ).flatten(1)[:, :6],
    "nn.Conv1d": lambda m, h: m.conv(h.view(-1, 2, 3)).flatten(1),
    "nn.Conv1d circular": lambda m, h: m.circular(h.view(-1, 2, 3)).flatten(1),
    "nn.Conv2d": lambda m, h: F.pad(m.conv2(h.view(-1, 1, 2, 3)).flatten(1), (1, 1)),
    "conv_transpose1d": lambda m, h: F.conv_transpose1d(h.view(-1, 3, 2), m.k).flatten(1),
    "avg_pool1d": lambda m, h: F.avg_pool1d(h, 2).repeat(1, 2),
    "avg_pool1d padded": lambda m, h: F.avg_pool1d(h.view(-1, 2, 3), 3, 1, 1).flatten(1),
    "max_pool1d": lambda m, h: F.max_pool1d(h, 3, stride=1, padding=1),
    "nn.MaxPool1d": lambda m, h: nn.MaxPool1d(2)(h.view(-1, 1, 6)).flatten(1).repeat(1, 2),
    "max_pool2d": lambda m, h: F.max_pool2d(h.view(-1, 1, 2, 3), (2, 2), 1).flatten(1).repeat(1, 3),
    "adaptive": lambda m, h: F.adaptive_avg_pool1d(h.view(-1, 2, 3), 1).flatten(1).repeat(1, 3),
    "adaptive max": lambda m, h: F.adaptive_max_pool1d(h, 3).repeat(1, 2),
    "unfold": lambda m, h: h.unfold(1, 2, 2).mean(-1).repeat(1, 2),
    "cosine": lambda m, h: h * F.cosine_similarity(h, h.sin() + 0.1, dim=-1)[:, None],
    "cosine of parts": lambda m, h: F.cosine_similarity(
        h.view(-1, 2, 3), h.flip(1).view(-1, 2, 3), 2
    ).repeat(1, 3),
    "cosine of a parameter": lambda m, h: h * F.cosine_similarity(h, m.b[None], dim=1)[:, None],
    "nn.CosineSimilarity": lambda m, h: h * nn.CosineSimilarity()(h, h.flip(1))[:, None],
    "pairwise": lambda m, h: h * F.pairwise_distance(h, h.flip(1))[:, None],
    "cdist": lambda m, h: torch.cdist(h.view(-1, 2, 3), h.flip(1).view(-1, 2, 3)).flatten(1)
    .repeat(1, 2)[:, :6],
    "cdist of centres": lambda m, h: torch.cdist(h.view(-1, 2, 3), m.b.view(2, 3), p=1).flatten(1)
    .repeat(1, 2)[:, :6],
    "bilinear": lambda m, h: F.bilinear(h[:, :2], h[:, 2:4], m.k, m.b[:3]).repeat(1, 2),
    "nn.Bilinear": lambda m, h: m.bilinear(h, h.sin()),
    "cumprod": lambda m, h: h.cumprod(1) + torch.cumprod(h.view(-1, 2, 3), -1).flatten(1),
    "diagonal": lambda m, h: (h[:, None] * h[:, :, None]).diagonal(dim1=1, dim2=2) + h,
    "diagonal offset": lambda m, h: F.pad((h[:, None] - h[:, :, None]).diagonal(1, 1, 2), (0, 1)),
    "diag_embed": lambda m, h: (torch.diag_embed(h) @ m.b) + h,
    "tril": lambda m, h: (h[:, None] * h[:, :, None]).tril().sum(2) + h,
    "triu": lambda m, h: torch.triu(h[:, None] * h[:, :, None], 1).sum(2),
    "pad circular": lambda m, h: F.pad(h.view(-1, 2, 3), (1, 0), mode="circular").flatten(1)[:, :6],
    "pad reflect": lambda m, h: F.pad(h.view(-1, 2, 3), (1, 1), mode="reflect").flatten(1)[:, :6],
    "pad replicate": lambda m, h: F.pad(h.view(-1, 1, 6), (2, 0), mode="replicate")[:, 0, :6],
}  # fmt: skip


def ungraded(h: Tensor) -> Tensor:
    with torch.no_grad():
        found: Tensor = wide(h).transpose(0, 1).transpose(0, 1)[:, 1, :6]
    return found


def tried(equations: Callable[..., Tensor]) -> Step:
    return Step(
        equations, b=torch.randn(H), k=KERNEL, mha=nn.MultiheadAttention(8, 2, batch_first=True),
        second=nn.MultiheadAttention(8, 4, bias=False), conv=nn.Conv1d(2, 2, 3, padding=1),
        circular=nn.Conv1d(2, 2, 3, padding=1, padding_mode="circular"),
        conv2=nn.Conv2d(1, 2, 2, padding=(0, 1), stride=(1, 2)), bilinear=nn.Bilinear(6, 6, 6),
    )  # fmt: skip


@pytest.mark.parametrize("name", WITHIN)
def test_what_works_within_rows_is_torchs_and_so_is_its_gradient(name: str) -> None:
    assert_agrees(tried(lambda m, x, h: WITHIN[name](m, h)))


def test_equal_features_share_nothing_in_a_pool_and_products_have_gradients_at_zero() -> None:
    h = torch.tensor([[1.0, 1.0, 0.0, 0.0, 2.0, 2.0]], dtype=torch.float64)
    x = torch.zeros(1, K, dtype=torch.float64)
    for name in ("max_pool1d", "nn.MaxPool1d", "cumprod", "pairwise"):
        assert_agrees(tried(lambda m, x, h, n=name: WITHIN[n](m, h)), x=x, state=[h])  # type: ignore[misc]


@pytest.mark.parametrize("hard", [False, True])
def test_gumbel_softmax_is_drawn_anew_for_each_row(hard: bool) -> None:
    def equations(m: Any, x: Tensor, h: Tensor) -> Tensor:
        return F.gumbel_softmax(h, tau=0.5, hard=hard)

    step = Step(equations).double()
    traced = trace(step, K, {"h": H}, torch.float64)
    assert [r.kind for r in traced.randoms] == ["uniform"]
    rows = 4000
    h = torch.linspace(-1, 1, H, dtype=torch.float64).expand(rows, -1)
    from recurra.program.reference import run

    x = torch.zeros(1, rows, K, dtype=torch.float64)
    noise = traced.randoms[0].draw(1, rows, x)
    found = run(traced.program, [x.numpy(), noise.numpy()], [h.numpy()], [
        leaf.numpy() for leaf in traced.leaves({})]).outputs[0][0]  # fmt: skip
    assert abs(found.sum(-1) - 1).max() < 1e-9
    # The largest is each class as often as a softmax of the logits says.
    often = torch.bincount(torch.as_tensor(found).argmax(-1), minlength=H) / rows
    assert (often - h[0].softmax(-1)).abs().max() < 4 * math.sqrt(0.25 / rows)


# fmt: off
REFUSED: dict[str, tuple[Callable[..., Any], str]] = {
    "the batch as a sequence": (lambda m, x, h: sdpa(h, h, h), "sequence is the batch itself"),
    "unbatched": (lambda m, x, h: m.mha(*[h] * 3)[0][:, :6], "sequence whose axis is the batch"),
    "not batch first": (lambda m, x, h: m.second(*[wide(h)] * 3)[0][:, 0, :6], "batch_first=True"),
    "unbatched convolution": (lambda m, x, h: m.conv(h), "convolution along the batch axis"),
    "large": (lambda m, x, h: m.conv(h.repeat(1, 200).view(-1, 2, 600))[:, :6], "mostly zeros"),
    "solve": (lambda m, x, h: torch.linalg.solve(wide(h)[..., :3], h[:, :3]), "linear algebra"),
    "inverse": (lambda m, x, h: wide(h)[..., :3].inverse(), "linear algebra"),
    "cdist of rows": (lambda m, x, h: torch.cdist(h, h), "mixes rows"),
    "diagonal of the batch": (lambda m, x, h: h.diagonal(), "batch axis"),
}
# fmt: on


@pytest.mark.parametrize("name", REFUSED)
def test_what_does_not_stay_within_rows_is_refused_with_the_reason(name: str) -> None:
    equations, reason = REFUSED[name]
    with pytest.raises(TraceError, match=reason):
        trace(tried(equations).double(), K, {"h": H}, torch.float64)
