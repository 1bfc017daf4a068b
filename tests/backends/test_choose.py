"""Setting the backend: for the process, for a block, for one thread."""

import sys
import threading
from collections.abc import Iterator

import pytest

from recurra import use_backend
from recurra.backends import current_backend
from recurra.errors import ArgumentError


@pytest.fixture
def _default_again() -> Iterator[None]:
    yield
    use_backend("auto")


def seen_by_another_thread() -> str:
    seen = []
    thread = threading.Thread(target=lambda: seen.append(current_backend()))
    thread.start()
    thread.join()
    return seen[0]


@pytest.mark.usefixtures("_default_again")
def test_a_plain_call_holds_for_the_whole_process() -> None:
    assert current_backend() == "auto"
    use_backend("eager")
    assert current_backend() == "eager"
    assert seen_by_another_thread() == "eager"
    use_backend("torch")
    assert seen_by_another_thread() == current_backend() == "torch"
    use_backend("auto")
    assert seen_by_another_thread() == current_backend() == "auto"


def test_a_block_holds_inside_itself_only() -> None:
    with use_backend("eager"):
        assert current_backend() == "eager"
    assert current_backend() == "auto"


def test_blocks_nest() -> None:
    with use_backend("eager"):
        with use_backend("torch"):
            assert current_backend() == "torch"
            with use_backend("auto"):
                assert current_backend() == "auto"
            assert current_backend() == "torch"
        assert current_backend() == "eager"
    assert current_backend() == "auto"


def test_an_exception_ends_the_block() -> None:
    with pytest.raises(KeyError), use_backend("eager"), use_backend("torch"):
        raise KeyError
    assert current_backend() == "auto"


@pytest.mark.usefixtures("_default_again")
def test_a_block_returns_to_the_default_that_was_set() -> None:
    use_backend("torch")
    with use_backend("eager"):
        assert current_backend() == "eager"
    assert current_backend() == "torch"


@pytest.mark.usefixtures("_default_again")
def test_a_default_set_inside_a_block_holds_after_it() -> None:
    with use_backend("eager"):
        use_backend("torch")
        assert current_backend() == "eager"
        assert seen_by_another_thread() == "torch"
    assert current_backend() == "torch"


def test_a_block_does_not_reach_other_threads() -> None:
    with use_backend("eager"):
        assert seen_by_another_thread() == "auto"


def test_blocks_that_begin_before_one_another_leave_the_default_alone() -> None:
    # What two threads do that come between each other's `use_backend(...)` and `with`.
    for entered in ((0, 1), (1, 0)):
        settings = [use_backend("eager"), use_backend("torch")]
        with settings[entered[0]]:
            assert current_backend() == ("eager", "torch")[entered[0]]
            with settings[entered[1]]:
                assert seen_by_another_thread() == "auto"
        assert current_backend() == "auto"


def test_blocks_in_many_threads_leave_the_default_alone() -> None:
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    wrong = []

    def work(name: str) -> None:
        for _ in range(1000):
            with use_backend(name):
                if current_backend() != name:
                    wrong.append(name)

    try:
        threads = [threading.Thread(target=work, args=(n,)) for n in ("eager", "torch", "eager")]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        sys.setswitchinterval(interval)
    assert wrong == []
    assert current_backend() == "auto"
    assert seen_by_another_thread() == "auto"


@pytest.mark.parametrize("name", ["jit", "", "Eager", None, 3])
def test_an_unknown_name_is_refused_and_changes_nothing(name: object) -> None:
    with pytest.raises(ArgumentError, match=f"backend={name!r} is not known; take one of"):
        use_backend(name)
    assert current_backend() == "auto"
