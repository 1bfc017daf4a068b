"""Writes the recipe: what is computed from parameters alone, recorded as torch's own calls."""

from typing import Any

import torch
from torch import Tensor

from recurra.program.trace_leaves import Call, Held, Item, Path, Read, Ref, Step
from recurra.program.trace_refusal import refusal
from recurra.program.trace_symbol import Leaf, Row, Symbol, each, new_leaf, replace


class Leaves:
    """The steps of a recipe that is being written.

    base: the tensor that symbols are made of.
    created: the tensors that the cell has made from numbers, in this call, by their id.
    held: the leaves of other tensors that it has come across, by the tensor's id.
    """

    def __init__(self, device: torch.device, base: Tensor) -> None:
        self.device, self.base = device, base
        self.steps: list[Step] = []
        self.created: dict[int, Tensor] = {}
        self.held: dict[int, Leaf] = {}

    def call(self, func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Record a call of torch: what makes a `Recorder` of it."""
        raise NotImplementedError

    def current(self, row: Row) -> int:
        """Return the value of a row whose memory was written to: what makes a `Writer` of it."""
        raise NotImplementedError

    def add_leaf(self, step: Step, meta: Tensor, parameter: bool = False) -> Leaf:
        """Add a step to the recipe."""
        self.steps.append(step)
        return new_leaf(self, len(self.steps) - 1, meta, parameter)

    def hold(self, tensor: Tensor) -> Leaf:
        """Return the leaf of a tensor that is no parameter or buffer by name."""
        if id(tensor) not in self.held:
            if tensor.is_meta or isinstance(tensor, Symbol):
                raise refusal("a tensor without numbers")
            if tensor.device != self.device:
                raise refusal(f"a tensor on {tensor.device} beside rows on {self.device}")
            self.held[id(tensor)] = self.add_leaf(
                Held(tensor, made=id(tensor) in self.created), like_meta(tensor)
            )
            self.created.pop(id(tensor), None)
        return self.held[id(tensor)]

    def place_of(self, value: object) -> Path | None:
        """Return where the cell keeps a number that is read at each call; None for another."""
        step = self.steps[value.node] if isinstance(value, Leaf) else None
        return step.path if isinstance(step, Read) and step.number is not None else None

    def on_leaves(self, func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Record a call on parameters alone, and return what it gives as leaves."""

        def lift(value: Any) -> Any:
            foreign = isinstance(value, Tensor) and not isinstance(value, Symbol)
            return self.hold(value) if foreign else value

        args, kwargs = replace(args, lift), replace(kwargs, lift)
        metas = replace((args, kwargs), lambda v: v.meta if isinstance(v, Leaf) else v)
        result = func(*metas[0], **metas[1])
        if not any(isinstance(value, Tensor) for value in each(result)):
            return result
        refs = replace((args, kwargs), lambda v: Ref(v.node) if isinstance(v, Leaf) else v)
        call = self.add_leaf(Call(func, refs[0], refs[1], torch.is_grad_enabled()), torch.Tensor())
        if isinstance(result, Tensor):
            call.meta = result
            return call
        items = [
            self.add_leaf(Item(call.node, k), item) if isinstance(item, Tensor) else item
            for k, item in enumerate(result)
        ]
        return type(result)(items)


def like_meta(tensor: Tensor) -> Tensor:
    """Return a tensor without numbers of the shape, strides and dtype of `tensor`."""
    if tensor.layout is not torch.strided:
        raise refusal(f"a tensor of layout {tensor.layout}")
    return torch.empty_strided(
        tensor.shape,
        tensor.stride(),
        dtype=tensor.dtype,
        device="meta",
        requires_grad=tensor.requires_grad,
    )
