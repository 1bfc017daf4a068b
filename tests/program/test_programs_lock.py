"""The lock of a cell's programs, in a child that is forked while another thread traces."""

import os
import sys
import time

import pytest

from recurra.program.programs import Programs


@pytest.mark.skipif(sys.platform == "win32", reason="there is no fork")
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_a_child_finds_the_lock_open() -> None:
    programs = Programs()
    with programs.lock:
        child = os.fork()
        if child == 0:
            with programs.lock:
                os._exit(0)
        deadline, done, status = time.monotonic() + 20, 0, 0
        while not done and time.monotonic() < deadline:
            done, status = os.waitpid(child, os.WNOHANG)
            time.sleep(0.01)
        if not done:
            os.kill(child, 9)
            os.waitpid(child, 0)
    assert done == child
    assert os.waitstatus_to_exitcode(status) == 0
