"""How a generator learns one text without an end, and goes on with it."""

from collections.abc import Iterator, Sequence
from functools import cached_property
from itertools import chain
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from recurra.data.chunks import Chunk
from recurra.data.long_text.chunks import TextChunk, TextChunks
from recurra.data.long_text.counted import CountedText
from recurra.data.long_text.source import LongText
from recurra.data.long_text.symbols import KINDS
from recurra.data.vocabulary import UNKNOWN
from recurra.errors import ArgumentError, DataError
from recurra.networks import carried_loss
from recurra.tasks.generating.baseline import PairTable
from recurra.tasks.generating.lexicon import Lexicon
from recurra.tasks.generating.symbol_sequences import SymbolSequences

_CHUNK = 256  # steps of a chunk that is judged
_APART = 20  # chunks a row must have before the text is read in another one
_ROWS = 256  # side by side, at most, when nothing is learned
_COUNTED = 2**16  # steps of a chunk of which pairs are counted


def text_loss(network: nn.Module, piece: TextChunk, state: Any) -> tuple[Tensor, float, Any]:
    """Return a chunk's summed loss in nats, its symbols, and the state after it."""
    return carried_loss(network, piece.read(), state)


class EndlessText(SymbolSequences):
    """A text without an end, by what is known of its symbols.

    lexicon: the symbols; max_length: how many are made where it is not said.
    """

    loss = staticmethod(text_loss)

    def __init__(self, lexicon: Lexicon, max_length: int) -> None:
        super().__init__(lexicon, max_length)
        assert lexicon.endless is not None
        self.kind = lexicon.endless
        self.symbol = "byte" if self.kind == "byte" else "character"
        self.unit = f"nats a {self.symbol}"

    @classmethod
    def of(cls, counted: CountedText, max_length: int) -> "EndlessText":
        """Learn the symbols of the part to train on."""
        return cls(Lexicon.of_text(counted), max_length)

    @cached_property
    def _numbers(self) -> NDArray[np.int64]:
        numbers = np.full(KINDS[self.kind], UNKNOWN)
        codes = [ord(symbol) for symbol in self.lexicon.symbols]
        numbers[codes] = self.lexicon.vocabulary.encode(self.lexicon.symbols)
        return numbers

    def chunks(
        self,
        counted: CountedText,
        chunk: int = _CHUNK,
        batch_size: int = _ROWS,
        device: torch.device | str = "cpu",
    ) -> TextChunks:
        """Return a text in at most `batch_size` rows of at least twenty chunks each, or in one."""
        rows = min(batch_size, max(1, counted.symbols // (_APART * chunk)))
        return TextChunks(counted, self._numbers, chunk=chunk, batch_size=rows, device=device)

    def pairs(self, texts: Sequence[CountedText]) -> PairTable:
        """Return the pairs of texts' symbols, counted: the baseline."""
        chunks = (TextChunks(counted, self._numbers, chunk=_COUNTED) for counted in texts)
        pieces = chain.from_iterable(chunks)
        return PairTable(len(self.lexicon.vocabulary)).fit(piece.read() for piece in pieces)

    def naive_text_loss(self, train: CountedText, judged: CountedText) -> float:
        """Return the loss of pairs of symbols counted in one text on another, in nats a symbol."""
        pairs = self.pairs([train])
        return sum(pairs.loss(piece.read()) for piece in self.chunks(judged)) / judged.symbols

    def read(self, X: Any) -> list[CountedText]:
        """Return one text, or a list of texts, counted; raises `DataError`."""
        texts = X if isinstance(X, list | tuple) else [X]
        return [count_to_judge(text, self.kind) for text in texts]

    @torch.no_grad()
    def losses(self, network: nn.Module, counted: CountedText) -> Iterator[tuple[Chunk, float]]:
        """Go through a text, read from its start; yield each chunk and its summed loss in nats.

        A long text is read in rows side by side, each from its own start.
        """
        device = next(network.parameters()).device
        state: Any = None
        for piece in self.chunks(counted, device=device):
            chunk = piece.read()
            total, _, state = carried_loss(network, chunk, state)
            yield chunk, float(total)

    def log_likelihoods(
        self, network: nn.Module, rows: Sequence[Any], labels: Sequence[str] | None
    ) -> NDArray[np.float64]:
        """Return the log-likelihood of each text, in nats: (n,)."""
        return np.array([-sum(loss for _, loss in self.losses(network, row)) for row in rows])

    def sizes(self, rows: Sequence[Any]) -> int:
        """Return how many symbols there are."""
        return sum(row.symbols for row in rows)

    def begin(self, prefix: Any, condition: str | None) -> list[str]:
        """Return a prefix's symbols, however many; raises `ArgumentError` for unknown ones."""
        symbols = self.lexicon.cut(prefix, "prefix") if prefix else []
        self.lexicon.check_known(symbols, prefix)
        return symbols

    def _room(self, beginning: Sequence[str]) -> int:
        return self.max_length


def count_parts(X: Any, kind: str, chunk: int, fraction: float) -> list[CountedText]:
    """Return a text's part to train on and, unless `fraction` is 0, its end to judge epochs by.

    Raises `DataError` for a text that cannot be read, or is shorter than two chunks.
    """
    whole = LongText.of(X)
    counted = [CountedText.of(part, kind) for part in whole.split(fraction)]
    if counted[0].symbols < 2 * chunk or (fraction and not counted[1].symbols):
        held = f" beside {counted[1].symbols:,} held out" if fraction else ""
        named = ", or a file's name as pathlib.Path(...)" if isinstance(X, str) else ""
        raise DataError(
            f"{whole.name} has {counted[0].symbols:,} symbols to train on{held}; chunk={chunk} "
            f"needs {2 * chunk:,} and one held out: give a longer text, a smaller chunk{named}."
        )
    return counted if fraction else counted[:1]


def count_to_judge(X: Any, kind: str) -> CountedText:
    """Return a text counted, if it is not yet; raises `DataError` if it is empty or unreadable."""
    counted = X if isinstance(X, CountedText) else CountedText.of(LongText.of(X), kind)
    if not counted.symbols:
        raise DataError(f"{counted.text.name} is empty: there is nothing to judge.")
    return counted


def of_length(sequences: object, length: Any) -> EndlessText:
    """Return an endless text as one that is gone on with for `length` symbols.

    Raises `ArgumentError` for sequences that have an end.
    """
    if not isinstance(sequences, EndlessText):
        raise ArgumentError(
            f"length={length!r} is for an endless text: sequences end where they do, or at "
            "max_length."
        )
    if type(length) is not int or length < 1:
        raise ArgumentError(f"length must be a whole number of at least 1, got {length!r}.")
    return EndlessText(sequences.lexicon, length)
