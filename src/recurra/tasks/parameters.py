"""Parameters as scikit-learn's estimators have them, without waiting for scikit-learn.

Importing `sklearn.base` takes about a second, as long as torch; a saved model that only answers
should not wait for it. What is here is what `sklearn.base.clone`, pipelines and searches ask for.
"""

import inspect
from typing import Any, Self

from recurra.errors import ArgumentError


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
            input_tags=InputTags(string=True, two_d_array=False, one_d_array=True),
            non_deterministic=True,
        )
