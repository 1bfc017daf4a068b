"""The command line: thin, it calls what a user of the library would."""

import os
import sys
from collections.abc import Sequence
from typing import NoReturn

from recurra.errors import RecurraError


def main(arguments: Sequence[str] | None = None) -> None:
    """Run `recurra`; exit 0, or 2 with one line that says what was wrong and where."""
    # Torch's threads wait for one another by spinning, and beside one other busy process that made
    # training 20 to 40 times slower; with a short spin 2 times, and no slower beside none.
    # libgomp reads this when torch loads it.
    os.environ.setdefault("GOMP_SPINCOUNT", "1000")
    try:
        from typer.exceptions import TyperException

        from recurra.cli.app import command
    except ModuleNotFoundError as error:
        _fail(f"the command line needs the package {error.name}: pip install 'recurra[cli]'")
    try:
        status = command().main(
            list(sys.argv[1:] if arguments is None else arguments),
            prog_name="recurra",
            standalone_mode=False,
        )
        sys.stdout.flush()
    except TyperException as error:
        _fail(error.format_message())
    except RecurraError as error:
        _fail(str(error))
    except ModuleNotFoundError as error:
        _fail(f"this command needs the package {error.name}: pip install 'recurra[cli]'")
    except OSError as error:
        if error.filename is None:  # standard output it was: its pipe closed, its disk full
            _close_stdout()
        if isinstance(error, BrokenPipeError):
            sys.exit(1)
        _fail(f"{error.filename or 'standard output'}: {error.strerror or error}")
    except KeyboardInterrupt:
        status = 130
    if status == 130 and _to_be_told():  # typer makes this of an interrupt within a command
        print("recurra: interrupted", file=sys.stderr)
    sys.exit(status or 0)


def _fail(message: str) -> NoReturn:
    if _to_be_told():
        print("recurra: " + " ".join(message.split()), file=sys.stderr)
    sys.exit(2)


def _to_be_told() -> bool:
    """Return whether this process says why it ends: of those of torchrun the first that does."""
    if "TORCHELASTIC_RUN_ID" not in os.environ:  # without it nothing waits for torch
        return True
    from recurra.training.processes import first_to_tell

    return first_to_tell()


def _close_stdout() -> None:
    """Point stdout at nothing, so that the interpreter does not complain on its way out."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
