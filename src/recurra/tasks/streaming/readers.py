"""A reader of streams for each estimator that can answer before the end."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from recurra.data.inputs import read_inputs
from recurra.data.sequences import label_text, symbols_of
from recurra.data.vocabulary import END, SPECIAL, START
from recurra.errors import ArgumentError, DataError
from recurra.networks import GeneratorNetwork, PooledNetwork
from recurra.networks.bag import BesideBag
from recurra.networks.encoder import Encoder
from recurra.networks.linear import linear_like
from recurra.networks.running_pool import RunningPool
from recurra.networks.tagger import TaggerNetwork
from recurra.tasks.classifying.classifier import SequenceClassifier
from recurra.tasks.classifying.regressor import SequenceRegressor
from recurra.tasks.estimator import SequenceEstimator
from recurra.tasks.forecasting.forecaster import Forecaster
from recurra.tasks.generating.generator import SequenceGenerator
from recurra.tasks.generating.lexicon import check_label
from recurra.tasks.generating.symbol_sequences import SymbolSequences
from recurra.tasks.reading import Reading
from recurra.tasks.streaming.bag import RunningBag
from recurra.tasks.streaming.reader import State, StreamReader, fresh_layer_state, run_layer
from recurra.tasks.supervised import SupervisedEstimator
from recurra.tasks.tagging.tagger import SequenceTagger


def reader_for(estimator: SequenceEstimator) -> StreamReader:
    """Return what reads streams of a fitted estimator: the same one at every call.

    Raises `ArgumentError` where it cannot answer before the end.
    """
    estimator._check_fitted()
    kept = estimator.__dict__.get("_stream_reader")
    if kept is not None and kept[0] is estimator.network_:
        found: StreamReader = kept[1]
        return found
    made = _build(estimator)
    estimator.__dict__["_stream_reader"] = (estimator.network_, made)
    return made


def _build(estimator: SequenceEstimator) -> StreamReader:
    name = type(estimator).__name__
    kinds = {
        SequenceClassifier: PooledReader,
        SequenceRegressor: PooledReader,
        SequenceTagger: TagReader,
        SequenceGenerator: SymbolReader,
        Forecaster: WindowReader,
    }
    kind: Any = kinds.get(type(estimator))
    if kind is None:
        raise ArgumentError(f"a {name} answers when it has the whole input: it has no stream.")
    if estimator.bidirectional:
        raise ArgumentError(
            f"this {name} reads in both directions, and needs the end before the beginning: fit "
            "one with bidirectional=False to run along a stream."
        )
    made: StreamReader = kind(estimator)
    return made


class _EncoderReader(StreamReader):
    """Reads what an encoder reads."""

    def __init__(self, estimator: SupervisedEstimator, encoder: Encoder) -> None:
        self._owner = type(estimator).__name__
        self._reading: Reading = estimator.reading_
        self._encoder = encoder
        self._device = next(encoder.parameters()).device

    def start(self) -> State:
        """Return the state of a stream of which nothing was read."""
        return fresh_layer_state(self._encoder.recurrent)

    def read(self, pieces: Sequence[Any]) -> list[Any]:
        """Return pieces as rows of steps; raises `DataError` for another form."""
        return [self._read(piece) for piece in pieces]

    def _read(self, piece: Any) -> Any:
        if not isinstance(piece, str | Iterable):
            piece = [piece]  # one step of one feature
        if isinstance(piece, str) and self._reading.kind == "symbols":
            raise DataError(f"a piece must be a list of symbols, got the text {piece[:30]!r}.")
        if not isinstance(piece, str) and not len(piece):
            return []
        inputs = read_inputs(
            [piece if isinstance(piece, str | list) else np.asarray(piece)], "piece"
        )
        self._reading.check(inputs, self._owner, "piece")
        return self._reading.cut(inputs.rows)[0][0]

    def _run(
        self, states: Sequence[State], rows: Sequence[Any]
    ) -> tuple[Tensor, Tensor, list[State]]:
        batch, lengths = self._reading.batch(rows, self._device)
        x = self._encoder.reader(batch)
        out, after = run_layer(self._encoder.recurrent, x, states, lengths)
        return out, lengths, after


class PooledReader(_EncoderReader):
    """Streams of a classifier or a regressor: pooled so far, and scored."""

    def __init__(self, estimator: SequenceClassifier | SequenceRegressor) -> None:
        network = estimator.network_
        deep = network.deep if isinstance(network, BesideBag) else network
        assert isinstance(deep, PooledNetwork)
        super().__init__(estimator, deep.encoder)
        self._estimator, self._deep = estimator, deep
        self._pool = RunningPool(deep.pooling)
        self._bag = RunningBag(network) if isinstance(network, BesideBag) else None

    def start(self) -> State:
        """Return the state of a stream of which nothing was read."""
        pool = self._pool.start(self._deep.encoder.output_size)
        bag = self._bag.start() if self._bag else {}
        return super().start() | {f"pool.{k}": v for k, v in pool.items()} | bag

    def grows(self, name: str) -> bool:
        """Return whether a tensor of the state may have any length."""
        return name.startswith("bag.")

    @torch.no_grad()
    def advance(
        self, states: Sequence[State], rows: Sequence[Any]
    ) -> tuple[list[State], list[Any]]:
        """Read rows on; return the states after them, and the predictions."""
        out, lengths, after = self._run(states, rows)
        names = [name for name in states[0] if name.startswith("pool.")]
        kept = {n[5:]: torch.stack([s[n] for s in states]).to(out.device) for n in names}
        kept = self._pool.update(kept, out, lengths)
        pooled = self._pool.pooled(kept)
        scores = linear_like(self._deep.head, pooled)
        for b, state in enumerate(after):
            state |= {f"pool.{name}": tensor[b].clone() for name, tensor in kept.items()}
        if self._bag is not None:
            scores = self._bag.beside(scores, states, after, rows)
        return after, self._answers(scores)

    def _answers(self, scores: Tensor) -> list[Any]:
        if isinstance(self._estimator, SequenceClassifier):
            return list(scores.softmax(-1).cpu().numpy())
        one = self._estimator
        values = scores.cpu().numpy() * one.target_deviation_ + one.target_mean_
        return [float(row[0]) for row in values] if one.flat_ else list(values)


class TagReader(_EncoderReader):
    """Streams of a tagger: a distribution of tags for each step as it comes."""

    def __init__(self, estimator: SequenceTagger) -> None:
        network = estimator.network_
        assert isinstance(network, TaggerNetwork)
        super().__init__(estimator, network.encoder)
        self._network = network

    def _read(self, piece: Any) -> Any:
        return list(piece) if isinstance(piece, str) else super()._read(piece)

    @torch.no_grad()
    def advance(
        self, states: Sequence[State], rows: Sequence[Any]
    ) -> tuple[list[State], list[Any]]:
        """Read rows on; return the states after them, and the predictions."""
        out, lengths, after = self._run(states, rows)
        p = self._network.scores(out).softmax(-1).cpu().numpy()
        return after, [p[:T, b] for b, T in enumerate(lengths.tolist())]


class SymbolReader(StreamReader):
    """Streams of a generator: what symbol comes next."""

    def __init__(self, estimator: SequenceGenerator) -> None:
        sequences, network = estimator.sequences_, estimator.network_
        if not isinstance(sequences, SymbolSequences) or not isinstance(network, GeneratorNetwork):
            raise ArgumentError("a generator of numbers has no stream: generate from a prefix.")
        self._lexicon, self._network = sequences.lexicon, network
        self._device = next(network.parameters()).device

    def start(self, condition: Any = None) -> State:
        """Return the state of a stream of which nothing was read, of a label if there are some."""
        label = None if condition is None else label_text(condition)
        check_label(label, self._lexicon.conditions)
        number = -1 if label is None else self._lexicon.conditions.index(label)
        numbers = {"begun": torch.zeros(1).long(), "label": torch.tensor([number])}
        return fresh_layer_state(self._network.recurrent) | numbers

    def check(self, state: Mapping[str, Tensor]) -> None:
        """Raise `ArgumentError` unless a state is of the form of this reader's."""
        labels = self._lexicon.conditions
        self.check_form(self.start(labels[0] if labels else None), state)
        if not (0 <= int(state["label"]) < len(labels) if labels else int(state["label"]) == -1):
            raise ArgumentError(
                f"the state's label, {int(state['label'])}, is none of the model's."
            )

    def read(self, pieces: Sequence[Any]) -> list[Any]:
        """Return pieces as rows of steps; raises `DataError` for another form."""
        for piece in pieces:
            if isinstance(piece, str) != self._lexicon.text:
                wanted = "a text" if self._lexicon.text else "a list of symbols"
                raise DataError(f"a piece must be {wanted} for this model, got {piece!r}.")
        return [self._lexicon.vocabulary.encode(symbols_of(piece)) for piece in pieces]

    @torch.no_grad()
    def advance(
        self, states: Sequence[State], rows: Sequence[Any]
    ) -> tuple[list[State], list[Any]]:
        """Read rows on; return the states after them, and the predictions."""
        tokens = [
            [*([] if state["begun"] else [START]), *row]
            for state, row in zip(states, rows, strict=True)
        ]
        if not all(tokens):
            raise DataError("a piece without symbols: there is nothing to read.")
        after: list[State] = [{}] * len(rows)
        found: list[Any] = [None] * len(rows)
        # Those that read as many symbols go together.
        for length in {len(row) for row in tokens}:
            chosen = [b for b, row in enumerate(tokens) if len(row) == length]
            logits, new = self._run([states[b] for b in chosen], [tokens[b] for b in chosen])
            for k, b in enumerate(chosen):
                after[b] = new[k]
                found[b] = self._named(logits[k], int(states[b]["label"]))
        return after, found

    def _run(
        self, states: Sequence[State], tokens: Sequence[Sequence[int]]
    ) -> tuple[Tensor, list[State]]:
        names = [name for name in states[0] if name.startswith("layer.")]
        start = tuple(torch.stack([s[name] for s in states], 1).to(self._device) for name in names)
        read = torch.tensor(tokens, device=self._device).T
        numbers = torch.cat([s["label"] for s in states]).to(self._device)
        label = numbers if self._lexicon.conditions else None
        logits, last = self._network(read, label, start)
        begun = torch.ones(1).long()
        return logits[-1], [
            {n: t[:, k].clone() for n, t in zip(names, last, strict=True)}
            | {"begun": begun.clone(), "label": state["label"]}
            for k, state in enumerate(states)
        ]

    def _named(self, logits: Tensor, label: int) -> dict[str, float]:
        """Return the probability of each symbol that may come, likeliest first; "" is the end."""
        lexicon = self._lexicon
        never = lexicon.never(lexicon.conditions[label] if lexicon.conditions else None)
        barred = torch.tensor(never, device=logits.device, dtype=torch.long)
        p = logits.double().index_fill(0, barred, -torch.inf).softmax(0).tolist()
        named = {"": p[END]} | dict(zip(lexicon.symbols, p[SPECIAL:], strict=True))
        return dict(sorted(((k, v) for k, v in named.items() if v), key=lambda each: -each[1]))


class WindowReader(StreamReader):
    """Streams of a forecaster of one series: the last values, and what follows them."""

    def __init__(self, estimator: Forecaster) -> None:
        state = estimator.state_
        if state.kind != "series" or state.past_names or state.known_names or len(state.ids) > 1:
            raise ArgumentError("a forecaster has a stream if it was fitted on one series alone.")
        self._estimator, self._most = estimator, state.W + state.lag

    def start(self) -> State:
        """Return the state of a stream of which nothing was read."""
        return {"values": torch.zeros(0, dtype=torch.float64)}

    def grows(self, name: str) -> bool:
        """Return whether a tensor of the state may have any length."""
        return True

    def read(self, pieces: Sequence[Any]) -> list[Any]:
        """Return pieces as rows of steps; raises `DataError` for another form."""
        return [
            read_inputs([np.atleast_1d(np.asarray(piece, dtype=np.float64))], "piece").rows[0][:, 0]
            for piece in pieces
        ]

    def advance(
        self, states: Sequence[State], rows: Sequence[Any]
    ) -> tuple[list[State], list[Any]]:
        """Read rows on; return the states after them, and the predictions."""
        after: list[State] = []
        answers: list[Any] = []
        for state, row in zip(states, rows, strict=True):
            values = torch.cat([state["values"], torch.from_numpy(row.copy())])[-self._most :]
            after.append({"values": values})
            enough = len(values) == self._most
            name = self._estimator.state_.ids[0]
            answers.append(self._estimator.predict({name: values.numpy()})[0] if enough else None)
        return after, answers
