"""Countries by code and name, and which label a user means."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recurra.data import country_name, find_country
from recurra.data.sources.countries import _countries, _index
from recurra.errors import ArgumentError, ArgumentTypeError

KNOWN = [
    *("Algeria", "Czechia", "Italy", "Namibia", "Netherlands", "North Macedonia", "Norway"),
    *("Russia", "South Korea", "Spain", "Türkiye", "United Kingdom", "United States", "Vietnam"),
]


def check_one_line(error: ArgumentError) -> None:
    assert len(str(error).splitlines()) == 1
    assert len(str(error)) < 500


@pytest.mark.parametrize(
    ("code", "name"),
    [
        ("IT", "Italy"),
        ("it", "Italy"),
        ("RU", "Russia"),
        ("TR", "Türkiye"),
        ("KR", "South Korea"),
        ("IR", "Iran"),
        ("TW", "Taiwan"),
        ("VN", "Vietnam"),
        ("CZ", "Czechia"),
        ("GB", "United Kingdom"),
        ("US", "United States"),
        ("MK", "North Macedonia"),
        ("NL", "Netherlands"),
        ("NA", "Namibia"),
        ("NO", "Norway"),
        ("CI", "Côte d'Ivoire"),
        ("CD", "DR Congo"),
    ],
)
def test_a_country_has_the_name_people_say(code, name):
    assert country_name(code) == name


def test_no_country_is_named_as_a_register_would():
    register = [name for name in map(country_name, _countries()) if "(Malv" in name or ", " in name]
    assert register == [
        "Bonaire, Sint Eustatius and Saba",
        "Saint Helena, Ascension and Tristan da Cunha",
    ]


@pytest.mark.parametrize("code", ["AA", "XX", "", "ITA", "Italy", "UK"])
def test_a_code_of_no_country_is_refused(code):
    with pytest.raises(ArgumentError, match=f"alpha_2='{code}'"):
        country_name(code)


@pytest.mark.parametrize(
    ("text", "label"),
    [
        ("Italy", "Italy"),
        ("italy", "Italy"),
        ("ITALY", "Italy"),
        (" Italy ", "Italy"),
        ("IT", "Italy"),
        ("it", "Italy"),
        ("ITA", "Italy"),
        ("Italian Republic", "Italy"),
        ("NA", "Namibia"),
        ("na", "Namibia"),
        ("NO", "Norway"),
        ("no", "Norway"),
        ("Turkiye", "Türkiye"),
        ("TÜRKIYE", "Türkiye"),
        ("Tu\u0308rkiye", "Türkiye"),
        ("turkey", "Türkiye"),
        ("Czech Republic", "Czechia"),
        ("Russian Federation", "Russia"),
        ("Korea, Republic of", "South Korea"),
        ("Republic of Korea", "South Korea"),
        ("Viet Nam", "Vietnam"),
        ("holland", "Netherlands"),
        ("The Netherlands", "Netherlands"),
        ("Macedonia", "North Macedonia"),
        ("UK", "United Kingdom"),
        ("England", "United Kingdom"),
        ("U.K.", "United Kingdom"),
        ("USA", "United States"),
        ("U.S.A.", "United States"),
        ("United States of America", "United States"),
    ],
)
def test_a_country_is_found_by_what_people_type(text, label):
    assert find_country(text, KNOWN) == label


@pytest.mark.parametrize(
    ("text", "known", "label"),
    [
        ("Italy", ["IT", "NO"], "IT"),
        ("norway", ["IT", "NO"], "NO"),
        ("NOR", ["it", "no"], "no"),
        ("NA", ["IT", "NA"], "NA"),
        ("namibia", ["IT", "NA"], "NA"),
        ("holland", ["NLD", "ITA"], "NLD"),
        ("GB", ["England", "Italy"], "England"),
        ("Elbonia", ["Elbonia", "Italy"], "Elbonia"),
        ("elbonía", ["Elbonia", "Italy"], "Elbonia"),
        ("日本", ["日本", "Italy"], "日本"),
        ("italy", ["ITALY", "IT"], "ITALY"),  # the same word comes before the same country
        ("ITALY", ["Italy", "ITALY"], "ITALY"),
        ("Congo", ["Congo", "Italy"], "Congo"),
        ("cocos islands", ["CC", "IT"], "CC"),
    ],
)
def test_a_users_own_labels_are_found(text, known, label):
    assert find_country(text, known) == label


@pytest.mark.parametrize(
    ("text", "known", "options"),
    [
        ("korea", [*KNOWN, "North Korea"], "'South Korea' or 'North Korea'"),
        ("Congo", KNOWN, "'DR Congo' or 'Republic of the Congo'"),
        ("italy", ["Italy", "ITALY"], "'Italy' or 'ITALY'"),
        ("ITA", ["Italy", "IT"], "'Italy' or 'IT'"),
        ("uk", ["England", "Scotland", "Italy"], "'England' or 'Scotland'"),
    ],
)
def test_what_may_mean_two_labels_is_refused_with_both(text, known, options):
    with pytest.raises(ArgumentError, match=f"{text!r} may mean {options}"):
        find_country(text, known)


def test_a_word_for_two_countries_means_the_one_that_is_there():
    assert find_country("korea", KNOWN) == "South Korea"


def test_no_word_for_two_countries_is_taken_for_one():
    assert {word: codes for word, codes in _index().items() if len(codes) > 1} == {
        "congo": ["CD", "CG"],
        "korea": ["KP", "KR"],
        "virgin islands": ["VG", "VI"],
    }


@pytest.mark.parametrize(
    ("text", "near"),
    [
        ("Itlay", "Italy"),
        ("Swpain", "Spain"),
        ("Norwya", "Norway"),
        ("Unted States", "United States"),
    ],
)
def test_a_near_miss_is_told_what_it_may_have_been(text, near):
    with pytest.raises(ArgumentError, match=f"{text!r} is not known; did you mean .*{near!r}"):
        find_country(text, KNOWN)


def test_at_most_three_near_labels_are_told():
    with pytest.raises(ArgumentError, match="not known") as error:
        find_country("Nowra", [f"Norwa{letter}" for letter in "abcdefg"])
    assert str(error.value).count(" or ") == 2


@pytest.mark.parametrize(
    ("text", "name"), [("Brazil", "Brazil"), ("br", "Brazil"), ("KP", "North Korea")]
)
def test_a_country_without_a_label_is_told_from_an_unknown_one(text, name):
    with pytest.raises(ArgumentError, match=f"No names for {name!r}.* here; there are: IT, NO"):
        find_country(text, ["IT", "NO"])


@pytest.mark.parametrize(
    "text", ["", "  ", "???", "xx", "123", "no\nway", "x" * 1_000_000, "\ud800"]
)
def test_nonsense_is_refused_in_one_short_line(text):
    with pytest.raises(ArgumentError, match="is not known; ") as error:
        find_country(text, [*KNOWN, "!!!", "lab\nel"])
    check_one_line(error.value)


def test_many_labels_are_listed_in_part_only():
    with pytest.raises(ArgumentError, match="label79 and 9920 more"):
        find_country("xyz", [f"label{i}" for i in range(10_000)])


def test_text_that_is_no_text_is_refused():
    with pytest.raises(ArgumentTypeError, match="got int"):
        find_country(39, KNOWN)


@settings(max_examples=100, deadline=None)
@given(text=st.text(max_size=12), known=st.lists(st.text(max_size=6), unique=True, max_size=5))
def test_an_answer_is_always_one_of_the_labels(text, known):
    try:
        answer = find_country(text, known)
    except ArgumentError as error:
        check_one_line(error)
    else:
        assert answer in known
