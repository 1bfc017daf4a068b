"""What each word of a line of Python is: real tagged text that comes with every Python.

The sentences are the statements of the installed standard library, the words its tokens, and the
tags what Python's own parser makes of them. A name's role is seldom in the name: `open` is defined,
called, imported, an attribute or a parameter, and what comes after it decides.
"""

import ast
import builtins
import hashlib
import io
import sysconfig
import tokenize
from collections.abc import Iterator
from dataclasses import dataclass
from keyword import iskeyword
from pathlib import Path

from recurra.errors import ArgumentError

ROLES = {
    "argument": "the name of an argument in a call",
    "assigned": "a variable that gets a value",
    "attribute": "what is read of an object, behind a dot",
    "builtin": "a name that is Python's own",
    "call": "a function that is called",
    "class": "the name of a class where it is defined",
    "function": "the name of a function where it is defined",
    "import": "what is imported, and from where",
    "keyword": "a word of the language",
    "method": "a method that is called",
    "number": "a number",
    "operator": "an operator, bracket or comma",
    "parameter": "the name of a parameter where it is defined",
    "string": "a text",
    "type": "a name in an annotation",
    "variable": "a variable that is read",
}
"""The tags, and what they say of a token."""

_BUILTINS = frozenset(dir(builtins))
_LONGEST = 60  # tokens of a statement; longer ones are tables of constants
_LEFT_OUT = frozenset(("this.py", "__phello__.foo.py", "antigravity.py"))
Place = tuple[int, int]  # a token's line, and its column in bytes, as ast counts


@dataclass(frozen=True)
class RoleTable:
    """Statements of Python, tagged.

    words, tags: for each statement its tokens and their roles (see `ROLES`), of equal lengths;
    modules: the module each is from, to split by. A text stands as '"..."', without its content.
    """

    words: list[list[str]]
    tags: list[list[str]]
    modules: list[str]

    def __len__(self) -> int:
        return len(self.words)


def load_roles(limit: int | None = 20_000, seed: int = 0) -> RoleTable:
    """Return statements of the standard library's top-level modules with the role of each token.

    A statement that comes up more than once is there once, in the first of its modules by name,
    so that modules can be split without a statement in two parts; statements of one token or of
    more than 60 are left out. With another version of Python they are others.

    Args:
        limit: how many statements; None for all (some 40,000). Whole modules are taken, in an
            order drawn by `seed`, until there are so many; the last is cut.
        seed: any integer.

    Raises `ArgumentError` for a limit below 1.
    """
    if limit is not None and limit < 1:
        raise ArgumentError(f"limit must be at least 1, or None, got {limit!r}.")
    folder = Path(sysconfig.get_path("stdlib"))
    paths = sorted(path for path in folder.glob("*.py") if path.name not in _LEFT_OUT)
    paths.sort(key=lambda path: hashlib.blake2b(f"{seed}\n{path.stem}".encode()).digest())
    rows: dict[tuple[str, ...], tuple[str, list[str]]] = {}
    for path in paths:
        if limit is not None and len(rows) >= limit:
            break
        source = path.read_text(encoding="utf-8")
        for words, tags in tag_source(source):
            if 1 < len(words) <= _LONGEST:
                rows.setdefault(tuple(words), (path.stem, tags))
    chosen = list(rows.items())[:limit]
    return RoleTable(
        [list(words) for words, _ in chosen],
        [tags for _, (_, tags) in chosen],
        [module for _, (module, _) in chosen],
    )


def tag_source(source: str) -> Iterator[tuple[list[str], list[str]]]:
    """Yield the tokens and roles of each statement of some Python text.

    Comments and line ends are left out. Raises `SyntaxError` for text that is no Python.
    """
    roles = _roles(ast.parse(source))
    lines = io.StringIO(source).readlines()
    words: list[str] = []
    tags: list[str] = []
    before, depth = "", 0  # the token before; how deep in an f-string, which is one text
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        kind = tokenize.tok_name[token.type]
        depth += (kind == "FSTRING_START") - (kind == "FSTRING_END")
        if kind in ("NEWLINE", "ENDMARKER"):
            if words:
                yield words, tags
            words, tags, before = [], [], ""
        elif kind in ("STRING", "FSTRING_END") and not depth:
            words.append('"..."')
            tags.append("string")
        elif kind in ("NAME", "NUMBER", "OP") and not depth:
            line, column = token.start
            place = line, len(lines[line - 1][:column].encode())
            words.append(token.string)
            tags.append(_role(kind, token.string, before, roles.get(place)))
        before = token.string


def _role(kind: str, text: str, before: str, found: str | None) -> str:
    if kind == "NUMBER":
        return "number"
    if kind == "OP":
        return "operator"
    if before in ("def", "class"):
        return "function" if before == "def" else "class"
    if found is not None:
        return found
    if iskeyword(text):
        return "keyword"
    # Where the parser keeps no place: "except E as name", "global name", "match".
    return "assigned" if before == "as" else "variable"


def _roles(tree: ast.AST) -> dict[Place, str]:
    """Return the roles of names by their places, as far as the parser knows them."""
    roles: dict[Place, str] = {}
    waiting: list[tuple[ast.AST, bool]] = [(tree, False)]  # nodes, and whether in an annotation
    while waiting:
        node, in_type = waiting.pop()
        called = node.func if isinstance(node, ast.Call) else None
        if isinstance(called, ast.Name):
            roles[_start(called)] = "builtin" if called.id in _BUILTINS else "call"
        elif isinstance(called, ast.Attribute):
            roles[_name_of(called)] = "method"
        _own_role(node, in_type, roles)
        types = [getattr(node, field, None) for field in ("annotation", "returns")]
        waiting += [
            (child, in_type or any(child is t for t in types))
            for child in ast.iter_child_nodes(node)
        ]
    return roles


def _own_role(node: ast.AST, in_type: bool, roles: dict[Place, str]) -> None:
    """Add what the node itself says; what a call said of its function stays."""
    if isinstance(node, ast.Name):
        role = "variable" if isinstance(node.ctx, ast.Load) else "assigned"
        if role == "variable" and node.id in _BUILTINS:
            role = "builtin"
        roles.setdefault(_start(node), "type" if in_type else role)
    elif isinstance(node, ast.Attribute):
        read = isinstance(node.ctx, ast.Load)
        role = "type" if in_type else "attribute" if read else "assigned"
        roles.setdefault(_name_of(node), role)
    elif isinstance(node, ast.arg):
        roles[_start(node)] = "parameter"
    elif isinstance(node, ast.keyword) and node.arg is not None:
        roles[_start(node)] = "argument"
    elif isinstance(node, ast.Import | ast.ImportFrom):
        line, column = _start(node)
        if isinstance(node, ast.ImportFrom) and node.module:
            _add_dotted(roles, line, column + len("from ") + node.level, node.module)
        for alias in node.names:
            if alias.name != "*":
                _add_dotted(roles, alias.lineno, alias.col_offset, alias.name)


def _add_dotted(roles: dict[Place, str], line: int, column: int, name: str) -> None:
    for part in name.split("."):
        roles[line, column] = "import"
        column += len(part.encode()) + 1


def _start(node: ast.expr | ast.stmt | ast.arg | ast.keyword) -> Place:
    return node.lineno, node.col_offset


def _name_of(node: ast.Attribute) -> Place:
    """Return where the name behind the dot begins: it ends where the node does."""
    assert node.end_lineno is not None
    assert node.end_col_offset is not None
    return node.end_lineno, node.end_col_offset - len(node.attr.encode())
