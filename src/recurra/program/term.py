"""Arithmetic on the values of a program that is being written, so that formulas read as such."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from recurra.program.program import Attribute, Number, Value


class Writer(Protocol):
    """What a term writes its instructions to."""

    values: list[Value]

    def constant(self, number: Number) -> int:
        """Return the index of a constant."""
        ...

    def apply(self, op: str, inputs: Sequence[int], **attributes: Attribute) -> int:
        """Return the index of `op(*inputs)`."""
        ...


@dataclass(frozen=True)
class Term:
    """A value of a program that is being written; arithmetic on it writes instructions."""

    writer: Writer
    index: int

    @property
    def value(self) -> Value:
        """Return what the program knows of the value."""
        return self.writer.values[self.index]

    @property
    def number(self) -> Number | None:
        """Return the number if the value is a constant, None otherwise."""
        return self.value.number

    def __neg__(self) -> "Term":
        return apply("neg", self)

    def __add__(self, other: "Term | Number") -> "Term":
        return apply("add", self, other)

    def __sub__(self, other: "Term | Number") -> "Term":
        return apply("sub", self, other)

    def __mul__(self, other: "Term | Number") -> "Term":
        return apply("mul", self, other)

    def __truediv__(self, other: "Term | Number") -> "Term":
        return apply("div", self, other)

    def __radd__(self, other: Number) -> "Term":
        return apply("add", other, self)

    def __rsub__(self, other: Number) -> "Term":
        return apply("sub", other, self)

    def __rmul__(self, other: Number) -> "Term":
        return apply("mul", other, self)


def apply(op: str, *operands: Term | Number, **attributes: Attribute) -> Term:
    """Write `op(*operands)` where the first operand that is a Term is written, and return it."""
    writer = next(operand.writer for operand in operands if isinstance(operand, Term))
    inputs = [o.index if isinstance(o, Term) else writer.constant(o) for o in operands]
    return Term(writer, writer.apply(op, inputs, **attributes))
