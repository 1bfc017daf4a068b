"""Programs as text."""

from collections.abc import Sequence

import torch
from programs import Sketch
from torch import Tensor, nn

from recurra.program.check import check
from recurra.program.describe import (
    Namer,
    Section,
    describe_adjoint,
    describe_forward,
    name_leaves,
)
from recurra.program.describe_recipe import describe_recipe, shorten
from recurra.program.differentiate import differentiate
from recurra.program.program import Program
from recurra.program.trace import trace


def text(sections: Sequence[Section]) -> str:
    return "\n".join(
        f"{section.title}:\n"
        + "".join(f"  {line.text} | {line.size}".rstrip() + "\n" for line in section.lines)
        for section in sections
    )


def described(program: Program, adjoint: bool = False) -> str:
    check(program)
    namer = Namer()
    names = name_leaves(program, namer)
    names.update((i, namer.take(program.values[i].name)) for i in program.parameters)
    forward = describe_forward(program, names, namer)
    if not adjoint:
        return text(forward)
    return text(describe_adjoint(differentiate(program), program, names, namer))


def every_form() -> Program:
    s = Sketch()
    x, h, kept = s.input(4), s.state(4), s.state(2, "kept")
    W, U, b = s.parameter(8, 4, name="W"), s.parameter(4, 4, name="U"), s.parameter(4, name="b")
    rows = s("concat", s("slice", W, start=0, stop=2, axis=0), s("neg", U), axis=0)
    columns = s("linear", s("slice", x, start=1, stop=3), s("slice", U, start=0, stop=2, axis=1))
    a = s("linear", x, rows)
    group = s("spread", s("sum", s("slice", a, start=0, stop=4), groups=2), times=2)
    whole = s("spread", s("amax", a, groups=1), times=4)
    mask = s("ge", h, 0.25)
    picked = s("where", mask, s("pow", group, 2.0), s("maximum", whole, columns))
    back = s("linear_t", s("neg", picked), U)
    new = s("concat", s("slice", back, start=2, stop=4), kept)
    unchanged = s("slice", new, start=2, stop=4)
    out = s("concat", s("add", new, b), new, *[s("slice", x, start=0, stop=1)] * 5)
    return s.program([out], [new, unchanged])


def test_every_form_of_instruction() -> None:
    assert (
        described(every_form())
        == """\
once a call, from the weights alone:
  t1 = -U | 4×4
  t2 = [W[0:2]; t1] | 6×4

before the loop, all steps at once:

in the loop, step by step:
  t3 = U[:, 0:2] · x[1:3] | 4
  t4 = t2 · x | 6
  t5 = sum(t4[0:4], 2 groups) | 2
  t6 = spread(t5, 2 times) | 4
  t7 = amax(t4) | 1
  t8 = spread(t7, 4 times) | 4
  t9 = h >= 0.25 | 4
  t10 = t6 ** 2 | 4
  t11 = maximum(t8, t3) | 4
  t12 = where(t9, t10, t11) | 4
  t13 = -t12 | 4
  t14 = Uᵀ · t13 | 4
  h' = [t14[2:4], kept] | 4
  kept' = h'[2:4] | 2
  t15 = h' + b | 4
  out = [t15, h', x[0:1], 3 more, x[0:1]] | 13

after the loop, all steps at once:
"""
    )


def test_gradients_are_named_after_what_they_are_of() -> None:
    found = described(every_form(), adjoint=True)
    for line in (
        "d1 = ∂h' + ∂out[4:8] | 4",
        "∂kept = d5[2:4] | 2",
        "d13 = U · d12 | 4",
        "d38 = t2ᵀ · d37 | 4",
        "∂x = d41 + d38 | 4",
        "∂U = Σ t13 · d12ᵀ | 4×4",
        "∂U[:, 0:2] = Σ d23 · x[1:3]ᵀ | 4×2",
        "∂t2 = Σ d37 · xᵀ | 6×4",
        "∂b = Σ ∂out[0:4] | 4",
    ):
        assert f"  {line}\n" in found


def test_values_that_go_on_as_they_are_are_said_to() -> None:
    s = Sketch()
    x, h, fixed = s.input(2), s.state(2), s.state(2, "fixed")
    total = s("add", x, h)
    assert (
        described(s.program([total], [total, fixed]))
        == """\
before the loop, all steps at once:

in the loop, step by step:
  h' = x + h | 2
  fixed' = fixed | 2

after the loop, all steps at once:
  out = h' | 2
"""
    )


def test_a_weight_that_is_there_twice_gets_both_gradients() -> None:
    s = Sketch()
    x, h, W = s.input(2), s.state(2), s.parameter(2, 2, name="W")
    new = s("add", s("linear", x, W), s("linear", h, W))
    found = described(s.program([new], [new]), adjoint=True)
    assert "∂W = Σ d1 · hᵀ" in found
    assert "∂W += Σ d1 · xᵀ" in found


def test_no_name_is_given_twice() -> None:
    namer = Namer()
    assert [namer.take(name) for name in ("x", "x", "x", "t2", "x_2")] == [
        "x", "x_2", "x_3", "t2", "x_2_2",
    ]  # fmt: skip
    assert [namer.temporary("t") for _ in range(3)] == ["t1", "t3", "t4"]
    s = Sketch()
    x, h, t1 = s.input(2), s.state(2, "out"), s.parameter(2, name="t1")
    found = described(s.program([s("add", x, t1)], [s("mul", h, t1)]))
    assert "out_2 = x + t1" in found
    assert "out' = out * t1" in found


class Derived(nn.Module):
    """Computes a good deal from its parameters alone."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(4, 2))
        self.inner = nn.Linear(2, 2)
        self.scale = torch.tensor([[1.0, 2.0]])

    def forward(self, x: Tensor, h: Tensor) -> tuple[Tensor, tuple[Tensor, ...]]:
        halves = self.weight.softmax(dim=0).chunk(2)
        wide = torch.cat([self.weight[1:3, :], self.weight[::2]], dim=1)[:, :2]
        h = x @ halves[1] + h @ wide * self.scale.squeeze(0) + self.inner(h)
        return h, (h,)


def test_what_comes_of_parameters_alone_is_told_by_torchs_calls() -> None:
    traced = trace(Derived(), 2, {"h": 2})
    names, lines = describe_recipe(traced, Namer())
    assert len(names) == len(traced.program.parameters)
    assert [f"{line.text} | {line.size}".rstrip(" |") for line in lines] == [
        "t1 = softmax(weight, dim=0)",
        "t2 = chunk(t1, 2)",
        "t3 = weight[1:3, :]",
        "t4 = weight[::2]",
        "t5 = cat([t3, t4], dim=1)",
        "t6 = t5[:, :2]",
        "t7 = t(t2[1]) | 2×2",
        "t8 = t(t6) | 2×2",
        "t9 = squeeze(held, 0) | 2",
    ]
    assert names == ["t7", "t8", "t9", "inner.weight", "inner.bias"]


def test_names_are_as_short_as_they_can_be() -> None:
    assert shorten(("gates.weight", "gates.bias")) == {
        "gates.weight": "weight",
        "gates.bias": "bias",
    }
    assert shorten(("a.weight", "b.weight")) == {"a.weight": "a.weight", "b.weight": "b.weight"}
    assert shorten(("module.a.weight", "module.b.weight"))["module.a.weight"] == "a.weight"
    assert shorten(()) == {}
