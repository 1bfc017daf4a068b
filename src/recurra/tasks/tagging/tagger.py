"""`SequenceTagger`: many to many, aligned: a tag for every step of a sequence."""

from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass
from itertools import chain
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.utils.rnn import pad_sequence

from recurra.data.batches import IGNORED
from recurra.data.examples import Examples
from recurra.data.inputs import Inputs, read_inputs
from recurra.errors import DataError
from recurra.networks.tagger import TaggerNetwork
from recurra.tasks.labelled import LabelEstimator
from recurra.tasks.supervised import Batch
from recurra.tasks.tagging.scores import FrequentTags, accuracy
from recurra.tasks.tagging.targets import read_tags


@dataclass(eq=False, repr=False)
class SequenceTagger(LabelEstimator):
    """Learns a tag for each step of a sequence: the part of speech of words, a state over time.

    The steps are words (`X` holds lists of them), characters (strings) or numbers (arrays). A word
    is read by its number, if it is frequent, and by its spelling; the network reads on both sides
    of it. Where the rows are numbers, a row may have one tag, which then is that of all its steps
    (a weak label): so a table (n, T) with n classes can be learned, and T tags a row are predicted.

    Args, beside those of `SupervisedEstimator`:
        tokens: "auto" and "word" read words by number and spelling, "char" by number alone.
        max_length: the steps that are read at a time; a longer sequence is tagged in pieces.

    Fitted: network_, history_, reading_, classes_ (the tags, in order), class_shares_ (of each
    tag, the share of the steps trained on), baseline_score_ (the accuracy of each word's most
    frequent tag on the validation part; on the training part without one, NaN after
    `partial_fit`), n_features_in_ for numbers.
    """

    hidden_size: int = 128
    _: KW_ONLY
    bidirectional: bool = True
    dropout: float = 0.3

    _unit = "nats a tag"
    _labels_noun = "tags"
    _only_one = "y holds only one class of tag, {!r}: there is nothing to tell apart."

    def predict(self, X: Any) -> Any:
        """Return the likeliest tag of each step: n lists of tags, or (n, T) for an array."""
        tags = [self.classes_[p.argmax(-1)] for p in self._probabilities(X)]
        return np.array(tags) if _is_array(X) else [row.tolist() for row in tags]

    def predict_proba(self, X: Any) -> Any:
        """Return the probability of each tag at each step, in the order of `classes_`.

        It is n arrays (T, classes), or (n, T, classes) for an array.
        """
        rows = self._probabilities(X)
        return np.array(rows) if _is_array(X) else rows

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """Return the accuracy: the share of steps whose tag is predicted."""
        tags = self.predict(X)
        return accuracy(read_tags(y, _steps(read_inputs(X))), tags, sample_weight)

    def _probabilities(self, X: Any) -> list[NDArray[np.float64]]:
        """Return the probabilities (T, classes) of each row."""
        self._check_fitted()
        rows = [_pieces(row, self.max_length) for row in self._rows(X)]
        flat = list(chain(*rows))
        found: list[Any] = [None] * len(flat)
        for places, scores, lengths in self._outputs(flat):
            p = scores.softmax(-1).cpu().numpy()
            for b, (k, T) in enumerate(zip(places, lengths.tolist(), strict=True)):
                found[k] = p[:T, b]
        each = iter(found)
        return [np.concatenate([next(each) for _ in pieces]) for pieces in rows]

    def _rows(self, X: Any) -> Sequence[Any]:
        inputs = self._read_inputs(X)
        self.reading_.check(inputs, type(self).__name__)
        return inputs.rows

    def _read_inputs(self, X: Any) -> Inputs:
        return _steps(read_inputs(X))

    def _pair(self, inputs: Inputs, y: Any, sample_weight: Any) -> tuple[Inputs, Examples]:
        if inputs.kind == "symbols" and not any(inputs.rows):
            raise DataError("X holds not one character: all texts are empty.")
        inputs, examples = super()._pair(inputs, y, sample_weight)
        rows = [_pieces(row, self.max_length) for row in examples.inputs]
        tags = [_pieces(row, self.max_length) for row in examples.targets]
        weights = np.repeat(examples.weights, [len(pieces) for pieces in rows])
        return inputs, Examples(list(chain(*rows)), list(chain(*tags)), weights)

    def _read_targets(self, y: Any, inputs: Inputs) -> Sequence[Any]:
        return read_tags(y, inputs)

    def _each_label(self, examples: Examples) -> tuple[Sequence[Any], NDArray[np.float64]]:
        weights = np.repeat(examples.weights, [len(tags) for tags in examples.targets])
        return list(chain(*examples.targets)), weights

    def _build(self) -> nn.Module:
        return TaggerNetwork(self._encoder(), len(self.classes_))

    def _target_tensor(self, targets: Sequence[Any], device: torch.device) -> Tensor:
        """Return (T, B), `IGNORED` past a row's end."""
        rows = [torch.from_numpy(self._numbers(row)) for row in targets]
        padded = pad_sequence(rows, padding_value=IGNORED)
        return (padded if len(padded) else padded.new_full((1, len(rows)), IGNORED)).to(device)

    def _loss(self, network: nn.Module, batch: Batch) -> tuple[Tensor, float]:
        logits = network(batch.inputs, batch.lengths)
        losses = F.cross_entropy(
            logits.flatten(0, 1), batch.targets.flatten(), ignore_index=IGNORED, reduction="none"
        )
        total = (losses.view_as(batch.targets) * batch.weights).sum()
        # A batch of empty rows has nothing to learn from, and its mean must not be 0 / 0.
        return total, max(float((batch.lengths * batch.weights).sum()), 1e-30)

    def _judge(self, train: Examples, judged: Examples) -> None:
        if not any(judged.targets):
            judged = train
        plain = FrequentTags().fit(self._words(train), train.targets, train.weights.tolist())
        tags = plain.predict(self._words(judged))
        self.baseline_score_ = accuracy(judged.targets, tags, judged.weights.tolist())

    def _words(self, examples: Examples) -> Sequence[Sequence[Any]]:
        """Return the rows; of numbers, which hardly come up twice, one word for all."""
        if self.reading_.kind == "numbers":
            return [[0] * len(row) for row in examples.inputs]
        return examples.inputs


def _steps(inputs: Inputs) -> Inputs:
    """Return the inputs with each text as a list of its characters, so that each has its tag."""
    if inputs.kind != "text":
        return inputs
    return Inputs("symbols", [list(text) for text in inputs.rows])


def _pieces(row: Any, most: int) -> list[Any]:
    """Return a sequence cut into pieces of at most `most` steps; of none, the empty piece."""
    return [row[k : k + most] for k in range(0, len(row), most)] or [row]


def _is_array(X: Any) -> bool:
    """Return whether `X` is numbers, in rows that must be of one length."""
    inputs = read_inputs(X)
    return inputs.kind == "numbers" and (inputs.columns is not None or hasattr(X, "__array__"))
