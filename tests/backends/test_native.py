"""The core beside the eager loop: shapes and memory of every sort, graphs, changed cells."""

import copy
import pickle
from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from every_kind import KINDS, build, on, random_state, same_bits
from recurra import Recurrent, use_backend
from recurra.errors import BackendError

_core = pytest.importorskip("recurra._core")
native = pytest.importorskip("recurra.backends.native")

every_kind = pytest.mark.parametrize("kind", KINDS)
EXACT = {"rtol": 1e-10, "atol": 1e-12}
T, B, I, H = 6, 5, 3, 4  # noqa: E741 - the axes' names


def random_x(T: int = T, B: int = B, dtype: torch.dtype = torch.float32) -> Tensor:
    return torch.randn(T, B, I, dtype=dtype, requires_grad=True)


@every_kind
def test_auto_takes_the_core(kind: str) -> None:
    layer, x = build(kind, I, H, num_layers=2, bidirectional=True), random_x()
    reset = torch.rand(T, B) < 0.3
    for options in ({}, {"lengths": [6, 0, 2, 6, 1]}, {"reset": reset}):
        found, wanted = (on(name, layer, x, **options) for name in ("auto", "native"))
        assert same_bits(found, wanted)
    (kernel,) = {
        type(found).__name__
        for (known,) in layer.cells[0].programs.known.values()
        for found in [known.found]
    }
    assert kernel == "Prepared"


@every_kind
def test_many_blocks_of_steps_give_what_the_loop_gives(
    kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(native, "BLOCK_BYTES", 1)  # sums of gradients every 8 steps
    layer = build(kind, I, H, torch.float64, num_layers=2, bidirectional=True)
    x, state = random_x(27, 4, torch.float64), random_state(layer, 4)
    lengths, reset = torch.tensor([27, 24, 0, 9]), torch.rand(27, 4) < 0.1
    for options in ({}, {"lengths": lengths, "reset": reset}):
        found, wanted = (on(name, layer, x, state, **options) for name in ("native", "eager"))
        torch.testing.assert_close(found, wanted, **EXACT)
        with use_backend("native"), torch.no_grad():  # keeps the steps of one block only
            out, last = layer(x, state, **options)
        assert same_bits([out, *last], found[: 1 + len(last)])


@pytest.mark.parametrize("graph", [True, False], ids=["gradients", "no-gradients"])
@every_kind
def test_nothing_gives_nothing_and_the_state_that_was_given(kind: str, graph: bool) -> None:
    layer = build(kind, I, H)
    for T, B in ((0, 3), (4, 0), (0, 0)):
        state = random_state(layer, B)
        with torch.set_grad_enabled(graph):
            out, last = layer(random_x(T, B), state)
            assert out.shape == (T, B, layer.output_size)
            if T == 0:
                assert same_bits(last, state)
            with use_backend("native"), pytest.raises(BackendError, match="the input is empty"):
                layer(random_x(T, B), state)
    state = random_state(layer, 2)
    with use_backend("native"), torch.set_grad_enabled(graph):
        out, last = layer(random_x(4, 2), state, lengths=[0, 0])
    assert out.count_nonzero() == 0
    assert same_bits(last, state)


def odd(value: Tensor) -> Tensor:
    """Return `value` with its axes mirrored in memory, an offset, and NaN between its numbers."""
    room = value.new_full((*value.shape[::-1], 3), float("nan"))[..., 1]
    room = room.permute(*reversed(range(room.dim())))
    room.copy_(value.detach())
    assert not room.is_contiguous()
    assert room.storage_offset() == 1
    return room.requires_grad_(value.requires_grad)


def negated(value: Tensor) -> Tensor:
    """Return `value` as torch's lazy negation of a view."""
    view = torch.complex(torch.zeros_like(value), -value).detach().conj().imag
    assert view.is_neg()
    return view.requires_grad_(value.requires_grad)


@pytest.mark.parametrize("layout", [odd, negated])
@every_kind
def test_any_memory_layout_gives_the_bits_of_contiguous_memory(
    kind: str, layout: Callable[[Tensor], Tensor]
) -> None:
    layer = build(kind, I, H)
    x, state = random_x(), random_state(layer, B)
    for lengths in (None, torch.tensor([2, 6, 0, 1, 6])):
        found = []
        for change in (lambda v: v, layout):
            leaves = [change(v) for v in (x, *state)]
            with use_backend("native"):
                out, last = layer(leaves[0], leaves[1:], lengths)
            values = [out, *last]
            torch.manual_seed(1)
            incoming = [change(torch.randn_like(v).detach()) for v in values]
            wrt = [*leaves, *layer.parameters()]
            gradients = torch.autograd.grad(values, wrt, incoming, allow_unused=True)
            found.append(values + [g for g in gradients if g is not None])
        assert same_bits(*found)


def test_expanded_inputs_and_gradients_are_as_good_as_whole_ones() -> None:
    for kind in KINDS:
        layer = build(kind, I, H)
        row = torch.randn(1, 1, I).expand(T, B, I)
        state = tuple(s.detach()[:, :1].expand(-1, B, -1) for s in random_state(layer, B))
        found = []
        for change in (lambda v: v, lambda v: v.contiguous().clone()):
            x, *s = (change(v).requires_grad_() for v in (row, *state))
            with use_backend("native"):
                out, _ = layer(x, s)
            incoming = change(torch.ones(()).expand(out.shape))
            assert change(row).is_contiguous() == incoming.is_contiguous()
            summed = torch.autograd.grad(out.sum(), x, retain_graph=True)
            found.append([out, *summed, *torch.autograd.grad(out, [x], incoming)])
        assert same_bits(*found)
        assert same_bits(found[0][1:2], found[0][2:3])


def test_lazy_zeros_as_a_gradient_are_zeros() -> None:
    layer, x = build("lstm", I, H), random_x()
    out, (h, c) = layer(x)
    for value in (out, h, c):
        zeros = torch._efficientzerotensor(value.shape)
        (dx,) = torch.autograd.grad(value, x, zeros, retain_graph=True)
        assert dx.count_nonzero() == 0


@pytest.mark.parametrize("who", ["x", "weights", "state", "one weight", "fresh state"])
@every_kind
def test_gradients_go_where_they_are_asked_for_and_nowhere_else(kind: str, who: str) -> None:
    layer = build(kind, I, H, torch.float64, learn_initial_state=who == "fresh state")
    x, state = random_x(dtype=torch.float64), random_state(layer, B)
    tensors = {"x": [x], "state": list(state), "weights": list(layer.cells.parameters())}
    tensors["one weight"] = tensors["weights"][1:2]
    tensors["fresh state"] = list(layer.initial_state or ())
    for t in (x, *state, *layer.parameters()):
        t.requires_grad_(any(t is one for one in tensors[who]))
    options = {"reset": torch.rand(T, B) < 0.4, "lengths": [6, 3, 0, 1, 6]}
    found = on("native", layer, x, state, **options)
    wanted = on("eager", layer, x, state, **options)
    assert len(found) == 1 + len(state) + len(tensors[who])
    torch.testing.assert_close(found, wanted, **EXACT)


@every_kind
def test_a_second_backward_through_a_kept_graph_gives_the_same_bits(kind: str) -> None:
    layer, x, reset = build(kind, I, H), random_x(), torch.rand(T, B) < 0.3
    state = random_state(layer, B)
    with use_backend("native"):
        out, last = layer(x, state, [6, 3, 0, 1, 6], reset)
    wrt, loss = [x, *state, *layer.parameters()], out.square().sum() + sum(s.sum() for s in last)
    first, second = (
        torch.autograd.grad(loss, wrt, retain_graph=keep, materialize_grads=True)
        for keep in (True, False)
    )
    assert same_bits(first, second)
    with pytest.raises(RuntimeError, match="backward through the graph a second time"):
        torch.autograd.grad(loss, wrt)


@pytest.mark.parametrize("kind", ["elman", "lstm", "gru", "lstm-projected", "ind_rnn"])
def test_a_weight_changed_between_the_passes_is_noticed_or_does_not_matter(kind: str) -> None:
    changed = 0
    for k in range(len(list(build(kind, I, H).parameters()))):
        torch.manual_seed(3)
        layer, x = build(kind, I, H, torch.float64), random_x(dtype=torch.float64)
        wanted = on("eager", layer, x)[-1 - len(list(layer.parameters())) :]
        with use_backend("native"):
            out, last = layer(x)
        generator = torch.Generator().manual_seed(5)
        incoming = [torch.randn(v.shape, generator=generator, dtype=v.dtype) for v in (out, *last)]
        with torch.no_grad():
            list(layer.parameters())[k].mul_(2)
        try:
            found = torch.autograd.grad([out, *last], [x, *layer.parameters()], incoming)
        except RuntimeError as error:
            assert "modified by an inplace operation" in str(error)  # noqa: PT017 - one of two
            changed += 1
        else:
            torch.testing.assert_close(list(found), wanted, **EXACT)
    assert changed >= 1


@every_kind
def test_calls_may_come_between_a_forward_pass_and_its_backward_pass(kind: str) -> None:
    layer = build(kind, I, H)
    inputs = [random_x(T, B) for T, B in ((6, 5), (1, 1), (9, 2), (6, 3))]
    wanted = [on("native", layer, x) for x in inputs]
    with use_backend("native"):
        results = [layer(x) for x in inputs]
    for x, (out, last), alone in reversed(list(zip(inputs, results, wanted, strict=True))):
        generator = torch.Generator().manual_seed(5)
        values = [out, *last]
        incoming = [
            torch.randn(v.shape, generator=generator, dtype=torch.float64).float() for v in values
        ]
        wrt = [x, *layer.parameters()]
        gradients = torch.autograd.grad(
            values, wrt, incoming, allow_unused=True, materialize_grads=True
        )
        assert same_bits([*values, *gradients], alone)


@pytest.mark.parametrize("twin", [copy.deepcopy, lambda m: pickle.loads(pickle.dumps(m))])
@every_kind
def test_a_layer_that_has_run_can_be_copied_and_pickled(
    kind: str, twin: Callable[[Recurrent], Recurrent]
) -> None:
    layer, x = build(kind, I, H), random_x()
    before = on("native", layer, x)
    other = twin(layer)
    assert same_bits(on("native", other, x), before)
    with torch.no_grad():
        for p in other.parameters():
            p.zero_()
    assert not same_bits(on("native", other, x), before)
    assert same_bits(on("native", layer, x), before)


@pytest.mark.parametrize("given", [False, True], ids=["learned", "given"])
@every_kind
def test_a_learned_initial_state_is_where_rows_begin_and_restart(kind: str, given: bool) -> None:
    layer = build(kind, I, H, torch.float64, learn_initial_state=True, num_layers=2)
    with torch.no_grad():
        for parameter in layer.initial_state:
            parameter.uniform_(0.5, 1)
    x, state = random_x(dtype=torch.float64), random_state(layer, B) if given else None
    for reset in (None, torch.rand(T, B) < 0.4):
        found, wanted = (on(name, layer, x, state, reset=reset) for name in ("native", "eager"))
        torch.testing.assert_close(found, wanted, **EXACT)


@every_kind
def test_nothing_comes_out_that_was_not_written(kind: str) -> None:
    # The memory for what a run keeps is used again: fill it with NaN, and the scratch too.
    layer = build(kind, I, H, num_layers=2, bidirectional=True)
    x, wide = random_x(), torch.full((T + 3, B + 2, I), float("nan"), requires_grad=True)
    for options in ({}, {"lengths": [6, 0, 2, 6, 1]}, {"reset": torch.rand(T, B) < 0.3}):
        clean = on("native", layer, x, **options)
        assert not on("native", layer, wide)[0].isfinite().any()
        poisoned = [_core.memory(256 * k) for k in range(1, 64)]
        for memory in poisoned:
            memory.fill_(255)  # NaN, in either precision
        assert memory.view(torch.float32).isnan().all()
        del poisoned, memory
        found = on("native", layer, x, **options)
        assert all(f.isfinite().all() for f in found)
        assert same_bits(found, clean)
