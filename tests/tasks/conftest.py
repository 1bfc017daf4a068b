import pytest
from invented import invented_names, small_generator

from recurra import SequenceGenerator


@pytest.fixture(scope="session")
def fitted() -> SequenceGenerator:
    return small_generator(epochs=12).fit(*invented_names())
