"""What a cell computes from its parameters alone, as text."""

from typing import Any

from torch import Tensor

from recurra.program.describe import Line, Namer
from recurra.program.shapes import Shape
from recurra.program.trace import Traced
from recurra.program.trace_leaves import Call, Held, Item, Named, Read, Ref
from recurra.program.trace_symbol import each
from recurra.program.trace_table import name_of

LONGEST = 60


def describe_recipe(traced: Traced, namer: Namer) -> tuple[list[str], list[Line]]:
    """Return a name for each of the program's parameters, and the calls that make them."""
    recipe = traced.recipe
    short = shorten(recipe.names)
    indices = dict(zip(recipe.wanted, traced.program.parameters, strict=True))
    names: dict[int, str] = {}
    lines = []
    for node in recipe.order:
        step = recipe.steps[node]
        if isinstance(step, Named):
            names[node] = namer.take(short[step.name])
        elif isinstance(step, Item):
            names[node] = f"{names[step.node]}[{step.position}]"
        elif isinstance(step, Read):
            names[node] = str(step.path)
        elif isinstance(step, Held):
            number = step.tensor.dim() == 0
            names[node] = f"{step.tensor.item():g}" if number else namer.take("held")
        else:
            text = written(step, names)
            names[node] = namer.temporary("t")
            shape: Shape = ()
            if node in indices:
                shape = traced.program.values[indices[node]].shape
            lines.append(Line(f"{names[node]} = {text}", shape))
    return [names[node] for node in recipe.wanted], lines


def shorten(names: tuple[str, ...]) -> dict[str, str]:
    """Return the parameters' names: the last word of each where no two of those are the same."""
    if all(name.startswith("module.") for name in names):  # of a module that was taken as a cell
        short = {name: name.removeprefix("module.") for name in names}
    else:
        short = {name: name for name in names}
    last = [name.rpartition(".")[2] for name in names]
    if len(set(last)) == len(last):
        short = dict(zip(names, last, strict=True))
    return short


def written(call: Call, names: dict[int, str]) -> str:
    """Return a call of torch as it would be written."""
    words = [argument(a, names) for a in call.args]
    function = name_of(call.function).rpartition(".")[2]
    if function == "__getitem__":
        return f"{words[0]}[{words[1].removeprefix('(').removesuffix(')')}]"
    words += [f"{key}={argument(a, names)}" for key, a in call.kwargs.items()]
    inner = ", ".join(words)
    if len(inner) > LONGEST:
        refs = [names[a.node] for a in each((call.args, dict(call.kwargs))) if isinstance(a, Ref)]
        inner = ", ".join([*refs, "..."])
    return f"{function}({inner})"


def argument(value: Any, names: dict[int, str]) -> str:
    """Return an argument of a call as text."""
    if isinstance(value, Ref):
        return names[value.node]
    if isinstance(value, list | tuple):
        inner = ", ".join(argument(item, names) for item in value)
        return f"[{inner}]" if isinstance(value, list) else f"({inner})"
    if isinstance(value, slice):
        ends = ["" if end is None else argument(end, names) for end in (value.start, value.stop)]
        return ":".join(ends if value.step is None else [*ends, str(value.step)])
    if isinstance(value, Tensor):
        return f"a tensor of {tuple(value.shape)}"
    return str(value)
