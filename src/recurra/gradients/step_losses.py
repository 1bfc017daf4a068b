"""The loss at every step, from what a model returns."""

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.nn.utils.rnn import PackedSequence, pad_packed_sequence

from recurra.errors import ArgumentError, ArgumentTypeError, ShapeError

Loss = Callable[..., Tensor]


def step_losses(
    out: Any, y: Any, loss: Loss | None, T: int, B: int, batch_first: bool
) -> tuple[Tensor, bool]:
    """Return the losses and whether there is one a step.

    Args:
        out: what the model returned; of a tuple that is not one tensor a step, the first item.
        y: the targets, or None.
        loss: called as loss(out) or loss(out, y); it returns (T,), (T, B), which is summed over
            B, or a scalar, the loss of the last step. If None: cross entropy for whole numbers
            y, the squared error (mean over features) for others, ½‖out‖² without y.
        T, B: the steps and rows of the layer.
        batch_first: whether out is (B, T, ...), where its shape does not tell.

    The result is (T,), or (1,) for the last step alone.
    Raises `ShapeError` for a loss of another shape, `ArgumentError` for one that is not finite.
    """
    if isinstance(out, tuple) and not isinstance(out, PackedSequence) and out:
        out = out[0]
    if loss is not None:
        losses = loss(out) if y is None else loss(out, y)
    else:
        losses = _default(out, y, T, B, batch_first)
    if not isinstance(losses, Tensor):
        raise ArgumentTypeError(f"loss must return a tensor, got {type(losses).__name__}.")
    shape = tuple(losses.shape)
    if shape not in ((), (T,), (T, B)):
        raise ShapeError(
            f"loss must return one number a step, of (T,) = ({T},) or (T, B) = ({T}, {B}), or a "
            f"scalar for the last step alone; got {shape}."
        )
    losses = losses.sum(-1) if losses.dim() == 2 else losses
    each_step = losses.dim() == 1
    losses = losses.reshape(-1)
    _check(losses, each_step, T)
    return losses, each_step


def _check(losses: Tensor, each_step: bool, T: int) -> None:
    bad = (~torch.isfinite(losses.detach())).nonzero()
    if len(bad):
        t = int(bad[0])
        raise ArgumentError(
            f"the loss at step {t if each_step else T - 1} is {float(losses[t])}: its gradient "
            "cannot be measured. Look for NaN or infinity in x, y and the weights."
        )
    if not losses.requires_grad:
        raise ArgumentError(
            "the loss does not depend on any state through the graph: the model or the loss "
            "detaches it, or runs under torch.no_grad()."
        )


def _default(out: Any, y: Any, T: int, B: int, batch_first: bool) -> Tensor:
    if isinstance(out, PackedSequence):
        out, _ = pad_packed_sequence(out)
        batch_first = False
    if not isinstance(out, Tensor):
        raise ArgumentTypeError(
            f"the model returned {type(out).__name__}, not a tensor: pass loss= to say what is "
            "measured."
        )
    axes = _axes(out, T, B, batch_first)
    if y is None:
        each: Tensor = out.square() / 2
        return _summed(each, axes)
    if not isinstance(y, Tensor):
        raise ArgumentTypeError(f"y must be a tensor, got {type(y).__name__}.")
    if y.is_floating_point():
        if y.shape != out.shape:
            raise ShapeError(f"y must be of out's shape {tuple(out.shape)}, got {tuple(y.shape)}.")
        features = out[0, 0].numel() if axes else out[0].numel()
        return _summed((out - y).square() / max(features, 1), axes)
    if y.shape != out.shape[:-1]:
        raise ShapeError(
            f"y of whole numbers must be classes of {tuple(out.shape[:-1])}, as out has scores "
            f"of {tuple(out.shape)}; got {tuple(y.shape)}."
        )
    scores = out.reshape(-1, out.shape[-1])
    entropy = F.cross_entropy(scores, y.reshape(-1).long(), reduction="none")
    return _summed(entropy.reshape(y.shape), axes)


def _axes(out: Tensor, T: int, B: int, batch_first: bool) -> str:
    """Return the leading axes of out: "TB", "BT", or "" where it has rows only."""
    forms = {"TB": (T, B), "BT": (B, T)}
    order = ("BT", "TB") if batch_first else ("TB", "BT")
    for axes in order:
        if tuple(out.shape[:2]) == forms[axes]:
            return axes
    if out.dim() and out.shape[0] == B:
        return ""
    raise ShapeError(
        f"the model's output must be of (T, B, ...) = ({T}, {B}, ...), of (B, T, ...) or of "
        f"(B, ...), got {tuple(out.shape)}: pass loss= to say what is measured."
    )


def _summed(each: Tensor, axes: str) -> Tensor:
    """Return the sum over all axes but that of time."""
    if not axes:
        return each.sum()
    return (each if axes == "TB" else each.transpose(0, 1)).flatten(1).sum(1)
