"""Conversations with customer service and how they went: SYNTHETIC, made by a seeded grammar.

No customer wrote a line of it. It is there so that the example, the walkthrough and the tests
have something to read; what a model scores on it says nothing of how it would fare on real ones.

A label is what the conversation comes to, not which words are in it. What decides it is often
the order: "it was broken, but they fixed it" ends well; "not bad at all" is no complaint; "great,
third time this week" is none of praise. One label in forty is wrong, as people's labels are.
"""

import random
from dataclasses import dataclass

from recurra.errors import ArgumentError

LABELS = ("bad", "good", "neutral")
SHARES = {"bad": 0.6, "good": 0.18, "neutral": 0.22}
_MISLABELLED = 0.025

_HANDLES = ("@SwiftParcel", "@NordAir", "@BlueTelecom", "@HomeBank", "@GreenGrid", "@CityRail")
_THINGS = {
    "order": ("arrived", "delivery"),
    "parcel": ("arrived", "courier"),
    "flight": ("left on time", "crew"),
    "router": ("worked", "technician"),
    "card": ("worked", "clerk"),
    "ticket": ("came", "inspector"),
    "refund": ("arrived", "agent"),
    "invoice": ("was right", "agent"),
    "account": ("opened", "agent"),
    "upgrade": ("went through", "supervisor"),
}
_TROUBLES = (
    "my {thing} has not {did}",
    "still waiting for my {thing} after {n} days",
    "you lost my {thing} again",
    "my {thing} is wrong for the {nth} time",
    "{n} hours on hold about my {thing}",
    "the {person} hung up on me",
    "nobody answers about my {thing}",
    "my {thing} was cancelled without a word",
    "charged twice for one {thing}",
    "the {person} was rude",
)
_HELPED = (
    "the {person} sorted it in minutes",
    "they fixed it at once",
    "the {person} was so kind",
    "it all worked out in the end",
    "my {thing} came the very next morning",
    "they gave me my money back",
    "the {person} went out of the way to help",
)
_PRAISE = (
    "thank you so much",
    "best service in years",
    "love how easy this was",
    "great job",
    "really happy with this",
    "you made my day",
    "not bad at all",
    "cannot complain",
    "never been let down by you",
    "no trouble whatsoever with my {thing}",
)
_ANGER = (
    "this is a joke",
    "worst service ever",
    "not happy at all",
    "never again",
    "not what I would call help",
    "I want my money back",
    "so disappointed",
    "not good enough",
    "nothing about this was easy",
    "I am not going to thank you for that",
)
_SARCASM = (
    "great, my {thing} is lost. again",
    "oh wonderful, {n} more hours on hold",
    "love being ignored for {n} days",
    "thank you for losing my {thing}, best service ever",
    "so happy to be charged twice",
)
_QUESTIONS = (
    "how do I change the name on my {thing}?",
    "which {thing} do I need for two people?",
    "what time do you open on Sunday?",
    "can I pick up my {thing} in the shop?",
    "where do I find the number of my {thing}?",
    "is there a {thing} for students?",
    "do you deliver to islands?",
    "I have sent you a message about my {thing}",
    "asking for a friend: does a {thing} expire?",
)
_REPLIES = {
    "bad": ("sorry, we cannot do that", "please call again tomorrow", "we will look into it"),
    "good": ("glad to hear it!", "always a pleasure", "thank you for telling us"),
    "neutral": ("you find it under settings", "yes, it does", "please see our page"),
}
_FACES = {"bad": "😡😠🙄💔👎", "good": "😊🎉❤️👍🙏", "neutral": "🤔📦✈️"}


@dataclass(frozen=True)
class ConversationTable:
    """Synthetic conversations: n texts and the label of each, one of `LABELS`."""

    texts: list[str]
    labels: list[str]

    def __len__(self) -> int:
        return len(self.texts)


def make_conversations(n: int = 10_000, seed: int = 0) -> ConversationTable:
    """Return synthetic conversations, bad ones three times as many as good ones.

    Args:
        n: how many, of which some come twice.
        seed: the same one gives the same conversations.

    Raises `ArgumentError` for n below 1.
    """
    if n < 1:
        raise ArgumentError(f"n must be at least 1, got {n!r}.")
    draw = random.Random(f"conversations {seed}")
    texts, labels = [], []
    for _ in range(n):
        label = draw.choices(LABELS, [SHARES[one] for one in LABELS])[0]
        texts.append(_conversation(label, draw))
        if draw.random() < _MISLABELLED:
            label = draw.choice([one for one in LABELS if one != label])
        labels.append(label)
    return ConversationTable(texts, labels)


def _conversation(label: str, draw: random.Random) -> str:
    """Return what a customer wrote, with a reply and a last word now and then."""
    thing = draw.choice(list(_THINGS))
    did, person = _THINGS[thing]
    said = ". ".join(_says(label, draw)).format(
        thing=thing, did=did, person=person, n=draw.randint(2, 9), nth=draw.choice(("2nd", "third"))
    )
    said = _typed(said, draw)
    if draw.random() < 0.7:
        said = f"{draw.choice(_HANDLES)} {said}"
    if draw.random() < 0.25:
        # Faces go with the words for the most part, not always.
        mood = label if draw.random() < 0.8 else draw.choice(LABELS)
        said += " " + draw.choice([face for face in _FACES[mood] if face != "\ufe0f"])
    if draw.random() < 0.2:
        mood = label if draw.random() < 0.7 else draw.choice(LABELS)
        said += f" / {draw.choice(_REPLIES[mood])}"
    return said


def _says(label: str, draw: random.Random) -> list[str]:
    """Return the customer's sentences; the last ones decide how it went."""
    kind = draw.random()
    if label == "neutral":
        question = draw.choice(_QUESTIONS)
        if kind < 0.15:
            return [f"{draw.choice(_PRAISE)} last time, but {question}"]
        if kind < 0.3:
            return [question, "no hurry, thank you"]
        return [question]
    if label == "good":
        if kind < 0.45:
            return [f"{draw.choice(_TROUBLES)}, but {draw.choice(_HELPED)}"]
        if kind < 0.65:
            return [draw.choice(_HELPED), draw.choice(_PRAISE)]
        return [draw.choice(_PRAISE)]
    if kind < 0.1:
        return [draw.choice(_SARCASM)]
    if kind < 0.35:
        return [f"{draw.choice(_HELPED)}, but {draw.choice(_TROUBLES)}"]
    if kind < 0.45:
        return [f"{draw.choice(_PRAISE)}? {draw.choice(_ANGER)}"]
    if kind < 0.7:
        return [draw.choice(_TROUBLES), draw.choice(_ANGER)]
    return [draw.choice(_TROUBLES)]


def _typed(text: str, draw: random.Random) -> str:
    """Return the text as it is typed: shouted, without a capital, with letters out of place."""
    if draw.random() < 0.06:
        return text.upper() + "!" * draw.randint(1, 3)
    letters = list(text[0].upper() + text[1:] if draw.random() < 0.5 else text)
    if draw.random() < 0.3:
        k = draw.randrange(len(letters) - 1)
        slip = draw.choice(("swap", "drop", "twice"))
        if slip == "swap":
            letters[k], letters[k + 1] = letters[k + 1], letters[k]
        elif slip == "drop":
            del letters[k]
        else:
            letters.insert(k, letters[k])
    return "".join(letters)
