"""Kinds that are known to fail, with the reason: the long form draws them, the short form not yet.

A name is a way of reading (`reads.py`), an operation or a form. What was mended is taken off.
"""

AWAITED: dict[str, str] = {
    "array": "what an array.array holds is read once, when the cell is traced",
    "attribute of a metaclass": "what a metaclass holds is read once, when the cell is traced",
    "attribute of a function": "what a function's own attributes hold is read once",
    "thread's own value": "what a threading.local lacks is looked up once",
    "change under torch.compile": "a compiled layer does not see what changed",
}  # fmt: skip
