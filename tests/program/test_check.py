"""What a well-formed program is, and that each fault names its instruction."""

from dataclasses import replace

import pytest
from programs import CELLS, Sketch, lstm_packed, prepared

from recurra.errors import ProgramError, RecurraError
from recurra.program.check import check
from recurra.program.differentiate import differentiate
from recurra.program.program import Instruction, Program, Value


def small() -> tuple[Program, dict[str, int]]:
    """new = tanh(W x + h) and the names of its values."""
    s = Sketch()
    v = {"x": s.input(2), "h": s.state(3), "W": s.parameter(3, 2)}
    v["a"] = s("linear", v["x"], v["W"])
    v["sum"] = s("add", v["a"], v["h"])
    v["new"] = s("tanh", v["sum"])
    return s.program([v["new"]], [v["new"]]), v


@pytest.mark.parametrize("name", CELLS)
def test_cells_and_their_adjoints_are_well_formed(name: str) -> None:
    program = prepared(CELLS[name]())
    adjoint = differentiate(program).program
    assert check(program) is program
    assert check(adjoint) is adjoint


def test_a_fault_is_a_recurra_error_that_names_the_instruction() -> None:
    program, _ = small()
    swapped = replace(program, loop=(program.loop[1], program.loop[0], program.loop[2]))
    with pytest.raises(ProgramError, match=r"loop\[0\]: v4 = add\(v3, v1 \(h\)\): v3 is used bef"):
        check(swapped)
    assert issubclass(ProgramError, RecurraError)
    assert issubclass(ProgramError, ValueError)


def test_a_value_is_made_once() -> None:
    program, v = small()
    with pytest.raises(ProgramError, match=r"loop\[3\].*made twice"):
        check(replace(program, loop=(*program.loop, Instruction("exp", (v["a"],), v["new"]))))
    with pytest.raises(ProgramError, match="role 'state'"):
        check(replace(program, loop=(*program.loop, Instruction("exp", (v["a"],), v["h"]))))


def test_nothing_before_the_loop_depends_on_a_state() -> None:
    program, _ = small()
    check(replace(program, before=program.loop[:1], loop=program.loop[1:]))
    with pytest.raises(ProgramError, match=r"before\[1\].*depends on a state"):
        check(replace(program, before=program.loop[:2], loop=program.loop[2:]))


def test_a_new_state_is_ready_when_the_loop_ends() -> None:
    program, _ = small()
    with pytest.raises(ProgramError, match="new state v5 is not made when the loop ends"):
        check(replace(program, loop=program.loop[:2], after=program.loop[2:]))


@pytest.mark.parametrize(
    ("instruction", "fault"),
    [
        (Instruction("linear", (1, 2), 6), r"x \(k,\) and W \(n, k\), got \(3,\), \(3, 2\)"),
        (Instruction("add", (0, 1), 6), r"one shape .* got \(2,\), \(3,\)"),
        (Instruction("add", (1,), 6), "takes 2 operands, got 1"),
        (Instruction("softmax", (1,), 6), "no op 'softmax'"),
        (Instruction("slice", (1,), 6, (("start", 0), ("stop", 4))), "features 0 to 4"),
        (Instruction("slice", (1,), 6, (("start", 0),)), "attribute 'stop' is missing"),
        (Instruction("sum", (1,), 6, (("groups", 2),)), "split into 2 groups"),
        (Instruction("total", (1,), 6), "only be in `sums`"),
        (Instruction("concat", (2, 2), 6, (("axis", 0),)), "must have rows"),
        (Instruction("tanh", (2,), 6), "must have rows"),
        (Instruction("linear_t", (1, 1), 6), "rows and a parameter"),
        (Instruction("sum", (1,), 6, (("groups", 1),)), r"gives \(1,\), .* said to be \(3,\)"),
        (Instruction("add", (1, 99), 6), "v99 is used before"),
    ],
)
def test_an_instruction_that_does_not_fit_is_named(instruction: Instruction, fault: str) -> None:
    program, _ = small()
    values = (*program.values, Value((3,), "result", True))
    with pytest.raises(ProgramError, match=rf"^loop\[3\]: v6 = {instruction.op}.*{fault}"):
        check(replace(program, values=values, loop=(*program.loop, instruction)))


def test_setup_works_on_parameters_and_sums_on_rows() -> None:
    program, v = small()
    values = (*program.values, Value((3, 2), "result", False))
    check(replace(program, values=values, setup=(Instruction("exp", (v["W"],), 6),)))
    with pytest.raises(ProgramError, match=r"setup\[0\].*parameters only"):
        check(replace(program, values=values, setup=(Instruction("exp", (v["h"],), 6),)))
    check(replace(program, values=values, sums=(Instruction("outer", (v["new"], v["x"]), 6),)))
    with pytest.raises(ProgramError, match=r"sums\[0\].*cannot be in `sums`"):
        check(replace(program, values=values, sums=(Instruction("exp", (v["W"],), 6),)))
    values = (*program.values, Value((3, 2), "result", True))
    with pytest.raises(ProgramError, match=r"setup\[0\].*rows=False"):
        check(replace(program, values=values, setup=(Instruction("exp", (v["W"],), 6),)))


def test_states_keep_their_shapes_and_their_number() -> None:
    s = Sketch()
    x, h = s.input(2), s.state(3)
    with pytest.raises(ProgramError, match=r"state v1 \(h\) \(3,\) becomes \(2,\)"):
        check(s.program([h], [x]))
    with pytest.raises(ProgramError, match="1 states become 0 new states"):
        check(s.program([h], []))


def test_what_is_listed_has_its_role_and_shape() -> None:
    program, v = small()
    with pytest.raises(ProgramError, match="listed as state but its role is 'input'"):
        check(replace(program, states=(v["x"],)))
    with pytest.raises(ProgramError, match="one input twice"):
        check(replace(program, inputs=(v["x"], v["x"])))
    with pytest.raises(ProgramError, match="v77 is not among its values"):
        check(replace(program, parameters=(77,)))
    with pytest.raises(ProgramError, match=r"output v2 has no rows"):
        check(replace(program, outputs=(v["W"],)))
    with pytest.raises(ProgramError, match=r"v6 is never made"):
        check(replace(program, values=(*program.values, program.values[v["new"]]), outputs=(6,)))
    flat = (*program.values[:2], Value((), "parameter", False), *program.values[3:])
    with pytest.raises(ProgramError, match=r"its shape is \(\)"):
        check(replace(program, values=flat))


def test_a_constant_has_a_number() -> None:
    program = lstm_packed()
    with pytest.raises(ProgramError, match="is a constant and must have a number"):
        check(replace(program, values=(*program.values, Value((), "constant", False))))
