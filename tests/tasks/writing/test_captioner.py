import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from sklearn.base import clone

from recurra.errors import ArgumentError, DataError, NotFittedError
from recurra.tasks.writing.captioner import Captioner


def bars(n: int = 240, seed: int = 0, side: int = 10) -> tuple[NDArray[np.uint8], list[str]]:
    """Return pictures of one bright bar, and where it is and how it lies."""
    draw = np.random.default_rng(seed)
    images = draw.integers(0, 40, (n, side, side)).astype(np.uint8)
    captions = []
    for image in images:
        upright, first = draw.random() < 0.5, draw.random() < 0.5
        place = int(draw.integers(0, side // 2 - 1)) + (0 if first else side // 2 + 1)
        if upright:
            image[:, place] = 220
        else:
            image[place] = 220
        where = ("left" if first else "right") if upright else ("high" if first else "low")
        captions.append(f"a bar, {'upright' if upright else 'flat'}, {where}")
    return images, captions


def small(**options: Any) -> Captioner:
    settings: dict[str, Any] = {
        "cell": "gru",
        "hidden_size": 16,
        "embedding_size": 16,
        "epochs": 10,
        "batch_size": 16,
        "learning_rate": 0.01,
        "dropout": 0.0,
        "patience": None,
        "random_state": 0,
    }
    return Captioner(**{**settings, **options})


@pytest.fixture(scope="module")
def fitted() -> Captioner:
    return small().fit(*bars())


def test_it_says_what_pictures_show(fitted: Captioner) -> None:
    X, y = bars(80, seed=1)
    assert fitted.score(X, y) > 0.95
    assert fitted.predict(X)[0] == y[0]
    assert set(fitted.baselines_) == {"the most frequent target", "the nearest input's target"}
    assert fitted.baselines_["the most frequent target"] < 0.6


def test_pictures_of_any_type_are_read_alike(fitted: Captioner) -> None:
    X, y = bars(20, seed=1)
    for same in (X.astype(np.float64), X.astype(np.int64), list(X), np.asfortranarray(X)):
        assert fitted.predict(same) == fitted.predict(X)
    read_only = X.copy()
    read_only.flags.writeable = False
    assert fitted.score(read_only, y) == fitted.score(X, y)


def test_brightness_and_contrast_are_those_of_the_training_part() -> None:
    X, y = bars()
    a = small(epochs=1, validation_fraction=0.0).fit(X, y)
    b = small(epochs=1, validation_fraction=0.0).fit(X * 1000.0 - 5.0, y)
    probe = [image[np.newaxis] for image in bars(10, seed=5)[0]]
    brighter = [image * 1000.0 - 5.0 for image in probe]
    device = torch.device("cpu")
    torch.testing.assert_close(
        a.reading_.batch(probe, device)[0], b.reading_.batch(brighter, device)[0]
    )


def test_pictures_in_colour(tmp_path: Path) -> None:
    draw = np.random.default_rng(0)
    names = ["red", "green", "blue"]
    which = draw.integers(0, 3, 90)
    X = draw.integers(0, 60, (90, 9, 12, 3)).astype(np.uint8)
    for image, k in zip(X, which, strict=True):
        image[2:7, 3:9, k] = 255
    y = [f"all {names[k]}" for k in which]
    model = small().fit(X, y)
    assert model.score(X, y) > 0.95
    model.save(tmp_path / "m")
    assert Captioner.load(tmp_path / "m").predict(X) == model.predict(X)
    with pytest.raises(DataError, match="9 x 13 pixels and 3 colours, but Captioner was fitted"):
        model.predict(np.zeros((2, 9, 13, 3)))


def test_several_captions_come_with_scores_the_best_first(fitted: Captioner) -> None:
    X, _ = bars(5, seed=1)
    found = fitted.caption(X, n_best=2, beam_size=3)
    assert [row[0].content for row in found] == fitted.predict(X)
    assert all(row[0].score >= row[1].score for row in found)


def test_attention_is_a_grid_over_the_picture_for_each_word(fitted: Captioner) -> None:
    X, y = bars(4, seed=1)
    for caption, each in zip(y, fitted.attention(X), strict=True):
        assert each.words == [*caption.replace(",", " ,").split(), ""]
        assert each.weights.shape == (len(each.words), 10, 10)
        np.testing.assert_allclose(each.weights.sum((1, 2)), 1, rtol=1e-5)


def test_a_picture_alone_is_told_as_in_a_batch(fitted: Captioner) -> None:
    X, _ = bars(40, seed=3)
    together = fitted.predict(X)
    assert [fitted.predict(X[k : k + 1])[0] for k in range(40)] == together


def test_a_condition_says_in_which_language() -> None:
    X, y = bars(160)
    other = [caption.upper() for caption in y]
    kinds = ["loud"] * len(X) + ["soft"] * len(X)
    model = small(hidden_size=32).fit(np.concatenate([X, X]), [*other, *y], condition=kinds)
    probe, wanted = bars(30, seed=1)
    assert model.score(probe, wanted, condition="soft") > 0.9
    assert model.predict(probe[:1], condition="loud") == [wanted[0].upper()]


def test_a_table_holds_vectors() -> None:
    draw = np.random.default_rng(0)
    X = draw.normal(size=(150, 6))
    y = [f"{'big' if x[0] > 0 else 'small'} {'old' if x[1] > 0 else 'new'}" for x in X]
    model = small().fit(X, y)
    assert model.score(X, y) > 0.9
    assert model.n_features_in_ == 6
    with pytest.raises(DataError, match="5 features, but Captioner is expecting 6"):
        model.predict(X[:, :5])


def test_pickling_keeps_the_captions(fitted: Captioner) -> None:
    X, _ = bars(5, seed=1)
    assert pickle.loads(pickle.dumps(fitted)).predict(X) == fitted.predict(X)
    assert clone(fitted).get_params() == fitted.get_params()


def test_pictures_that_never_change_do_no_harm() -> None:
    X = np.full((12, 8, 8), 7, np.uint8)
    model = small(epochs=2).fit(X, ["one"] * 6 + ["two"] * 6)
    assert model.predict(X[:1])[0] in ("one", "two", "")


@pytest.mark.parametrize(
    ("X", "y", "message"),
    [
        (np.zeros((3, 7, 20)), ["a"] * 3, "at least 8 x 8 pixels, got 7 x 20"),
        (np.zeros((3, 9, 9, 3, 2)), ["a"] * 3, r"got shape \(3, 9, 9, 3, 2\)"),
        (np.zeros((0, 9, 9)), [], r"got shape \(0, 9, 9\)"),
        (np.full((3, 9, 9), np.nan), ["a"] * 3, "row 0: the picture holds NaN or infinity"),
        (np.full((3, 9, 9), "x"), ["a"] * 3, "pictures are numbers"),
        ([np.zeros((9, 9)), np.zeros((9, 8))], ["a"] * 2, r"row 1: the picture is of \(9, 8\)"),
        (["cat.png", "dog.png"], ["a"] * 2, "must be pictures"),
        (np.zeros((3, 9, 9)), ["a"] * 2, "2 captions for the 3 pictures"),
        (np.zeros((3, 9, 9)), None, "requires y to be passed"),
    ],
)
def test_data_that_cannot_be_learned_is_refused(X: Any, y: Any, message: str) -> None:
    with pytest.raises(DataError, match=message):
        small(epochs=1, validation_fraction=0.0).fit(X, y)


def test_before_fit_and_with_wrong_numbers_it_says_so() -> None:
    with pytest.raises(NotFittedError, match="call fit first"):
        small().predict(np.zeros((1, 9, 9)))
    with pytest.raises(ArgumentError, match="beam_size"):
        small(beam_size=0).fit(*bars(10))
    with pytest.raises(
        ArgumentError, match="bidirectional=True: a captioner sees a picture as a whole"
    ):
        small(bidirectional=True).fit(*bars(10))


def test_pictures_of_another_size_are_refused_when_learning_goes_on() -> None:
    model = small().partial_fit(*bars(10))
    for other in (bars(10, side=12)[0], np.zeros((10, 10, 10, 3))):
        with pytest.raises(DataError, match="but Captioner was fitted on pictures of 10 x 10"):
            model.partial_fit(other, bars(10)[1])
