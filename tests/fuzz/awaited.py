"""Kinds that are known to fail, with the reason: the long form draws them, the short form not yet.

A name is a way of reading (`reads.py`), an operation or a form. What was mended is taken off.
"""

_READ_OUTSIDE = "what a cell reads outside of its own attributes is read once, when it is traced"
_CIRCLES = "objects that hold themselves, slots and weak proxies cannot be compared"

AWAITED: dict[str, str] = {
    **dict.fromkeys(
        (
            "argparse.Namespace", "plain object", "object with slots", "ChainMap", "mapping proxy",
            "UserDict", "deque", "array", "bytearray", "class attribute",
            "attribute of the class by name", "inherited class attribute",
            "class attribute of an object", "class held", "attribute of a metaclass", "method",
            "inherited method", "static method", "class method", "property",
            "property of an object", "descriptor", "global", "global dict", "global namespace",
            "global of a function", "global of another module", "builtin shadowed", "closure",
            "dict in a closure", "closure kept by the cell", "function", "code of a function",
            "default argument", "keyword default", "mutable default argument",
            "attribute of a function", "partial", "partial of a method", "callable object",
            "bound method of an object", "method of an object", "operator of an object",
            "item of an object", "iteration over an object", "float of an object",
            "truth of an object", "__getattr__", "__getattribute__", "__getattr__ of the cell",
            "module in a list", "module on an object", "module in a dict", "global module",
            "mode of a module in a list", "attribute of an enum's member", "weak proxy",
            "weak reference", "object in a cycle",
            "context variable", "thread's own value", "environment", "grad mode",
            "attribute given by a class decorator", "global tensor", "class attribute, a tensor",
            "weight of a module in a list",
            "global dict of functions", "global function of rows", "method of rows",
            "partial of a function", "function with a mutable default", "decorated function",
        ),
        _READ_OUTSIDE,
    ),
    **dict.fromkeys(
        (
            "dataclass with slots", "dict in itself", "list in itself",
            "two dataclasses in a circle",
        ),
        _CIRCLES,
    ),
    **dict.fromkeys(
        (
            "list outside", "deque outside", "dict outside", "item of a dict outside",
            "attribute of a helper", "method of a helper", "count on a helper", "sum on a helper",
            "helper kept by the cell", "class attribute written", "global written",
            "closure written", "queue",
        ),
        "what a cell writes outside of itself is written once, when it is traced",
    ),
    "change under torch.compile": "a compiled layer does not see what changed",
    "change under a stream": "an open stream does not see what changed",
    "copy of a stream": "a stream cannot be copied",
    "wrong use of a stream": "a stream lets bare errors through",
    "reset of a stream's rows": "a stream takes a mask of numbers for indices, and no empty list",
    "checkpoint=": "the backward pass of checkpoint= runs outside of the backend's block",
}  # fmt: skip
