"""Hooks: on a module that holds weights, on a cell, on all modules; none is passed by."""

import warnings
from collections.abc import Callable, Iterator

import pytest
import torch
import torch.nn.utils as norms
from torch import Tensor, nn
from torch.nn.utils import prune

import recurra
from recurra import Recurrent, cells, use_backend
from recurra.errors import BackendError

T, B, I, H = 4, 3, 3, 4  # noqa: E741 - the axes' names
GLOBAL = nn.modules.module


def matrices(cell: nn.Module) -> Iterator[tuple[str, nn.Module, str]]:
    for path, module in list(cell.named_modules()):
        for name, weight in list(module._parameters.items()):
            if weight is not None and weight.dim() == 2:
                yield path, module, name


def spectral(module: nn.Module, name: str) -> Callable[[], Tensor]:
    norms.spectral_norm(module, name)
    weight, u, v = (getattr(module, f"{name}_{part}") for part in ("orig", "u", "v"))
    return lambda: weight / (u @ weight @ v)


def weight_normed(module: nn.Module, name: str) -> Callable[[], Tensor]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        norms.weight_norm(module, name)
    g, v = getattr(module, f"{name}_g"), getattr(module, f"{name}_v")
    g.data *= 1.5
    return lambda: g * v / v.norm(dim=1, keepdim=True)


def pruned(module: nn.Module, name: str) -> Callable[[], Tensor]:
    prune.random_unstructured(module, name, 0.3)
    weight, mask = getattr(module, f"{name}_orig"), getattr(module, f"{name}_mask")
    weight.data *= 1.5
    return lambda: weight * mask


@pytest.mark.parametrize("backend", ["auto", "eager"])
@pytest.mark.parametrize("how", [spectral, weight_normed, pruned])
@pytest.mark.parametrize("kind", [*cells.CELLS, "gru, reset before"])
def test_a_weight_that_a_hook_makes_anew_is_the_one_used_and_gets_its_gradient(
    kind: str, how: Callable[[nn.Module, str], Callable[[], Tensor]], backend: str
) -> None:
    name, _, before = kind.partition(",")
    options = {"reset_after": False} if before else {}
    layer, plain = (Recurrent(name, I, H, **options).double() for _ in range(2))
    plain.load_state_dict(layer.state_dict())
    made = {(path, w): how(m, w) for path, m, w in list(matrices(layer.cells[0]))}
    assert made
    for module in (layer.eval(), plain.eval()):
        module.requires_grad_()
    with torch.no_grad():
        for (path, weight), value in made.items():
            plain.cells[0].get_submodule(path).get_parameter(weight).copy_(value())
    x = torch.randn(T, B, I, dtype=torch.float64)
    with use_backend(backend):
        for _ in range(2):  # a weight kept from the first call would have no graph in the second
            layer.zero_grad()
            out, _ = layer(x)
            torch.testing.assert_close(out, plain(x)[0])
            out.square().sum().backward()
    missing = [n for n, p in layer.named_parameters() if p.grad is None or not p.grad.any()]
    assert [n for n in missing if "peephole" not in n] == []


@pytest.fixture(autouse=True)
def _leaves_no_hook() -> Iterator[None]:
    """Remove what a hook's handle leaves behind (with_kwargs, torch 2.13)."""
    yield
    GLOBAL._global_forward_hooks_with_kwargs.clear()


REGISTER = {
    "before": lambda note: GLOBAL.register_module_forward_pre_hook(lambda m, _: note(m)),
    "after": lambda note: GLOBAL.register_module_forward_hook(lambda m, _, __: note(m)),
    "with kwargs, always": lambda note: GLOBAL.register_module_forward_hook(
        lambda m, _, __, ___: note(m), with_kwargs=True, always_call=True
    ),
    "backward": lambda note: GLOBAL.register_module_full_backward_hook(lambda m, _, __: note(m)),
    "before backward": lambda note: GLOBAL.register_module_full_backward_pre_hook(
        lambda m, _: note(m)
    ),
}


@pytest.mark.parametrize("when", REGISTER)
@pytest.mark.parametrize("kind", cells.CELLS)
def test_a_hook_on_all_modules_is_called_for_every_cell_at_every_step(kind: str, when: str) -> None:
    layer = Recurrent(kind, I, H, learn_initial_state=True)
    x = torch.randn(T, B, I, requires_grad=True)
    layer(x)
    seen: list[nn.Module] = []
    hook = REGISTER[when](lambda module: seen.append(module))
    try:
        layer(x)[0].sum().backward()
    finally:
        hook.remove()
    assert seen.count(layer.cells[0]) == T
    called = [m for m in layer.cells[0].modules() if not isinstance(m, nn.ModuleList)]
    assert all(seen.count(m) == T for m in called)


@pytest.mark.parametrize("kind", ["lstm", "gru", "elman"])
def test_torchs_kernels_refuse_what_a_hook_on_all_modules_should_see(kind: str) -> None:
    layer, x = Recurrent(kind, I, H), torch.randn(T, B, I)
    hook = REGISTER["after"](lambda module: None)
    try:
        with use_backend("torch"), pytest.raises(BackendError, match="a hook is on all modules"):
            layer(x)
    finally:
        hook.remove()


@pytest.mark.parametrize("kind", ["LSTM", "GRU", "RNN"])
def test_a_hook_on_all_modules_is_called_once_for_a_drop_in(kind: str) -> None:
    layer, x = getattr(recurra, kind)(I, H), torch.randn(T, B, I)
    seen: list[nn.Module] = []
    hook = REGISTER["after"](lambda module: seen.append(module))
    try:
        layer(x)
    finally:
        hook.remove()
    assert seen.count(layer) == 1


ON_ONE = {
    "forward": lambda m, f: m.register_forward_hook(lambda *_: f()),
    "forward, always": lambda m, f: m.register_forward_hook(
        lambda *_: f(), with_kwargs=True, always_call=True
    ),
    "forward pre": lambda m, f: m.register_forward_pre_hook(lambda *_: f()),
    "backward": lambda m, f: m.register_full_backward_hook(lambda *_: f()),
    "backward pre": lambda m, f: m.register_full_backward_pre_hook(lambda *_: f()),
}


@pytest.mark.parametrize("where", ["cell", "part"])
@pytest.mark.parametrize("when", ON_ONE)
@pytest.mark.parametrize("kind", cells.CELLS)
def test_a_hook_on_a_cell_or_its_part_that_comes_after_the_first_call_runs_and_goes(
    kind: str, when: str, where: str
) -> None:
    layer, x = Recurrent(kind, I, H), torch.randn(T, B, I, requires_grad=True)
    wanted = layer(x)[0].detach()
    cell = layer.cells[0]
    module = cell if where == "cell" else next(m for _, m, _ in matrices(cell))
    calls: list[None] = []
    hook = ON_ONE[when](module, lambda: calls.append(None))
    out, _ = layer(x)
    out.sum().backward()
    assert len(calls) == T
    torch.testing.assert_close(out.detach(), wanted)
    hook.remove()
    layer(x)[0].sum().backward()
    assert len(calls) == T
