"""Whatever a cell reads may change between two calls: it always runs as it is now."""

import argparse
import enum
import functools
import os
import random
import sys
import threading
import types
import weakref
from collections import OrderedDict, deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from every_kind import on
from recurra import Recurrent, explain, use_backend
from recurra.cells import Cell

pytest.importorskip("recurra._core")

T, B, I, H = 5, 2, 3, 4  # noqa: E741 - the axes' names
EXACT = {"rtol": 1e-10, "atol": 1e-12}
Change = Callable[[Any], object]
Case = tuple[type[nn.Module], Change]

GLOBAL = 1.0
GLOBAL_LIST = [1.0]


class Thing:
    """A plain object."""

    k: float


@dataclass(slots=True)
class Slotted:
    k: float = 1.0


class Colour(enum.Enum):
    RED = 1.0
    BLUE = 2.0


class Scaled(nn.Module):
    """A cell with a factor that `scale` finds somewhere."""

    state_sizes = ("h",)

    def __init__(self, input_size: int, hidden_size: int) -> None:
        super().__init__()
        self.inner = nn.Linear(input_size + hidden_size, hidden_size)
        self.setup()

    def setup(self) -> None:
        """Put the factor where it is."""

    def scale(self) -> Any:
        return 1.0

    def forward(self, x: Tensor, h: Tensor) -> tuple[Tensor, tuple[Tensor]]:
        h = torch.tanh(self.inner(torch.cat([x, h], -1)) * self.scale())
        return h, (h,)


class Factor(nn.Module):
    """A module with a number, a weight and a mode."""

    def __init__(self) -> None:
        super().__init__()
        self.k = 1.0
        self.weight = nn.Parameter(torch.ones(1, dtype=torch.float64))

    def forward(self, v: Tensor) -> Tensor:
        return v * self.k * self.weight * (1.0 if self.training else 2.0)


def kept(make: Callable[[Any], Any], read: Callable[[Any], Any], change: Change) -> Case:
    """Return a cell that keeps its factor in `self.kept`, and its change."""

    class Kept(Scaled):
        def setup(self) -> None:
            self.__dict__["kept"] = make(self)

        def scale(self) -> Any:
            return read(self)

    return Kept, change


def with_module(
    make: Callable[[nn.Module], Any], find: Callable[[Any], Any], change: Change
) -> Case:
    """Return a cell that uses a module that it has not registered, and its change."""

    class WithModule(Scaled):
        def setup(self) -> None:
            self.__dict__["kept"] = make(Factor())

        def forward(self, x: Tensor, h: Tensor) -> tuple[Tensor, tuple[Tensor]]:
            h = torch.tanh(find(self)(self.inner(torch.cat([x, h], -1))))
            return h, (h,)

    return WithModule, change


def thing(**values: object) -> Thing:
    made = Thing()
    vars(made).update(values)
    return made


def in_a_cycle(cell: object) -> Thing:
    a, b = thing(k=1.0), thing()
    vars(a)["other"], vars(b)["other"] = b, a
    return b


def dict_in_itself(cell: object) -> dict[str, Any]:
    made: dict[str, Any] = {"k": 1.0}
    made["me"] = made
    return made


class Called:
    def __init__(self) -> None:
        self.k = 1.0

    def __call__(self) -> float:
        return self.k


class Looking:
    def __init__(self) -> None:
        self.found = {"k": 1.0}

    def __getattr__(self, name: str) -> float:
        return self.__dict__["found"][name]


def replace_weight(factor: Any) -> None:
    factor.weight = nn.Parameter(torch.full((1,), 2.0, dtype=torch.float64))


KEPT: dict[str, Case] = {
    "namespace of argparse": kept(
        lambda m: argparse.Namespace(k=1.0), lambda m: m.kept.k, lambda m: setattr(m.kept, "k", 2.0)
    ),
    "another namespace": kept(
        lambda m: types.SimpleNamespace(k=1.0),
        lambda m: m.kept.k,
        lambda m: setattr(m, "kept", types.SimpleNamespace(k=2.0)),
    ),
    "object in an object": kept(
        lambda m: thing(inner=thing(k=1.0)),
        lambda m: m.kept.inner.k,
        lambda m: setattr(m.kept.inner, "k", 2.0),
    ),
    "slots": kept(lambda m: Slotted(), lambda m: m.kept.k, lambda m: setattr(m.kept, "k", 2.0)),
    "list in a list": kept(
        lambda m: [[1.0]], lambda m: m.kept[0][0], lambda m: m.kept[0].__setitem__(0, 2.0)
    ),
    "length of a list": kept(
        lambda m: [1.0], lambda m: sum(m.kept), lambda m: m.kept.append(1.0)
    ),
    "dict in a dict": kept(
        lambda m: {"a": {"b": 1.0}}, lambda m: m.kept["a"]["b"], lambda m: m.kept["a"].update(b=2.0)
    ),
    "deque": kept(
        lambda m: deque([1.0]), lambda m: m.kept[0], lambda m: m.kept.__setitem__(0, 2.0)
    ),
    "tuple": kept(lambda m: (1.0,), lambda m: m.kept[0], lambda m: setattr(m, "kept", (2.0,))),
    "set": kept(lambda m: {1.0}, lambda m: max(m.kept), lambda m: m.kept.add(2.0)),
    "order of a dict": kept(
        lambda m: OrderedDict(a=1.0, b=2.0),
        lambda m: next(iter(m.kept.values())),
        lambda m: m.kept.move_to_end("a"),
    ),
    "array": kept(
        lambda m: np.ones(1), lambda m: float(m.kept[0]), lambda m: m.kept.__imul__(2)
    ),
    "tensor in an object": kept(
        lambda m: thing(k=torch.ones(1, dtype=torch.float64)),
        lambda m: m.kept.k,
        lambda m: setattr(m.kept, "k", torch.full((1,), 2.0, dtype=torch.float64)),
    ),
    "enumeration": kept(
        lambda m: Colour.RED, lambda m: m.kept.value, lambda m: setattr(m, "kept", Colour.BLUE)
    ),
    "partial function": kept(
        lambda m: functools.partial(lambda k: k[0], [1.0]),
        lambda m: m.kept(),
        lambda m: m.kept.args[0].__setitem__(0, 2.0),
    ),
    "callable object": kept(
        lambda m: Called(), lambda m: m.kept(), lambda m: setattr(m.kept, "k", 2.0)
    ),
    "computed name": kept(
        lambda m: thing(k7=1.0),
        lambda m: getattr(m.kept, f"k{3 + 4}"),
        lambda m: setattr(m.kept, "k7", 2.0),
    ),
    "attribute that is looked up": kept(
        lambda m: Looking(), lambda m: m.kept.k, lambda m: m.kept.found.update(k=2.0)
    ),
    "objects in a cycle": kept(
        in_a_cycle, lambda m: m.kept.other.k, lambda m: setattr(m.kept.other, "k", 2.0)
    ),
    "dict in itself": kept(
        dict_in_itself,
        lambda m: m.kept["k"] if m.kept["me"] is m.kept else 0.0,
        lambda m: m.kept.update(k=2.0),
    ),
    "weak reference": kept(
        weakref.ref, lambda m: m.kept().k7, lambda m: setattr(m, "k7", 2.0)
    ),
    "weak proxy": kept(weakref.proxy, lambda m: m.kept.k7, lambda m: setattr(m, "k7", 2.0)),
    "module in a list": with_module(
        lambda f: [f], lambda m: m.kept[0], lambda m: setattr(m.kept[0], "k", 2.0)
    ),
    "weight of a module in a list": with_module(
        lambda f: [f], lambda m: m.kept[0], lambda m: replace_weight(m.kept[0])
    ),
    "mode of a module in an object": with_module(
        lambda f: thing(f=f), lambda m: m.kept.f, lambda m: m.kept.f.eval()
    ),
    "hook on a module in a list": with_module(
        lambda f: [f],
        lambda m: m.kept[0],
        lambda m: m.kept[0].register_forward_hook(lambda module, x, y: 2 * y),
    ),
}  # fmt: skip
Scaled.k7 = 1.0  # type: ignore[attr-defined]


def class_attribute() -> Iterator[Case]:
    class Own(Scaled):
        k = 1.0

        def scale(self) -> float:
            return self.k

    class Inherited(Own):
        pass

    yield Own, lambda m: setattr(Own, "k", 2.0)
    yield Inherited, lambda m: setattr(Own, "k", 3.0)
    yield Inherited, lambda m: setattr(Inherited, "k", 4.0)


def method() -> Iterator[Case]:
    class Own(Scaled):
        pass

    yield Own, lambda m: setattr(m, "scale", lambda: 2.0)
    yield Own, lambda m: setattr(Own, "scale", lambda self: 2.0)


def property_() -> Iterator[Case]:
    class Own(Scaled):
        def setup(self) -> None:
            self._k = 1.0

        @property
        def k(self) -> float:
            return self._k

        def scale(self) -> float:
            return self.k

    yield Own, lambda m: setattr(m, "_k", 2.0)
    yield Own, lambda m: setattr(Own, "k", 3.0)


def global_() -> Iterator[Case]:
    class Number(Scaled):
        def scale(self) -> float:
            return GLOBAL

    class Item(Scaled):
        def scale(self) -> float:
            return GLOBAL_LIST[0]

    def change(m: object) -> None:
        globals()["GLOBAL"] = 2.0

    yield Number, change
    yield Item, lambda m: GLOBAL_LIST.__setitem__(0, 2.0)


def closure() -> Iterator[Case]:
    k = 1.0

    class Own(Scaled):
        def scale(self) -> float:
            return k

    def change(m: object) -> None:
        nonlocal k
        k = 2.0

    yield Own, change


def default() -> Iterator[Case]:
    class Own(Scaled):
        def scale(self, k: list[float] = [1.0]) -> float:  # noqa: B006 - such code there is
            return k[0]

    def change(m: object) -> None:
        Own.scale.__defaults__ = ([3.0],)

    yield Own, lambda m: Own.scale.__defaults__[0].__setitem__(0, 2.0)  # type: ignore[index]
    yield Own, change


def python_module() -> Iterator[Case]:
    module: Any = types.ModuleType("settings")
    module.K = 1.0

    class Own(Scaled):
        def scale(self) -> float:
            k: float = module.K
            return k

    yield Own, lambda m: setattr(module, "K", 2.0)


def environment() -> Iterator[Case]:
    os.environ["RECURRA_TEST_SCALE"] = "1"

    class Own(Scaled):
        def scale(self) -> float:
            return float(os.environ["RECURRA_TEST_SCALE"])

    yield Own, lambda m: os.environ.__setitem__("RECURRA_TEST_SCALE", "2")


def cached() -> Iterator[Case]:
    box = [1.0]

    class Own(Scaled):
        @functools.lru_cache  # noqa: B019 - such code there is
        def scale(self) -> float:
            return box[0]

    def change(m: object) -> None:
        box[0] = 2.0
        Own.scale.cache_clear()

    yield Own, change


ELSEWHERE = (
    class_attribute, method, property_, global_, closure, default, python_module, environment,
    cached,
)  # fmt: skip
CASES = {name: [case] for name, case in KEPT.items()}
CASES |= {make.__name__.strip("_"): list(make()) for make in ELSEWHERE}


@pytest.mark.parametrize("name", CASES)
def test_a_cell_runs_as_it_is_now_wherever_it_keeps_what_it_reads(name: str) -> None:
    for kind, change in CASES[name]:
        layer = Recurrent(kind, I, H).double()
        x = torch.randn(T, B, I, dtype=torch.float64, requires_grad=True)
        (module,) = (m for m in layer.modules() if isinstance(m, kind))
        before = on("auto", layer, x)
        torch.testing.assert_close(before, on("eager", layer, x), **EXACT)
        if name != "weak proxy":
            assert explain(layer).cells[0].backend == "native"
        change(module)
        found, wanted = on("auto", layer, x), on("eager", layer, x)
        torch.testing.assert_close(found, wanted, **EXACT)
        assert not torch.allclose(found[0], before[0])


def test_a_function_of_torch_that_is_replaced_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    layer, x = Recurrent(Scaled, I, H).double(), torch.randn(T, B, I, dtype=torch.float64)
    before = layer(x)[0]
    monkeypatch.setattr(torch, "tanh", torch.sin)
    with use_backend("eager"):
        wanted = layer(x)[0]
    torch.testing.assert_close(layer(x)[0], wanted, **EXACT)
    assert not torch.allclose(before, wanted)


# Effects

LOG: list[Any] = []


def appends(m: Any, h: Tensor) -> None:
    LOG.append(h)


def keeps(m: Any, h: Tensor) -> None:
    m.kept.last = h


def keeps_in_a_dict(m: Any, h: Tensor) -> None:
    m.kept.__dict__["last"] = h


def counts(m: Any, h: Tensor) -> None:
    m.kept.n += 1


def sets(m: Any, h: Tensor) -> None:
    setattr(m.kept, "la" + "st", h)


def adds(m: Any, h: Tensor) -> None:
    log = LOG
    log += [h]


def prints(m: Any, h: Tensor) -> None:
    print("step", file=m.kept.out)


@pytest.mark.parametrize("effect", [appends, keeps, keeps_in_a_dict, counts, sets, adds, prints])
def test_a_cell_that_changes_something_else_runs_eagerly_and_leaves_no_symbol(
    effect: Callable[[Any, Tensor], None],
) -> None:
    class Out:
        def __init__(self) -> None:
            self.seen: list[str] = []

        def write(self, text: str) -> None:
            self.seen.append(text)

    class Own(Scaled):
        def setup(self) -> None:
            self.kept = thing(last=None, n=0, out=Out())

        def forward(self, x: Tensor, h: Tensor) -> tuple[Tensor, tuple[Tensor]]:
            h = torch.tanh(self.inner(torch.cat([x, h], -1)))
            effect(self, h)
            return h, (h,)

    LOG.clear()
    layer, x = Recurrent(Own, I, H), torch.randn(T, B, I)
    (module,) = (m for m in layer.modules() if isinstance(m, Own))
    counted = module.kept.n, len(module.kept.out.seen)  # one step was run when it was built
    LOG.clear()
    for _ in range(2):
        out, _ = layer(x)
    for kept in (*LOG, *([module.kept.last] if module.kept.last is not None else [])):
        assert type(kept) is Tensor
    if effect in (appends, adds):
        assert len(LOG) == 2 * T
        torch.testing.assert_close(torch.stack(LOG[T:]), out)
    elif effect is counts:
        assert module.kept.n == counted[0] + 2 * T
    elif effect is prints:
        assert len(module.kept.out.seen) > counted[1] + 2 * T - 1
    else:
        torch.testing.assert_close(module.kept.last, out[-1])
    reason = explain(layer).cells[0].reason
    assert os.path.basename(__file__) in reason, reason


# Numbers that change


class Annealed(Scaled):
    def setup(self) -> None:
        self.t, self.n, self.listed = 1.0, 1, [1.0]
        self.kept = types.SimpleNamespace(k=1.0)
        self.slotted = Slotted()
        self.plain = torch.ones(H)

    def scale(self) -> Any:
        k = self.kept.k * self.listed[0] * self.slotted.k
        return self.plain * k * self.k7 / (self.t * (1 + self.n))  # type: ignore[attr-defined]


ANNEALED: dict[str, Callable[[Any, int], object]] = {
    "attribute": lambda m, k: setattr(m, "t", 1 + k / 8),
    "number of NumPy": lambda m, k: setattr(m, "t", np.float64(1 + k / 8)),
    "whole number": lambda m, k: setattr(m, "n", k),
    "namespace": lambda m, k: setattr(m.kept, "k", 1 + k / 8),
    "slots": lambda m, k: setattr(m.slotted, "k", 1 + k / 8),
    "list": lambda m, k: m.listed.__setitem__(0, 1 + k / 8),
    "class": lambda m, k: setattr(Annealed, "k7", 1 + k / 8),
    "tensor": lambda m, k: setattr(m, "plain", torch.full((H,), 1 + k / 8)),
    "two": lambda m, k: (setattr(m, "t", 1 + k / 8), setattr(m.kept, "k", k)),
}


@pytest.mark.parametrize("name", ANNEALED)
def test_a_number_that_changes_becomes_an_input_of_one_program(name: str) -> None:
    layer = Recurrent(Annealed, I, H).double()
    x = torch.randn(T, B, I, dtype=torch.float64, requires_grad=True)
    (module,) = (m for m in layer.modules() if isinstance(m, Annealed))
    try:
        for k in range(40):
            ANNEALED[name](module, k)
            with use_backend("native"):
                found = on("native", layer, x)
            torch.testing.assert_close(found, on("eager", layer, x), **EXACT)
        ((known),) = layer.cells[0].programs.known.values()
        assert len(known) == 1
    finally:
        Annealed.k7 = 1.0  # type: ignore[attr-defined]


def test_a_dropout_whose_probability_changes_drops_as_much_as_it_says() -> None:
    class Dropped(Scaled):
        def setup(self) -> None:
            self.drop = nn.Dropout(0.5)

        def forward(self, x: Tensor, h: Tensor) -> tuple[Tensor, tuple[Tensor]]:
            h = self.drop(torch.sigmoid(self.inner(torch.cat([x, h], -1))))
            return h, (h,)

    layer, x = Recurrent(Dropped, I, 50), torch.randn(100, 10, I)
    (drop,) = (m for m in layer.modules() if isinstance(m, nn.Dropout))
    for k in range(20):
        drop.p = k / 20
        with use_backend("native"):
            out, _ = layer(x)
        assert abs(float((out == 0).double().mean()) - drop.p) < 0.02
    ((known),) = layer.cells[0].programs.known.values()
    assert len(known) == 1
    drop.p = 2.0
    with pytest.raises(ValueError, match="probability"):
        layer(x)


class Shared(Scaled):
    """A cell whose settings are its submodule's, too."""

    def setup(self) -> None:
        self.kept = types.SimpleNamespace(k=1.0)
        self.part = Scaled.__new__(Scaled)
        nn.Module.__init__(self.part)
        self.part.kept = self.kept

    def scale(self) -> float:
        k: float = self.part.kept.k * self.kept.k
        return k


class Looked(Scaled):
    """A cell that looks a number up."""

    def setup(self) -> None:
        self.kept, self.table = types.SimpleNamespace(k=1), {3: 0.5, 5: 0.25}

    def scale(self) -> float:
        return self.table.get(self.kept.k, 1.0)


class Named(Scaled):
    """A cell that makes the name of what it reads."""

    def setup(self) -> None:
        self.kept, self._2_scale = types.SimpleNamespace(k=1), 0.5

    def scale(self) -> float:
        found: float = getattr(self, f"_{self.kept.k}_scale", 1.0)
        return found


@pytest.mark.parametrize("kind", [Shared, Looked, Named])
def test_a_number_that_cannot_be_an_input_is_read_anew_all_the_same(kind: Any) -> None:
    layer = Recurrent(kind, I, H).double()
    x = torch.randn(T, B, I, dtype=torch.float64, requires_grad=True)
    (module,) = (m for m in layer.modules() if type(m) is kind)
    for k in range(7):
        module.kept.k = k
        torch.testing.assert_close(on("auto", layer, x), on("eager", layer, x), **EXACT)


def test_what_is_read_by_a_made_name_with_an_underscore_is_watched() -> None:
    layer = Recurrent(Named, I, H).double()
    x = torch.randn(T, B, I, dtype=torch.float64, requires_grad=True)
    (module,) = (m for m in layer.modules() if isinstance(m, Named))
    module.kept.k = 2
    for scale in (0.5, 0.25):
        module._2_scale = scale
        torch.testing.assert_close(on("auto", layer, x), on("eager", layer, x), **EXACT)


class Asking(Scaled):
    """A cell that does something else with what is no number."""

    def setup(self) -> None:
        self.t = 1.0

    def scale(self) -> float:
        return self.t if isinstance(self.t, float) else 7.0


class Deciding(Asking):
    def scale(self) -> float:
        return 1.0 if self.t < 1.5 else self.t


@pytest.mark.parametrize("kind", [Asking, Deciding])
def test_a_number_that_code_asks_about_is_written_into_programs_of_which_few_are_kept(
    kind: type[Asking],
) -> None:
    layer = Recurrent(kind, I, H).double()
    x = torch.randn(T, B, I, dtype=torch.float64)
    (module,) = (m for m in layer.modules() if isinstance(m, kind))
    for k in range(100):
        module.t = 1 + k / 100
        found = layer(x)[0]
        with use_backend("eager"):
            torch.testing.assert_close(found, layer(x)[0], **EXACT)
    ((known),) = layer.cells[0].programs.known.values()
    assert len(known) <= 16


# What tracing leaves alone


def test_what_was_refused_is_tried_again_when_its_reason_is_gone() -> None:
    layer, x = Recurrent("lstm", I, H), torch.randn(T, B, I)
    cell = layer.cells[0]
    handle = cell.register_forward_hook(lambda *_: None)
    assert "hook" in explain(layer).cells[0].reason
    handle.remove()
    assert explain(layer).cells[0].backend == "native"
    with torch.autocast("cpu", dtype=torch.bfloat16):
        explain(layer)
        layer.stream()
    fresh = Recurrent("layer_norm_lstm", I, H)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        explain(fresh)
        fresh.stream()
    with use_backend("native"):
        fresh(x)


def test_tracing_draws_no_random_number_and_restores_none() -> None:
    random.seed(0)
    torch.manual_seed(0)
    np.random.seed(0)  # noqa: NPY002 - the generator that everybody shares
    before = torch.get_rng_state(), random.getstate(), np.random.get_state()[1].copy()  # noqa: NPY002
    explain(Recurrent("layer_norm_lstm", I, H, dropout=0.0).eval())
    # building draws weights; tracing does not: the same again, with an explanation more
    drawn = torch.get_rng_state()
    torch.set_rng_state(before[0])
    Recurrent("layer_norm_lstm", I, H)
    assert torch.equal(torch.get_rng_state(), drawn)
    assert random.getstate() == before[1]
    assert (np.random.get_state()[1] == before[2]).all()  # noqa: NPY002


def test_threads_that_draw_random_numbers_do_not_disturb_tracing_nor_it_them() -> None:
    stop, drawn = threading.Event(), []
    random.seed(1)

    def draw() -> None:
        while not stop.is_set():
            drawn.append(random.random())

    thread = threading.Thread(target=draw)
    thread.start()
    try:
        for _ in range(5):
            assert explain(Recurrent("layer_norm_lstm", I, H)).cells[0].backend == "native"
    finally:
        stop.set()
        thread.join()
    assert len(set(drawn)) == len(drawn)


def test_a_profiler_and_a_tracer_go_on_after_a_trace() -> None:
    seen: list[str] = []

    def look(frame: Any, event: str, arg: Any) -> None:
        seen.append(event)

    before = sys.getprofile()
    sys.setprofile(look)
    try:
        explain(Recurrent("gru", I, H))
        still = sys.getprofile() is look
    finally:
        sys.setprofile(before)
    assert still
    assert seen


def test_an_attribute_that_the_cell_does_not_read_costs_no_trace() -> None:
    layer, x = Recurrent(Scaled, I, H), torch.randn(T, B, I)
    (module,) = (m for m in layer.modules() if isinstance(m, Scaled))
    layer(x)
    ((first,),) = layer.cells[0].programs.known.values()
    for k in range(5):
        module.steps_so_far, Scaled.steps_so_far = k, k  # type: ignore[attr-defined]
        layer(x)
    ((known,),) = layer.cells[0].programs.known.values()
    assert known is first


def test_a_cell_that_goes_takes_its_programs_and_what_they_watch_along() -> None:
    import gc

    layer = Recurrent(Scaled, I, H)
    layer(torch.randn(T, B, I))
    gone = weakref.ref(layer.cells[0])
    del layer
    gc.collect()
    assert gone() is None


def test_cells_of_the_project_are_watched() -> None:
    assert issubclass(type(Recurrent("lstm", I, H).cells[0]), Cell)
