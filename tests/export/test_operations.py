"""Every op of the table in onnxruntime, beside its meaning in NumPy."""

from pathlib import Path

import numpy as np
import pytest
from running import close, run_file

from recurra.errors import ProgramError
from recurra.export import ExportError
from recurra.export.equations import Equations, Writer
from recurra.export.graph import Graph, Port
from recurra.export.operations import OPERATIONS
from recurra.program.ops import OPS, find_op
from recurra.program.program import Builder, Instruction, Program, Value

ODD = [0.0, -0.0, 1.0, -1.0, 0.5, 2.0, -3.0, 1e-6, -1e-6, 1e-30, 30.0, 90.0, np.inf, -np.inf]
ATTRIBUTES = {
    "slice": {"start": 1, "stop": 4},
    "sum": {"groups": 3},
    "amax": {"groups": 3},
    "spread": {"times": 2},
    "transpose": {"height": 2, "width": 3},
    "matmul": {"groups": 1, "height": 2, "width": 2},
}
# The same ops on features that do not lie together, and on matrices that are stored otherwise.
OTHERWISE = [
    ("sum", {"groups": 1, "inner": 2}),
    ("amax", {"groups": 1, "inner": 3}),
    ("spread", {"times": 2, "inner": 3}),
    ("transpose", {"height": 3, "width": 1, "inner": 2}),
    ("transpose", {"height": 1, "width": 3, "inner": 2}),
    ("matmul", {"groups": 2, "height": 3, "width": 3}),
    ("matmul", {"groups": 1, "height": 3, "width": 3, "turned": "a"}),
    ("matmul", {"groups": 1, "height": 2, "width": 2, "turned": "b"}),
]
BACKWARD = ("arriving", "own_backward")  # which are left out before a program is written
WRITTEN = [
    name for name, op in OPS.items() if op.place != "sums" and name not in ("zeros", *BACKWARD)
]


def one_op(name: str, operands: list[np.ndarray], attributes: dict[str, object]) -> Equations:
    """Return a program of one instruction; operands of two axes are rows."""
    builder = Builder()
    inputs, arrays = [], {}
    for k, operand in enumerate(operands):
        rows = name != "linear" or k == 0
        rows = rows and not (name == "linear_t" and k == 1)
        shape = operand.shape[1:] if rows else operand.shape
        inputs.append(builder.add(Value(shape, "input" if rows else "parameter", rows)))
        if not rows:
            arrays[inputs[-1]] = operand
    shapes = [builder.values[i].shape for i in inputs]
    output = builder.emit(name, inputs, find_op(name).shape(shapes, attributes), **attributes)
    rows = tuple(i for i in inputs if builder.values[i].rows)
    loop = tuple(builder.instructions)
    program = Program(tuple(builder.values), rows, (), tuple(arrays), (output,), (), loop)
    return Equations(program, arrays, operands[0].dtype, "Cell (cell.py, line 1)")


def run_op(
    tmp_path: Path,
    name: str,
    operands: list[np.ndarray],
    attributes: dict[str, object] | None = None,
) -> np.ndarray:
    attributes = ATTRIBUTES.get(name, {}) if attributes is None else attributes
    equations = one_op(name, operands, attributes)
    program, graph = equations.program, Graph()
    feeds, known = {}, {}
    for i in program.inputs:
        port = Port(f"x{i}", equations.dtype, ("B", program.values[i].size))
        known[i], feeds[port.name] = graph.take(port), operands[i]
    writer = Writer(equations, graph, known[program.inputs[0]], 1, known)
    writer.write(program.loop)
    out = program.outputs[0]
    graph.give(writer.rows(out), Port("y", equations.dtype, ("B", program.values[out].size)))
    path = tmp_path / "op.onnx"
    path.write_bytes(graph.model("one op", {}))
    return run_file(path, **feeds)["y"]


def operands_of(name: str, dtype: type) -> list[np.ndarray]:
    rng = np.random.default_rng(0)
    if name in ("linear", "linear_t"):
        shape = (4, 6) if name == "linear" else (6, 4)
        return [rng.normal(size=(3, 6)).astype(dtype), rng.normal(size=shape).astype(dtype)]
    arity = find_op(name).arity
    count = 3 if arity is None else arity
    if find_op(name).pointwise and name not in ("copy", "detach"):
        grids = np.meshgrid(*[[*ODD, np.nan]] * count)
        return [grid.reshape(-1, 15).astype(dtype) for grid in grids]
    return [rng.normal(size=(3, 6)).astype(dtype) for _ in range(count)]


@pytest.mark.parametrize("name", WRITTEN)
def test_an_op_means_in_onnx_what_it_means_in_numpy(name: str, tmp_path: Path) -> None:
    operands = operands_of(name, np.float32)
    found = run_op(tmp_path, name, operands)
    with np.errstate(all="ignore"):
        wide = [operand.astype(np.float64) for operand in operands]
        if name in ("exp", "expm1", "pow"):  # what overflows depends on the width
            wide = operands
        wanted = np.asarray(find_op(name).meaning(*wide, **ATTRIBUTES.get(name, {})))
        wanted = wanted.astype(np.float32)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, wanted, rtol=2e-6, atol=1e-37)


@pytest.mark.parametrize(("name", "attributes"), OTHERWISE)
def test_an_op_on_blocks_means_in_onnx_what_it_means_in_numpy(
    name: str, attributes: dict[str, object], tmp_path: Path
) -> None:
    operands = operands_of(name, np.float64)
    found = run_op(tmp_path, name, operands, attributes)
    close(found, find_op(name).meaning(*operands, **attributes), "float64")


def test_small_numbers_keep_their_digits(tmp_path: Path) -> None:
    x = np.array([[1e-7, -1e-7, 3e-5, 1e-3, -0.2, 0.7]], np.float32)
    for name, exact in (("expm1", np.expm1), ("log1p", np.log1p)):
        np.testing.assert_allclose(run_op(tmp_path, name, [x]), exact(x), rtol=5e-7)


def test_float64_stays_float64(tmp_path: Path) -> None:
    for name in ("linear", "tanh", "sigmoid", "log1p", "expm1", "where", "amax"):
        operands = operands_of(name, np.float64)
        operands = [np.nan_to_num(operand, posinf=3, neginf=-0.5) for operand in operands]
        found = run_op(tmp_path, name, operands)
        with np.errstate(all="ignore"):
            wanted = find_op(name).meaning(*operands, **ATTRIBUTES.get(name, {}))
        assert found.dtype == np.float64
        close(found, np.asarray(wanted, np.float64), "float64")


def test_every_op_that_steps_may_have_is_written() -> None:
    assert set(OPERATIONS) == set(WRITTEN)


def test_an_op_that_onnx_has_not_is_named_with_the_cells_line() -> None:
    graph = Graph()
    equations = one_op("tanh", [np.zeros((2, 3), np.float32)], {})
    writer = Writer(equations, graph, "x", 1, {0: "x"})
    with pytest.raises(ExportError, match=r"Cell \(cell.py, line 1\): .* no operation for 'bend'"):
        writer.write([Instruction("bend", (0,), 1)])
    with pytest.raises(ProgramError):
        find_op("bend")
