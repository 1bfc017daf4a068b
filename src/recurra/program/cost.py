"""What a program costs for one row and one step."""

from dataclasses import dataclass

from recurra.program.ops import find_op
from recurra.program.program import Instruction, Program

PRODUCTS = ("linear", "linear_t", "outer", "matmul")
# These move features, which computes nothing.
MOVES = ("slice", "concat", "spread", "transpose", "copy", "detach", "zeros")


@dataclass(frozen=True)
class Flops:
    """Floating-point operations of one row and step, those of products apart from all others."""

    products: int
    pointwise: int

    @property
    def total(self) -> int:
        """Return all of them."""
        return self.products + self.pointwise


def count_flops(program: Program) -> Flops:
    """Return what one row and step takes; `setup`, which runs once a call, is not counted.

    A product with a matrix (n, k) counts 2·n·k, any function of a feature 1 (an exp as an add),
    a sum or maximum 1 for each feature that goes into it, a move of features nothing.
    """
    rows = (*program.before, *program.loop, *program.after, *program.sums)
    products = sum(flops_of(program, i) for i in rows if i.op in PRODUCTS)
    every = sum(flops_of(program, i) for i in rows)
    return Flops(products, every - products)


def flops_of(program: Program, instruction: Instruction) -> int:
    """Return the floating-point operations of an instruction, for one row."""
    values, op = program.values, instruction.op
    if op in MOVES:
        return 0
    if op == "matmul":
        height = int(instruction.attribute("height")) * int(instruction.attribute("groups"))
        return 2 * values[instruction.output].size * (values[instruction.inputs[0]].size // height)
    if op in PRODUCTS:
        matrix = instruction.output if op == "outer" else instruction.inputs[1]
        n, k = values[matrix].shape
        return 2 * n * k
    if find_op(op).pointwise or op == "total":
        return values[instruction.output].size
    return values[instruction.inputs[0]].size
