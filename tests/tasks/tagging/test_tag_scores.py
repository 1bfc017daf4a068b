"""Scores of tags: counted by hand, tag by tag and span by span."""

import pytest

from recurra.errors import DataError
from recurra.tasks.tagging.scores import (
    FrequentTags,
    TagScore,
    accuracy,
    is_bio,
    score_spans,
    score_tags,
    spans_of,
)

TRUE = [["A", "A", "B"], [], ["B", "C"]]
GUESS = [["A", "B", "B"], [], ["D", "B"]]


def test_each_tag_has_its_precision_recall_and_f1():
    assert score_tags(TRUE, GUESS) == [
        TagScore("A", 1.0, 0.5, pytest.approx(2 / 3), 2),
        TagScore("B", pytest.approx(1 / 3), 0.5, pytest.approx(0.4), 2),
        TagScore("C", 0.0, 0.0, 0.0, 1),
        TagScore("D", 0.0, 0.0, 0.0, 0),
    ]


def test_accuracy_is_over_steps_and_heeds_weights():
    assert accuracy(TRUE, GUESS) == 2 / 5
    assert accuracy(TRUE, GUESS, [1, 1, 0]) == 2 / 3
    assert accuracy([[1], [2]], [[1], [1]], [1, 3]) == 1 / 4
    with pytest.raises(DataError, match="there is not one tag to score"):
        accuracy([[]], [[]])


@pytest.mark.parametrize(
    ("tags", "spans"),
    [
        ("O O", []),
        ("B-X I-X O B-X", [("X", 0, 2), ("X", 3, 4)]),
        ("B-X B-X", [("X", 0, 1), ("X", 1, 2)]),
        ("B-X I-Y", [("X", 0, 1), ("Y", 1, 2)]),
        ("O I-X I-X", [("X", 1, 3)]),
        ("I-X B-X I-X", [("X", 0, 1), ("X", 1, 3)]),
        ("B-X-1 I-X-1", [("X-1", 0, 2)]),
        ("", []),
    ],
)
def test_spans_are_what_conll_says(tags, spans):
    assert spans_of(tags.split()) == spans


def test_a_span_is_right_only_as_a_whole():
    true = [["B-X", "I-X", "O", "B-Y"], ["B-X", "O"]]
    guess = [["B-X", "O", "O", "B-Y"], ["B-X", "O"]]
    by_kind = {score.tag: score for score in score_spans(true, guess)}
    assert by_kind["X"] == TagScore("X", 0.5, 0.5, 0.5, 2)
    assert by_kind["Y"] == TagScore("Y", 1.0, 1.0, 1.0, 1)
    assert by_kind["all"] == TagScore("all", pytest.approx(2 / 3), pytest.approx(2 / 3), 2 / 3, 3)
    assert [s.tag for s in score_spans(true, guess)] == ["X", "Y", "all"]
    more = score_spans([["B-X", "O"]], [["B-X", "B-X"]])[-1]
    assert (more.precision, more.recall, more.count) == (0.5, 1.0, 1)
    # The same span in another row is another span.
    assert score_spans([["B-X"], ["O"]], [["O"], ["B-X"]])[-1].f1 == 0.0


def test_bio_tags_are_told_from_others():
    assert is_bio(["O", "B-X", "I-X"])
    assert not is_bio(["O", "O"])
    assert not is_bio(["O", "B-X", "NOUN"])
    assert not is_bio(["B-", "O"])
    assert not is_bio([0, 1])
    with pytest.raises(DataError, match="row 1, step 0: 'NOUN' is no BIO tag"):
        score_spans([["O"], ["O"]], [["O"], ["NOUN"]])


def test_a_word_gets_its_most_frequent_tag():
    plain = FrequentTags().fit([["a", "b", "a"], ["a", "c"]], [["X", "Y", "Y"], ["X", "Z"]])
    assert plain.predict([["a", "b", "c", "new"], []]) == [["X", "Y", "Z", "X"], []]
    heavy = FrequentTags().fit([["a"], ["a"]], [["X"], ["Y"]], [1, 2])
    assert heavy.predict([["a", "new"]]) == [["Y", "Y"]]
    with pytest.raises(DataError, match="there is not one tag"):
        FrequentTags().fit([[]], [[]])


def test_rows_that_do_not_fit_are_named():
    with pytest.raises(DataError, match="there are 1 predicted rows for 2 true ones"):
        score_tags([["A"], ["A"]], [["A"]])
    with pytest.raises(DataError, match="row 1: 1 tags are predicted for 2 true ones"):
        accuracy([["A"], ["A", "B"]], [["A"], ["A"]])
