"""model.safetensors: its header is checked before anything is made of what it says."""

import math
from pathlib import Path
from typing import Annotated, BinaryIO, Literal

import pydantic
from torch import Tensor

from recurra.errors import ModelFileError
from recurra.tasks.saving.config import FileSum, Record, first_fault
from recurra.tasks.saving.files import opened, parse_json, shown

_MOST_HEADER = 16 * 2**20  # bytes; a tensor takes about a hundred
_BYTES = {"F64": 8, "F32": 4, "F16": 2, "BF16": 2, "I64": 8, "I32": 4, "I16": 2, "I8": 1, "U8": 1}
_Size = Annotated[int, pydantic.Field(ge=0, lt=2**63)]


class _Entry(Record):
    """What the header says of one tensor: offsets are where it begins and ends in the data."""

    dtype: Literal["F64", "F32", "F16", "BF16", "I64", "I32", "I16", "I8", "U8", "BOOL"]
    shape: Annotated[list[_Size], pydantic.Field(max_length=16)]
    data_offsets: Annotated[list[_Size], pydantic.Field(min_length=2, max_length=2)]

    @property
    def bytes(self) -> int:
        """How many the tensor has."""
        return math.prod(self.shape) * _BYTES.get(self.dtype, 1)


class _Header(pydantic.RootModel[dict[str, _Entry]]):
    """The header: an entry by the name of each tensor."""


def read_weights(file: Path, wanted: FileSum) -> dict[str, Tensor]:
    """Return the tensors in a file of the size and checksum wanted.

    Raises `ModelFileError` for any other, and for a header that does not describe, without gaps or
    overlaps, the bytes that are there: before they are read.
    """
    import safetensors.torch
    from safetensors import SafetensorError

    with opened(file, wanted.size) as (content, size):
        if size != wanted.size:
            raise ModelFileError(f"{file}: damaged, {size:,} bytes and not {wanted.size:,}.")
        _check_header(file, content, size)
        content.seek(0)
        try:
            whole = content.read(size)
        except MemoryError:
            raise ModelFileError(f"{file}: {size:,} bytes do not fit into memory.") from None
    if FileSum.of(whole) != wanted:
        raise ModelFileError(f"{file}: damaged, its checksum is not the config's.")
    try:
        return safetensors.torch.load(whole)
    except (SafetensorError, ValueError, KeyError, RuntimeError, MemoryError) as error:
        raise ModelFileError(f"{file}: damaged, {shown(error)}.") from None


def _check_header(file: Path, content: BinaryIO, size: int) -> None:
    """Raise `ModelFileError` unless the header describes the rest of a file of `size` bytes."""
    length = int.from_bytes(content.read(8), "little")
    if size < 8 or length > size - 8:
        raise ModelFileError(f"{file}: damaged, it ends in its header.")
    if length > _MOST_HEADER:
        raise ModelFileError(f"{file}: damaged, its header says it has {length:,} bytes.")
    record = parse_json(content.read(length), file)
    try:
        entries = _Header.model_validate(record).root
    except pydantic.ValidationError as error:
        raise ModelFileError(f"{file}: damaged, {first_fault(error)}.") from None
    end = 0
    for name, entry in sorted(entries.items(), key=lambda item: item[1].data_offsets):
        start, stop = entry.data_offsets
        if start != end or stop - start != entry.bytes:
            raise ModelFileError(
                f"{file}: damaged, the tensor {shown(name, 80)} is not where its header says."
            )
        end = stop
    if end != size - 8 - length:
        raise ModelFileError(f"{file}: damaged, {size - 8 - length - end:,} bytes too many.")
