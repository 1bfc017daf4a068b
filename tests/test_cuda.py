"""What runs on the processor runs on a GPU, with the same answers.

`test_second_device.py` runs this file on a device that every machine has.
"""

import os
from collections.abc import Callable, Iterator
from copy import deepcopy
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch._dispatch.python import enable_python_dispatcher

import recurra
from every_kind import KINDS, build, everything, random_state
from recurra import GRU, LSTM, RNN, Recurrent
from recurra.tasks.estimator import SequenceEstimator
from recurra.training import Callback, Trainer

DEVICE = os.environ.get("RECURRA_TEST_DEVICE", "cuda")
if DEVICE == "second":
    import second_device

    assert second_device.DEVICE.type == DEVICE
elif not torch.cuda.is_available():
    pytest.skip(
        f"there is no GPU here that torch {torch.__version__} can use", allow_module_level=True
    )

NEAR = 1e-3 if DEVICE == "cuda" else 1e-6  # cuDNN multiplies in TF32
T, B, I, H = 5, 4, 3, 5  # noqa: E741 - the axes' names

draw = np.random.default_rng(0)
TEXTS = [f"{a} {b} {c}" for a in ("good", "bad") for b in ("food", "room") for c in "abcdef"]
LABELS = [text.split()[0] for text in TEXTS]
WORDS = [text.split() for text in TEXTS]
PICTURES = draw.integers(0, 255, (24, 12, 12, 3), dtype=np.uint8)
SERIES = draw.normal(size=(24, 9))
LONG = {"a": np.sin(np.arange(30) / 3), "b": np.cos(np.arange(25) / 4)}
SMALL: dict[str, Any] = {"hidden_size": 4, "epochs": 1, "batch_size": 16, "random_state": 0}


@pytest.fixture(autouse=True)
def _kernels_of_torch_as_single_operations() -> Iterator[None]:
    if DEVICE == "cuda":
        yield
        return
    with enable_python_dispatcher():  # there are none for the second device
        yield


@dataclass(frozen=True)
class Task:
    """An estimator, what it learns, and what it is asked."""

    kind: type[SequenceEstimator]
    data: tuple[Any, ...]
    ask: Callable[[Any], list[Any]]
    options: dict[str, Any] = field(default_factory=dict)

    def fitted(self, **options: Any) -> Any:
        model: Any = self.kind(**{**SMALL, "device": DEVICE, **self.options, **options})
        model.fit(*self.data)
        assert next(model.network_.parameters()).device.type == DEVICE
        return model


def classes(model: Any) -> list[Any]:
    return [model.predict_proba(["good a", "room bad b", ""])]


def tags(model: Any) -> list[Any]:
    return [*model.predict_proba([["good", "food"], ["bad"]]), model.score(WORDS, WORDS)]


def translations(model: Any) -> list[Any]:
    assert len(model.translate(TEXTS[:3], beam_size=2)) == len(model.predict(TEXTS[:3])) == 3
    return [model.score(TEXTS[:4], TEXTS[:4]), model.attention(TEXTS[:1])[0].weights[0]]


def captions(model: Any) -> list[Any]:
    assert len(model.predict(PICTURES[:3])) == 3
    return [model.score(PICTURES[:4], LABELS[:4]), model.attention(PICTURES[:1])[0].weights[0]]


def generated(model: Any) -> list[Any]:
    made = [model.generate("", "good", 3, random_state=0) for _ in range(2)]
    assert made[0] == made[1]
    return [model.score(TEXTS[:4], LABELS[:4])]


def numbers_made(model: Any) -> list[Any]:
    assert len(model.generate(condition="good", n=2, random_state=0)) == 2
    return [model.score(SERIES[:4], LABELS[:4])]


def text_going_on(model: Any) -> list[Any]:
    assert len(model.generate("go", length=20, random_state=0)[0]) == 22
    return [model.score(" ".join(TEXTS))]


def forecasts(model: Any) -> list[Any]:
    rows = [SERIES[0], SERIES[1]]
    return [model.predict(rows), model.predict_quantiles(rows), model.forecast().point]


TASKS = {
    "classifier": Task(recurra.SequenceClassifier, (TEXTS, LABELS), classes),
    "classifier-attention": Task(
        recurra.SequenceClassifier,
        (TEXTS, LABELS),
        classes,
        {"pooling": "attention", "tokens": "char", "cell": "gru", "num_layers": 2, "dropout": 0.2},
    ),
    "classifier-series": Task(
        recurra.SequenceClassifier,
        (SERIES, LABELS),
        lambda m: [m.predict_proba(SERIES[:5])],
        {"cell": "min_gru"},
    ),
    "regressor": Task(
        recurra.SequenceRegressor, (SERIES, SERIES[:, :2]), lambda m: [m.predict(SERIES[:5])]
    ),
    "tagger": Task(recurra.SequenceTagger, (WORDS, WORDS), tags),
    "filler": Task(
        recurra.BlankFiller,
        (TEXTS,),
        lambda m: [m.predict_proba(["__ food a", "bad __"])],
        {"choices": ("good", "bad")},
    ),
    "captioner": Task(recurra.Captioner, (PICTURES, LABELS), captions),
    "translator": Task(
        recurra.Translator, (TEXTS, TEXTS[::-1]), translations, {"teacher_forcing": "linear"}
    ),
    "generator": Task(recurra.SequenceGenerator, (TEXTS, LABELS), generated),
    "generator-numbers": Task(recurra.SequenceGenerator, (SERIES, LABELS), numbers_made),
    "generator-endless": Task(
        recurra.SequenceGenerator, (" ".join(TEXTS),), text_going_on, {"chunk": 16}
    ),
    "forecaster": Task(recurra.Forecaster, (LONG,), forecasts, {"window": 6, "horizon": 2}),
}
every_task = pytest.mark.parametrize("name", TASKS)


def check_near(found: list[Any], wanted: list[Any], near: float = NEAR) -> None:
    assert len(found) == len(wanted)
    for one, other in zip(found, wanted, strict=True):
        if isinstance(other, str | list):
            assert one == other
        else:
            np.testing.assert_allclose(one, other, rtol=near, atol=near)


def test_the_device_refuses_what_a_gpu_refuses() -> None:
    far, near = torch.ones(2, 2, device=DEVICE), torch.ones(2, 2)
    assert (far + 1)[near.bool()].tolist() == [2.0] * 4  # what a GPU takes
    with pytest.raises(RuntimeError, match="cpu"):
        far + near
    with pytest.raises(RuntimeError, match="cpu"):
        far.index_select(0, torch.tensor([0]))
    with pytest.raises(RuntimeError, match="generator"):
        torch.rand(2, generator=torch.Generator(), device=DEVICE)
    with pytest.raises((RuntimeError, TypeError), match="numpy"):
        far.numpy()
    with torch.autocast(DEVICE, torch.bfloat16):
        low = nn.functional.linear(far, far)
        assert (low.dtype, low.exp().dtype) == (torch.bfloat16, torch.float32)


@every_task
def test_a_model_answers_as_its_copy_on_the_processor(name: str, tmp_path: Path) -> None:
    task = TASKS[name]
    model = task.fitted()
    answers = task.ask(model)
    model.save(tmp_path / "model")
    copy: Any = recurra.load(tmp_path / "model")
    assert next(copy.network_.parameters()).device.type == "cpu"
    check_near(task.ask(copy), answers)
    copy.network_.to(DEVICE)
    check_near(task.ask(copy), answers)


@every_task
def test_in_half_precision_it_learns_nearly_the_same(name: str) -> None:
    losses = [
        TASKS[name].fitted(precision=precision).history_.epochs[-1].train_loss
        for precision in ("float32", "bfloat16")
    ]
    assert losses[0] != losses[1]
    assert losses[1] == pytest.approx(losses[0], rel=0.02, abs=0.02)


def test_a_learning_rate_is_found_and_parts_are_learned_from() -> None:
    model = recurra.SequenceClassifier(**SMALL, device=DEVICE)
    assert model.find_learning_rate(TEXTS, LABELS, steps=12).suggestion > 0
    for _ in range(2):
        model.partial_fit(TEXTS, LABELS, classes=["bad", "good"])
    assert np.isfinite(model.predict_proba(TEXTS)).all()


def test_a_forecaster_walks_through_its_past() -> None:
    model = TASKS["forecaster"].fitted()
    assert all(np.isfinite(score.mae) for score in model.backtest(LONG, start=0.8).scores())


@pytest.mark.parametrize(
    ("name", "pieces"),
    [
        ("classifier", ["good", "food a", "bad"]),
        ("classifier-attention", ["goo", "d", " a"]),
        ("tagger", [["good"], ["food", "a"]]),
        ("regressor", [SERIES[0, :4], SERIES[0, 4:]]),
        ("generator", ["g", "oo"]),
        ("forecaster", [SERIES[0, :4], SERIES[0, 4:]]),
    ],
)
def test_a_stream_reads_as_its_copy_on_the_processor(
    name: str, pieces: list[Any], tmp_path: Path
) -> None:
    task = TASKS[name]
    if name == "forecaster":
        task = replace(task, data=({"a": LONG["a"]},))
    one_way = {} if name in ("generator", "forecaster") else {"bidirectional": False}
    model = task.fitted(**one_way)
    model.save(tmp_path / "model")
    copy: Any = recurra.load(tmp_path / "model")
    condition = "good" if name == "generator" else None
    streams = [each.stream(condition) for each in (model, copy)]
    for k, piece in enumerate(pieces):
        found, wanted = (stream.push(piece) for stream in streams)
        check_read(found, wanted)
        if k == 0:  # the state goes on in either place
            streams[1].state = streams[0].state


def check_read(found: Any, wanted: Any) -> None:
    if wanted is None:
        assert found is None
    elif hasattr(wanted, "point"):
        check_near([found.point, found.quantiles], [wanted.point, wanted.quantiles])
    elif isinstance(wanted, dict):
        assert found.keys() == wanted.keys()
        check_near([*found.values()], [*wanted.values()])
    else:
        check_near([found], [wanted])


def test_a_run_that_was_stopped_is_resumed(tmp_path: Path) -> None:
    options: dict[str, Any] = {"checkpoint": tmp_path, "cell": "min_gru", "device": DEVICE}
    data = (SERIES, SERIES[:, 0])
    whole = recurra.SequenceRegressor(**{**SMALL, "epochs": 2, "cell": "min_gru"}, device=DEVICE)
    whole.fit(*data)
    stop = StopAfter(1)
    with pytest.raises(StoppedError):
        recurra.SequenceRegressor(**{**SMALL, "epochs": 2}, **options, callbacks=[stop]).fit(*data)
    again = recurra.SequenceRegressor(**{**SMALL, "epochs": 2}, **options, resume=True).fit(*data)
    wanted = whole.network_.state_dict()
    for name, value in again.network_.state_dict().items():
        torch.testing.assert_close(value.cpu(), wanted[name].cpu(), rtol=1e-5, atol=1e-6)


class StoppedError(Exception):
    """What stands in for a program's sudden end."""


class StopAfter(Callback):
    """Stops a fit after so many epochs."""

    def __init__(self, epochs: int) -> None:
        self.epochs = epochs

    def on_epoch_begin(self, trainer: Trainer, number: int) -> None:
        if number > self.epochs:
            raise StoppedError


# --- layers ------------------------------------------------------------------


def there(layer: nn.Module) -> nn.Module:
    """Return a copy of a layer on the device."""
    return deepcopy(layer).to(DEVICE)


def moved(tensor: Tensor) -> Tensor:
    return tensor.detach().to(DEVICE).requires_grad_(tensor.requires_grad)


def check_layer(layer: nn.Module, x: Tensor, state: Any = None, **options: Any) -> None:
    """Check outputs, last states and gradients on the device against the processor's."""
    wanted = everything(layer, x, state, **options)
    state = None if state is None else [moved(s) for s in state]
    found = everything(there(layer), moved(x), state, **options)
    assert {t.device.type for t in found} == {DEVICE}
    check_near([t.cpu().numpy() for t in found], [t.numpy() for t in wanted], 1e-9)


@pytest.mark.parametrize("kind", KINDS)
def test_a_layer_computes_what_it_computes_on_the_processor(kind: str) -> None:
    layer = build(kind, I, H, torch.float64, bidirectional=True)
    x = torch.randn(T, B, I, dtype=torch.float64, requires_grad=True)
    state, lengths = random_state(layer, B), torch.tensor([5, 3, 0, 2])
    check_layer(layer, x, state)
    check_layer(layer, x, lengths=lengths)
    check_layer(layer, x, state, lengths=lengths, reset=torch.rand(T, B) < 0.3)


@pytest.mark.parametrize("options", [{}, {"truncate": 3}, {"clip_state_grad": 0.1}], ids=str)
def test_gradients_are_cut_and_clipped_as_on_the_processor(options: dict[str, Any]) -> None:
    layer = Recurrent("gru", I, H, 2, learn_initial_state=True, **options).double()
    x = torch.randn(T, B, I, dtype=torch.float64, requires_grad=True)
    check_layer(layer, x, lengths=torch.tensor([5, 3, 0, 2]))


@pytest.mark.parametrize("lengths", [None, [5, 3, 1, 2]], ids=["padded", "packed"])
@pytest.mark.parametrize(("ours", "theirs"), [(RNN, nn.RNN), (GRU, nn.GRU), (LSTM, nn.LSTM)])
def test_a_drop_in_gives_what_torch_gives_there(
    ours: Any, theirs: Any, lengths: list[int] | None
) -> None:
    options: dict[str, Any] = {"bidirectional": True, "dtype": torch.float64, "device": DEVICE}
    layers = [kind(I, H, 2, **options) for kind in (ours, theirs)]
    layers[0].load_state_dict(layers[1].state_dict())
    x = torch.randn(T, B, I, dtype=torch.float64).to(DEVICE)
    found = []
    for layer in layers:
        given = x.clone().requires_grad_()
        fed: Any = given
        if lengths is not None:
            fed = nn.utils.rnn.pack_padded_sequence(given, lengths, enforce_sorted=False)
        out, last = layer(fed)
        out = out if lengths is None else out.data
        last = last if isinstance(last, tuple) else (last,)
        loss = out.square().sum() + sum(s.sum() for s in last)
        gradients = torch.autograd.grad(loss, [given, *layer.parameters()])
        found.append([t.detach().cpu().numpy() for t in (out, *last, *gradients)])
    check_near(found[0], found[1], 1e-9)


def test_pieces_of_a_stream_give_the_whole() -> None:
    layer = there(Recurrent("gru", I, H, 2).double())
    x = torch.randn(T, B, I, dtype=torch.float64).to(DEVICE)
    with torch.no_grad():
        wanted, _ = layer(x)
    stream = layer.stream(B)
    found = [stream.push(x[:3]), stream.push(x[3]).unsqueeze(0)]
    kept = stream.state
    stream.reset(rows=[0, 2])
    stream.state = kept
    found.append(stream.push(x[4:]))
    check_near([torch.cat(found).cpu().numpy()], [wanted.cpu().numpy()], 1e-9)


@pytest.mark.parametrize("kind", ["lstm", "gru", "elman"])
def test_half_precision_of_torchs_kernels_is_the_one_that_was_asked_for(kind: str) -> None:
    layer, x = Recurrent(kind, I, H), torch.randn(T, B, I)
    wanted, _ = layer(x)
    for lengths in (None, [5, 5, 5, 5]):
        with torch.autocast(DEVICE, torch.bfloat16):
            low, state = there(layer)(moved(x), lengths=lengths)
        assert {low.dtype, *(s.dtype for s in state)} == {torch.bfloat16}
        check_near([low.detach().float().cpu().numpy()], [wanted.detach().numpy()], 0.02)


# --- gradients, export -------------------------------------------------------


def test_the_flow_of_gradients_is_the_processors() -> None:
    layer, x = Recurrent("lstm", I, H, 2), torch.randn(T, B, I)
    wanted = recurra.gradient_flow(layer, x)
    found = recurra.gradient_flow(there(layer), moved(x))
    check_near([found.norms], [wanted.norms], 1e-6)


def test_lyapunov_exponents_are_the_processors() -> None:
    layer, x = Recurrent("gru", I, H), torch.randn(40, 1, I)
    wanted = recurra.lyapunov_spectrum(layer, x, 2)
    found = recurra.lyapunov_spectrum(there(layer), moved(x), 2)
    check_near([found.exponents], [wanted.exponents], 1e-6)


@pytest.mark.parametrize("by", ["total", "layer", "parameter"])
def test_gradients_are_brought_into_the_norm_band(by: str) -> None:
    layer = there(Recurrent("gru", I, H, 2))
    layer(moved(torch.randn(T, B, I)))[0].square().sum().backward()
    recurra.clip_grad_norm_band_(layer, 0.5, 1.0, by=by)
    whole = sum(float(p.grad.square().sum()) for p in layer.parameters()) ** 0.5
    assert by != "total" or 0.499 < whole < 1.001
    assert np.isfinite(whole)


@pytest.mark.parametrize("name", ["classifier", "regressor", "tagger", "generator", "forecaster"])
def test_a_model_is_exported_from_there(name: str, tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime")
    model = TASKS[name].fitted()
    assert recurra.export_onnx(model, tmp_path / "model.onnx").path.exists()


def test_a_layer_is_exported_and_explained_from_there(tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime")
    layer = there(Recurrent("min_gru", I, H))
    assert recurra.export_onnx(layer, tmp_path / "layer.onnx", lengths=True).path.exists()
    assert DEVICE in str(recurra.explain(layer))
