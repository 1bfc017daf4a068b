"""model.safetensors: a header that lies is refused before anything is made of what it says."""

import json
import tracemalloc
from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
import torch
from forged import forge_file
from torch import Tensor

import recurra
from recurra.errors import ModelFileError
from recurra.tasks.saving.config import FileSum
from recurra.tasks.saving.weights import read_weights

GOOD = {"a": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}}
TENSORS = {"b": torch.arange(6.0).view(2, 3), "a": torch.ones(0, 3), "c": torch.tensor(True)}


def file_of(header: Any, data: bytes, length: int | None = None) -> bytes:
    """Return a file of that header, be it true or not."""
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return (len(text) if length is None else length).to_bytes(8, "little") + text + data


def read(tmp_path: Path, content: bytes) -> dict[str, Tensor]:
    (tmp_path / "w").write_bytes(content)
    return read_weights(tmp_path / "w", FileSum.of(content))


def test_tensors_of_any_size_come_back_as_they_were(tmp_path: Path) -> None:
    found = read(tmp_path, safetensors.torch.save(TENSORS))
    assert found.keys() == TENSORS.keys()
    for name, tensor in TENSORS.items():
        assert torch.equal(found[name], tensor)
        assert found[name].dtype == tensor.dtype
    assert read(tmp_path, safetensors.torch.save({})) == {}


def entry(**change: Any) -> dict[str, Any]:
    return {"a": {**GOOD["a"], **change}}


def other(name: str, start: int, stop: int) -> dict[str, Any]:
    return {name: {"dtype": "U8", "shape": [stop - start], "data_offsets": [start, stop]}}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "ends in its header"),
        (b"\0" * 7, "ends in its header"),
        (file_of(GOOD, b"", 2**63), "ends in its header"),
        (file_of(GOOD, b"", 2**64 - 1), "ends in its header"),
        (file_of(b" " * (16 * 2**20 + 1), b""), "its header says it has 16,777,217 bytes"),
        (file_of(GOOD, bytes(8), 10), "Unterminated string"),
        (file_of(b"[]", b""), "a JSON object"),
        (file_of(b'{"a": {}, "a": {}}', b""), "the key a is there twice"),
        (file_of(GOOD, bytes(9)), "1 bytes too many"),
        (file_of({}, bytes(9)), "9 bytes too many"),
        (file_of(GOOD, bytes(7)), "-1 bytes too many"),
        (file_of({**GOOD, **other("b", 4, 12)}, bytes(12)), "tensor b is not where"),
        (file_of({**GOOD, **other("b", 9, 12)}, bytes(12)), "tensor b is not where"),
        (file_of({**GOOD, **other("b", 0, 8)}, bytes(8)), "tensor b is not where"),
        (file_of(entry(data_offsets=[8, 0]), bytes(8)), "tensor a is not where"),
        (file_of(entry(data_offsets=[0, 2**63]), bytes(8)), "a.data_offsets.1: "),
        (file_of(entry(data_offsets=[0, 8, 8]), bytes(8)), "a.data_offsets: "),
        (file_of(entry(data_offsets=[-8, 0]), bytes(8)), "a.data_offsets.0: "),
        (file_of(entry(shape=[2**62, 2**62]), bytes(8)), "tensor a is not where"),
        (file_of(entry(shape=[2**63]), bytes(8)), "a.shape.0: "),
        (file_of(entry(shape=[-2]), bytes(8)), "a.shape.0: "),
        (file_of(entry(shape=[True, 2]), bytes(8)), "a.shape.0: "),
        (file_of(entry(shape=[2.0]), bytes(8)), "a.shape.0: "),
        (file_of(entry(shape=[1] * 17), bytes(4)), "a.shape: "),
        (file_of(entry(dtype="F64"), bytes(8)), "tensor a is not where"),
        (file_of(entry(dtype="object"), bytes(8)), "a.dtype: "),
        (file_of(entry(extra=1), bytes(8)), "a.extra: "),
        (file_of({**GOOD, "__metadata__": {"a": "b"}}, bytes(8)), "__metadata__.dtype: "),
    ],
)
def test_a_header_that_lies_is_refused_before_memory_is_taken(
    tmp_path: Path, content: bytes, message: str
) -> None:
    (tmp_path / "w").write_bytes(content)
    wanted = FileSum.of(content)
    tracemalloc.start()
    try:
        with pytest.raises(ModelFileError, match=f"w: damaged, .*{message}"):
            read_weights(tmp_path / "w", wanted)
        assert tracemalloc.get_traced_memory()[1] < 2**20
    finally:
        tracemalloc.stop()


def test_a_file_of_another_size_or_content_is_refused(tmp_path: Path) -> None:
    content = file_of(GOOD, bytes(8))
    (tmp_path / "w").write_bytes(content)
    with pytest.raises(ModelFileError, match="w: damaged, 77 bytes and not 78"):
        read_weights(tmp_path / "w", FileSum.of(content + b"x"))
    with pytest.raises(ModelFileError, match="more than the 76 it may have"):
        read_weights(tmp_path / "w", FileSum.of(content[:-1]))
    with pytest.raises(ModelFileError, match="its checksum is not the config's"):
        read_weights(tmp_path / "w", FileSum.of(content[:-1] + b"x"))


@pytest.mark.parametrize("change", ["shape", "dtype", "missing", "extra"])
def test_weights_that_are_not_the_network_s_are_refused_by_name(saved: Path, change: str) -> None:
    tensors = safetensors.torch.load_file(saved / "model.safetensors")
    match change:
        case "shape":
            tensors["bias"] = tensors["bias"][:-1].clone()
        case "dtype":
            tensors["bias"] = tensors["bias"].double()
        case "missing":
            del tensors["bias"]
        case "extra":
            tensors["bias_of_mine"] = tensors["bias"].clone()
    forge_file(saved, "model.safetensors", safetensors.torch.save(tensors))
    with pytest.raises(ModelFileError, match="the tensor bias"):
        recurra.load(saved)
