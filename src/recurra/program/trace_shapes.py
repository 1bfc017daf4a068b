"""Recording what a tensor says of itself, and views that only give it another shape."""

import math
from collections.abc import Sequence
from typing import Any, NoReturn

import torch
from torch import Tensor

from recurra.program.trace_elsewhere import turned
from recurra.program.trace_recorder import Recorder
from recurra.program.trace_refusal import refusal
from recurra.program.trace_symbol import BatchSize, Row
from recurra.program.trace_table import HANDLERS, records
from recurra.program.trace_types import COMPLEX
from recurra.program.trace_writer import count


def shape_of(rec: Recorder, x: Row) -> torch.Size:
    """Return (B, *trailing)."""
    return torch.Size((rec.batch, *x.trailing))


def axis_of(x: Row, dim: Any, extra: int = 0) -> int:
    """Return which trailing axis `dim` is, refusing the batch axis."""
    rank = len(x.trailing) + 1 + extra
    if not -rank <= dim < rank:
        raise IndexError(f"dim {dim} of a tensor of {rank} dimensions")
    axis = int(dim % rank) - 1
    if axis < 0:
        raise refusal("it works along the batch axis (dim 0), which mixes rows of the batch")
    return axis


def sizes_of(args: Sequence[Any]) -> tuple[Any, ...]:
    """Return the sizes that were passed one by one or as one tuple."""
    if len(args) == 1 and isinstance(args[0], tuple | list):
        return tuple(args[0])
    return tuple(args)


def as_row(rec: Recorder, x: Any) -> Row:
    """Return x, refusing a parameter that stands where a row must."""
    if not isinstance(x, Row):
        raise refusal("a tensor that is the same for all rows; expand it to the batch first")
    return x


def of_the_call(name: str) -> NoReturn:
    """Refuse what is asked about a tensor and may be another thing at each call."""
    raise refusal(f"{name} of x, a state or what comes of them may differ from call to call")


_PROPERTIES = {
    "shape": shape_of,
    "ndim": lambda rec, x: len(x.trailing) + 1,
    "dtype": lambda rec, x: x.kind,
    "device": lambda rec, x: rec.device,
    "layout": lambda rec, x: torch.strided,
    "requires_grad": lambda rec, x: of_the_call("requires_grad"),
    "is_leaf": lambda rec, x: of_the_call("is_leaf"),
    "itemsize": lambda rec, x: x.kind.itemsize,
    "names": lambda rec, x: (None,) * (len(x.trailing) + 1),
}
for _name, _property in _PROPERTIES.items():
    records(_name, spaces=(Tensor,))(_property)
for _name in ("is_cuda", "is_cpu", "is_meta", "is_mps", "is_sparse", "is_quantized", "is_mkldnn",
              "is_nested", "is_xpu", "is_xla", "is_sparse_csr"):  # fmt: skip

    def _state(rec: Recorder, x: Row, name: str = _name) -> Any:
        return getattr(torch.empty(0, device=rec.device, dtype=x.kind), name)

    records(_name, spaces=(Tensor,))(_state)


@records("size")
def size(rec: Recorder, x: Row, dim: Any = None) -> Any:
    """Return the shape, or one of its sizes."""
    return shape_of(rec, x) if dim is None else shape_of(rec, x)[dim]


@records("dim", "ndimension")
def dim(rec: Recorder, x: Row) -> int:
    """Return the number of dimensions, the batch axis included."""
    return len(x.trailing) + 1


@records("is_floating_point")
def is_floating_point(rec: Recorder, x: Row) -> bool:
    """Return whether x is of a floating-point dtype."""
    return x.kind.is_floating_point


@records("is_complex", "is_inference", "is_conj", "is_neg")
def is_complex(rec: Recorder, x: Row) -> bool:
    """Return False: rows are real, and as they are."""
    return False


@records("is_contiguous")
def is_contiguous(rec: Recorder, x: Row, *_: Any, **others: Any) -> bool:
    """Refuse: rows have no strides."""
    of_the_call("is_contiguous")


@records("get_device")
def get_device(rec: Recorder, x: Row) -> int:
    """Return the index of the device, -1 for the CPU."""
    return -1 if rec.device.type == "cpu" else rec.device.index or 0


@records("stride", "data_ptr", "storage", "untyped_storage", "storage_offset", "grad_fn", "grad",
         "_version", "backward", "register_hook", "retain_grad")  # fmt: skip
def hidden(rec: Recorder, *_: Any, **others: Any) -> None:
    """Refuse what a row does not have: memory, and a place in torch's own graph."""
    raise refusal("memory, hooks and gradients of a traced tensor")


@records("contiguous", "clone", "alias", "view_as_real_", "real", "conj", "resolve_conj",
         "resolve_neg", "requires_grad", spaces=(torch,))  # fmt: skip
@records("contiguous", "clone", "alias", "real", "conj", "resolve_conj", "resolve_neg", "dropout_",
         spaces=(Tensor,))  # fmt: skip
def unchanged(rec: Recorder, x: Row, *_: Any, **others: Any) -> Row:
    """Return a row with the same features."""
    return rec.row(x.trailing, x.value, x.kind)


@records("detach", "data", "detach_copy")
def detach(rec: Recorder, x: Row) -> Row:
    """Record x without a gradient."""
    if not rec.builder.values[x.value].rows:
        return rec.row(x.trailing, rec.materialise(x), x.kind).detach()  # type: ignore[return-value]
    return rec.row(x.trailing, rec.emit("detach", (x.value,), count(x.trailing)), x.kind)


def cast(rec: Recorder, x: Row, dtype: torch.dtype | None) -> Row:
    """Return x as another dtype: the program's own, or bool."""
    if dtype is None or dtype is x.kind:
        return rec.row(x.trailing, x.value, x.kind)
    if dtype is torch.bool:
        return rec.pointwise("ne", x, 0)
    whole = not dtype.is_floating_point and not dtype.is_complex
    counted = not x.kind.is_floating_point and not x.kind.is_complex
    number = rec.number_of(x)
    if whole and number is not None and math.isfinite(number):
        return rec.full(x.trailing, int(number), dtype)
    if (counted and whole) or (dtype is rec.dtype and (counted or number is not None)):
        return rec.row(x.trailing, x.value, dtype)
    if whole and torch.trunc in HANDLERS:
        cut: Row = HANDLERS[torch.trunc](rec, x)
        return rec.row(x.trailing, cut.value, dtype)
    if dtype.is_complex:
        raise refusal(COMPLEX)
    raise refusal(f"a cast from {x.kind} to {dtype} where the cell's input is {rec.dtype}")


@records("to", "type", "type_as", "_to_copy")
def to(rec: Recorder, x: Any, *args: Any, **kwargs: Any) -> Any:
    """Return x as another dtype; refuse another device."""
    dtype: torch.dtype | None = kwargs.get("dtype")
    places: list[Any] = [kwargs.get("device")]
    for value in (*args, kwargs.get("other")):
        if isinstance(value, torch.dtype):
            dtype = value
        elif isinstance(value, Tensor):
            dtype = value.dtype
            places.append(value.device)
        elif isinstance(value, str | torch.device):
            places.append(value)
    for place in places:
        if place is not None and same_device(rec, place) is False:
            raise refusal(f"a row moved to {place}")
    if not isinstance(x, Row):  # a parameter, or a tensor of the cell's own, to a row's dtype
        return rec.call(Tensor.to, (x, dtype), {})
    return cast(rec, x, dtype)


def same_device(rec: Recorder, place: Any) -> bool:
    """Return whether a place is where the rows are."""
    wanted = torch.device(place)
    return wanted.type == rec.device.type and wanted.index in (None, rec.device.index)


for _name, _dtype in {
    "float": torch.float32, "double": torch.float64, "half": torch.float16, "bool": torch.bool,
    "bfloat16": torch.bfloat16, "long": torch.int64, "int": torch.int32,
}.items():  # fmt: skip

    def _cast(rec: Recorder, x: Row, dtype: torch.dtype = _dtype, **others: Any) -> Row:
        return cast(rec, x, dtype)

    records(_name, spaces=(Tensor,))(_cast)


@records("cpu", "cuda", spaces=(Tensor,))
def moved(rec: Recorder, x: Row, *args: Any, **kwargs: Any) -> Row:
    """Refuse a move: rows stay where they are."""
    raise refusal("a row moved to another device")


# Views


def reshaped(rec: Recorder, x: Row, sizes: Sequence[Any]) -> Row:
    """Return the same features in another shape, the batch axis first."""
    if isinstance(sizes[0], torch.dtype):
        raise refusal("a view of the same bytes as another dtype")
    n = count(x.trailing)
    first, trailing = sizes[0], list(sizes[1:])
    if any(isinstance(s, BatchSize) for s in trailing):
        raise refusal(f"a shape {tuple(sizes)} whose first axis is not the batch")
    known = count([s for s in trailing if s != -1])
    if isinstance(first, BatchSize):
        if -1 in trailing and known and n % known == 0:
            trailing[trailing.index(-1)] = n // known
    elif first != -1:
        raise refusal(f"a shape {tuple(sizes)} whose first axis is not the batch")
    if -1 in trailing or count(trailing) != n:
        raise refusal(
            f"(B, {', '.join(map(str, x.trailing))}) as {tuple(sizes)} mixes rows of the batch"
        )
    return rec.row(tuple(trailing), x.value, x.kind)


@records("view", "reshape", "_unsafe_view", "_reshape_alias")
def reshape(rec: Recorder, x: Row, *shape: Any, **named: Any) -> Row:
    """Return the same features in another shape."""
    return reshaped(rec, x, sizes_of(shape or tuple(named.values())))


@records("view_as", "reshape_as")
def reshape_as(rec: Recorder, x: Row, other: Any) -> Row:
    """Return the same features in the shape of another row."""
    return reshaped(rec, x, shape_of(rec, as_row(rec, other)))


@records("flatten", "ravel")
def flatten(rec: Recorder, x: Row, start_dim: int = 0, end_dim: int = -1) -> Row:
    """Return the same features with several axes made one."""
    start, end = axis_of(x, start_dim), axis_of(x, end_dim)
    middle = count(x.trailing[start : end + 1])
    return rec.row((*x.trailing[:start], middle, *x.trailing[end + 1 :]), x.value, x.kind)


@records("unflatten")
def unflatten(rec: Recorder, x: Row, dim: int, sizes: Any) -> Row:
    """Return the same features with one axis made several."""
    axis = axis_of(x, dim)
    return reshaped(rec, x, (rec.batch, *x.trailing[:axis], *sizes, *x.trailing[axis + 1 :]))


@records("unsqueeze")
def unsqueeze(rec: Recorder, x: Row, dim: int) -> Row:
    """Return the same features with an axis of size 1 more."""
    if dim in (0, -len(x.trailing) - 2):
        return turned(rec, x.unsqueeze(1))  # type: ignore[return-value, arg-type]
    axis = axis_of(x, dim, extra=1)
    return rec.row((*x.trailing[:axis], 1, *x.trailing[axis:]), x.value, x.kind)


@records("squeeze")
def squeeze(rec: Recorder, x: Row, dim: Any = None) -> Row:
    """Return the same features without some axes of size 1."""
    if dim is None:
        raise refusal("squeeze() without a dim drops the batch axis when there is one row")
    axes = {axis_of(x, d) for d in (dim if isinstance(dim, tuple | list) else (dim,))}
    trailing = tuple(s for k, s in enumerate(x.trailing) if k not in axes or s != 1)
    return rec.row(trailing, x.value, x.kind)
