"""How a text is cut into symbols: characters, words, or pieces learned from texts."""

import re
import unicodedata
from collections.abc import Iterable, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

import pydantic

from recurra.errors import ArgumentError, DataError, MissingDependencyError

if TYPE_CHECKING:
    from tokenizers import Tokenizer as Trained

# Handles, hashtags, links and emoticons whole; then words with their apostrophes and hyphens;
# then any other sign by itself, an emoji with its modifiers as one.
_WORDS = re.compile(
    r"https?://\S+|[@#]\w+|[:;=8xX][-'^]?[()DPpOo3/\\|*]+(?!\w)|<3+"
    r"|\w+(?:['’-]\w+)*"
    r"|[^\w\s][\ufe0f\U0001f3fb-\U0001f3ff]*(?:\u200d[^\w\s][\ufe0f\U0001f3fb-\U0001f3ff]*)*"
)
_NO_SPACE_BEFORE = frozenset(".,;:!?)]}%…")
_NO_SPACE_AFTER = frozenset("([{")
_SURROGATES = re.compile("[\ud800-\udfff]")


class Tokenizer(pydantic.BaseModel):
    """Cuts texts into symbols, and joins symbols to a text.

    kind: "char", "word" or "bpe"; lower: whether texts are lower-cased first; pieces: for "bpe",
    the trained tokenizer as the tokenizers library writes it.
    """

    model_config = pydantic.ConfigDict(extra="forbid", strict=True, frozen=True)

    kind: Literal["char", "word", "bpe"]
    lower: bool = False
    pieces: str | None = None

    @pydantic.model_validator(mode="after")
    def _agree(self) -> "Tokenizer":
        if (self.kind == "bpe") != (self.pieces is not None):
            raise ValueError("pieces belong to the kind 'bpe', which needs them")
        if self.pieces is not None:
            try:
                _ = self._trained
            except MissingDependencyError:
                raise
            except Exception as error:  # the library has no class of its own
                raise ValueError(f"pieces: {error}") from None
        return self

    def split(self, text: str) -> list[str]:
        """Return the symbols of a text, which is brought to Unicode's NFC form."""
        text = clean(text)
        if self.lower:
            text = text.lower()
        if self.kind == "char":
            return list(text)
        if self.kind == "word":
            return _WORDS.findall(text)
        symbols: list[str] = self._trained.encode(text).tokens
        return symbols

    def join(self, symbols: Sequence[str]) -> str:
        """Return symbols as a text; words are set with the usual spaces."""
        if self.kind == "char":
            return "".join(symbols)
        if self.kind == "bpe":
            numbers = [self._trained.token_to_id(symbol) for symbol in symbols]
            text: str = self._trained.decode([n for n in numbers if n is not None])
            return text
        text = ""
        for symbol in symbols:
            glued = not text or symbol[:1] in _NO_SPACE_BEFORE or text[-1] in _NO_SPACE_AFTER
            text += symbol if glued else f" {symbol}"
        return text

    @cached_property
    def _trained(self) -> "Trained":
        trained: Trained = _tokenizers().Tokenizer.from_str(self.pieces)
        return trained


def clean(text: str) -> str:
    """Return a text in NFC, with the replacement character for surrogates that stand alone."""
    return _SURROGATES.sub("\ufffd", unicodedata.normalize("NFC", text))


def make_tokenizer(
    kind: str, texts: Iterable[str], *, lower: bool = False, size: int = 2000
) -> Tokenizer:
    """Return a tokenizer for texts like these.

    Args:
        kind: "char", "word", "bpe" (byte pairs learned from `texts`, Sennrich et al., arXiv
            1508.07909), or "auto": words, but characters where texts have hardly any spaces.
        texts: what it will cut.
        lower: whether texts are lower-cased.
        size: for "bpe", how many pieces there are at most; at least the 256 bytes.

    Raises `ArgumentError` for another kind.
    """
    if kind == "auto":
        texts = list(texts)
        spaces = sum(len(text.split()) > 1 for text in texts)
        kind = "word" if 2 * spaces >= len(texts) else "char"
    if kind == "bpe":
        return Tokenizer(kind="bpe", lower=lower, pieces=_train_pieces(texts, lower, size))
    if kind not in ("char", "word"):
        raise ArgumentError(
            f"tokens={kind!r} is not known; there are 'char', 'word', 'bpe' and 'auto'."
        )
    return Tokenizer(kind="char" if kind == "char" else "word", lower=lower)


def _train_pieces(texts: Iterable[str], lower: bool, size: int) -> str:
    library = _tokenizers()
    trained = library.Tokenizer(library.models.BPE())
    trained.pre_tokenizer = library.pre_tokenizers.ByteLevel(add_prefix_space=False)
    trained.decoder = library.decoders.ByteLevel()
    trainer = library.trainers.BpeTrainer(
        vocab_size=max(size, 256),
        show_progress=False,
        # Without these a byte that no text has could not be written.
        initial_alphabet=library.pre_tokenizers.ByteLevel.alphabet(),
    )
    rows = (clean(text).lower() if lower else clean(text) for text in texts)
    trained.train_from_iterator(rows, trainer)
    if not trained.get_vocab_size():
        raise DataError("there is nothing to learn pieces from: all texts are empty.")
    record: str = trained.to_str()
    return record


def _tokenizers() -> Any:
    try:
        import tokenizers
        import tokenizers.decoders
        import tokenizers.models
        import tokenizers.pre_tokenizers
        import tokenizers.trainers
    except ImportError as error:
        raise MissingDependencyError(
            "tokens='bpe' needs the package tokenizers: pip install 'recurra[tasks]'."
        ) from error
    return tokenizers
