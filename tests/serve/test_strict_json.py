"""JSON that is not quite JSON is refused, whatever it hides in."""

import pytest

from recurra.serve.refusals import RefusedError
from recurra.serve.strict_json import dump, parse, size_of


@pytest.mark.parametrize(
    "text",
    ['{"a": [1, -2.5e3, "x:y", null, true, {}]}', '"é😀"', "3", "[]", '{":": {":": ":"}}'],
)
def test_what_is_in_the_standard_is_read(text: str) -> None:
    assert dump(parse(text)) == dump(parse(text.encode()))
    assert parse(dump(parse(text))) == parse(text)


@pytest.mark.parametrize(
    "text",
    [
        b"", b"{", b"{'a': 1}", b"[1,]", b"NaN", b"[Infinity]", b"-Infinity", b'{"a": nan}',
        b'"\xff"', b'"\\ud800"', b'"a\nb"', b"01", b"1 2", b"\xef\xbb\xbf1", b"[" * 100_000,
        b"[" * 100_000 + b"]" * 100_000, b'{"a":' * 50_000, "\ud800",
    ],
)  # fmt: skip
def test_what_is_not_is_refused(text: bytes | str) -> None:
    with pytest.raises(RefusedError, match="the body is no JSON: ") as refused:
        parse(text)
    assert refused.value.status == 400


def test_levels_are_bounded() -> None:
    assert parse(b"[" * 32 + b"]" * 32)
    with pytest.raises(RefusedError, match="nested more than 32 levels deep"):
        parse(b"[" * 33 + b"]" * 33)


@pytest.mark.parametrize(
    "text", ['{"a": 1, "a": 1}', '[{"b": {"a": "::", "a": 2}}]', '{"\\u0061": 1, "a": 2}']
)
def test_a_name_that_is_there_twice_is_refused(text: str) -> None:
    with pytest.raises(RefusedError, match="the name 'a' is there twice in one object"):
        parse(text)


@pytest.mark.parametrize("number", ["1e999", "-1e999", "9" * 400, "-" + "9" * 4200, "9" * 5000])
@pytest.mark.parametrize("text", ["[{}]", '{{"a": "::", "b": {{"c": [1, {}]}}}}'])
def test_numbers_that_no_double_holds_are_refused(text: str, number: str) -> None:
    with pytest.raises(RefusedError, match=r"out of range|no JSON") as refused:
        parse(text.format(number))
    assert refused.value.status == 400
    assert parse("[1e308, -1e308, 123456789012345678901234567890]")


def test_numbers_that_are_not_finite_are_told_as_null() -> None:
    assert dump([float("nan"), float("inf"), 1.5]) == b"[null,null,1.5]"


def test_a_size_counts_characters_numbers_and_lists() -> None:
    assert size_of("abc") == 4
    assert size_of([1, 2.5, None, True]) == 5
    assert size_of({"name": ["ab", []]}) == 1 + 1 + 3 + 1
