import math

import pytest

from recurra.report.text import (
    count_text,
    loss_text,
    name_list,
    norm_text,
    plural,
    printable,
    share_text,
    shorten,
    signed_text,
    text_width,
)


@pytest.mark.parametrize(
    ("loss", "text"),
    [
        (2.0756, "2.076"),
        (0.0, "0.000"),
        (0.00012, "0.00012"),
        (-1.5, "−1.500"),
        (1e99, "1e+99"),
        (math.nan, "not a number"),
        (-math.inf, "−∞"),
    ],
)
def test_losses(loss, text):
    assert loss_text(loss) == text


@pytest.mark.parametrize(
    ("difference", "text"),
    [(0.0314, "+0.031"), (-0.2141, "−0.214"), (0.0, "0.000"), (-0.00002, "−2e−05")],
)
def test_a_difference_has_a_sign_unless_it_is_none(difference, text):
    assert signed_text(difference) == text


@pytest.mark.parametrize(
    ("norm", "text"),
    [(0.00421, "0.00421"), (31.24, "31.2"), (1240.3, "1,240"), (3e7, "3e+07"), (math.inf, "∞")],
)
def test_norms(norm, text):
    assert norm_text(norm) == text


@pytest.mark.parametrize(
    ("share", "text"),
    [
        (0.0, "0 %"),
        (0.0001, "under 0.1 %"),
        (0.0324, "3.2 %"),
        (0.99999, "over 99.9 %"),
        (1.0, "100 %"),
    ],
)
def test_a_share_is_none_or_all_only_if_it_is(share, text):
    assert share_text(share).replace("\u00a0", " ") == text


@pytest.mark.parametrize(
    ("one", "many"),
    [
        ("country", "countries"),
        ("epoch", "epochs"),
        ("loss", "losses"),
        ("branch", "branches"),
        ("key", "keys"),
        ("character", "characters"),
    ],
)
def test_plurals(one, many):
    assert plural(one) == many
    assert count_text(1, one) == f"1 {one}"
    assert count_text(2500, one) == f"2,500 {many}"


def test_a_list_of_names_ends_with_how_many_are_not_in_it():
    def plain(text):
        return text.replace("\u2068", "").replace("\u2069", "")

    assert plain(name_list(["a"])) == "a"
    assert plain(name_list(["a", "b", "c"])) == "a, b and c"
    assert plain(name_list(list("abcd"), most=2)) == "a, b and 2 more"


def test_a_name_in_a_list_keeps_its_direction_to_itself():
    assert name_list(["\u2067محمد"]) == "\u2068محمد\u2069"


@pytest.mark.parametrize("text", ["plain", "日本語の長い名前です", "كتابة طويلة جدا هنا", "x" * 99])
def test_a_long_name_is_cut_to_the_width_given(text):
    short = shorten(text, 60, 12)
    assert text_width(short, 12) <= 60
    assert short == text or (short.endswith("…") and text.startswith(short[:-1]))


def test_marks_take_no_room():
    assert text_width("e\u0301", 12) == text_width("e", 12)


def test_joiners_that_scripts_need_are_kept():
    assert printable("می\u200cخواهم \u200d\u200f") == "می\u200cخواهم \u200d\u200f"
