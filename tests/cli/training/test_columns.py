"""Which column is meant."""

import pytest

from recurra.cli.training import columns as roles
from recurra.cli.training.columns import Column, Role, choose
from recurra.errors import DataError

TABLE = {
    "id": [str(k) for k in range(12)],
    "review": ["the food was good", "never again, it was cold"] * 6,
    "note": ["I would come back here", "so much for the service"] * 6,
    "stars": ["1", "5"] * 6,
    "mood": ["good", "bad"] * 6,
    "weight": [f"{k / 7:.3f}" for k in range(12)],
}


def of(*names: str, **more: list[object]) -> dict[str, Column]:
    cells = {**{name: TABLE[name] for name in names}, **more}
    return {name: Column(name, values) for name, values in cells.items()}


def chosen(role: Role, table: dict[str, Column], given: str | None = None) -> str | None:
    return choose(table, role, given, (), "t.csv")


def test_a_name_that_says_it_decides() -> None:
    assert chosen(roles.TEXT, of("id", "review", "note", "mood")) == "review"
    assert chosen(roles.LABEL, of("review", "stars", "mood")) == "stars"


def test_a_part_of_a_name_decides_if_the_cells_fit() -> None:
    table = of(
        "review", airline_sentiment=["good", "bad"] * 6, sentiment_confidence=TABLE["weight"]
    )
    assert chosen(roles.LABEL, table) == "airline_sentiment"


def test_the_contents_decide_where_no_name_does() -> None:
    assert chosen(roles.TEXT, of("id", "note", "mood")) == "note"
    assert chosen(roles.LABEL, of("note", "mood", "weight")) == "mood"
    assert chosen(roles.NUMBER, of("note", "weight")) == "weight"


def test_several_that_would_do_are_an_error_that_lists_them() -> None:
    table = of("note", opinion=list(TABLE["note"]))
    with pytest.raises(DataError, match=r"several .* the text: 'note', 'opinion'.*--text note"):
        chosen(roles.TEXT, table)


def test_none_that_would_do_is_an_error_that_lists_what_there_is() -> None:
    with pytest.raises(DataError, match=r"no column can be the label; there are 'id'.*--label"):
        chosen(roles.LABEL, of("id"))
    assert chosen(roles.CONDITION, of("id", "weight")) is None


def test_what_is_given_is_taken_and_a_near_miss_is_named() -> None:
    assert chosen(roles.TEXT, of("review", "mood"), "mood") == "mood"
    with pytest.raises(DataError, match="Did you mean 'review'"):
        chosen(roles.TEXT, of("review", "mood"), "reviw")


def test_a_column_is_not_taken_twice() -> None:
    table = of("review", "note")
    assert choose(table, roles.TEXT, None, ["review"], "t.csv") == "note"


def test_identifiers_and_fractions_are_no_classes() -> None:
    table = of("id", "weight", "mood")
    assert [name for name, column in table.items() if column.is_classes] == ["mood"]
