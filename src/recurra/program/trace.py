"""From a cell, as it stands, to its program: the cell is called with symbols that record."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn

from recurra.errors import TraceError
from recurra.program import trace_operations as _  # noqa: F401  (fills the table)
from recurra.program.program import Program
from recurra.program.trace_leaves import Path, Recipe, needed
from recurra.program.trace_module import Copies, tensors_of
from recurra.program.trace_randoms import Random
from recurra.program.trace_reads import Reads, effect
from recurra.program.trace_recorder import Recorder, Watch
from recurra.program.trace_refusal import (
    REFUSALS,
    line_of_error,
    place_of,
    reason_of_error,
    refusal,
)
from recurra.program.trace_symbol import BASES, BatchSize, Row
from recurra.program.trace_watch import watch
from recurra.program.watched import Watched

# The batch sizes with which a cell is traced: what depends on them differs between the two.
_BATCHES = (BatchSize(2**61 - 1), BatchSize(2**59 - 55))


@dataclass(frozen=True)
class Traced:
    """A cell as a program.

    program: its inputs are x and then one for each of `randoms`; everything is in `loop`.
    recipe: how the program's parameters come from the module's tensors.
    randoms: what is to be drawn for each row and step.
    """

    program: Program
    recipe: Recipe
    randoms: tuple[Random, ...]

    def sourced(self, watched: Watched) -> "Traced":
        """Return it with the tensors that are not registered read from the cell at each call."""
        return replace(self, recipe=self.recipe.sourced(watched.tensors))

    @property
    def names(self) -> tuple[str, ...]:
        """Return the names of the parameters and buffers that the program depends on."""
        return self.recipe.names

    def leaves(self, tensors: Mapping[str, Tensor], cell: object = None) -> tuple[Tensor, ...]:
        """Return the tensors for `program.parameters`, in order.

        tensors: the module's parameters and buffers by name (`names` says which are read).
        cell: the module, from which other tensors and numbers are read.
        Gradients flow from the result back to them.
        """
        return self.recipe.follow(tensors, cell)


@dataclass(frozen=True, eq=False)
class Attempt:
    """What came of tracing a cell: its program or why it has none, and what that depends on."""

    traced: Traced | TraceError
    watched: Watched
    reads: Reads
    varying: frozenset[Path]


def trace(
    module: nn.Module,
    input_size: int,
    state_sizes: Mapping[str, int],
    dtype: torch.dtype | None = None,
    device: torch.device | None = None,
) -> Traced:
    """Return the program of a module that is called as `module(x, *state)`, as a `Cell` is.

    Args:
        module: gives `(output, new_state)`; neither it nor its tensors are changed.
        input_size: features of x.
        state_sizes: the features of each state, by its name.
        dtype: of x and the states; that of the module's first floating-point tensor if None.
        device: likewise.

    Raises `TraceError` with the reason and the line where the cell cannot be traced.
    """
    found = attempt(module, input_size, state_sizes, dtype, device).traced
    if isinstance(found, TraceError):
        raise found
    return found


def attempt(
    module: nn.Module,
    input_size: int,
    state_sizes: Mapping[str, int],
    dtype: torch.dtype | None = None,
    device: torch.device | None = None,
    varying: Iterable[Path] = (),
) -> Attempt:
    """Trace a module as `trace` does, and find what the result depends on.

    varying: the numbers below the module that become inputs of the program.
    """
    first = next((t for t in tensors_of(module) if t.is_floating_point()), torch.empty(0))
    dtype, device = dtype or first.dtype, device or first.device
    reads, varying = Reads(), frozenset(varying)
    before = REFUSALS.first, REFUSALS.outermost
    REFUSALS.outermost = trace_once.__code__
    found: Traced | TraceError
    try:
        found, again = (
            trace_once(
                module,
                input_size,
                state_sizes,
                Recorder(dtype, device, batch, base),
                reads,
                varying,
            )
            for batch, base in zip(_BATCHES, BASES, strict=True)
        )
        if found != again:
            found = TraceError(
                "the cell does not do the same each time: it counts, or draws random numbers "
                "that are not torch's"
            )
    except TraceError as error:
        found = error
    finally:
        REFUSALS.first, REFUSALS.outermost = before
        changed = reads.undo()
    watched = watch(module, reads, varying)
    lasting = [line for held, line in changed if id(held) in watched.outside]
    if isinstance(found, Traced):
        if lasting:
            found = effect(lasting[0])
        elif watched.refused:
            found = TraceError(watched.refused)
    return Attempt(found, watched, reads, varying)


def trace_once(
    module: nn.Module,
    input_size: int,
    state_sizes: Mapping[str, int],
    recorder: Recorder,
    reads: Reads,
    varying: Iterable[Path] = (),
) -> Traced:
    """Return the program of one call."""
    REFUSALS.first = None
    kind = recorder.device.type
    off = torch.autocast(kind if kind == "cuda" else "cpu", enabled=False)
    try:
        with torch.inference_mode(False), torch.enable_grad(), off:
            copies = Copies(module, recorder, varying)
            x = recorder.enter("input", (input_size,), "x")
            states = [recorder.enter("state", (n,), name) for name, n in state_sizes.items()]
            with Watch(recorder), reads, copies.out_of_the_cache():
                result = copies.module(x, *states)
            copies.check_unchanged()
            outputs, new_states = check_result(result, state_sizes, recorder)
    except TraceError:
        raise
    except Exception as error:
        raise TraceError(reason_of_error(error) + place_of(line_of_error(error))) from error
    finally:
        first = REFUSALS.first
    if first is not None:  # the cell has caught it and gone on
        raise first
    program = Program(
        values=tuple(recorder.builder.values),
        inputs=tuple(recorder.inputs),
        states=tuple(state.value for state in states),
        parameters=tuple(recorder.parameters),
        outputs=outputs,
        new_states=new_states,
        loop=tuple(recorder.builder.instructions),
    )
    order = needed(recorder.steps, recorder.wanted)
    recipe = Recipe(tuple(recorder.steps), order, tuple(recorder.wanted))
    return Traced(program, recipe, tuple(recorder.randoms))


def check_result(
    result: Any, state_sizes: Mapping[str, int], recorder: Recorder
) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Return the values of the output and the new states, held to what the cell says."""
    if not (isinstance(result, tuple | list) and len(result) == 2):
        raise refusal("the cell must return (output, new_state)")
    output, new = result
    if not isinstance(new, tuple | list) or len(new) != len(state_sizes):
        raise refusal(
            f"the cell must return {len(state_sizes)} new states ({', '.join(state_sizes)})"
        )
    indices = []
    named = (
        ("the output", output, None),
        *zip(state_sizes, new, state_sizes.values(), strict=True),
    )
    for name, value, size in named:
        if not isinstance(value, Row) or len(value.trailing) != 1:
            raise refusal(f"{name} must be a tensor of (B, features)")
        if size is not None and value.trailing != (size,):
            raise refusal(f"state {name!r} must be (B, {size}), got (B, {value.trailing[0]})")
        if value.kind is not recorder.dtype:
            raise refusal(f"{name} must be {recorder.dtype}, got {value.kind}")
        indices.append(recorder.materialise(value))
    return (indices[0],), tuple(indices[1:])


__all__ = ["Random", "Traced", "trace"]
