"""Tokens of Python with their roles: what a name is, where it stands decides."""

import ast

import pytest

from recurra.data.sources.roles import ROLES, load_roles, tag_source
from recurra.errors import ArgumentError


def tagged(source):
    return [" ".join(f"{w}/{t}" for w, t in zip(*row, strict=True)) for row in tag_source(source)]


@pytest.mark.parametrize(
    ("source", "want"),
    [
        ("x = y\n", "x/assigned =/operator y/variable"),
        ("x = f(y)\n", "x/assigned =/operator f/call (/operator y/variable )/operator"),
        ("open(f=1)\n", "open/builtin (/operator f/argument =/operator 1/number )/operator"),
        ("a.open.b(c)\n", "a/variable ./operator open/attribute ./operator b/method (/operator c"),
        ("a.b = len\n", "a/variable ./operator b/assigned =/operator len/builtin"),
        (
            "def open(f, *a): pass\n",
            "def/keyword open/function (/operator f/parameter ,/operator *",
        ),
        ("class A(B): pass\n", "class/keyword A/class (/operator B/variable )/operator"),
        ("def f(x: T) -> R: pass\n", ":/operator T/type )/operator ->/operator R/type"),
        ("x: list[T] = y\n", "x/assigned :/operator list/type [/operator T/type ]/operator"),
        ("import a.b as c, d\n", "a/import ./operator b/import as/keyword c/assigned ,/operator d"),
        (
            "from a.b import c\n",
            "from/keyword a/import ./operator b/import import/keyword c/import",
        ),
        ("from .a import c\n", "from/keyword ./operator a/import import/keyword c/import"),
        ("é = 'ü'; ñ(é)\n", 'é/assigned =/operator "..."/string ;/operator ñ/call (/operator é'),
        ("x = f'{y(1)}' + b'z'\n", 'x/assigned =/operator "..."/string +/operator "..."/string'),
        ("try: 1\nexcept E as e: 2\n", "except/keyword E/variable as/keyword e/assigned"),
        ("lambda x: x\n", "lambda/keyword x/parameter :/operator x/variable"),
        ("del x[y]  # gone\n", "del/keyword x/variable [/operator y/variable ]/operator"),
        ("@d\ndef f(): pass\n", "@/operator d/variable"),
    ],
)
def test_a_token_has_the_role_that_the_parser_sees(source, want):
    assert want in " | ".join(tagged(source))


def test_a_statement_may_go_over_lines_and_comments_are_left_out():
    assert tagged("f(a,  # first\n\n  b)\n\n# alone\nx\n") == [
        "f/call (/operator a/variable ,/operator b/variable )/operator",
        "x/variable",
    ]


def test_a_form_feed_does_not_shift_what_follows():
    assert tagged("a = 1\n\x0c\nb = f(a)\n")[1] == (
        "b/assigned =/operator f/call (/operator a/variable )/operator"
    )


def test_what_is_no_python_is_refused():
    with pytest.raises(SyntaxError):
        list(tag_source("x = = 1\n"))


@pytest.fixture(scope="module")
def table():
    return load_roles(3000)


def test_the_library_gives_tagged_statements(table):
    assert len(table) == len(table.words) == len(table.tags) == len(table.modules) == 3000
    assert all(1 < len(w) == len(t) <= 60 for w, t in zip(table.words, table.tags, strict=True))
    assert {tag for row in table.tags for tag in row} <= set(ROLES)
    assert len({tuple(words) for words in table.words}) == 3000  # none twice
    assert len(set(table.modules)) > 5
    words = [word for row in table.words for word in row]
    assert not any(word.startswith(("#", "'")) for word in words)
    for words in table.words[::10]:  # a statement's tokens are a statement's tokens
        if words[-1] != ":" and words[0] not in ("@", "return", "yield", "break", "continue"):
            ast.parse(" ".join(words))


def test_names_have_roles_that_depend_on_where_they_stand(table):
    roles = {}
    for words, tags in zip(table.words, table.tags, strict=True):
        for word, tag in zip(words, tags, strict=True):
            roles.setdefault(word, set()).add(tag)
    assert sum(len(found) > 1 for found in roles.values()) > 500


def test_the_seed_draws_the_modules(table):
    again, other = load_roles(500), load_roles(500, seed=1)
    assert again.words == table.words[:500]
    assert other.modules[0] != again.modules[0]
    with pytest.raises(ArgumentError, match="limit must be at least 1, or None, got 0"):
        load_roles(0)
