"""What the core does in one pass over memory is what it would do in several."""

import pytest
import torch
from torch import Tensor, nn

from every_kind import everything
from recurra import Recurrent, use_backend
from recurra.backends.fuse import fuse
from recurra.program.program import Instruction, Program, Value

pytest.importorskip("recurra._core")

T, B, H = 4, 3, 5


class Alike(nn.Module):
    """Equations that look like the derivative of an activation, and one that is none."""

    def __init__(self, input_size: int, hidden_size: int, which: str) -> None:
        super().__init__()
        self.state_sizes = {"h": hidden_size}
        self.linear = nn.Linear(input_size + hidden_size, 3 * hidden_size)
        self.which = which

    def forward(self, x: Tensor, h: Tensor) -> tuple[Tensor, Tensor]:
        d, y, z = self.linear(torch.cat([x, h], -1)).chunk(3, -1)
        h = {
            "sigmoid": lambda: d * ((1 - y) * y),
            "another's": lambda: d * ((1 - z) * y),
            "turned": lambda: d * (y * (1 - y)),
            "tanh": lambda: d * (1 - y * y),
            "two": lambda: d * (1 - y * z),
            "from two": lambda: d * (2 - y * y),
            "used twice": lambda: d * ((1 - y) * y) + (1 - y) * y,
            "twice the sum": lambda: d * y + z + d * y,
            "itself": lambda: d * d * d + d,
        }[self.which]()
        return h, torch.tanh(h)


@pytest.mark.parametrize(
    "which",
    ["sigmoid", "another's", "turned", "tanh", "two", "from two", "used twice", "twice the sum",
     "itself"],
)  # fmt: skip
def test_only_what_is_a_derivative_is_taken_for_one(which: str) -> None:
    layer = Recurrent(Alike, 2, H, which=which).double()
    x = torch.randn(T, B, 2, dtype=torch.float64, requires_grad=True)
    results = []
    for backend in ("native", "eager"):
        with use_backend(backend):
            results.append(everything(layer, x))
    torch.testing.assert_close(*results, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("same", [True, False])
def test_a_gradient_of_another_result_is_left_as_it_is(same: bool) -> None:
    row = Value((H,), "input", True)
    values = (row, row, row, Value((), "constant", False, number=1.0)) + (
        Value((H,), "result", True),
    ) * 3
    d, y, z, one, less, inner, out = range(7)
    loop = (
        Instruction("sub", (one, y if same else z), less),
        Instruction("mul", (less, y), inner),
        Instruction("mul", (d, inner), out),
    )
    program = Program(values, (d, y, z), (), (), (out,), (), loop)
    uses = {d: 1, y: 1 + same, z: 1 - same, one: 1, less: 1, inner: 1, out: 0}
    found = [i.op for i in fuse(program, loop, {out}, uses)]
    assert found == (["sigmoid_gradient"] if same else ["sub", "mul", "mul"])
