"""What the tests of the export share: running a file; they are skipped without onnxruntime."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("onnx", reason="the package onnx is not installed")
pytest.importorskip("onnxruntime", reason="the package onnxruntime is not installed")

from recurra.export.check import open_session

Arrays = dict[str, np.ndarray]


def run_file(path: Path, **feeds: Any) -> Arrays:
    """Return a file's outputs by their names."""
    session = open_session(path)
    names = [output.name for output in session.get_outputs()]
    inputs = {name: np.asarray(value) for name, value in feeds.items()}
    return dict(zip(names, session.run(names, inputs), strict=True))


def close(a: Any, b: Any, dtype: str = "float32") -> None:
    """Assert that two arrays agree within rounding."""
    exact = {"float32": 5e-6, "float64": 1e-12}[dtype]
    a, b = np.asarray(a), np.asarray(b)
    assert a.shape == b.shape
    np.testing.assert_allclose(a, b, rtol=exact, atol=exact * max(1.0, np.abs(b).max(initial=0)))


def close_as_float32(found: Any, own: Any, exact: Any) -> None:
    """Assert that numbers are about as near to those of float64 as the model's own in float32."""
    found, own, exact = np.asarray(found), np.asarray(own), np.asarray(exact)
    assert found.dtype == own.dtype == np.float32
    assert found.shape == exact.shape
    assert exact.dtype == np.float64
    if found.size:
        rounding = 1e-6 * max(1.0, np.abs(exact).max())
        assert np.abs(found - exact).max() <= 4 * np.abs(own - exact).max() + rounding
