"""Estimators that read sequences: what they learn of them, and how their network is run."""

import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor

from recurra.data.batches import LengthBatches
from recurra.data.examples import Examples
from recurra.data.inputs import Inputs, read_inputs
from recurra.errors import RecurraWarning
from recurra.networks.encoder import Encoder
from recurra.tasks.estimator import SequenceEstimator
from recurra.tasks.parameters import check_numbers
from recurra.tasks.reading import Reading

STEPS = 100_000  # of a batch in prediction, padding included; bounds its memory


@dataclass(eq=False, repr=False)
class ReadingEstimator(SequenceEstimator):
    """Reads inputs that are texts, lists of symbols, or numbers.

    Args, beside those of `SequenceEstimator`:
        embedding_size: the features a symbol or a word is read as.
        tokens: how texts are cut: "char", "word", "bpe", or "auto" (words, but characters where
            texts have hardly any spaces).
        lower: whether texts are lower-cased.
        max_length: the steps of an input that are read; what comes after them is left out.
        forget: the probability that a symbol is read as an unknown one (a word by its spelling
            alone), in training.
    """

    _: KW_ONLY
    embedding_size: int = 64
    tokens: str = "auto"
    lower: bool = False
    max_length: int = 1000
    forget: float = 0.05

    _reading_class: ClassVar[type[Reading]] = Reading

    def _read_inputs(self, X: Any) -> Inputs:
        """Read the inputs into one form; raises `DataError`."""
        return read_inputs(X)

    def _new_reading(self, inputs: Inputs, train: Examples) -> Reading:
        """Learn vocabularies and scales from the training part."""
        return self._reading_class.learn(
            inputs, train.inputs, train.weights, tokens=self.tokens, lower=self.lower
        )

    def _take_reading(self, reading: Reading) -> None:
        self.reading_ = reading
        self._keep_features(reading.table_features)

    def _cut(self, examples: Examples, *, told: bool = False) -> Examples:
        rows, longer = self.reading_.cut(examples.inputs, self.max_length)
        if longer and told:
            warnings.warn(
                f"{longer} of {len(rows)} inputs have more than max_length={self.max_length} "
                "steps; what comes after is not read.",
                RecurraWarning,
                stacklevel=4,
            )
        return Examples(rows, examples.targets, examples.weights)

    def _scores(self, X: Any) -> Tensor:
        """Return the network's outputs for each row of `X`, in their order: (n, O) float64."""
        self._check_fitted()
        places, found = [], []
        for some, out, _ in self._outputs(self._rows(X)):
            places += some
            found.append(out.double())
        return torch.cat(found)[torch.tensor(places).argsort()]

    def _rows(self, X: Any) -> Sequence[Any]:
        """Read the rows to predict for; raises `DataError` for another form than was fitted."""
        inputs = self._read_inputs(X)
        self.reading_.check(inputs, type(self).__name__)
        return self.reading_.cut(inputs.rows, self.max_length)[0]

    def _outputs(self, rows: Sequence[Any]) -> Iterator[tuple[list[int], Tensor, Tensor]]:
        """Run the network over rows: the places of each batch's, its outputs, its lengths."""
        for places, batch, lengths in self._in_batches(rows, 256, STEPS):
            with torch.no_grad():
                out = self.network_(batch, lengths)
            yield places, out, lengths

    def _in_batches(
        self, rows: Sequence[Any], size: int, most: int
    ) -> Iterator[tuple[list[int], Any, Tensor]]:
        """Cut rows into batches of at most `size` rows and about `most` steps.

        Yields the places of a batch's rows, and what `_collate` returns for them.
        """
        device = self._network_device()
        steps = [self._weight(row) for row in rows]
        for chosen in LengthBatches(steps, lambda chosen: chosen, batch_size=size, most=most):
            places = chosen.tolist()
            yield places, *self._collate([rows[k] for k in places], device)

    def _weight(self, row: Any) -> int:
        """Return how many steps an input takes up in a batch."""
        return len(row)

    def _encoder(self) -> Encoder:
        """Return what reads the inputs."""
        reader = self.reading_.reader(self.embedding_size, self.forget)
        recurrent = self._recurrent(int(reader.output_size))  # type: ignore[arg-type]
        return Encoder(reader, recurrent, self._dropout_rate())

    def _collate(self, rows: Sequence[Any], device: torch.device) -> tuple[Any, Tensor]:
        """Return the inputs of a batch as the network takes them, and their lengths (B,)."""
        return self.reading_.batch(rows, device)

    def _fitted_record(self) -> dict[str, Any]:
        return {"reading": self.reading_.model_dump()}

    def _take_fitted(self, record: Mapping[str, Any]) -> None:
        self._take_reading(self._reading_class.model_validate(record["reading"]))

    def _check_parameters(self) -> None:
        super()._check_parameters()
        check_numbers(self, at_least_1="embedding_size max_length", fractions="forget")
