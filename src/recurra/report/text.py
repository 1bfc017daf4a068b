"""Numbers and names as a reader sees them."""

import math
import re
import unicodedata
from collections.abc import Sequence
from itertools import accumulate, takewhile

# Characters that XML has no place for, or that turn the text around them: control characters
# but for white space, halves of surrogate pairs, non-characters, bidirectional overrides.
# Isolates do no harm where they stand alone, and `name_list` needs its own.
_UNPRINTABLE = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufdd0-\ufdef\ufffe\uffff\u202a-\u202e]"
)
_ISOLATES = re.compile("[\u2066-\u2069]")
_NARROW = set("fijlrtI.,:;'|!()[]{}/ 1") | {"`", '"', "-"}
_WIDE = set("mwMW@%…—")


def printable(text: str) -> str:
    """Return `text` with each character that no page can hold made visible as U+FFFD."""
    return _UNPRINTABLE.sub("\ufffd", text)


def one_line(text: str) -> str:
    """Return `text` printable, each run of white space as one space, fit to stand in a sentence."""
    return " ".join(_ISOLATES.sub("", printable(text)).split())


def text_width(text: str, size: float) -> float:
    """Return about how wide `text` is in a sans-serif face of `size` points, rather too much.

    An estimate by character, because the reader's browser brings the fonts: it needs none here,
    for any script.
    """
    return size * sum(_character_width(c) for c in text)


def shorten(text: str, width: float, size: float) -> str:
    """Return `text` on one line, cut to `width` points with an ellipsis if it is longer."""
    text = one_line(text)
    if text_width(text, size) <= width:
        return text
    room = width - text_width("…", size)
    ends = accumulate(size * _character_width(c) for c in text)
    return text[: sum(1 for _ in takewhile(lambda end: end <= room, ends))].rstrip() + "…"


def _character_width(c: str) -> float:
    if c in _NARROW:
        return 0.38
    if c in _WIDE:
        return 0.95
    if unicodedata.combining(c) or unicodedata.category(c) in ("Mn", "Me", "Cf"):
        return 0.0
    if unicodedata.east_asian_width(c) in "WF":
        return 1.05
    if c.isascii():
        return 0.72 if c.isupper() else 0.62
    return 0.8


def loss_text(loss: float) -> str:
    """Return a loss with three decimals, more for a small one: "2.076", "0.00012"."""
    if not math.isfinite(loss):
        return _not_finite(loss)
    if 0 < abs(loss) < 0.1 or abs(loss) >= 1e6:
        return _minus(f"{loss:.3g}")
    return _minus(f"{loss:.3f}")


def signed_text(difference: float) -> str:
    """Return a difference of losses with its sign: "−0.214", "+0.031"."""
    if not math.isfinite(difference):
        return _not_finite(difference)
    if difference == 0:
        return "0.000"
    plain = 0.0005 <= abs(difference) < 1e6
    return _minus(f"{difference:+.3f}" if plain else f"{difference:+.1g}")


def norm_text(norm: float) -> str:
    """Return a gradient norm with three significant digits: "0.0042", "31.2", "1,240"."""
    if not math.isfinite(norm):
        return _not_finite(norm)
    return f"{norm:,.0f}" if 100 <= norm < 1e6 else f"{norm:.3g}"


def share_text(share: float) -> str:
    """Return a share as a percentage with one decimal; never 0 % or 100 % unless it is."""
    if 0 < share < 0.0005:
        return "under 0.1\u00a0%"
    if 0.9995 <= share < 1:
        return "over 99.9\u00a0%"
    return f"{100 * share:.1f}\u00a0%" if 0 < share < 1 else f"{100 * share:.0f}\u00a0%"


def count_text(n: int, noun: str) -> str:
    """Return a number and its noun: "1 country", "2,500 countries"."""
    return f"{n:,} {noun if n == 1 else plural(noun)}"


def plural(noun: str) -> str:
    """Return the English plural of a regular noun."""
    if re.search("[^aeiou]y$", noun):
        return noun[:-1] + "ies"
    return noun + ("es" if re.search("(s|x|z|[^o]ch|sh)$", noun) else "s")


def name_list(names: Sequence[str], most: int = 8) -> str:
    """Return names joined as in a sentence, each kept to its own writing direction."""
    shown = [f"\u2068{_cut(one_line(name))}\u2069" for name in names[:most]]
    if len(names) > most:
        shown.append(f"{len(names) - most:,} more")
    return shown[0] if len(shown) == 1 else f"{', '.join(shown[:-1])} and {shown[-1]}"


def _cut(name: str) -> str:
    return name if len(name) <= 40 else name[:39].rstrip() + "…"


def _minus(number: str) -> str:
    return number.replace("-", "\N{MINUS SIGN}")


def _not_finite(value: float) -> str:
    if math.isnan(value):
        return "not a number"
    return "∞" if value > 0 else "\N{MINUS SIGN}∞"
