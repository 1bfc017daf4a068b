"""Batch normalisation over the rows of all processes, as one process would compute it."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from itertools import chain
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from recurra.errors import ArgumentError
from recurra.training.processes import Processes


class SharedNorms:
    """The batch normalisations of a model whose processes each have some of a batch's rows.

    Mean and variance are those of all rows (Ioffe and Szegedy, arXiv 1502.03167, over processes),
    and so are their gradients. That takes every process: one that has no rows calls `absent`.
    """

    def __init__(self, model: nn.Module, processes: Processes) -> None:
        self._norms = [part for part in model.modules() if isinstance(part, _BatchNorm)]
        self._processes = processes
        self._called = 0

    @contextmanager
    def shared(self) -> Iterator[None]:
        """Let the model normalise so while the block runs."""
        if self._processes.alone:
            yield
            return
        try:
            for k, norm in enumerate(self._norms):
                norm.forward = partial(self._forward, k)  # type: ignore[method-assign]
            yield
        finally:
            for norm in self._norms:
                norm.__dict__.pop("forward", None)

    @contextmanager
    def one_loss(self) -> Iterator[None]:
        """See to it that the block, a loss of some rows, makes the calls that `absent` makes."""
        self._called = 0
        yield
        if not self._processes.alone:
            self._called_next(None)

    def absent(self) -> Tensor:
        """Return a loss of 0 in whose making and `backward` the process takes its part."""
        self._called, loss = 0, torch.zeros(())
        for norm in () if self._processes.alone else filter(_of_batch, self._norms):
            like = next(chain(norm.parameters(), norm.buffers()), loss)
            rows = like.new_zeros(0, norm.num_features, 1, requires_grad=torch.is_grad_enabled())
            loss = loss + norm.forward(rows).sum().cpu()
        return loss

    def _forward(self, k: int, x: Tensor) -> Tensor:
        """Return x (B, C, ...), normalised over all rows and places of all processes."""
        norm = self._norms[k]
        if not _of_batch(norm):
            kept: Tensor = type(norm).forward(norm, x)
            return kept
        self._called_next(k)
        axes, shape = [0, *range(2, x.dim())], [1, -1, *[1] * (x.dim() - 2)]
        wide = x if x.dtype == torch.float64 else x.float()
        count = wide.new_tensor([x.numel() // x.shape[1]])
        total = self._sum(torch.cat([wide.sum(axes), count]))
        mean, N = total[:-1] / total[-1], total[-1].detach()
        centred = wide - mean.view(shape)
        variance = self._sum(centred.square().sum(axes)) / N
        _keep(norm, mean.detach(), variance.detach() * N / (N - 1).clamp(min=1))
        out = centred * (variance + norm.eps).rsqrt().view(shape)
        if norm.affine:
            out = out * norm.weight.view(shape) + norm.bias.view(shape)
        return out.to(x.dtype)

    def _sum(self, tensor: Tensor) -> Tensor:
        summed: Tensor = _Sum.apply(tensor, self._processes)  # type: ignore[no-untyped-call]
        return summed

    def _called_next(self, k: int | None) -> None:
        """Take note of a call, None for the end of a loss.

        Raises `ArgumentError` where processes without rows could not know that it comes next.
        """
        order = [n for n, norm in enumerate(self._norms) if _of_batch(norm)]
        due = order[self._called] if self._called < len(order) else None
        if k != due:
            came, wanted = ("none" if n is None else f"number {n}" for n in (k, due))
            raise ArgumentError(
                "in several processes a model's batch normalisations must each be called once for "
                f"a loss, in the order of its modules: {came} was called where {wanted} was due."
            )
        self._called += 1


class _Sum(torch.autograd.Function):
    """The sum of a tensor over all processes; so is its gradient."""

    @staticmethod
    def forward(ctx: Any, tensor: Tensor, processes: Processes) -> Tensor:
        """Return the sum."""
        ctx.processes = processes
        return processes.sum_(tensor.detach().clone())

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        """Return the sum of what all processes send back."""
        return ctx.processes.sum_(gradients[0].clone()), None


def _of_batch(norm: _BatchNorm) -> bool:
    """Return whether a normalisation takes what it sees, and not its running means."""
    return norm.training or norm.running_mean is None


@torch.no_grad()
def _keep(norm: _BatchNorm, mean: Tensor, variance: Tensor) -> None:
    """Go on with the running means, as torch does."""
    if not norm.training or norm.running_mean is None or norm.running_var is None:
        return
    share = norm.momentum
    if norm.num_batches_tracked is not None:
        norm.num_batches_tracked.add_(1)
        share = 1 / float(norm.num_batches_tracked) if share is None else share
    assert share is not None
    norm.running_mean.lerp_(mean.to(norm.running_mean), share)
    norm.running_var.lerp_(variance.to(norm.running_var), share)
