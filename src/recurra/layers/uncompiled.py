"""The stack as torch.compile leaves it to Python. Imported only where it compiles."""

from collections.abc import Callable
from functools import partial
from typing import Any

import torch

from recurra.layers.stack import run_stack

run_uncompiled = torch.compiler.disable(run_stack)  # type: ignore[no-untyped-call]


@partial(
    torch.compiler.disable,
    reason="torch.nn has no layer of this kind: take a recurra.Recurrent, or compile without "
    "fullgraph=True",
)
def call_uncompiled(call: Callable[..., Any], *args: Any) -> Any:
    """Return what a call gives in Python."""
    return call(*args)
