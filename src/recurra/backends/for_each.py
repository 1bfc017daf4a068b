"""Several gradients at once (`is_grads_batched=`, `vmap`), for a backward pass that takes one."""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

Found = tuple[Tensor | None, ...]
Pass = Callable[[Sequence[Tensor]], Sequence[Tensor | None]]


def for_each(backward: Pass, gradients: Sequence[Tensor]) -> Sequence[Tensor | None]:
    """Return what `backward(gradients)` returns; it is run for each where they are batches.

    So it is given ordinary tensors only. Autograd batches by torch's first vmap, the user by that
    of torch.func: they know nothing of one another.
    """
    if any(map(_is_batched, gradients)):
        level = torch._C._vmapmode_increment_nesting() - 1
        torch._C._vmapmode_decrement_nesting()
        dims = [0 if _is_batched(d) else None for d in gradients]
        apart = [
            d if dim is None else torch._remove_batch_dim(d, level, 1, dim)
            for d, dim in zip(gradients, dims, strict=True)
        ]
        found = _each(backward, apart, dims)
        return [None if d is None else torch._add_batch_dim(d, 0, level) for d in found]
    if torch._C._functorch.peek_interpreter_stack() is not None:
        result: Found = _ForEach.apply(backward, *gradients)  # type: ignore[no-untyped-call]
        return result
    return backward(gradients)


def _is_batched(tensor: Tensor) -> bool:
    return torch._C._functorch.is_legacy_batchedtensor(tensor)


def _each(
    backward: Pass,
    gradients: Sequence[Tensor],
    dims: Sequence[int | None],
) -> Found:
    """Return the results for each of a batch, put together along a new first axis."""
    sizes = (d.shape[k] for d, k in zip(gradients, dims, strict=True) if k is not None)
    found = [
        for_each(
            backward,
            [d if k is None else d.select(k, i) for d, k in zip(gradients, dims, strict=True)],
        )
        for i in range(next(sizes))
    ]
    columns: list[Any] = [*zip(*found, strict=True)]
    return tuple(None if column[0] is None else torch.stack(column) for column in columns)


class _ForEach(torch.autograd.Function):
    @staticmethod
    def forward(backward: Pass, *gradients: Tensor) -> Found:
        # One tensor that is given back twice would be lost on the way.
        return tuple(None if d is None else d.clone() for d in backward(gradients))

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Found) -> None:
        """Keep nothing: what is differentiated again does not come here."""

    @staticmethod
    def vmap(
        info: Any, dims: tuple[int | None, ...], backward: Pass, *gradients: Tensor
    ) -> tuple[Found, tuple[int | None, ...]]:
        found = _each(backward, gradients, dims[1:])
        return found, tuple(None if d is None else 0 for d in found)
