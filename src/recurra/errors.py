"""The errors Recurra raises: each is a RecurraError and the built-in error it stands for."""


class RecurraError(Exception):
    """The base of every error that Recurra raises on purpose."""


class ArgumentError(RecurraError, ValueError):
    """An argument has a value that cannot be used; the text names it and says what can."""


class ArgumentTypeError(RecurraError, TypeError):
    """An argument has a type that cannot be used."""


class ShapeError(ArgumentError, RuntimeError):
    """A tensor's shape, dtype or device does not fit.

    It is a RuntimeError too, because that is what `torch.nn` raises for many of these.
    """


class DataError(ArgumentError):
    """The user's data (a file, a table, a list) cannot be used as it is."""


class ModelFileError(ArgumentError):
    """A saved model is missing, damaged or of another kind or version."""


class NotFittedError(RecurraError, ValueError, AttributeError):
    """An estimator was used before `fit`."""


class BackendError(ArgumentError):
    """The backend asked for cannot run this cell."""


class ProgramError(RecurraError, ValueError):
    """A cell's program is not well formed; the text names the instruction."""


class TraceError(RecurraError, NotImplementedError):
    """A cell cannot be written as a program; the text is the reason, with the cell's line."""


class ExportError(RecurraError, RuntimeError):
    """A model cannot be exported, or what was exported does not compute the same."""


class MissingDependencyError(RecurraError, ImportError):
    """A part of Recurra needs a package that is not installed; the text names the extra."""


class DivergenceError(RecurraError, ArithmeticError):
    """Training went wrong: the loss is no longer a finite number."""


class RecurraWarning(UserWarning):
    """Something the user may want to know of."""
