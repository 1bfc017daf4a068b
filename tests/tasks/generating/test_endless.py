"""One endless text: learned with the state carried on, gone on with, judged."""

import copy
import math
import random
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from recurra import SequenceGenerator, load
from recurra.data import LongText
from recurra.data.vocabulary import SPECIAL, START
from recurra.errors import ArgumentError, DataError, RecurraError
from recurra.tasks.generating.lexicon import Lexicon
from recurra.training import Callback, Checkpoints, Trainer


def book(n: int = 1500, seed: int = 0) -> str:
    """Return a text whose words tell what comes next better than pairs of letters do."""
    draw = random.Random(seed)
    words = ["étude", "bat", "tab", "abate", "teat", "butte", "debut"]
    return " ".join(draw.choice(words) for _ in range(n))[:n]


def small(**options: Any) -> SequenceGenerator:
    settings = {
        "chunk": 16,
        "hidden_size": 12,
        "embedding_size": 6,
        "epochs": 2,
        "batch_size": 4,
        "learning_rate": 0.02,
        "dropout": 0.0,
        "patience": None,
        "random_state": 0,
    }
    return SequenceGenerator(**{**settings, **options})


@pytest.fixture(scope="module")
def fitted() -> SequenceGenerator:
    return small(epochs=8, hidden_size=24).fit(book(4000))


@pytest.fixture
def in_float64() -> Iterator[None]:
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


class Keep(Callback):
    """Keeps the network as it was before the first step."""

    def on_train_begin(self, trainer: Trainer) -> None:
        self.network = copy.deepcopy(trainer.model)


def by_hand(network: Any, rows: Tensor, chunk: int, epochs: int) -> dict[str, Tensor]:
    """Return the weights after training on rows (T, B) of symbols with torch's own parts."""
    weights = {name: nn.Parameter(tensor.clone()) for name, tensor in network.state_dict().items()}
    E, H = weights["symbols.weight"].shape[1], weights["project.weight"].shape[1]
    lstm = nn.LSTM(E, H)
    cell = "recurrent.cells.0.gates."
    with torch.no_grad():
        for name, parameter in lstm.named_parameters():
            parameter.copy_(weights.pop(cell + name.removesuffix("_l0")))
    every = [*weights.values(), *lstm.parameters()]
    optimizer = torch.optim.AdamW(every, lr=0.02, weight_decay=0.1)
    before = torch.cat([torch.full_like(rows[:1], START), rows[:-1]])
    for _ in range(epochs):
        state = None
        for first in range(0, len(rows), chunk):
            x, y = before[first : first + chunk], rows[first : first + chunk]
            embedded = F.embedding(x, weights["symbols.weight"]) * math.sqrt(E)
            out, state = lstm(embedded, state)
            state = tuple(part.detach() for part in state)
            features = F.linear(out, weights["project.weight"], weights["project.bias"])
            logits = F.linear(features, weights["symbols.weight"], weights["bias"])
            optimizer.zero_grad()
            F.cross_entropy(logits.flatten(0, 1), y.flatten()).backward()
            nn.utils.clip_grad_norm_(every, 1.0)
            optimizer.step()
    own = {cell + name.removesuffix("_l0"): p for name, p in lstm.named_parameters()}
    return {name: p.detach() for name, p in (weights | own).items()}


@pytest.mark.usefixtures("in_float64")
def test_it_is_the_loop_written_by_hand(tmp_path: Path) -> None:
    path = tmp_path / "book.txt"
    path.write_text(book(), encoding="utf-8")
    kept = Keep()
    options = {"validation_fraction": 0.0, "schedule": "constant", "callbacks": [kept]}
    model = small(**options).fit(path)
    numbers = torch.tensor(model.lexicon_.vocabulary.encode(book()))
    assert len(numbers) == 1500
    rows = numbers.view(4, 375).T  # 1,500 characters are 4 rows of at least twenty chunks of 16
    wanted = by_hand(kept.network, rows, chunk=16, epochs=2)
    found = model.network_.state_dict()
    assert found.keys() == wanted.keys()
    for name, tensor in found.items():
        torch.testing.assert_close(tensor, wanted[name], rtol=0, atol=1e-6)
        assert (tensor - kept.network.state_dict()[name]).abs().max() > 1e-3


def test_gradients_may_end_within_a_chunk() -> None:
    whole, cut = small(epochs=1).fit(book()), small(epochs=1, truncate=2).fit(book())
    norms = [model.history_.gradient_norms for model in (whole, cut)]
    assert norms[0][0] != norms[1][0]
    again = small(epochs=1, truncate=16).fit(book())
    np.testing.assert_allclose(again.history_.gradient_norms, norms[0], rtol=1e-4)


def test_it_learns_more_than_pairs_tell(fitted: SequenceGenerator) -> None:
    assert -fitted.score(book(2000, seed=1)) < 0.8 * fitted.baseline_loss_
    assert fitted.about_.unit == "nats a character"


def test_the_end_is_held_out_and_judges_the_epochs(fitted: SequenceGenerator) -> None:
    text = book(4000).encode()
    held = len(text) - round(len(text) * 0.1)
    held += text[held] & 0xC0 == 0x80  # not within a letter
    learned, end = text[:held].decode(), text[held:].decode()
    assert (fitted.about_.examples, fitted.about_.validation) == (len(learned), len(end))
    best = fitted.history_.best
    assert best is not None
    assert best.valid_loss == pytest.approx(-fitted.score(end), rel=1e-5)
    changed = small(epochs=1).fit(learned + end[::-1]), small(epochs=1).fit(learned + end)
    weights = [model.network_.state_dict() for model in changed]
    assert all(torch.equal(weights[0][name], weights[1][name]) for name in weights[0])


def test_the_baseline_is_that_of_pairs_counted_in_the_part_to_train_on() -> None:
    text = "ab" * 200 + "abba" * 50
    train, held = text[:480], text[480:]
    model = small(epochs=1, validation_fraction=0.2).fit(text)
    pairs, singles = Counter(pairwise("^" + train)), Counter(train)
    befores, V, k = Counter("^" + train[:-1]), SPECIAL + 2, 5.0
    loss = 0.0
    for a, b in pairwise("^" + held):
        plain = (singles[b] + 1) / (len(train) + V)
        loss -= math.log((pairs[a, b] + k * plain) / (befores[a] + k))
    assert model.baseline_loss_ == pytest.approx(loss / len(held))


def test_it_goes_on_from_a_prefix_for_as_long_as_asked(fitted: SequenceGenerator) -> None:
    made = fitted.generate("bat é", n=3, length=120, random_state=0)
    assert [len(text) for text in made] == [125] * 3
    assert all(text.startswith("bat é") for text in made)
    assert all(set(text) <= set(book()) for text in made)
    assert len(set(made)) == 3
    assert made == fitted.generate("bat é", n=3, length=120, random_state=0)
    assert [len(text) for text in fitted.generate()] == [fitted.max_length]
    assert len(fitted.generate("b" * 300, length=2)[0]) == 302
    words = " ".join(made).split(" ")
    assert sum(word in book() for word in words) > 0.5 * len(words)


def test_what_cannot_be_gone_on_with_is_told(fitted: SequenceGenerator) -> None:
    with pytest.raises(ArgumentError, match="prefix='a☃': the model never learned '☃'"):
        fitted.generate("a☃")
    with pytest.raises(ArgumentError, match="length must be a whole number of at least 1, got 0"):
        fitted.generate(length=0)
    with pytest.raises(DataError, match=r"prefix must be a text for this model, got \['a'\]"):
        fitted.generate(["a"])
    with pytest.raises(ArgumentError, match="condition='b', but the model was fitted without"):
        fitted.generate(condition="b")


def test_a_length_is_for_endless_texts_only() -> None:
    plain = small(chunk=None, epochs=1).fit(["ab", "ba"] * 10)
    with pytest.raises(ArgumentError, match="length=5 is for an endless text: sequences end where"):
        plain.generate(length=5)


def test_a_score_is_the_likelihood_of_each_next_character(fitted: SequenceGenerator) -> None:
    text = book(60, seed=2)
    stream = fitted.stream()
    total, before = 0.0, ""
    for character in text:
        p = stream.push(before)
        assert "" not in p  # there is no end
        assert sum(p.values()) == pytest.approx(1)
        # The stream leaves out what is never drawn: start, end and the unknown symbol.
        total, before = total + math.log(p[character]), character
    assert fitted.score_samples(text)[0] <= total
    assert fitted.score_samples(text)[0] == pytest.approx(total, abs=0.05 * len(text))
    both = fitted.score_samples([text, "bat"])
    assert both[0] == fitted.score_samples(text)[0]
    assert fitted.score([text, "bat"]) == pytest.approx(both.sum() / 63)


def test_a_long_text_is_scored_as_its_parts_would_be(
    fitted: SequenceGenerator, tmp_path: Path
) -> None:
    path = tmp_path / "other.txt"
    path.write_text(book(20_000, seed=3), encoding="utf-8")
    # 20,000 characters are read in 3 rows, each from its own start.
    rows = [book(20_000, seed=3)[first:end] for first, end in pairwise([0, 6667, 13334, 20_000])]
    assert fitted.score(path) == pytest.approx(fitted.score_samples(rows).sum() / 20_000, rel=1e-5)


def test_a_symbol_it_never_read_is_unknown_and_not_free(fitted: SequenceGenerator) -> None:
    assert fitted.score("bat☃") < fitted.score("bat ") - 0.5


@pytest.mark.parametrize("tokens", ["char", "byte"])
def test_a_saved_model_goes_on_alike(tokens: str, tmp_path: Path) -> None:
    model = small(tokens=tokens).fit(book())
    again = load(model.save(tmp_path / "model"))
    assert isinstance(again, SequenceGenerator)
    assert (again.chunk, again.tokens) == (16, tokens)
    assert again.generate("é", length=30, random_state=1) == model.generate(
        "é", length=30, random_state=1
    )
    assert again.score(book(seed=1)) == model.score(book(seed=1))
    assert again.baseline_loss_ == model.baseline_loss_
    card = (tmp_path / "model" / "README.md").read_text(encoding="utf-8")
    assert "learned to go on with a text" in card
    assert f"{model.about_.examples:,} symbols of one text;" in card


def test_any_bytes_can_be_learned(tmp_path: Path) -> None:
    path = tmp_path / "program.bin"
    path.write_bytes(bytes([0, 255, 7, 200] * 300))
    model = small(tokens="byte", epochs=12, learning_rate=0.05).fit(path)
    (made,) = model.generate(b"\x00\xff", length=10, temperature=0.1)
    assert made == bytes([0, 255, 7, 200] * 3)
    assert model.about_.unit == "nats a byte"
    assert -model.score(bytes([0, 255, 7, 200] * 20)) < 0.3
    stream = model.stream()
    assert max(stream.push(b"\x00\xff").items(), key=lambda item: item[1])[0] == "\x07"


def test_a_part_of_a_file_is_a_text_too(tmp_path: Path) -> None:
    path = tmp_path / "book.txt"
    path.write_text(book(3000), encoding="utf-8")
    part, _ = LongText(path).split(0.5)
    whole = path.read_bytes()[: len(part)].decode()
    models = [small(epochs=1).fit(text) for text in (part, whole)]
    losses = [model.history_.epochs[0].train_loss for model in models]
    assert losses[0] == losses[1]


class StoppedError(Exception):
    """What stands in for a program's sudden end."""


class StopAt(Callback):
    """Stops a fit after so many steps."""

    def __init__(self, step: int) -> None:
        self.step = step

    def on_batch_end(self, trainer: Trainer, loss: float, gradient_norm: float) -> None:
        if trainer.steps == self.step:
            raise StoppedError


@pytest.mark.parametrize("step", [9, 22, 31])
def test_a_fit_that_was_stopped_anywhere_ends_with_the_same_bits(step: int, tmp_path: Path) -> None:
    path = tmp_path / "book.txt"
    path.write_text(book(), encoding="utf-8")
    options: dict[str, Any] = {"dropout": 0.2, "num_layers": 2}
    whole = small(**options).fit(path)
    kept = Checkpoints(tmp_path / "kept", every_steps=4)
    with pytest.raises(StoppedError):
        small(**options, checkpoint=kept, callbacks=[StopAt(step)]).fit(path)
    again = small(**options, checkpoint=kept, resume=True).fit(path)
    wanted = whole.network_.state_dict()
    assert all(torch.equal(t, wanted[name]) for name, t in again.network_.state_dict().items())
    assert again.history_.gradient_norms == whole.history_.gradient_norms
    assert [e.train_loss for e in again.history_.epochs] == [
        e.train_loss for e in whole.history_.epochs
    ]
    path.write_text("B" + book()[1:], encoding="utf-8")
    with pytest.raises(ArgumentError, match=r"the run to resume had other settings .*data: "):
        small(**options, checkpoint=kept, resume=True).fit(path)


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="Linux tells how much it was")
def test_a_longer_text_takes_no_more_memory(tmp_path: Path) -> None:
    code = (
        "import re, sys; from pathlib import Path\n"
        "from recurra.data import CountedText, LongText\n"
        "from recurra.tasks.generating.endless import EndlessText\n"
        "counted = CountedText.of(LongText(Path(sys.argv[1])), 'char')\n"
        "text = EndlessText.of(counted, 10)\n"
        "assert sum(piece.read().weight for piece in text.chunks(counted)) == int(sys.argv[2])\n"
        "text.pairs([counted])\n"
        "print(re.search(r'VmHWM:\\s+(\\d+) kB', Path('/proc/self/status').read_text())[1])\n"
    )
    most = []
    for megabytes in (4, 40):
        path = tmp_path / f"{megabytes}.txt"
        line = "".join(chr(97 + k * k % 25) for k in range(99)) + "\n"
        with path.open("w") as file:
            for _ in range(megabytes):
                file.write(line * 10_000)
        done = subprocess.run(
            [sys.executable, "-c", code, path, str(megabytes * 1_000_000)],
            capture_output=True,
            text=True,
            timeout=120,
            check=True,
        )
        most.append(int(done.stdout))
    assert most[1] - most[0] < 5_000  # kB; the file is 36,000 longer


@pytest.mark.parametrize(
    ("options", "given", "message"),
    [
        ({"chunk": None}, book(), "X is one text: give chunk=256, say, or a list of sequences"),
        ({"chunk": 0}, book(), "chunk must be a whole number of at least 1, or None, got 0"),
        ({"tokens": "word"}, book(), "tokens must be 'char' or 'byte', got 'word'"),
        ({"tokens": "byte", "chunk": None}, ["ab"], "tokens='byte' is for one endless text: give"),
        ({}, "", "the text has 0 symbols to train on beside 0 held out; chunk=16 needs 32 and one"),
        ({}, "a" * 30, "the text has 27 symbols .* or a file's name as pathlib.Path"),
        ({"validation_fraction": 0}, b"a" * 30, "the text has 30 symbols to train on; chunk=16 ne"),
        (
            {},
            "".join(map(chr, range(0x4E00, 0x4F00))),
            "no symbol is there twice, nothing to learn",
        ),
        ({}, b"abc\xff" * 99, r"not UTF-8 at byte 3 \(0xff\): save it as UTF-8, or cut it into by"),
        ({}, ["a", "b"], "a long text is a str, bytes or the pathlib.Path of a file, got list"),
        ({}, Path("nowhere.txt"), "nowhere.txt: there is no such file"),
    ],
)
def test_what_cannot_be_learned_is_told(options: dict[str, Any], given: Any, message: str) -> None:
    with pytest.raises(RecurraError, match=message):
        small(**options).fit(given)


@pytest.mark.parametrize(
    "other", [{"symbols": ["ab"]}, {"symbols": ["☃"]}, {"symbols": ["a"], "conditions": ["b"]}]
)
def test_a_saved_lexicon_that_cannot_be_is_refused(other: dict[str, Any]) -> None:
    plain = {"text": True, "conditions": [], "starts": [{"a": 2}], "alphabets": [["a"]]}
    assert Lexicon.model_validate({**plain, "symbols": ["a"], "endless": "byte"})
    with pytest.raises(ValueError, match="these are no symbols of one text cut by 'byte'"):
        Lexicon.model_validate({**plain, **other, "endless": "byte"})


def test_an_endless_text_has_no_labels() -> None:
    with pytest.raises(ArgumentError, match="chunk=16: an endless text has no labels and no weigh"):
        small().fit(book(), ["a"])
    with pytest.raises(DataError, match="the text is empty: there is nothing to judge"):
        small(epochs=1).fit(book()).score("")
