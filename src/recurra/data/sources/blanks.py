"""Sentences with a word left out, which what follows decides: synthetic, around the lesson's three.

    1. I am __.                                         happy
    2. I am __ hungry.                                  not
    3. I am __ hungry, and I can eat a big meal.        very

What stands before the blank is the same in all three. Nothing follows it in the first: a word is
missing that says it all, and of the three only "happy" does. In the second a bare "hungry" follows,
and "very" and "not" would both be English; the grammar's rule is that who is very hungry says what
comes of it, so that a bare statement is a denial. In the third something does come of it, which
only fits "very"; had it been that lunch can be skipped, it would only fit "not".
"""

import random
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product

from recurra.errors import ArgumentError

CHOICES = ("happy", "not", "very")
LESSON = (
    ("I am __.", "happy"),
    ("I am __ hungry.", "not"),
    ("I am __ hungry, and I can eat a big meal.", "very"),
)
"""The lesson's sentences and what belongs in them; never among those to learn from."""

# How a sentence begins, and the odds that its word is happy, not or very: what comes before the
# blank tells something of it, but never decides.
OPENERS = {"": (1, 1, 1), "at last": (2, 1, 1), "to be honest": (1, 2, 1), "right now": (1, 1, 2)}

_SUBJECTS = {
    "I am": "I",
    "you are": "you",
    "we are": "we",
    "they are": "they",
    "she is": "she",
    "he is": "he",
    "Anna is": "she",
    "my uncle is": "he",
    "the cook is": "she",
    "the children are": "they",
    "our guests are": "they",
    "everyone here is": "they",
}
_STATES = {
    "hungry": ("can eat a big meal", "could finish two pizzas", "must find a kitchen"),
    "full": ("can skip lunch", "will leave the cake", "must stop eating"),
    "tired": ("must go to bed", "will sleep until noon", "could sleep on the floor"),
    "awake": ("can work all night", "will dance until morning", "could run another mile"),
    "cold": ("must put on a coat", "will light the fire", "could wear three hats"),
    "warm": ("can take off the coat", "will open the window", "could swim in the lake"),
    "busy": ("must cancel the party", "will answer next week", "could use some help"),
    "free": ("can come to the party", "will answer at once", "could help the others"),
}
_PAIRS = (("hungry", "full"), ("tired", "awake"), ("cold", "warm"), ("busy", "free"))
_OPPOSITE = {one: other for a, b in _PAIRS for one, other in ((a, b), (b, a))}
_OF_JOY = ("can sing all day", "will tell the neighbours", "could hug the postman")

_HELD_OUT = 0.25  # of what may follow a beginning, the share that is never learned from


@dataclass(frozen=True)
class BlankTable:
    """Sentences with a blank, `__`, and the word that belongs in each."""

    sentences: list[str]
    fillers: list[str]

    def __len__(self) -> int:
        return len(self.sentences)


def load_blanks(
    n: int = 6000, held_out: int = 2000, seed: int = 0
) -> tuple[BlankTable, BlankTable]:
    """Return synthetic sentences to learn from, and others that are none of those.

    Each is drawn so: a beginning (of 48, all as likely), a word by the odds of its opener, and one
    of the ends that go with the word. A quarter of the ends of each beginning and word, drawn by
    `seed`, are kept for the sentences held out, those of the lesson among them.

    Args:
        n, held_out: how many sentences of each kind, at least 1.
        seed: any integer.

    Raises `ArgumentError` for other numbers.
    """
    if n < 1 or held_out < 1:
        raise ArgumentError(f"n and held_out must be at least 1, got {n!r} and {held_out!r}.")
    draw = random.Random(seed)
    lesson = {sentence for sentence, _ in LESSON}
    ends: dict[tuple[str, str], tuple[list[str], list[str]]] = {}
    for (left, pronoun, _), filler in product(beginnings(), CHOICES):
        whole = [f"{left} __{end}" for end in _ends(filler, pronoun)]
        draw.shuffle(whole)
        whole.sort(key=lambda sentence: sentence not in lesson)  # the lesson's first: held out
        kept = round(_HELD_OUT * len(whole))
        ends[left, filler] = whole[kept:], whole[:kept]
    return _draw(draw, n, ends, 0), _draw(draw, held_out, ends, 1)


def beginnings() -> Iterator[tuple[str, str, tuple[int, int, int]]]:
    """Yield what may stand before the blank, its pronoun, and the odds of `CHOICES` after it."""
    for (opener, odds), (subject, pronoun) in product(OPENERS.items(), _SUBJECTS.items()):
        text = f"{opener} {subject}".strip()
        yield text[0].upper() + text[1:], pronoun, odds


def share_from_left() -> float:
    """Return the accuracy that the best guess from the left alone has, in the long run.

    No network that reads from left to right and answers at the blank can exceed it on sentences
    drawn from the grammar: it is the mean over all beginnings of the likeliest word's probability.
    """
    odds = [odds for *_, odds in beginnings()]
    return sum(max(each) / sum(each) for each in odds) / len(odds)


def best_from_left(sentences: Sequence[str], fillers: Sequence[str], blank: str = "__") -> float:
    """Return the most that any answer from the left alone can score on these very sentences.

    It is the share right if each text before the blank got the word most frequent after it here.
    """
    words: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for sentence, filler in zip(sentences, fillers, strict=True):
        words[sentence.partition(blank)[0]][filler] += 1
    return sum(max(counts.values()) for counts in words.values()) / len(sentences)


def _ends(filler: str, pronoun: str) -> list[str]:
    """Return all that may follow the blank, if the word is `filler`."""
    if filler == "happy":
        return [".", *(f", and {pronoun} {outcome}." for outcome in _OF_JOY)]
    bare = [f" {state}." for state in _STATES] if filler == "not" else []
    return bare + [
        f" {state}, and {pronoun} {outcome}."
        for state in _STATES
        for outcome in _STATES[state if filler == "very" else _OPPOSITE[state]]
    ]


def _draw(
    draw: random.Random,
    n: int,
    ends: dict[tuple[str, str], tuple[list[str], list[str]]],
    part: int,
) -> BlankTable:
    starts = list(beginnings())
    sentences, fillers = [], []
    for _ in range(n):
        left, _, odds = draw.choice(starts)
        (filler,) = draw.choices(CHOICES, odds)
        sentences.append(draw.choice(ends[left, filler][part]))
        fillers.append(filler)
    return BlankTable(sentences, fillers)
