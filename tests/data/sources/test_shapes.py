import numpy as np
import pytest

from recurra.data.sources.shapes import COLOURS, ShapeTable, draw_shapes
from recurra.errors import ArgumentError

pytest.importorskip("PIL")


@pytest.fixture(scope="module")
def table() -> ShapeTable:
    return draw_shapes(600, seed=2)


def test_pictures_are_small_and_in_colour(table: ShapeTable) -> None:
    assert table.images.shape == (600, 32, 32, 3)
    assert table.images.dtype == np.uint8
    assert draw_shapes(2, side=40).images.shape == (2, 40, 40, 3)


def near(image: np.ndarray, colour: str) -> np.ndarray:
    """Return where a picture is nearer to a colour than to the others and to grey."""
    others = [*COLOURS.values(), (85, 85, 85)]
    distances = [np.abs(image.astype(float) - other).sum(-1) for other in others]
    nearest = np.argmin(distances, 0)
    return nearest == list(COLOURS).index(colour)


def test_a_picture_shows_what_its_caption_says(table: ShapeTable) -> None:
    counted = 0
    for image, caption in zip(table.images, table.captions, strict=True):
        for relation, axis in ((" left of ", 1), (" above ", 0)):
            if relation not in caption:
                continue
            (size, colour, _), (other_size, other, _) = (
                thing.split()[1:] for thing in caption.split(relation)
            )
            if colour == other:
                continue
            a, b = np.argwhere(near(image, colour)), np.argwhere(near(image, other))
            assert a.mean(0)[axis] < b.mean(0)[axis] - 5
            if (size, other_size) == ("small", "large"):
                assert len(a) < len(b)
            counted += 1
    assert counted > 300


def test_one_in_ten_shows_one_shape(table: ShapeTable) -> None:
    single = sum(len(caption.split()) == 4 for caption in table.captions)
    assert 30 < single < 90


def test_no_combination_is_in_two_parts(table: ShapeTable) -> None:
    train, test = table.split((0.8, 0.2))
    assert not set(train.captions) & set(test.captions)
    assert len(test) == len(test.images) > 100
    words = {word for caption in train.captions for word in caption.split()}
    assert all(set(caption.split()) <= words for caption in test.captions)


def test_the_same_seed_draws_the_same() -> None:
    a, b, c = draw_shapes(5, seed=1), draw_shapes(5, seed=1), draw_shapes(5, seed=2)
    assert a.captions == b.captions != c.captions
    assert np.array_equal(a.images, b.images)


@pytest.mark.parametrize(("n", "side"), [(0, 32), (5, 31)])
def test_what_cannot_be_drawn_is_refused(n: int, side: int) -> None:
    with pytest.raises(ArgumentError, match=f"got {n} and {side}"):
        draw_shapes(n, side=side)
