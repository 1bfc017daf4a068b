"""What a program in another language must know to feed an exported network."""

from typing import Any

from recurra.data import tokens
from recurra.data.bags import BAG_BUCKETS
from recurra.data.vocabulary import END, SPECIAL, START, UNKNOWN
from recurra.tasks.generating.number_sequences import NumberSequences

_SPECIAL = {"end": END, "unknown": UNKNOWN, "start": START, "first_symbol": SPECIAL}
_FIRST = (
    "Bring a text to Unicode's NFC form, lower-case it if tokenizer.lower is true; its symbols "
)
_CUTTING = {
    "char": f"{_FIRST}are its characters.",
    "word": f"{_FIRST}are the matches of this regular expression: {tokens._WORDS.pattern}",
    "bpe": f"{_FIRST}are those of tokenizer.pieces, a tokenizer.json of the tokenizers library.",
}
_PIECES = (
    "The pieces of a word are the different substrings of 2 to 4 characters of '<' + its first 60 "
    "characters + '>' (that itself where it is shorter); a piece's number is the CRC-32 of its "
    "UTF-8 bytes modulo buckets, and pieces with the same number all count."
)
_TERMS = (
    "The terms of a text are its words, and each two in a row with a space between; a term's "
    f"number is the CRC-32 of its UTF-8 bytes modulo {BAG_BUCKETS}."
)


def reading_notes(reading: Any) -> dict[str, Any]:
    """Return how inputs become numbers: vocabulary, tokenizer and scale."""
    notes: dict[str, Any] = reading.model_dump()
    if reading.kind != "numbers":
        notes["special"] = dict(_SPECIAL)
        notes["symbols"] = list(reading.symbols)
    if reading.tokenizer is not None:
        notes["cutting"] = _CUTTING[reading.tokenizer.kind]
    if reading.spelling:
        notes["pieces"], notes["terms"] = _PIECES, _TERMS
    return notes


def generator_notes(model: Any) -> dict[str, Any]:
    """Return a generator's symbols or scale, and its labels in the order of their numbers."""
    sequences = model.sequences_
    known: dict[str, Any]
    if isinstance(sequences, NumberSequences):
        known = {"reading": reading_notes(sequences.measures.reading)}
    else:
        lexicon = sequences.lexicon
        reading = {"symbols": list(lexicon.symbols), "special": dict(_SPECIAL)}
        # For each label (for all, without labels) the numbers that are never drawn.
        never = [lexicon.never(label) for label in lexicon.conditions or [None]]
        known = {"reading": reading, "never": never}
    return {**known, "conditions": sequences.conditions}
