"""What happens to a layer while a stream of it is open: every push computes with it as it is."""

import copy
import subprocess
import sys
from collections.abc import Callable
from threading import Thread

import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize, prune

import recurra
from every_kind import build, needs_core, same_bits
from recurra import Cell, Recurrent, use_backend
from recurra.errors import ArgumentError, ShapeError
from recurra.layers.stream import Stream

T, B, I, H = 12, 2, 3, 8  # noqa: E741 - the axes' names

Change = Callable[[nn.Module], object]


def gates(layer: nn.Module) -> nn.Module:
    return layer.cells[0].gates


def by_numpy(layer: nn.Module) -> None:
    gates(layer).weight_hh.detach().numpy()[3, 2] += 1


def by_copy(layer: nn.Module) -> None:
    gates(layer).bias_ih.data.copy_(torch.randn(4 * H))


def by_fused_optimiser(layer: nn.Module) -> None:
    for p in layer.parameters():
        p.grad = torch.randn_like(p)
    torch.optim.AdamW(layer.parameters(), lr=0.1, fused=True).step()


def by_turned_data(layer: nn.Module) -> None:
    square = layer.cells[1].gates.weight_hh
    square.data = square.data[: H * 4].clone().view(4 * H, H)
    turned = torch.randn(H, 4 * H).t()
    square.data = turned


def by_hook(layer: nn.Module) -> None:
    gates(layer).register_forward_hook(lambda module, args, out: 2 * out)


def by_layer_hook(layer: nn.Module) -> None:
    layer.register_forward_pre_hook(lambda module, args: (2 * args[0], *args[1:]))


def by_parametrisation(layer: nn.Module) -> None:
    parametrize.register_parametrization(gates(layer), "weight_hh", Doubled())


class Doubled(nn.Module):
    def forward(self, weight: Tensor) -> Tensor:
        return 2 * weight


CHANGES: dict[str, Change] = {
    "data.mul_": lambda layer: gates(layer).weight_hh.data.mul_(2),
    "data.neg_": lambda layer: gates(layer).weight_ih.data.neg_(),
    "one number by numpy": by_numpy,
    "data.copy_": by_copy,
    "a fused optimiser": by_fused_optimiser,
    "turned in memory": by_turned_data,
    "the cell replaced": lambda layer: layer.cells.__setitem__(0, recurra.cells.LSTM(I, H)),
    "the cells replaced": lambda layer: setattr(
        layer, "cells", nn.ModuleList([recurra.cells.LSTM(I, H), recurra.cells.LSTM(H, H)])
    ),
    "a submodule replaced": lambda layer: setattr(
        layer.cells[0], "gates", recurra.cells.cell.Affine(I, H, 4)
    ),
    "a parameter replaced": lambda layer: setattr(
        gates(layer), "bias_hh", nn.Parameter(torch.randn(4 * H))
    ),
    "a parameter taken away": lambda layer: setattr(gates(layer), "bias_ih", None),
    "squash_cell": lambda layer: setattr(layer.cells[1], "squash_cell", True),
    "a hook on a module": by_hook,
    "a hook on the layer": by_layer_hook,
    "a parametrisation": by_parametrisation,
    "prune": lambda layer: prune.l1_unstructured(gates(layer), "weight_hh", 0.5),
    "half": lambda layer: layer.to(torch.bfloat16).float(),
}


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("rows", [B, 20])
def test_the_next_push_computes_with_the_layer_as_it_is(change: str, rows: int) -> None:
    layer = build("lstm", I, H, num_layers=2)
    x, stream = torch.randn(T, rows, I), layer.stream(rows)
    before = stream.push(x)
    kept = stream.state
    CHANGES[change](layer)
    with torch.no_grad():
        out, last = layer(x, kept)
    assert not torch.equal(out, whole(layer, x)), "the state matters"
    step = stream.push(x[0])
    rest = stream.push(x[1:])
    found = [torch.cat([step.unsqueeze(0), rest]), *stream.state]
    for a, b in zip(found, [out, *last], strict=True):
        torch.testing.assert_close(a, b, rtol=0, atol=0 if core() else 1e-6)
    stream.reset()
    assert not torch.allclose(stream.push(x), before), "the change matters"


def core() -> bool:
    return bool(sys.modules.get("recurra._core"))


def whole(layer: nn.Module, x: Tensor, state: object = None) -> Tensor:
    with torch.no_grad():
        return layer(x, state)[0]


@needs_core
def test_a_large_cell_is_looked_at_in_turn() -> None:
    layer = build("lstm", 64, 256)  # 1.3 MB
    stream, x = layer.stream(), torch.randn(1, 64)
    assert stream._steppers is not None
    stream.push(x)
    gates(layer).weight_hh.data.mul_(1.5)  # all numbers: seen at once
    kept = stream.state
    assert torch.equal(stream.push(x), whole(layer, x.unsqueeze(0), kept)[0])
    weight = gates(layer).weight_hh
    for k in range(weight.shape[0] // 100):  # one number, wherever it lies: soon
        weight.data[100 * k, k] += 1
        for _ in range(20):
            kept = stream.state
            out = stream.push(x)
        assert torch.equal(out, whole(layer, x.unsqueeze(0), kept)[0])
    for k in (0, 1000):  # and at once where that is asked for, or the piece is long
        weight.data[k, 7] += 1
        kept = stream.state
        if k:
            stream.refresh()
            assert torch.equal(stream.push(x), whole(layer, x.unsqueeze(0), kept)[0])
        else:
            piece = torch.randn(16, 1, 64)
            assert torch.equal(stream.push(piece), whole(layer, piece, kept))


@needs_core
def test_every_number_of_a_weight_is_looked_at() -> None:
    layer = build("elman", 5, 37)
    stream, x = layer.stream(), torch.randn(1, 5)
    hold = stream._steppers.hold
    for p in layer.parameters():
        for k in range(p.numel()):
            flat = p.data.view(-1)
            assert hold(1)
            before = flat[k].item()
            flat[k] = before + 1e-3
            assert not hold(1)
            flat[k] = before
    assert hold(1)
    stream.push(x)


@needs_core
def test_weights_that_another_process_writes_are_followed() -> None:
    layer = build("gru", I, H).share_memory()
    stream, x = layer.stream(), torch.randn(1, I)
    stream.push(x)
    context = torch.multiprocessing.get_context("fork")
    child = context.Process(target=scale, args=(layer,))
    child.start()
    child.join()
    kept = stream.state
    assert torch.equal(stream.push(x), whole(layer, x.unsqueeze(0), kept)[0])


def scale(layer: nn.Module) -> None:
    with torch.no_grad():
        for p in layer.parameters():
            p.mul_(3)


class Scaled(Cell):
    def __init__(self, input_size: int, hidden_size: int) -> None:
        super().__init__(input_size, {"h": hidden_size})
        self.both = nn.Linear(input_size + hidden_size, hidden_size)
        self.scale, self.drop = 1.0, nn.Dropout(0.5)

    def forward(self, x: Tensor, h: Tensor) -> tuple[Tensor, tuple[Tensor]]:
        h = torch.tanh(self.scale * self.both(torch.cat([x, h], -1)))
        return self.drop(h), (h,)


def test_attributes_modes_and_backends_are_followed() -> None:
    layer = Recurrent(Scaled, I, H).eval()
    stream, x = layer.stream(B), torch.randn(T, B, I)
    stream.push(x)
    layer.cells[0].scale = 0.5
    kept = stream.state
    torch.testing.assert_close(stream.push(x), whole(layer, x, kept))
    layer.train()
    assert (stream.push(x) == 0).float().mean() > 0.2, "the cell's own dropout"
    layer.eval()
    kept = stream.state
    with use_backend("eager"):
        assert torch.equal(stream.push(x), whole(layer, x, kept))
    kept = stream.state
    with torch.autocast("cpu", torch.bfloat16):
        wanted, out = whole(layer, x, kept), stream.push(x)
    assert out.dtype == wanted.dtype
    torch.testing.assert_close(out, wanted)


def test_rows_start_anew_from_what_the_layer_has_learned_by_now() -> None:
    layer = build("lstm", I, H, learn_initial_state=True)
    stream = layer.stream(B)
    with torch.no_grad():
        for value in layer.initial_state:
            value.normal_()
    stream.push(torch.randn(T, B, I))
    stream.reset([1])
    for own, fresh in zip(stream.state, layer.initial_state, strict=True):
        assert torch.equal(own[:, 1], fresh)
        assert not torch.equal(own[:, 0], fresh)


def test_what_a_stream_cannot_go_on_with_is_said() -> None:
    layer = build("lstm", I, H)
    stream, x = layer.stream(B), torch.randn(T, B, I)
    layer.cells[0] = recurra.cells.LSTM(I, H + 1)
    with pytest.raises(ShapeError, match=r"open another by layer\.stream"):
        stream.push(x)
    layer = build("lstm", I, H)
    stream = layer.stream(B)
    layer.forward = lambda x: x  # type: ignore[method-assign]
    with pytest.raises(ArgumentError, match="a forward of its own"):
        stream.push(x)

    class Other(Recurrent):
        def forward(self, x: Tensor) -> Tensor:
            return super().forward(x)[0]

    with pytest.raises(ArgumentError, match="Other has a forward of its own"):
        Other("gru", I, H).stream()
    with pytest.raises(TypeError, match=r"got torch.nn.modules.rnn.LSTM"):
        Stream(nn.LSTM(I, H), 1)
    layer = Recurrent("gru", I, H, num_layers=2, dropout=0.5)
    layer.register_forward_hook(lambda *_: None)
    with pytest.raises(ArgumentError, match=r"call layer\.eval\(\) first"):
        layer.stream().push(x[:, :1])


@pytest.mark.parametrize("way", ["copy", "deepcopy", "pickle"])
def test_a_copy_of_a_stream_goes_its_own_way(way: str) -> None:
    layer, x = build("lstm", I, H, num_layers=2), torch.randn(T, B, I)
    stream = layer.stream(B)
    stream.push(x)
    if way == "pickle":
        import pickle

        other = pickle.loads(pickle.dumps(stream))
    else:
        other = getattr(copy, way)(stream)
    kept = stream.state
    assert same_bits(other.state, kept)
    out = other.push(x)
    assert same_bits(stream.state, kept)
    assert same_bits([stream.push(x)], [out])
    with torch.no_grad():
        for p in layer.parameters():
            p.zero_()
    shared = way == "copy"
    assert torch.equal(other.push(x), stream.push(x)) == shared


def test_threads_wait_for_one_another() -> None:
    layer = build("gru", I, H)
    stream, steps = layer.stream(), torch.randn(1, I).expand(200, 1, 1, I)
    with use_backend("eager"):
        setting = [Thread(target=push_all, args=(stream, steps[:100])) for _ in range(4)]
        for thread in setting:
            thread.start()
        for thread in setting:
            thread.join()
    one = layer.stream()
    push_all(one, steps.repeat(2, 1, 1, 1))
    torch.testing.assert_close(stream.state, one.state)


@needs_core
def test_a_compiled_function_may_push() -> None:
    layer, x = build("gru", I, H), torch.randn(1, I)
    compiled = torch.compile(lambda stream, x: stream.push(x) + 1, backend="eager")
    stream, other = layer.stream(), layer.stream()
    for _ in range(2):
        assert torch.equal(compiled(stream, x), other.push(x) + 1)
    assert same_bits(stream.state, other.state)


def push_all(stream: Stream, pieces: Tensor) -> None:
    for piece in pieces:
        stream.push(piece)


ROWS: list[tuple[object, type[Exception], str]] = [
    (torch.tensor([0, 1, 0, 1]), ValueError, "names a row twice"),
    ([1, -3], ValueError, "names a row twice"),
    ([4], ValueError, "names row 4 of a batch of 4"),
    ([-5], ValueError, "names row -5"),
    (torch.tensor([1.0, 0, 0, 0]), TypeError, "of torch.float32"),
    (torch.tensor([True, False]), ShapeError, r"a mask of \(2,\), not of \(4,\)"),
    (True, ShapeError, "a mask of"),
    (torch.zeros(2, 2, dtype=torch.int64), ShapeError, r"of \(2, 2\)"),
    ("0", TypeError, "names no rows"),
    ({0}, TypeError, "names no rows"),
    ([[0], [1, 2]], TypeError, "names no rows"),
    (torch.zeros(4, dtype=torch.bool, device="meta"), TypeError, "on meta"),
    (torch.zeros(4).to_sparse(), TypeError, "sparse"),
    (10**30, TypeError, "names no rows"),
]


@pytest.mark.parametrize(("rows", "error", "message"), ROWS)
def test_rows_that_are_not_clear_are_refused(
    rows: object, error: type[Exception], message: str
) -> None:
    stream = build("gru", I, H).stream(4)
    stream.push(torch.randn(T, 4, I))
    before = stream.state
    with pytest.raises(error, match=message) as caught:
        stream.reset(rows)  # type: ignore[arg-type]
    assert isinstance(caught.value, recurra.errors.RecurraError)
    assert same_bits(stream.state, before)


@pytest.mark.parametrize(
    ("rows", "named"),
    [
        ([], []),
        (torch.tensor([]), []),
        (torch.zeros(4, dtype=torch.bool), []),
        (2, [2]),
        (range(1, 3), [1, 2]),
        ([True, False, False, True], [0, 3]),
        ((-1, 0), [3, 0]),
        (torch.tensor([3, 1], dtype=torch.uint8), [1, 3]),
    ],
)
def test_rows_are_named_by_number_or_mask(rows: object, named: list[int]) -> None:
    stream = build("gru", I, H).stream(4)
    stream.push(torch.randn(T, 4, I))
    stream.reset(rows)  # type: ignore[arg-type]
    (h,) = stream.state
    assert [k for k in range(4) if not h[:, k].any()] == sorted(named)


class Sub(Tensor):
    pass


def resized(x: Tensor, size: int) -> Tensor:
    x.untyped_storage().resize_(size)
    return x


PIECES: dict[str, tuple[Callable[[], object], type[Exception]]] = {
    "numpy": (lambda: torch.zeros(2, 3).numpy(), TypeError),
    "list": (lambda: [[0.0] * 3] * 2, TypeError),
    "none": (lambda: None, TypeError),
    "whole numbers": (lambda: torch.zeros(2, 3, dtype=torch.int64), ShapeError),
    "booleans": (lambda: torch.zeros(2, 3, dtype=torch.bool), ShapeError),
    "complex": (lambda: torch.zeros(2, 3, dtype=torch.complex64).conj(), ShapeError),
    "meta": (lambda: torch.zeros(2, 3, device="meta"), ShapeError),
    "sparse": (lambda: torch.zeros(2, 3).to_sparse(), ShapeError),
    "csr": (lambda: torch.zeros(2, 3).to_sparse_csr(), ShapeError),
    "mkldnn": (lambda: torch.zeros(2, 3).to_mkldnn(), ShapeError),
    "nested": (lambda: torch.nested.nested_tensor([torch.zeros(2, 3)]), ShapeError),
    "no storage": (lambda: resized(torch.zeros(2, 3), 0), ShapeError),
    "less storage": (lambda: resized(torch.zeros(2, 3), 20), ShapeError),
    "less storage, piece": (lambda: resized(torch.zeros(5, 2, 3), 100), ShapeError),
    "less storage, turned": (lambda: resized(torch.zeros(3, 2).t(), 20), ShapeError),
    "scalar": (lambda: torch.tensor(1.0), ShapeError),
    "no rows": (lambda: torch.zeros(0, 3), ShapeError),
}


@pytest.mark.filterwarnings("ignore:Sparse CSR|The PyTorch API of nested:UserWarning")
@pytest.mark.parametrize("what", PIECES)
@pytest.mark.parametrize("rows", [2, 20])
def test_pieces_without_numbers_to_read_are_refused(what: str, rows: int) -> None:
    make, error = PIECES[what]
    stream = build("lstm", 3, H).stream(rows)
    before = stream.state
    with pytest.raises(error) as caught:
        stream.push(make())  # type: ignore[arg-type]
    assert isinstance(caught.value, recurra.errors.RecurraError)
    assert same_bits(stream.state, before)


def test_pieces_of_other_kinds_give_what_the_layer_gives() -> None:
    layer, x = build("lstm", I, H), torch.randn(T, B, I)
    stream = layer.stream(B)
    for piece in (x.requires_grad_(), nn.Parameter(x), x.detach().as_subclass(Sub)):
        stream.reset()
        torch.testing.assert_close(stream.push(piece).as_subclass(Tensor), whole(layer, x))
    with pytest.raises(ArgumentError, match=r"torch\.func"):
        torch.func.vmap(lambda one: stream.push(one))(torch.randn(3, B, I))
    assert stream.push(torch.zeros(0, B, I)).shape == (0, B, H)


def test_a_weight_whose_memory_is_gone_is_no_signal() -> None:
    code = (
        "import torch, recurra\n"
        "layer = recurra.Recurrent('gru', 3, 8)\n"
        "stream = layer.stream()\n"
        "stream.push(torch.zeros(1, 3))\n"
        "layer.cells[0].gates.weight_hh.untyped_storage().resize_(0)\n"
        "try:\n    stream.push(torch.zeros(1, 3))\n"
        "except RuntimeError as error:\n    print('said', type(error).__name__)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, f"{done.returncode}: {done.stderr[-1000:]}"
    assert done.stdout.startswith("said")
