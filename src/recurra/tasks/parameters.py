"""Parameters as scikit-learn's estimators have them, without waiting for scikit-learn.

Importing `sklearn.base` takes about a second, as long as torch; a saved model that only answers
should not wait for it. What is here is what `sklearn.base.clone`, pipelines and searches ask for.
"""

import inspect
import math
from collections.abc import Callable
from numbers import Integral, Real
from typing import Any, Self

from recurra.errors import ArgumentError, NotFittedError


class Parameters:
    """The constructor's arguments are the parameters, stored unchanged under their names."""

    @classmethod
    def _parameter_names(cls) -> list[str]:
        return [name for name in inspect.signature(cls).parameters if name != "self"]

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Return the parameters by name; `deep` is there for scikit-learn and changes nothing."""
        return {name: getattr(self, name) for name in self._parameter_names()}

    def set_params(self, **params: Any) -> Self:
        """Set parameters by name and return self; raises `ArgumentError` for an unknown one."""
        names = self._parameter_names()
        for name, value in params.items():
            if name not in names:
                raise ArgumentError(
                    f"{type(self).__name__} has no parameter {name!r}; it has {', '.join(names)}."
                )
            setattr(self, name, value)
        return self

    def __repr__(self) -> str:
        defaults = inspect.signature(type(self)).parameters
        changed = [
            f"{name}={value!r}"
            for name, value in self.get_params().items()
            if value is not defaults[name].default and value != defaults[name].default
        ]
        return f"{type(self).__name__}({', '.join(changed)})"

    def __sklearn_tags__(self) -> Any:
        from sklearn.utils import InputTags, Tags, TargetTags

        return Tags(
            estimator_type=None,
            target_tags=TargetTags(required=False),
            input_tags=InputTags(string=True, two_d_array=True, three_d_array=True),
        )

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "network_")


def not_fitted(estimator: object) -> NotFittedError:
    """Return the error for an estimator that is not fitted; it is scikit-learn's, too."""
    from sklearn.exceptions import NotFittedError as Theirs

    both: type[NotFittedError] = type("NotFittedError", (NotFittedError, Theirs), {})
    return both(f"this {type(estimator).__name__} is not fitted yet: call fit first.")


def check_numbers(
    estimator: object,
    *,
    at_least_1: str = "",
    above_0: str = "",
    at_least_0: str = "",
    fractions: str = "",
    fractions_or_none: str = "",
    at_least_1_or_none: str = "",
) -> None:
    """Raise `ArgumentError` unless the named parameters (spaces between) lie where they must."""
    rules: list[tuple[str, Callable[[Any], bool], str]] = [
        (at_least_1, _whole, "a whole number of at least 1"),
        (above_0, lambda v: _number(v) and v > 0, "a number above 0"),
        (at_least_0, lambda v: _number(v) and v >= 0, "a number of at least 0"),
        (fractions, _fraction, "at least 0 and below 1"),
        (fractions_or_none, lambda v: v is None or _fraction(v), "at least 0 and below 1, or None"),
        (
            at_least_1_or_none,
            lambda v: v is None or _whole(v),
            "a whole number of at least 1, or None",
        ),
    ]
    for names, is_right, wanted in rules:
        for name in names.split():
            value = getattr(estimator, name)
            if not is_right(value):
                raise ArgumentError(f"{name} must be {wanted}, got {value!r}.")


def check_checkpoint(checkpoint: Any, resume: Any, random_state: Any) -> None:
    """Raise `ArgumentError` unless a fit that saves itself, or is resumed, comes out the same."""
    if not isinstance(resume, bool):
        raise ArgumentError(f"resume must be True or False, got {resume!r}.")
    if checkpoint is None:
        if resume:
            raise ArgumentError("resume=True needs checkpoint, the folder to go on from.")
        return
    if isinstance(random_state, bool) or not isinstance(random_state, Integral):
        raise ArgumentError(
            f"checkpoint needs a whole number as random_state, got {random_state!r}: a fit that is "
            "resumed must split its data as before."
        )


def _number(value: Any) -> bool:
    # NumPy's numbers too, which a search over a range hands in.
    return type(value) is not bool and isinstance(value, Real) and math.isfinite(value)


def _fraction(value: Any) -> bool:
    return _number(value) and 0 <= value < 1


def _whole(value: Any) -> bool:
    return type(value) is not bool and isinstance(value, Integral) and int(value) >= 1
