from typing import Any

import pytest

from recurra.data.sequences import (
    check_condition,
    check_sequences,
    check_weights,
    count_starts,
    seen_once,
    symbols_of,
)
from recurra.errors import DataError


def test_a_text_becomes_its_characters_in_nfc() -> None:
    assert symbols_of("e\u0301a") == ["é", "a"]


def test_lists_keep_their_symbols() -> None:
    assert check_sequences([["ab", "c"], ("d",)], 10) == ([["ab", "c"], ["d"]], False)


def test_texts_may_come_from_anything_that_can_be_gone_through() -> None:
    assert check_sequences((name for name in ("ab", "c")), 10) == ([["a", "b"], ["c"]], True)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("X", "message"),
    [
        ("anna", "must be a list of sequences"),
        (3, "must be a list of sequences"),
        ([], "X is empty"),
        (["anna", ""], "row 1: the sequence is empty"),
        (["anna", None], "row 1: .*got None"),
        (["anna", float("nan")], "row 1: .*got nan"),
        (["anna", ["b"]], "row 1: strings and lists are mixed"),
        ([["a", 3]], "row 0: symbols must be strings"),
        (["anna", "x" * 11], "row 1: 11 symbols, starting 'xxxxx.*max_length is 10"),
    ],
)
def test_what_is_no_list_of_sequences_is_refused_by_row(X: Any, message: str) -> None:
    with pytest.raises(DataError, match=message):
        check_sequences(X, 10)


@pytest.mark.parametrize(
    ("condition", "message"),
    [
        ("it", "must be a list"),
        (["it"], "1 labels for 2 sequences"),
        (["it", None], "row 1: .*got None"),
        (["it", ""], "row 1"),
        (["it", "it"], "'it' in every row"),
    ],
)
def test_labels_that_cannot_be_learned_from_are_refused(condition: Any, message: str) -> None:
    with pytest.raises(DataError, match=message):
        check_condition(condition, 2)


def test_one_label_for_all_will_do_where_nothing_is_learned() -> None:
    assert check_condition(["it", "it"], 2, several=False) == ["it", "it"]


@pytest.mark.parametrize("weights", [[1.0], [1.0, -1.0], [1.0, float("nan")], [0, 0], ["a", 1]])
def test_weights_must_be_one_a_sequence_and_of_at_least_0(weights: Any) -> None:
    with pytest.raises(DataError, match="sample_weight"):
        check_weights(weights, 2)


def test_starts_are_counted_by_label_in_the_labels_order() -> None:
    rows = [list("otto"), list("anna"), list("ada")]
    assert count_starts(rows, ["se", "it", "it"]) == {"it": {"a": 2}, "se": {"o": 1}}
    assert list(count_starts(rows, ["se", "it", "it"])) == ["it", "se"]
    assert count_starts(rows, None) == {None: {"o": 1, "a": 2}}


def test_only_symbols_seen_exactly_once_are_rare() -> None:
    assert seen_once([[3, 4], [3]], 6).tolist() == [False, False, False, False, True, False]
