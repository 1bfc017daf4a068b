"""The built-in names and a user's own."""

import hashlib
import os
import subprocess
import sys
import unicodedata
import warnings

import numpy as np
import pytest

from recurra.data import NameTable, group_key, load_names, read_names, split_by_group
from recurra.data.sources.names import clean_entry
from recurra.errors import DataError


@pytest.fixture(scope="module")
def builtin() -> NameTable:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        return load_names()


def names_of(table: NameTable, country: str) -> dict[str, float]:
    rows = zip(table.names, table.countries, table.weights, strict=True)
    return {name: weight for name, where, weight in rows if where == country}


def digest(table: NameTable) -> str:
    rows = zip(table.names, table.countries, table.weights, strict=True)
    return hashlib.sha256("\n".join(map(repr, rows)).encode()).hexdigest()


def test_the_built_in_names_are_as_many_as_the_readme_says(builtin):
    # Lower bounds: a release of Faker adds names.
    assert len(set(builtin.countries)) >= 65
    assert len(builtin) >= 38_000
    assert len(set(builtin.names)) >= 25_000
    assert len(set("".join(builtin.names))) >= 1_000
    assert 0 < builtin.dropped < 50


def test_countries_have_their_everyday_names(builtin):
    countries = set(builtin.countries)
    assert countries >= {
        *("Italy", "Russia", "South Korea", "Türkiye", "Czechia", "Iran", "Taiwan", "Vietnam"),
        *("United Kingdom", "United States", "North Macedonia", "Netherlands", "Norway", "India"),
    }
    assert not any("," in country or "(" in country for country in countries)


def test_rows_are_unique_and_sorted(builtin):
    rows = list(zip(builtin.countries, builtin.names, strict=True))
    assert rows == sorted(set(rows))


def test_locales_of_one_country_are_merged(builtin):
    india = names_of(builtin, "India")
    scripts = {unicodedata.name(name[0]).split()[0] for name in india}
    assert scripts == {"LATIN", "DEVANAGARI", "GUJARATI", "ORIYA", "TAMIL"}
    # Dutch and French Belgium, both with names the other has not.
    assert {"Fien", "Solange"} <= names_of(builtin, "Belgium").keys()


def test_catalan_names_are_of_spain(builtin):
    assert {"Arnau", "Aleix"} <= names_of(builtin, "Spain").keys()
    assert not {"Arnau", "Aleix"} & names_of(builtin, "Canada").keys()


def test_inherited_lists_and_locales_without_a_country_are_left_out(builtin):
    # ar_SA and ar_PS have only what they inherit from ar_AA, whose AA is no country.
    assert not {"Saudi Arabia", "Palestine"} & set(builtin.countries)
    # "en" alone, of no country, has thousands of names that en_GB has not.
    assert len(names_of(builtin, "United Kingdom")) < 1_000


def test_names_are_clean(builtin):
    for name in builtin.names:
        assert name == unicodedata.normalize("NFC", " ".join(name.split()))
        assert unicodedata.category(name[0])[0] == "L", name
        kinds = {unicodedata.category(char)[0] for char in name if char not in " -'\u200c\u200d"}
        assert kinds <= {"L", "M"}, name
    assert not any(name[0].islower() for name in names_of(builtin, "Bulgaria"))
    assert {"Alta Gracia"} <= names_of(builtin, "Mexico").keys()


def test_georgian_names_keep_their_own_letters(builtin):
    assert all("\u10d0" <= name[0] <= "\u10ff" for name in names_of(builtin, "Georgia"))


def test_weights_of_one_locale_have_mean_1(builtin):
    for country in ("United States", "Sweden", "Israel", "Chile", "Italy"):
        weights = list(names_of(builtin, country).values())
        assert min(weights) > 0
        assert np.mean(weights) == pytest.approx(1, rel=1e-9)


def test_weights_follow_how_often_a_name_is_given(builtin):
    sweden, italy = names_of(builtin, "Sweden"), names_of(builtin, "Italy")
    assert sweden["Maria"] > sweden["Erik"] > 5 * sweden["Noa"]
    assert set(italy.values()) == {1.0}


def test_a_name_of_both_sexes_has_the_weights_of_both(builtin):
    from faker.providers.person.he_IL import Provider

    female, male = Provider.first_names_female, Provider.first_names_male
    israel = names_of(builtin, "Israel")
    both = next(name for name in female if name in male)
    one = next(name for name in female if name not in male)
    expected = (female[both] + male[both]) / female[one]
    assert israel[both] / israel[one] == pytest.approx(expected)


def test_a_name_in_several_locales_of_a_country_adds_up(builtin):
    ireland = names_of(builtin, "Ireland")  # en_IE and ga_IE, both without weights
    assert set(ireland.values()) == {1.0, 2.0}


def test_the_table_does_not_depend_on_the_hash_seed(builtin):
    code = (
        "import hashlib; from recurra.data.sources.names import load_names; t = load_names();"
        "rows = zip(t.names, t.countries, t.weights, strict=True);"
        "print(hashlib.sha256('\\n'.join(map(repr, rows)).encode()).hexdigest())"
    )
    environment = {**os.environ, "PYTHONHASHSEED": "12345"}
    run = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        env=environment, capture_output=True, text=True, check=True, timeout=60,
    )  # fmt: skip
    assert run.stdout.strip() == digest(builtin)


def test_importing_the_room_imports_no_heavy_package():
    code = (
        "import sys, recurra.data;"
        "print([m for m in ('pandas', 'faker', 'pycountry', 'sklearn') if m in sys.modules])"
    )
    run = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    assert run.stdout.strip() == "[]"


def test_split_by_name_no_test_name_was_trained_on(builtin):
    parts = split_by_group([group_key(name) for name in builtin.names])
    train, _, test = (builtin.select(part) for part in parts)
    assert not {group_key(name) for name in train.names} & {group_key(name) for name in test.names}
    assert len(test) == pytest.approx(0.1 * len(builtin), rel=0.01)
    assert set(train.countries) == set(builtin.countries)


@pytest.mark.parametrize(
    ("entry", "names"),
    [
        ("Anna", ["Anna"]),
        ("  Alta \u00a0 Gracia\n", ["Alta Gracia"]),
        ("Zoe\u0301", ["Zoé"]),
        ("அகுல்,", ["அகுல்"]),
        ("தணி;சேரன்", ["தணி", "சேரன்"]),
        ("Ng'ang'a", ["Ng'ang'a"]),
        ("Sa’adatu", ["Sa'adatu"]),
        ("Ulug‘bek", ["Ulug'bek"]),
        ("Демʼян", ["Дем'ян"]),
        ("ריתאג'", ["ריתאג'"]),
        ("Jean-Luc", ["Jean-Luc"]),
        ("くみ子", ["くみ子"]),
        ("अनन्\u200dत", ["अनन्\u200dत"]),
        ("анета", ["Анета"]),
        ("élodie", ["Élodie"]),
        ("აკაკი", ["აკაკი"]),
        ("MacKenzie", ["MacKenzie"]),
        ("N˜zamett˜n", []),
        ("Диван(надядоДиани", []),
        ("Hans D.", []),
        ("H.-Dieter", []),
        ("வருண்குமாH", []),
        ("िनशा", []),  # begins with a vowel sign: its letters are out of order
        ("-Anna", []),
        ("'", []),
        ("R2", []),
        ("", []),
        (" , ;", []),
        ("An\ufffdna", []),
    ],
)
def test_an_entry_is_cleaned(entry, names):
    assert clean_entry(entry) == names


def test_rows_are_selected_in_the_order_asked_for():
    table = NameTable(["A", "B", "C"], ["x", "y", "z"], [1.0, 2.0, 3.0])
    assert table.select(np.array([2, 0])) == NameTable(["C", "A"], ["z", "x"], [3.0, 1.0])
    assert len(table.select([])) == 0


def test_lists_of_unequal_length_are_refused():
    with pytest.raises(DataError, match="2 names, 1 countries, 2 weights"):
        NameTable(["A", "B"], ["x"], [1.0, 1.0])


def test_a_users_table_is_read(tmp_path):
    path = tmp_path / "mine.csv"
    path.write_text(
        "who,where,age\n"
        " Anna ,IT,1\n"
        "Zoe\u0301,Côte d'Ivoire,2\n"
        "anna,IT,3\n"
        "Anna,IT,4\n"  # again
        ",IT,5\n"
        "Bo,  ,6\n"
        "Mary \u00a0 Ann,NA,7\n"
        "Anna,NO,8\n",
        encoding="utf-8",
    )
    table = read_names(path, "who", "where")
    assert table.names == ["Anna", "Zoé", "anna", "Mary Ann", "Anna"]
    assert table.countries == ["IT", "Côte d'Ivoire", "IT", "NA", "NO"]
    assert table.weights == [1.0] * 5
    assert table.dropped == 2


LONG = "x" * 10_000


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is empty"),
        ("name,country\n", "no rows"),
        ("name,land\nAnna,IT\n", "no column 'country'; it has 'name', 'land'"),
        ("Name,country\nAnna,IT\n", "no column 'name'.*Did you mean 'Name'"),
        ("name,country\nAnna,IT\nBo,IT\n", "one country only, 'IT'.*two or more"),
        ("name,country\n,IT\nBo,\n", "no usable row: in all 2"),
        ('name,country\nAnna,IT\n"B\to",SE\n', r"row 3: the name holds a tab.*'B\\to'"),
        ("name,country\nAnna,IT\nB\x07o,SE\n", r"row 3: the name holds .*'B\\x07o'"),
        ('name,country\n"B\no",SE\nAnna,IT\n', r"row 2: the name holds a tab, line end"),
        ('name,country\nAnna,"I\tT"\n', r"row 2: the country holds a tab"),
        (
            f"name,country\nAnna,IT\n{LONG},SE\n",
            "row 3: the name has 10000 .*200.*'x{30}'[.][.][.]",
        ),
        (f"name,country\nAnna,{LONG}\n", "row 2: the country has 10000 characters"),
    ],
)
def test_a_users_bad_table_is_refused_in_one_line(tmp_path, text, message):
    path = tmp_path / "mine.csv"
    path.write_bytes(text.encode())
    with pytest.raises(DataError, match=message) as error:
        read_names(path)
    assert "mine.csv" in str(error.value)
    assert len(str(error.value).splitlines()) == 1
    assert len(str(error.value)) < len(str(path)) + 250


def test_a_name_of_200_characters_is_taken(tmp_path):
    path = tmp_path / "mine.csv"
    path.write_text(f"name,country\n{'x' * 200},IT\nBo,SE\n", encoding="utf-8")
    assert read_names(path).names == ["x" * 200, "Bo"]


def test_one_column_for_both_is_refused(tmp_path):
    path = tmp_path / "mine.csv"
    path.write_text("name\nAnna\n", encoding="utf-8")
    with pytest.raises(DataError, match="both 'name'"):
        read_names(path, "name", "name")
