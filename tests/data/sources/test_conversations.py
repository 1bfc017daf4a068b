from collections import Counter

import pytest

from recurra.data.sources import conversations
from recurra.data.sources.conversations import LABELS, make_conversations
from recurra.errors import ArgumentError


def test_it_says_that_it_is_synthetic() -> None:
    assert "SYNTHETIC" in str(conversations.__doc__)
    assert "synthetic" in str(make_conversations.__doc__)


def test_a_seed_gives_the_same_conversations_and_another_one_others() -> None:
    assert make_conversations(50, 3) == make_conversations(50, 3)
    assert make_conversations(50, 3) != make_conversations(50, 4)
    assert make_conversations(50, 3).texts == make_conversations(80, 3).texts[:50]


def test_labels_are_unbalanced_and_texts_differ() -> None:
    table = make_conversations(4000)
    counts = Counter(table.labels)
    assert set(counts) == set(LABELS)
    assert counts["bad"] > 2 * counts["good"] > 1000
    assert len(set(table.texts)) > 3600
    assert len(table) == 4000
    assert not any("{" in text for text in table.texts)


def test_they_hold_what_customers_write() -> None:
    text = "\n".join(make_conversations(2000).texts)
    for part in ("@NordAir", "😡", "😊", "not bad at all", "best service ever", " / "):
        assert part in text
    assert any(line.isupper() for line in text.splitlines())


def test_the_order_decides_where_the_words_do_not() -> None:
    table = make_conversations(4000)
    words: dict[str, set[str]] = {}
    for text, label in zip(table.texts, table.labels, strict=True):
        if ", but " in text and " / " not in text:
            words.setdefault(" ".join(sorted(text.lower().replace(",", "").split())), set()).add(
                label
            )
    both = sum({"bad", "good"} <= labels for labels in words.values())
    assert both > 3  # the same words, the other way round


def test_fewer_than_one_is_refused() -> None:
    with pytest.raises(ArgumentError, match="n must be at least 1, got 0"):
        make_conversations(0)
