from pathlib import Path

import pytest

from recurra import SequenceGenerator


@pytest.fixture
def saved(fitted: SequenceGenerator, tmp_path: Path) -> Path:
    return fitted.save(tmp_path / "model")
