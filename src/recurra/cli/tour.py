"""Which names to show somebody who asked for none in particular."""

from recurra.errors import ArgumentError
from recurra.tasks import SequenceGenerator

# What `recurra names` shows when it is asked for nothing: a country, a letter its names have.
TOUR = (
    ("Italy", "S"),
    ("Japan", "美"),
    ("Brazil", "L"),
    ("Germany", "K"),
    ("Greece", "Α"),
    ("Iceland", "H"),
    ("India", "A"),
    ("Israel", "א"),
    ("Nigeria", "O"),
    ("Poland", "W"),
    ("Ukraine", "В"),
    ("Türkiye", "Y"),
)


def as_names_are_written(first: str, generator: SequenceGenerator, country: str) -> str:
    """Give the letter its capital, or take it away, where only that begins a name."""
    starts = generator.starts_[country]
    for form in (first, first[:1].upper() + first[1:], first[:1].lower() + first[1:]):
        if form[:1] in starts:
            return form
    return first


def tour(generator: SequenceGenerator, first: str = "") -> list[tuple[str, str]]:
    """Return a dozen labels of the model, each with a letter that its names begin with."""
    starts = generator.starts_
    if first:
        fitting = [
            (label, letter)
            for label in generator.conditions_
            if (letter := as_names_are_written(first, generator, label))[:1] in starts[label]
        ]
        if not fitting:
            raise ArgumentError(f"--first {first!r}: no name of any country starts with it.")
        return sorted(fitting, key=lambda pair: -starts[pair[0]][pair[1][:1]])[:12]
    known = [(label, letter) for label, letter in TOUR if letter in starts.get(label, {})]
    if len(known) >= len(TOUR) // 2:
        return known
    most = sorted(generator.conditions_, key=lambda label: -sum(starts[label].values()))[:12]
    return [(label, max(starts[label], key=lambda letter: starts[label][letter])) for label in most]
