"""`--help` of every command."""

import subprocess
import sys

import pytest


@pytest.mark.parametrize(
    ("command", "example"),
    [
        ("names", "recurra names --country Italy --first S"),
        ("flow", "recurra flow --compare elman:tanh,elman:relu,lstm,lstm:squash,gru,fcn"),
        ("explain", "recurra explain lstm"),
    ],
)
def test_help_has_examples_and_does_not_wait_for_torch(command: str, example: str) -> None:
    code = (
        "import sys; from recurra.cli import main\n"
        f"try: main(['{command}', '--help'])\n"
        "except SystemExit as end: code = end.code\n"
        "sys.exit('torch' in sys.modules or 'numpy' in sys.modules or code)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert example in done.stdout
