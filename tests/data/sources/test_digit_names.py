import numpy as np
import pytest

from recurra.data.sources.digits import DIGIT_NAMES, load_digit_names
from recurra.errors import ArgumentError


def test_each_digit_has_a_name_in_each_language() -> None:
    table = load_digit_names()
    assert len(table) == 1797 * 5
    assert table.images.shape == (len(table), 8, 8)
    for name, language, digit in zip(table.names, table.languages, table.digits, strict=True):
        assert DIGIT_NAMES[language].split()[digit] == name
    for language in DIGIT_NAMES:
        assert table.languages.count(language) == 1797
        assert len(set(DIGIT_NAMES[language].split())) == 10
    assert np.array_equal(table.images[0], table.images[4])
    assert not np.array_equal(table.images[4], table.images[5])


def test_no_picture_is_in_two_parts() -> None:
    train, test = load_digit_names(("en", "tr")).split(0.25, seed=1)
    assert not set(train.pictures.tolist()) & set(test.pictures.tolist())
    assert len(test) == 2 * 449
    assert len(test.images) == len(test.names) == len(test.digits) == len(test)


def test_what_is_not_there_is_refused() -> None:
    with pytest.raises(ArgumentError, match="de, en, fr, ru, tr, got"):
        load_digit_names(("xx",))
    with pytest.raises(ArgumentError, match="between 0 and 1, got 1"):
        load_digit_names(("en",)).split(1)
