"""The eight views of a picture: every way it can lie, once, and answers put back where they belong."""

import hypothesis.extra.numpy as arrays
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from micromime.inference.views import in_all_views

PICTURE = np.arange(6, dtype=np.uint8).reshape(2, 3)
LIES = [
    [[0, 1, 2], [3, 4, 5]],
    [[2, 5], [1, 4], [0, 3]],
    [[5, 4, 3], [2, 1, 0]],
    [[3, 0], [4, 1], [5, 2]],
    [[2, 1, 0], [5, 4, 3]],
    [[0, 3], [1, 4], [2, 5]],
    [[3, 4, 5], [0, 1, 2]],
    [[5, 2], [4, 1], [3, 0]],
]
"""All ways in which it can lie."""

PICTURES = arrays.arrays(np.uint8, st.tuples(st.integers(1, 9), st.integers(1, 9)))


def leaning(seen):
    """A network that sees more in what is further up and to the left."""
    rows, cols = np.indices(seen.shape[-2:])
    return (seen / (1 + rows + 3 * cols)).astype(np.float32)


def test_a_picture_is_seen_in_every_way_it_can_lie_once():
    seen = []
    in_all_views(lambda view: seen.append(view.tolist()) or np.zeros(view.shape, np.float32), PICTURE)
    assert sorted(map(str, seen)) == sorted(map(str, LIES))


def test_the_mean_is_that_of_the_answers_where_they_belong():
    """By hand: of an answer that is 1 in the upper left corner of each view, each corner has two of eight."""

    def corner(view):
        found = np.zeros(view.shape, np.float32)
        found[0, 0] = 1
        return found

    assert in_all_views(corner, PICTURE).tolist() == [[0.25, 0, 0.25], [0.25, 0, 0.25]]


@given(PICTURES)
def test_what_is_the_same_in_all_views_stays_as_it_is(image):
    found = in_all_views(lambda view: (view / 255).astype(np.float32), image)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, image / 255, rtol=1e-6)


@given(PICTURES, st.integers(0, 3), st.booleans())
def test_the_answer_turns_with_the_picture(image, turns, mirrored):
    def turned(pixels):
        return np.rot90(pixels[:, ::-1] if mirrored else pixels, turns)

    np.testing.assert_allclose(in_all_views(leaning, turned(image)), turned(in_all_views(leaning, image)), rtol=1e-6)


@pytest.mark.parametrize("channels", [1, 3])
def test_channels_are_turned_each_for_itself(channels):
    colours = np.stack([PICTURE + 10 * number for number in range(channels)])
    found = in_all_views(lambda view: leaning(view[-1]), colours)
    assert np.array_equal(found, in_all_views(leaning, colours[-1]))
