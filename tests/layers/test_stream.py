"""A stream: pieces of any size, its state, restarts, and what happens to the layer meanwhile."""

from collections.abc import Sequence
from itertools import pairwise

import pytest
import torch
from torch import Tensor, nn

from every_kind import KINDS, build, needs_core, random_state, same_bits
from recurra import Recurrent, use_backend
from recurra.errors import ArgumentError, ShapeError

every_kind = pytest.mark.parametrize("kind", KINDS)
T, I, H = 40, 3, 8  # noqa: E741 - the axes' names
CUTS = {
    "whole": [40],
    "steps": [1] * 40,
    "sevens": [7, 7, 7, 7, 7, 5],
    "mixed": [1, 0, 17, 2, 1, 19],
}


def whole(layer: Recurrent, x: Tensor, state: Sequence[Tensor] | None = None) -> list[Tensor]:
    with torch.no_grad():
        out, last = layer(x, state)
    return [out, *last]


@needs_core
@pytest.mark.parametrize("B", [1, 3, 16, 17, 40])
@every_kind
def test_pieces_of_any_size_give_the_bits_of_the_whole(kind: str, B: int) -> None:
    layer, x = build(kind, I, H, num_layers=2), torch.randn(T, B, I)
    wanted = whole(layer, x)
    for cut in CUTS.values():
        stream = layer.stream(B)
        out = torch.cat([stream.push(piece) for piece in x.split(cut)])
        assert same_bits([out, *stream.state], wanted)


@needs_core
@every_kind
def test_single_steps_are_pieces_of_one(kind: str) -> None:
    layer, x = build(kind, I, H, torch.float64), torch.randn(T, 2, I, dtype=torch.float64)
    wanted, stream = whole(layer, x), layer.stream(2)
    assert same_bits([torch.stack([stream.push(step) for step in x])], wanted[:1])
    assert same_bits(stream.state, wanted[1:])


@pytest.mark.parametrize("backend", ["eager", "auto", "native", "no core"], indirect=True)
@pytest.mark.usefixtures("backend")
@pytest.mark.parametrize("batch_first", [False, True])
def test_a_stream_runs_on_every_backend_in_the_layers_axes(batch_first: bool) -> None:
    layer = build("lstm", I, H, torch.float64, batch_first=batch_first)
    shape = (4, T, I) if batch_first else (T, 4, I)
    x, stream = torch.randn(shape, dtype=torch.float64), layer.stream(4)
    pieces = [stream.push(piece) for piece in x.split(11, 1 if batch_first else 0)]
    wanted = whole(layer, x)
    found = [torch.cat(pieces, 1 if batch_first else 0), *stream.state]
    torch.testing.assert_close(found, wanted, rtol=1e-12, atol=1e-14)


def test_pieces_may_lie_anyhow_in_memory() -> None:
    layer = build("gru", I, H)
    x = torch.randn(I, 2, 4 * T)[..., 1::4].permute(2, 1, 0)
    assert not x.is_contiguous()
    stream, other = layer.stream(2), layer.stream(2)
    for step in x:
        assert same_bits([stream.push(step)], [other.push(step.contiguous())])
    lazy = torch.complex(torch.zeros(2, I), -x[0]).conj().imag
    assert lazy.is_neg()
    stream.reset()
    other.reset()
    assert same_bits([stream.push(lazy)], [other.push(x[0])])
    out = stream.push(x[:1, :, :].expand(5, 2, I))
    assert same_bits([out], [other.push(x[:1].repeat(5, 1, 1))])


@every_kind
def test_the_state_can_be_read_kept_and_set(kind: str) -> None:
    layer, x = build(kind, I, H, num_layers=2), torch.randn(T, 3, I)
    state, stream = random_state(layer, 3), layer.stream(3)
    stream.state = state
    assert same_bits(stream.state, state)
    out = stream.push(x[:20])
    kept = stream.state
    rest = stream.push(x[20:])
    assert same_bits([torch.cat([out, rest]), *stream.state], whole(layer, x, state))
    assert not same_bits(kept, stream.state)  # a copy, which a push does not write to
    stream.state = kept
    assert same_bits([stream.push(x[20:])], [rest])


@pytest.mark.parametrize("B", [4, 20])
def test_rows_start_anew_from_the_learned_state(B: int) -> None:
    layer, x = build("lstm", I, H, learn_initial_state=True), torch.randn(T, B, I)
    nn.init.normal_(layer.initial_state[0])
    stream = layer.stream(B)
    first = stream.push(x)
    before = stream.state
    stream.reset([1])
    for own, old, fresh in zip(stream.state, before, layer.initial_state, strict=True):
        assert torch.equal(own[:, 1], fresh)
        assert torch.equal(own[:, 2], old[:, 2])
    again = stream.push(x)
    assert torch.equal(again[:, 1], first[:, 1])
    assert not torch.equal(again[:, 2], first[:, 2])
    mask = torch.zeros(B, dtype=torch.bool)
    mask[2] = True
    for rows in (mask, None):
        stream.reset(rows)
        again = stream.push(x)
        assert torch.equal(again[:, 2], first[:, 2])
        assert torch.equal(again[:, 0], first[:, 0]) == (rows is None)


def test_a_stream_follows_the_layers_weights() -> None:
    layer, x = build("gru", I, H), torch.randn(T, 2, I)
    stream = layer.stream(2)
    stream.push(x)
    optimizer = torch.optim.SGD(layer.parameters(), lr=0.1)
    layer(x)[0].sum().backward()
    seen = []
    for change in ("a step", "replaced", "a state dict", "replaced data"):
        if change == "a step":
            optimizer.step()
        elif change == "replaced":
            layer.cells[0].gates.weight_hh = nn.Parameter(torch.randn(3 * H, H))
        elif change == "a state dict":
            layer.load_state_dict(build("gru", I, H).state_dict())
        else:
            for p in layer.parameters():
                p.data = p.data * 2
        stream.reset()
        seen.append(stream.push(x))
        assert same_bits([seen[-1], *stream.state], whole(layer, x)), change
    assert not any(torch.equal(a, b) for a, b in pairwise(seen))


@pytest.mark.parametrize("B", [2, 20])
def test_a_stream_follows_the_layer_to_another_precision(B: int) -> None:
    layer, x = build("gru", I, H), torch.randn(T, B, I)
    stream = layer.stream(B)
    stream.push(x)
    kept = stream.state
    layer.double()
    with pytest.raises(ShapeError, match=r"torch\.float64 on cpu; got .*torch\.float32"):
        stream.push(x)
    assert same_bits(stream.state, [s.double() for s in kept])
    out = stream.push(x.double())
    assert same_bits([out, *stream.state], whole(layer, x.double(), [s.double() for s in kept]))
    layer.float()
    stream.reset()
    assert same_bits([stream.push(x)], whole(layer, x)[:1])


def test_nothing_is_recorded_and_inference_mode_is_no_obstacle() -> None:
    layer, x = build("gru", I, H), torch.randn(2, I, requires_grad=True)
    for B in (2, 20):
        with torch.inference_mode():
            stream = layer.stream(B)
            stream.push(torch.randn(B, I))
        out = stream.push(x[:1].expand(B, I))
        assert not out.requires_grad
        assert not any(s.requires_grad for s in stream.state)
        stream.reset()
        stream.state = tuple(s.requires_grad_() for s in stream.state)
        stream.push(torch.randn(B, I))


def test_streams_of_one_layer_do_not_meet() -> None:
    layer, x = build("lstm", I, H), torch.randn(2, T, 1, I)
    streams = [layer.stream() for _ in x]
    outputs = [[stream.push(step) for stream, step in zip(streams, steps, strict=True)]
               for steps in zip(*x, strict=True)]  # fmt: skip
    for k, (own, stream) in enumerate(zip(x, streams, strict=True)):
        found = torch.stack([each[k] for each in outputs])
        assert same_bits([found, *stream.state], whole(layer, own))


@pytest.mark.parametrize(
    ("x", "message"),
    [
        (torch.zeros(3), r"got \(3,\)"),
        (torch.zeros(3, I), r"got \(3, 3\)"),
        (torch.zeros(2, I + 1), r"got \(2, 4\)"),
        (torch.zeros(5, 3, I), r"got \(5, 3, 3\)"),
        (torch.zeros(1, 5, 2, I), r"got \(1, 5, 2, 3\)"),
        (torch.zeros(2, I, dtype=torch.float64), "torch.float64 on cpu"),
        (torch.zeros(2, I, dtype=torch.int64), "torch.int64 on cpu"),
        (torch.zeros(2, I, device="meta"), "torch.float32 on meta"),
        (torch.zeros(5, 2, I, device="meta"), "torch.float32 on meta"),
    ],
)
def test_pieces_that_do_not_fit_are_refused_and_change_nothing(x: Tensor, message: str) -> None:
    stream = build("gru", I, H).stream(2)
    stream.push(torch.randn(4, 2, I))
    before = stream.state
    with pytest.raises(ShapeError, match=rf"\(B, I\) = \(2, 3\) or \(T, B, I\).*{message}"):
        stream.push(x)
    assert same_bits(stream.state, before)


def test_a_layer_that_runs_both_ways_has_no_stream() -> None:
    with pytest.raises(ArgumentError, match="bidirectional layer needs the end"):
        build("gru", I, H, bidirectional=True).stream()
    for size in (0, -1):
        with pytest.raises(ArgumentError, match="batch_size"):
            build("gru", I, H).stream(size)
    with use_backend("native"), pytest.raises(ShapeError, match="must be one tensor for each"):
        build("lstm", I, H).stream().state = torch.zeros(1, 1, H)
