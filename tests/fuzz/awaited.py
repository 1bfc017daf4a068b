"""Kinds that are known to fail, with the reason: the long form draws them, the short form not yet.

A name is a way of reading (`reads.py`), an operation or a form. What was mended is taken off.
"""

AWAITED: dict[str, str] = {
    "change under torch.compile": "a compiled layer does not see what changed",
}  # fmt: skip
