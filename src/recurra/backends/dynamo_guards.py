"""One step of a cell for torch.compile's tracer to look at, so that it guards what the cell reads.

The tracer is Dynamo. It follows a cell's code in Python and has its compiled graph called only as
long as all is equal that the code has read: attributes, modes, globals, closures. The operation
that stands for the cell in the graph shows it no code. So the cell steps once before its eyes, and
what that step put in the graph is taken out again.
"""

from typing import Any

import torch
from torch import Tensor, nn
from torch._dynamo.comptime import comptime
from torch.fx.experimental.symbolic_shapes import guard_scalar


@torch._dynamo.assume_constant_result  # type: ignore[untyped-decorator]
def graph_here() -> str:
    """Return the name of the graph that is being made, empty where none is."""
    return str(torch._guards.CompileContext.current_compile_id() or "")


@torch._dynamo.assume_constant_result  # type: ignore[untyped-decorator]
def transforms_here() -> bool:
    """Return whether what is traced lies within a transform of torch.func or forward mode."""
    functions = torch._C._functorch.peek_interpreter_stack() is not None
    return functions or torch.autograd.forward_ad._current_level >= 0


def step(graph: str, cell: nn.Module, x: Tensor, *state: Tensor) -> None:
    """Have the tracer follow a step of a cell, if it still makes the graph of that name.

    x: (T, B, I). Where it cannot follow the code it gives the graph up, and calls this again in
    another, in which nothing is done.
    """
    if graph and graph_here() == graph:
        comptime(_begin)
        cell(x[0], *state)
        comptime(_end)


def _begin(context: Any) -> None:
    graph = context.graph()
    graph.recurra_nodes = set(graph.nodes)


def _end(context: Any) -> None:
    """Take the step's operations out of the graph, and hold the numbers that it read to theirs."""
    graph = context.graph()
    for node in reversed(list(graph.nodes)):
        value = node.meta.get("example_value")
        if node in graph.recurra_nodes or (node.op == "placeholder" and isinstance(value, Tensor)):
            continue
        if isinstance(value, torch.SymInt | torch.SymFloat | torch.SymBool):
            guard_scalar(value)  # the program has this number in it
        elif node.op != "placeholder" and not node.users:
            graph.erase_node(node)
    del graph.recurra_nodes
