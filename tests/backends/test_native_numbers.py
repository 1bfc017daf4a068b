"""The core's numbers: against float64, against finite differences, in other dtypes, far out."""

import math

import pytest
import torch
from torch import Tensor
from torch.autograd import gradcheck, gradgradcheck
from torch.func import functional_call, jvp, vmap

from every_kind import KINDS, build, everything, on, random_state
from recurra import Recurrent, use_backend
from recurra.cells import CELLS
from recurra.errors import BackendError, ShapeError

pytest.importorskip("recurra._core")

# Torch says so once in a process, whichever test comes first.
pytestmark = pytest.mark.filterwarnings("ignore:LSTM with projections is not supported with oneDNN")
every_kind = pytest.mark.parametrize("kind", KINDS)
EXACT = {"rtol": 1e-10, "atol": 1e-12}


@pytest.mark.parametrize("T", [1, 2, 7, 64, 512])
@every_kind
def test_single_precision_is_as_near_to_double_as_rounding_lets_it(kind: str, T: int) -> None:
    # Of a tensor's largest element, or of 1: 4 (1 + backward) log2(terms added up) eps.
    I, H, B = 5, 8, 3  # noqa: E741
    layer = build(kind, I, H)
    if kind == "ind_rnn":  # above 1 it grows without bound
        layer.cells[0].u.data.clamp_(-0.9, 0.9)
    x, state = torch.randn(T, B, I, requires_grad=True), random_state(layer, B)
    found = on("native", layer, x, state)
    values = 1 + len(state)

    layer.double()
    x, state = x.detach().double().requires_grad_(), [s.detach().double() for s in state]
    wanted = on("eager", layer, x, [s.requires_grad_() for s in state])
    assert all(f.dtype == torch.float32 for f in found)
    for k, (f, w) in enumerate(zip(found, wanted, strict=True)):
        backward = k >= values
        bound = 4 * (1 + backward) * math.ceil(math.log2((I + H) * T)) * 2**-23
        error = float((f.double() - w).abs().max() / w.abs().max().clamp(min=1))
        assert error <= bound, (k, error / bound)


@pytest.mark.parametrize(
    ("dtype", "near"), [(torch.bfloat16, 0.02), (torch.float16, 1e-3)], ids=["bfloat16", "float16"]
)
@every_kind
def test_half_precision_is_refused_by_name_and_left_to_torch(
    kind: str, dtype: torch.dtype, near: float
) -> None:
    layer = build(kind, 3, 4)
    low, x = build(kind, 3, 4).to(dtype), torch.randn(4, 2, 3).to(dtype)
    with torch.no_grad():
        for p, q in zip(low.parameters(), layer.parameters(), strict=True):
            q.copy_(p.copy_(q))
    out, state = low(x)
    assert {out.dtype, *(s.dtype for s in state)} == {dtype}
    wanted, _ = layer.double()(x.double())
    bound = near * max(1.0, float(wanted.detach().abs().max()))
    torch.testing.assert_close(out.double(), wanted, rtol=0, atol=bound)
    with use_backend("native"), pytest.raises(BackendError, match=f"float32 and float64.*{dtype}"):
        low(x)
    with pytest.raises(ShapeError, match=f"x is {dtype}, but the layer's weights are"):
        layer.float()(x)


def as_function(layer: Recurrent) -> tuple[tuple[Tensor, ...], object]:
    """Return the tensors of a ragged run and the function of them, x not contiguous."""
    named = dict(layer.named_parameters())
    sizes = [p.numel() for p in named.values()]
    flat = torch.cat([p.detach().flatten() for p in named.values()])  # one tensor: it is quicker
    x = torch.randn(layer.input_size, 3, 7, dtype=torch.float64, requires_grad=True)
    state = random_state(layer, 3)

    def run(x: Tensor, *others: Tensor) -> tuple[Tensor, ...]:
        x = x.permute(2, 1, 0)
        assert not x.is_contiguous()
        pieces = others[-1].split(sizes)
        weights = {n: v.view_as(p) for (n, p), v in zip(named.items(), pieces, strict=True)}
        given = (x, others[: len(state)], torch.tensor([4, 7, 2]))
        with use_backend("native"):
            out, last = functional_call(layer, weights, given)
        return out, *last

    return (x, *state, flat.requires_grad_()), run


@every_kind
def test_the_derivatives_are_those_of_finite_differences(kind: str) -> None:
    layer = build(kind, 2, 4, torch.float64, num_layers=2, bidirectional=True)
    values, run = as_function(layer)
    assert gradcheck(run, values, fast_mode=True)


@pytest.mark.parametrize("kind", CELLS)
def test_the_second_derivatives_are_those_of_finite_differences(kind: str) -> None:
    layer = build(kind, 2, 3, torch.float64, num_layers=2, bidirectional=True)
    values, run = as_function(layer)
    assert gradgradcheck(run, values, fast_mode=True, atol=1e-4, check_undefined_grad=False)


@pytest.mark.parametrize("kind", ["lstm", "gru-before"])
def test_every_element_of_the_gradients_is_that_of_finite_differences(kind: str) -> None:
    layer = build(kind, 2, 2, torch.float64, num_layers=2, bidirectional=True)
    values, run = as_function(layer)
    assert gradcheck(run, values)


@pytest.mark.filterwarnings("ignore:`torch.jit.script` is deprecated")  # in torch's own jvp
@pytest.mark.parametrize("kind", ["lstm", "gru", "fcn"])
def test_what_the_core_has_no_rule_for_is_left_to_torch(kind: str) -> None:
    layer = build(kind, 3, 4, torch.float64)
    x, direction = torch.randn(2, 5, 2, 3, dtype=torch.float64)
    with use_backend("eager"):
        value, wanted = jvp(lambda x: layer(x)[0], (x,), (direction,))
    found = jvp(lambda x: layer(x)[0], (x,), (direction,))
    torch.testing.assert_close(found, (value, wanted), **EXACT)
    assert wanted.abs().max() > 0.01

    many = torch.randn(3, 5, 2, 3, dtype=torch.float64)
    each = torch.stack([layer(one)[0] for one in many])
    torch.testing.assert_close(vmap(lambda x: layer(x)[0])(many), each, **EXACT)
    gradient = torch.func.grad(lambda x: layer(x)[0].square().sum())
    with use_backend("eager"):
        wanted = torch.stack([gradient(one) for one in many])
    torch.testing.assert_close(vmap(gradient)(many), wanted, **EXACT)
    for transform in (vmap, lambda f: f):
        with use_backend("native"), pytest.raises(BackendError, match=r"torch\.func"):
            transform(gradient)(many if transform is vmap else x)


@pytest.mark.parametrize("poison", [float("nan"), float("inf"), -float("inf")])
@every_kind
def test_a_poisoned_row_leaves_the_others_and_its_own_past_as_they_were(
    kind: str, poison: float
) -> None:
    layer = build(kind, 5, 6)
    x, state, k, others = torch.randn(7, 5, 5), random_state(layer, 5), 4, [0, 1, 3, 4]
    found = []
    for value in (x[k, 2, 1].clone(), poison):
        x[k, 2, 1] = value
        given = x.clone().requires_grad_()
        with use_backend("native"):
            out, last = layer(given, state)
        dx, *ds = torch.autograd.grad(out[:, others].sum(), [given, *state], allow_unused=True)
        kept = [out[:, others], out[:k, 2], *(s[:, others] for s in last), dx[:, others]]
        found.append(kept + [d[:, others] for d in ds])
    assert not out[k:, 2].isfinite().all() or math.isinf(poison)
    assert all(map(torch.equal, *found))


SATURATING = ("elman", "fcn", "gru", "gru-before", "lstm", "lstm-lesson", "lstm-projected", "mgu",
              "coupled_lstm", "janet", "ind_rnn-tanh", "rhn", "rhn-1")  # fmt: skip


@pytest.mark.parametrize("size", [1e30, 1e-30, 1e-39])
@every_kind
def test_very_large_and_very_small_inputs_give_what_the_loop_gives(kind: str, size: float) -> None:
    layer = build(kind, 5, 8)
    x = (torch.randn(6, 3, 5) * size).requires_grad_()
    assert x.count_nonzero() > 0.9 * x.numel()
    found, wanted = on("native", layer, x), on("eager", layer, x)
    if kind in SATURATING or size < 1:
        assert all(f.isfinite().all() for f in found)
    for f, w in zip(found, wanted, strict=True):
        if not w.isfinite().all():  # the loop is beyond its range
            assert kind not in SATURATING
            continue
        scale = float(w.abs().max().clamp(min=1))
        torch.testing.assert_close(f, w, rtol=0, atol=2e-5 * scale)


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("flush", [False, True])
def test_the_callers_way_with_denormal_numbers_stays_as_it_was(flush: bool, threads: int) -> None:
    if not torch.set_flush_denormal(flush):
        pytest.skip("this processor cannot flush denormal numbers")
    tiny, layer = torch.tensor([1e-38]), build("lstm", 5, 8)
    x = (torch.randn(6, 3, 5) * 1e-39).requires_grad_()
    try:
        torch.set_num_threads(threads)
        assert bool(tiny * 0.1 == 0) == flush
        everything(layer, x)
        assert bool(tiny * 0.1 == 0) == flush
    finally:
        torch.set_num_threads(1)
        torch.set_flush_denormal(False)
