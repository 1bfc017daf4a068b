"""Which traced tensors share memory, so that what is written into one is seen in the others.

Every result is memory of its own, but for views: a view is a *place* in the memory of what it is
a view of. Where torch itself may share or copy (`reshape` and its like), both are given memory of
their own, as *cousins*: after a write into one, the other is not read any more.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from recurra.program.trace_table import functions


@dataclass(eq=False)
class Memory:
    """What one tensor and its views hold.

    value: the program's value that it holds now; size: of how many features.
    version: how often it has been written to.
    caller: the name of x or a state, where it is the caller's own; "" elsewhere.
    plain: whether nothing in it has a gradient.
    torn: why it cannot be read any more; "" while it can.
    """

    value: int
    size: int
    version: int = 0
    caller: str = ""
    plain: bool = False
    torn: str = ""
    cousins: list["Memory"] = field(default_factory=list)

    def family(self) -> list["Memory"]:
        """Return all memory that may be this, itself first."""
        found = [self]
        for one in found:
            found += [cousin for cousin in one.cousins if cousin not in found]
        return found


@dataclass(frozen=True, eq=False)
class Place:
    """Where a view lies: what torch's call makes of the numbers of the features.

    trailing: the shape of the tensor that the call is made on, where it is no view itself.
    item: which of the call's results it is, None where there is but one.
    """

    parent: "Place | None"
    trailing: tuple[int, ...]
    function: Callable[..., Any]
    args: tuple[Any, ...]
    kwargs: Mapping[str, Any]
    item: int | None

    @cached_property
    def of_two_rows(self) -> Tensor:
        """Return the places of the features of two rows, in the view's shape."""
        given = numbered(self.trailing) if self.parent is None else self.parent.of_two_rows
        result = self.function(given, *self.args, **self.kwargs)
        found: Tensor = result if self.item is None else result[self.item]
        return found

    @property
    def features(self) -> npt.NDArray[np.intp]:
        """Return where the features of a row lie in its memory."""
        return self.of_two_rows[0].numpy()


def numbered(trailing: tuple[int, ...]) -> Tensor:
    """Return the numbers of the features of two rows."""
    return torch.arange(2 * int(np.prod(trailing))).reshape(2, *trailing)


# By the function that was called: whether its result is a view, or may be one.
VIEWS: dict[Any, bool] = {}
_SURELY = (
    "view view_as unsqueeze squeeze chunk split split_with_sizes tensor_split narrow select",
    "unbind expand broadcast_to expand_as transpose swapaxes swapdims mT permute movedim moveaxis",
    "detach data unflatten alias positive __pos__ real conj resolve_conj resolve_neg diagonal",
    "unfold __getitem__",
)
_PERHAPS = (
    "reshape flatten ravel reshape_as contiguous to type type_as float double half bool bfloat16",
    "long int cpu dropout alpha_dropout feature_alpha_dropout feature_dropout broadcast_tensors",
    "_unsafe_view _reshape_alias unsafe_split unsafe_chunk pad",
)
for _names, _sure in ((_SURELY, True), (_PERHAPS, False)):
    for _name in " ".join(_names).split():
        VIEWS.update(dict.fromkeys(functions(_name), _sure))
DETACHING = {*functions("detach"), *functions("data")}
# A view by numbers: torch refuses these on a tensor whose memory is in another order.
_BY_NUMBERS: dict[Any, Callable[..., Any]] = {
    Tensor.view: Tensor.reshape,
    Tensor.view_as: Tensor.reshape_as,
}


def by_numbers(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return what does with numbers of features what a function of views does."""
    return _BY_NUMBERS.get(function, function)


def is_basic(index: Any) -> bool:
    """Return whether an index gives a view: torch copies where there are lists or tensors in it."""
    items = index if isinstance(index, tuple) else (index,)
    plain = (int, slice, type(None), type(Ellipsis))
    return all(isinstance(item, plain) and not isinstance(item, bool) for item in items)
