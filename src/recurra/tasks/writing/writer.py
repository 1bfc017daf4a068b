"""Estimators that write sequences: what `Translator` and `Captioner` share."""

from abc import abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass
from typing import Any, Self

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.utils.rnn import pad_sequence

from recurra.data.batches import IGNORED
from recurra.data.examples import Examples
from recurra.data.inputs import Inputs
from recurra.data.sequences import check_condition
from recurra.data.vocabulary import END, START, UNKNOWN
from recurra.errors import DataError
from recurra.networks.attention import build_attention
from recurra.networks.beam import Beam, Hypothesis, beam_search
from recurra.networks.decoder import AttentionDecoder, Encoded
from recurra.networks.teacher_forcing import TeacherForcing
from recurra.tasks.parameters import check_numbers
from recurra.tasks.supervised import Batch, SupervisedEstimator
from recurra.tasks.writing.forcing import FollowSchedule
from recurra.tasks.writing.naive import Index, naive_scores
from recurra.tasks.writing.targets import Conditioned, Target, Writing, read_contents
from recurra.training import Trainer
from recurra.training.loop import Loss

_STEPS = 20_000  # of a batch of inputs, padding included, when K sequences are written for each


@dataclass(frozen=True)
class Written:
    """What was written: the text (or list, or label), log p of it and its end, its score."""

    content: Any
    log_p: float
    score: float


@dataclass(eq=False, repr=False)
class SequenceWriter(SupervisedEstimator):
    """Learns to write a sequence of symbols for an input; of GRUs unless another cell is given.

    Args, beside those of `SupervisedEstimator`:
        target_tokens: how texts of y are cut: "char", "word", "bpe" or "auto"; None as `tokens`.
        max_target_length: the symbols a target may have.
        attention_score: how well what the decoder looks at fits: by a product ("dot") or a small
            network ("additive").
        beam_size: how many unfinished sequences `predict` keeps.
        length_penalty: how much longer sequences are favoured, 0 for not at all.
        teacher_forcing: how often the decoder reads the true symbol in training: "always", or
            ever less often: "linear" or "inverse sigmoid".
    """

    cell: str | type[nn.Module] = "gru"
    _: KW_ONLY
    forget: float = 0.0
    dropout: float = 0.1
    weight_decay: float = 0.01
    target_tokens: str | None = None
    max_target_length: int = 200
    attention_score: str = "dot"
    beam_size: int = 5
    length_penalty: float = 0.0
    teacher_forcing: str = "always"

    _unit = "nats a symbol"

    def fit(self, X: Any, y: Any, sample_weight: Any = None, condition: Any = None) -> Self:
        """Learn to write `y` for `X`.

        Args:
            X: n inputs.
            y: n targets: texts, lists of strings, or one label each (a number, say).
            sample_weight: n weights of at least 0, or None for 1 each.
            condition: n labels that say which kind of target is wanted (its language, say), or
                None.

        Returns self. Raises `DataError` for data, `ArgumentError` for parameters that cannot be
        used.
        """
        return super().fit(X, y if condition is None else Conditioned(y, condition), sample_weight)

    def predict(self, X: Any, condition: Any = None) -> Any:
        """Return what is written for each input, in the form of the targets of `fit`.

        A list of texts or of lists of strings, or an array of labels. `condition` is n labels, or
        one for all, where the model was fitted with a condition.
        """
        best = [found[0].content for found in self._written(X, condition, self._beam(), 1)]
        return self.writing_.collect(best)

    def score(self, X: Any, y: Any, sample_weight: Any = None, condition: Any = None) -> float:
        """Return the share of targets that are written exactly."""
        self._check_fitted()
        form, contents = read_contents(y, most=10**9)
        if form != self.writing_.form:
            raise DataError(f"y holds {form}, but the model was fitted on {self.writing_.form}.")
        made = self.predict(X, condition)
        written = made.tolist() if isinstance(made, np.ndarray) else made
        if len(written) != len(contents):
            raise DataError(f"y has {len(contents)} targets for the {len(written)} rows of X.")
        cut = self.writing_.cut
        right = [cut(a) == cut(b) for a, b in zip(written, contents, strict=True)]
        return float(np.average(right, weights=sample_weight))

    def _written(self, X: Any, condition: Any, beam: Beam, n_best: int) -> list[list[Written]]:
        """Return for each row the `n_best` sequences of highest score."""
        found: dict[int, list[Written]] = {}
        for rows, encoded, start in self._encoded(X, condition):
            searched = self._search(encoded, start, beam, n_best)
            for row, hypotheses in zip(rows, searched, strict=True):
                found[row] = [
                    Written(self.writing_.decode(h.symbols), h.log_p, h.score) for h in hypotheses
                ]
        return [found[k] for k in range(len(found))]

    def _looked_at(self, X: Any, condition: Any) -> list[tuple[list[str], NDArray[np.float64]]]:
        """Return for each row the symbols written, and where each, and the end, looked.

        The weights are (T + 1, S), S the row's own steps.
        """
        found: dict[int, tuple[list[str], NDArray[np.float64]]] = {}
        for rows, encoded, start in self._encoded(X, condition):
            best = [each[0].symbols for each in self._search(encoded, start, self._beam(), 1)]
            read = [
                torch.tensor([first, *s]) for first, s in zip(start.tolist(), best, strict=True)
            ]
            with torch.no_grad():
                tokens = pad_sequence(read).to(start.device)
                weights = self._decoder()(tokens, encoded)[1].double().cpu().numpy()
            lengths = [weights.shape[-1]] * len(rows)
            if encoded.lengths is not None:
                lengths = encoded.lengths.tolist()
            for k, row in enumerate(rows):
                symbols = self.writing_.decode_symbols(best[k])
                found[row] = symbols, weights[: len(best[k]) + 1, k, : lengths[k]]
        return [found[k] for k in range(len(found))]

    def _search(
        self, encoded: Encoded, start: Tensor, beam: Beam, n_best: int
    ) -> list[list[Hypothesis]]:
        decoder = self._decoder()

        def step(tokens: Tensor, state: Any) -> Any:
            logits, _, state = decoder(tokens, encoded, state)
            return logits, state

        one = self.writing_.form == "labels"
        # What is much longer than all that was learned is no target.
        longest = min(self.max_target_length, self.writing_.longest * 3 // 2 + 5)
        first = len(self.writing_.symbols) + START + 1
        return beam_search(
            step,
            start.unsqueeze(0),
            end=END,
            banned=[UNKNOWN, START, *range(first, self.writing_.size)],
            min_length=1 if one else 0,
            max_length=1 if one else longest,
            beam=beam,
            n_best=n_best,
        )

    def _encoded(self, X: Any, condition: Any) -> Iterator[tuple[list[int], Encoded, Tensor]]:
        """Read `X`: the rows of each batch, what was read, what each target begins with (B,)."""
        self._check_fitted()
        rows = self._rows(X)
        conditions = self.writing_.check_conditions(condition, len(rows))
        for places, batch, lengths in self._in_batches(rows, 64, _STEPS):
            start = self.writing_.starts([conditions[k] for k in places])
            with torch.no_grad():
                encoded = self._encode(batch, lengths)
            yield places, encoded, torch.tensor(start, device=lengths.device)

    @abstractmethod
    def _encode(self, batch: Any, lengths: Tensor) -> Encoded:
        """Read a batch."""

    @abstractmethod
    def _index(self) -> Index:
        """Return what finds similar inputs, for the baseline."""

    def _decoder(self) -> AttentionDecoder:
        decoder = self.network_.decoder
        assert isinstance(decoder, AttentionDecoder)
        return decoder

    def _new_decoder(self, memory_size: int) -> AttentionDecoder:
        """Return a decoder for the symbols learned, which looks at steps of M features."""
        return AttentionDecoder(
            self.writing_.size,
            self.embedding_size,
            self._recurrent(self.embedding_size, bidirectional=False),
            memory_size,
            attention=self.attention_score,
            dropout=self.dropout,
        )

    def _beam(self, size: int | None = None, penalty: float | None = None) -> Beam:
        return Beam(
            self.beam_size if size is None else size,
            self.length_penalty if penalty is None else penalty,
        )

    def _trainer(self, loss: Loss, steps: int | None, unit: str) -> Trainer:
        trainer = super()._trainer(loss, steps, unit)
        trainer.callbacks.append(
            FollowSchedule(TeacherForcing(self.teacher_forcing), self._decoder())
        )
        return trainer

    def _read_targets(self, y: Any, inputs: Inputs) -> Sequence[Any]:
        given = y.y if isinstance(y, Conditioned) else y
        self._form, contents = read_contents(given, self.max_target_length)
        conditions: Sequence[str | None] = [None] * len(contents)
        if isinstance(y, Conditioned):
            conditions = check_condition(y.condition, len(contents))
        return [Target(*pair) for pair in zip(contents, conditions, strict=True)]

    def _learn_targets(self, train: Examples) -> None:
        tokens = self.target_tokens or self.tokens
        self.writing_ = Writing.learn(self._form, train.targets, tokens, pieces=2000)
        self.baselines_: dict[str, float] = {}  # until it is judged

    def _target_tensor(self, targets: Sequence[Any], device: torch.device) -> Any:
        """Return what the decoder reads and what it is to write: (T, B) each."""
        starts = self.writing_.starts([target.condition for target in targets])
        rows = [
            torch.tensor([start, *self.writing_.encode(target.content), END])
            for start, target in zip(starts, targets, strict=True)
        ]
        padded = pad_sequence(rows, padding_value=IGNORED).to(device)
        return padded[:-1].clamp(min=END), padded[1:]

    def _loss(self, network: nn.Module, batch: Batch) -> tuple[Tensor, float]:
        read, wanted = batch.targets
        logits, _ = network(batch.inputs, read, batch.lengths)
        losses = F.cross_entropy(
            logits.flatten(0, 1), wanted.flatten(), ignore_index=IGNORED, reduction="none"
        ).view_as(wanted)
        counted = (wanted != IGNORED) * batch.weights
        return (losses * batch.weights).sum(), float(counted.sum())

    def _judge(self, train: Examples, judged: Examples) -> None:
        copies = self.reading_.kind != "numbers" and self._form != "labels"
        self.baselines_ = naive_scores(
            self._as_symbols(train), self._as_symbols(judged), self._index(), copies=copies
        )
        self.baseline_score_ = max(self.baselines_.values())

    def _as_symbols(self, examples: Examples) -> Examples:
        targets = [Target(self.writing_.cut(t.content), t.condition) for t in examples.targets]
        return Examples(examples.inputs, targets, examples.weights)

    def _fitted_record(self) -> dict[str, Any]:
        return {
            **super()._fitted_record(),
            "writing": self.writing_.model_dump(),
            "baselines": self.baselines_,
        }

    def _take_fitted(self, record: Mapping[str, Any]) -> None:
        super()._take_fitted(record)
        self.writing_ = Writing.model_validate(record["writing"])
        self.baselines_ = {str(k): float(v) for k, v in record["baselines"].items()}

    def _check_parameters(self) -> None:
        super()._check_parameters()
        check_numbers(self, at_least_1="max_target_length")
        self._beam()
        TeacherForcing(self.teacher_forcing)
        build_attention(self.attention_score, 1, 1, 1)
