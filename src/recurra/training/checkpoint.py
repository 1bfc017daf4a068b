"""One checkpoint as one file: safetensors whose header holds the rest as JSON, and a checksum.

The checksum is the SHA-256 of the file with 64 zeros in the checksum's place, so that it covers
every byte there is.
"""

import hashlib
import json
from pathlib import Path
from typing import Any

from torch import Tensor

from recurra.errors import ModelFileError
from recurra.training.plain import from_plain, to_plain
from recurra.version import __version__

FORMAT_VERSION = 1
_SUM = b'"sha256":"%s"'  # in the record its quotes would be escaped
_ZEROS = b"0" * 64


class DamagedError(ModelFileError):
    """A checkpoint is not as it was written."""


def pack(state: dict[str, Any]) -> bytes:
    """Return a state as a checkpoint's bytes; raises `ArgumentError` for what cannot be in one.

    Args:
        state: dicts, lists, tuples, tensors, numbers, text and None, in one another.
    """
    import safetensors.torch

    tensors: dict[str, Tensor] = {}
    record = to_plain(state, tensors)
    about = {
        "format": "recurra-checkpoint",
        "version": str(FORMAT_VERSION),
        "recurra": __version__,
        "record": json.dumps(record, separators=(",", ":")),
        "sha256": _ZEROS.decode(),
    }
    content = safetensors.torch.save(_apart(tensors), about)
    header, rest = _parts(content)
    return header.replace(_SUM % _ZEROS, _SUM % _checksum(header, rest)) + rest


def unpack(content: bytes, file: Path) -> dict[str, Any]:
    """Return the state in a checkpoint's bytes.

    Raises, naming the file, `DamagedError`, or `ModelFileError` for one of a newer version.
    """
    import safetensors.torch
    from safetensors import SafetensorError

    try:
        header, rest = _parts(content)
        about = json.loads(header[8:])["__metadata__"]
        wanted = about["sha256"].encode()
        whole = wanted == _checksum(header.replace(_SUM % wanted, _SUM % _ZEROS), rest)
        is_ours = about["format"] == "recurra-checkpoint"
        version = int(about["version"])
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise DamagedError(f"{file}: damaged, {error}.") from None
    if not whole or not is_ours:
        raise DamagedError(f"{file}: damaged, its checksum does not fit.")
    if version > FORMAT_VERSION:
        raise ModelFileError(
            f"{file}: written by a newer Recurra ({about.get('recurra')}, format {version}); this "
            f"one is {__version__}, format {FORMAT_VERSION}."
        )
    try:
        state = from_plain(json.loads(about["record"]), safetensors.torch.load(content))
    except (SafetensorError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise DamagedError(f"{file}: damaged, {error}.") from None
    if not isinstance(state, dict):
        raise DamagedError(f"{file}: damaged, it holds no state of a training run.")
    return state


def _parts(content: bytes) -> tuple[bytes, bytes]:
    """Return the header with the 8 bytes of its length, and what comes after it."""
    end = 8 + int.from_bytes(content[:8], "little")
    if len(content) < end or end == 8:
        raise ValueError("it ends in its header")
    return content[:end], content[end:]


def _checksum(header: bytes, rest: bytes) -> bytes:
    found = hashlib.sha256(header)
    found.update(rest)
    return found.hexdigest().encode()


def _apart(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """Return tensors on the CPU that share no memory: tied weights are written twice."""
    kept: dict[str, Tensor] = {}
    seen: set[int] = set()
    for name, tensor in tensors.items():
        tensor = tensor.detach().cpu().contiguous()
        memory = tensor.untyped_storage()
        if memory.data_ptr() in seen or memory.nbytes() != tensor.nbytes:
            tensor = tensor.clone()
        seen.add(tensor.untyped_storage().data_ptr())
        kept[name] = tensor
    return kept
