"""The stack as torch.compile leaves it to Python. Imported only where it compiles."""

import torch

from recurra.layers.stack import run_stack

run_uncompiled = torch.compiler.disable(run_stack)  # type: ignore[no-untyped-call]
