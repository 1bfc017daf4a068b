"""Writes an ONNX graph node by node; shapes are known to the one who writes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recurra.errors import ExportError, MissingDependencyError

OPSET, IR_VERSION = 18, 9  # what onnxruntime has run since 1.15
Axis = str | int


@dataclass(frozen=True)
class Port:
    """An input or output of the graph.

    axes: the letter of each axis, or its size where that is fixed; about: what it means;
    low, high: between which an input is drawn when the file is checked, both included: numbers, or
    "T" or "T-1" for the size of an axis.
    """

    name: str
    dtype: Any
    axes: tuple[Axis, ...]
    about: str = ""
    low: Any = -2.0
    high: Any = 2.0

    @property
    def type_name(self) -> str:
        """The type of its numbers: float32, int64, ..."""
        return str(np.dtype(self.dtype))

    @property
    def shape_text(self) -> str:
        """Its axes in parentheses."""
        return f"({', '.join(map(str, self.axes))}{',' * (len(self.axes) == 1)})"


@dataclass
class Graph:
    """A graph that is being written, or the body of a loop in one.

    Values are called by name; names are unique in a graph and its bodies together, which may read
    what is around them.
    """

    outer: "Graph | None" = None
    nodes: list[Any] = field(default_factory=list)
    inputs: list[Port] = field(default_factory=list)
    outputs: list[Port] = field(default_factory=list)
    _initializers: list[Any] = field(default_factory=list)
    _constants: dict[Any, str] = field(default_factory=dict)
    _count: int = 0

    @property
    def whole(self) -> "Graph":
        """The graph that this one is the body of, or itself."""
        return self if self.outer is None else self.outer.whole

    def name(self, stem: str) -> str:
        """Return a name that nothing has yet."""
        whole = self.whole
        whole._count += 1
        return f"{stem}_{whole._count}"

    def add(self, op: str, *inputs: str, **attributes: Any) -> str:
        """Add a node of one output and return the output's name."""
        return self.add_several(op, inputs, 1, **attributes)[0]

    def add_several(
        self, op: str, inputs: Sequence[str], count: int, **attributes: Any
    ) -> list[str]:
        """Add a node of several outputs and return their names."""
        outputs = [self.name(op.lower()) for _ in range(count)]
        name = self.name(op)
        helper = onnx().helper
        self.nodes.append(helper.make_node(op, list(inputs), outputs, name=name, **attributes))
        return outputs

    def constant(self, value: Any, dtype: Any = None) -> str:
        """Return the name of a constant; one that is there already is not repeated."""
        array = np.ascontiguousarray(np.asarray(value, dtype)).reshape(np.shape(value))
        whole = self.whole
        key = (array.dtype.str, array.shape, array.tobytes())
        if key not in whole._constants:
            whole._constants[key] = name = self.name("constant")
            whole._initializers.append(onnx().numpy_helper.from_array(array, name))
        return whole._constants[key]

    def numbers(self, *values: int) -> str:
        """Return the name of a constant vector of whole numbers."""
        return self.constant(np.array(values, np.int64))

    def cast(self, x: str, dtype: Any) -> str:
        """Return x as another type."""
        return self.add("Cast", x, to=element_type(dtype))

    def axis_size(self, x: str, axis: int) -> str:
        """Return the size of an axis of x, as a vector of one number."""
        return self.add("Shape", x, start=axis, end=axis + 1)

    def join(self, parts: Sequence[str], axis: int) -> str:
        """Return parts behind one another."""
        return parts[0] if len(parts) == 1 else self.add("Concat", *parts, axis=axis)

    def linear(
        self, x: str, weight: NDArray[Any], bias: NDArray[Any] | None, dtype: Any = None
    ) -> str:
        """Return W·x + b for the last axis of x, W (n, k) in `dtype`."""
        y = self.add("MatMul", x, self.constant(weight.T, dtype))
        return y if bias is None else self.add("Add", y, self.constant(bias, dtype))

    def take(self, port: Port) -> str:
        """Make a port an input, and return its name."""
        self.inputs.append(port)
        return port.name

    def give(self, x: str, port: Port) -> None:
        """Make x an output, under the port's name."""
        helper = onnx().helper
        name = self.name("Identity")
        self.nodes.append(helper.make_node("Identity", [x], [port.name], name=name))
        self.outputs.append(port)

    def proto(self, name: str) -> Any:
        """Return the graph as ONNX has it."""
        return onnx().helper.make_graph(
            self.nodes,
            name,
            [_value_info(port) for port in self.inputs],
            [_value_info(port) for port in self.outputs],
            self._initializers,
        )

    def model(self, about: str, metadata: Mapping[str, str]) -> bytes:
        """Return the finished file's bytes; raises `ExportError` where they are too many."""
        from recurra.version import __version__

        library = onnx()
        made = library.helper.make_model(
            self.proto("recurra"),
            opset_imports=[library.helper.make_opsetid("", OPSET)],
            ir_version=IR_VERSION,
            producer_name="recurra",
            producer_version=__version__,
            doc_string=about,
        )
        library.helper.set_model_props(made, dict(metadata))
        try:
            data: bytes = made.SerializeToString()
        except ValueError as error:
            raise ExportError(f"an ONNX file holds at most 2 GB of weights: {error}.") from None
        return data


def element_type(dtype: Any) -> int:
    """Return ONNX's number of a NumPy dtype."""
    number: int = onnx().helper.np_dtype_to_tensor_dtype(np.dtype(dtype))
    return number


def onnx() -> Any:
    """Return the package onnx; raises `MissingDependencyError` without it."""
    try:
        library = import_module("onnx")
        import_module("onnx.helper")
        import_module("onnx.numpy_helper")
    except ImportError as error:
        raise MissingDependencyError(
            "an export to ONNX needs the package onnx: pip install 'recurra[export]'."
        ) from error
    return library


def _value_info(port: Port) -> Any:
    return onnx().helper.make_tensor_value_info(
        port.name, element_type(port.dtype), list(port.axes)
    )
