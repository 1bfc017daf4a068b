"""The machine for short runs: one cell that keeps its state, its weights packed beforehand."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from recurra import _core
from recurra.backends.compiled import Way
from recurra.backends.interpret import set_up
from recurra.backends.memory import address, away, odd_weight, plain
from recurra.backends.prepare import Prepared, leaves, prepare
from recurra.backends.steps import SteppedCell
from recurra.errors import BackendError

MOST_ROWS = 16  # more are better shared among threads, by a call of the layer


class NativeStepper:
    """Pushes a cell along a stream; raises nothing that `refusal` has not foreseen.

    state: each (B, size), contiguous: read and written by every push.
    """

    def __init__(self, cell: nn.Module, prepared: Prepared, state: Sequence[Tensor]) -> None:
        self.cell, self.prepared, self.state = cell, prepared, state
        program = prepared.compiled.program
        self.output_size = program.values[program.outputs[0]].size
        self._pack()

    def _pack(self) -> None:
        """Pack the weights, and remember which they were."""
        device = self.state[0].device
        odd = odd_weight(self.cell) or away(self.cell, device)  # type: ignore[arg-type]
        if odd is not None:
            raise BackendError(f"{odd}: open another stream.")
        self._watched = [
            (tensors, name, tensor, tensor._version, tensor.data_ptr())
            for module in self.cell.modules()
            for tensors in (module._parameters, module._buffers)
            for name, tensor in tensors.items()
            if tensor is not None
        ]
        like = self.state[0]  # the layer may have been converted since
        lowered = self.prepared.compiled.forward(Way(False, False, False))
        with torch.no_grad():
            compiled = self.prepared.compiled
            weights = set_up(compiled.program, leaves(self.prepared, self.cell))  # type: ignore[arg-type]
            vectors = [plain(weights[v]).to(like).contiguous() for v in lowered.vectors]
            matrices = [plain(weights[v]).to(like) for v in lowered.matrices]
        kind = _core.FloatStepper if like.dtype == torch.float32 else _core.DoubleStepper
        self._stepper = kind(
            lowered.plan,
            [(address(w), w.stride()) for w in matrices],
            [(address(v), v.stride()) for v in vectors],
            like.shape[0],
            [address(s) for s in self.state],
        )

    def push(self, x: Tensor) -> Tensor:
        """Return the outputs for x: (B, O) for one step (B, I), (T, B, O) for (T, B, I)."""
        for tensors, name, tensor, version, at in self._watched:
            if tensors[name] is not tensor or tensor._version != version or tensor.data_ptr() != at:
                self._pack()
                break
        x = plain(x)
        n = self.output_size
        if x.dim() == 2:
            B, _ = x.shape
            out = x.new_empty(B, n)
            row, feature = x.stride()
            self._stepper.push(1, address(x), 0, row, feature, address(out), 0, n)
            return out
        T, B, _ = x.shape
        out = x.new_empty(T, B, n)
        step, row, feature = x.stride()
        self._stepper.push(T, address(x), step, row, feature, address(out), B * n, n)
        return out


def stepper(cell: SteppedCell, state: Sequence[Tensor]) -> NativeStepper | None:
    """Return a stepper of the cell, or None where the machine has no short way for it."""
    like = state[0]
    if like.shape[0] > MOST_ROWS or like.device.type != "cpu":
        return None
    if like.dtype not in (torch.float32, torch.float64):
        return None
    prepared = prepare(cell, like.dtype)
    if isinstance(prepared, str) or prepared.traced.randoms:
        return None
    assert isinstance(cell, nn.Module)
    return NativeStepper(cell, prepared, state)
