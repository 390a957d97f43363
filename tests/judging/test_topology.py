import numpy as np
import pytest
from hypothesis import given
from hypothesis.extra.numpy import arrays
from scipy.ndimage import label

from micromime.judging.grains import grains_of_mask
from micromime.judging.metrics import betti_error, betti_numbers, cl_dice

NONE, ALL = np.zeros((40, 60), dtype=bool), np.ones((40, 60), dtype=bool)


def line(col, width=1, rows=slice(None)):
    mask = NONE.copy()
    mask[rows, col : col + width] = True
    return mask


def frame(top, left, bottom, right):
    mask = NONE.copy()
    mask[top : bottom + 1, [left, right]] = mask[[top, bottom], left : right + 1] = True
    return mask


def diamond():
    rows, cols = np.ogrid[:40, :60]
    return np.abs(rows - 20) + np.abs(cols - 30) == 10


def lattice(rows=3, cols=4, side=10):
    """A closed lattice with rows * cols meshes."""
    mask = np.zeros((rows * side + 1, cols * side + 1), dtype=bool)
    mask[::side] = mask[:, ::side] = True
    return mask


# Mask, components, loops.
BY_HAND = {
    "nothing": (NONE, 0, 0),
    "nothing but boundary": (ALL, 1, 0),
    "a line from border to border": (line(20), 1, 0),
    "two lines": (line(20) | line(40, 3), 2, 0),
    "a frame": (frame(5, 5, 20, 30), 1, 1),
    "a frame with an island": (frame(5, 5, 20, 30) | line(15, 2, slice(10, 12)), 2, 1),
    "two frames, one in the other": (frame(5, 5, 30, 40) | frame(10, 10, 20, 20), 2, 2),
    "a frame that a line divides": (frame(5, 5, 20, 30) | line(15, 1, slice(5, 21)), 1, 2),
    "a loop of corners": (diamond(), 1, 1),
    "a lattice": (lattice(), 1, 12),
}


@pytest.mark.parametrize("name", BY_HAND)
def test_components_and_loops_by_hand(name):
    mask, components, loops = BY_HAND[name]
    assert betti_numbers(mask) == (components, loops)
    assert betti_numbers(mask.T) == (components, loops)


@given(mask=arrays(np.bool_, (9, 13)))
def test_loops_are_regions_that_the_outside_does_not_reach(mask):
    components, loops = betti_numbers(mask)
    assert components == label(mask, np.ones((3, 3)))[1]
    assert loops == label(~np.pad(mask, 1))[1] - 1


def test_loops_of_a_closed_lattice_are_its_grains():
    assert betti_numbers(lattice())[1] == grains_of_mask(lattice()).max()


def test_the_error_is_a_share_of_what_there_is():
    open_frame = frame(5, 5, 20, 30) & ~line(5, 1, slice(10, 12))
    assert betti_error(open_frame, frame(5, 5, 20, 30)) == (0 + 1) / (1 + 1 + 1)
    assert betti_error(line(20) | line(40), line(20)) == 1 / 3
    assert betti_error(NONE, line(20)) == 1
    assert betti_error(NONE, NONE) == 0


def test_the_error_does_not_grow_with_the_picture():
    broken = lattice()
    broken[5, 10] = False  # two meshes become one
    once, many = betti_error(broken, lattice()), betti_error(np.tile(broken, (3, 2)), np.tile(lattice(), (3, 2)))
    assert once == pytest.approx(1 / (1 + 1 + 12 + 11))
    assert many == pytest.approx(once, rel=0.2)


@pytest.mark.parametrize(("aside", "score"), [(0, 1), (2, 1), (-2, 1), (3, 0), (-3, 0)])
def test_cl_dice_forgives_half_a_width(aside, score):
    assert cl_dice(line(28 + aside, 5), line(28, 5)) == pytest.approx(score, abs=0.05)  # skeletons fork at their ends


def test_cl_dice_is_the_harmonic_mean_of_both_shares():
    both = line(12, 3) | line(40, 3)
    assert cl_dice(both, line(12, 3)) == pytest.approx(2 * 0.5 * 1 / (0.5 + 1))
    assert cl_dice(line(12, 3), both) == pytest.approx(2 * 1 * 0.5 / (1 + 0.5))
    half = line(12, 3, slice(0, 20))
    assert cl_dice(half, line(12, 3)) == pytest.approx(2 / 3, abs=0.05)


def test_a_mask_of_greys_has_no_betti_numbers():
    with pytest.raises(ValueError, match="must be boolean, not uint8"):
        betti_numbers(np.full((20, 30), 255, dtype=np.uint8))
