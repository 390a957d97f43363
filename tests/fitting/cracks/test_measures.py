import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.ndimage import gaussian_filter
from skimage.measure import approximate_polygon

from micromime.fitting.cracks.lines import centre_lines, corners, length_px
from micromime.fitting.cracks.measures import FURTHER_TOLERANCES_PX, measure_cracks, polyline
from micromime.partial_models.cracks.crack import Course, lost_light

# Pythagorean steps, (row, col) = (down, right): 20 and 48 down, 52 to the right, 30 and 40 down.
CORNERS = np.array([[40.0, 25.0], [60.0, 73.0], [60.0, 125.0], [90.0, 165.0]])
LENGTHS = [52 + 4.5, 52, 50 + 4.5]  # a mask of 9 px ends in half circles
BENDS = [-22.62, 36.87]
WIDTH, DEPTH = 6.0, 0.5
SIZE = (150, 190)


def drawn(corners=CORNERS, size=SIZE, width=WIDTH, depth=DEPTH):
    """A crack along corners on grey 200, with the mask that a hand draws: 3 px wider."""
    ends = np.concatenate([[0], np.cumsum(np.hypot(*np.diff(corners, axis=0).T))])
    along = np.linspace(0, ends[-1], int(ends[-1] / 3) + 2)
    points = np.stack([np.interp(along, ends, corners[:, axis]) for axis in (0, 1)], axis=1)
    full = np.ones(len(points))
    lost, _ = lost_light(Course(points, width * full, depth * full), *size)
    _, mask = lost_light(Course(points, (width + 3) * full, depth * full), *size)
    return np.rint(200 * (1 - lost)).astype(np.uint8), mask


@pytest.fixture(scope="module")
def zigzag():
    return drawn()


def test_a_zigzag_by_hand(zigzag):
    (found,) = measure_cracks(*zigzag)
    assert found.line.lengths_px == pytest.approx(LENGTHS, abs=3)
    assert found.line.bends_deg == pytest.approx(BENDS, abs=4)
    assert found.direction_deg == pytest.approx(np.rad2deg(np.arctan2(50, 140)), abs=1)
    assert (found.width_px, found.depth) == (pytest.approx(WIDTH, rel=0.05), pytest.approx(DEPTH, rel=0.05))
    assert found.drawn_px == pytest.approx(9, rel=0.1)
    assert (found.grey, found.noise, found.ends) == (200, pytest.approx(0, abs=0.01), 2)


def test_a_bend_returns_when_it_turns_back_to_the_chord():
    # Away to the right of the chord, then back over it; a bend that goes on away from it; back again.
    lengths, bends, returns = polyline(np.array([[0.0, 0], [10, 40], [-20, 80], [-70, 120], [0, 160]]))
    assert lengths == pytest.approx([41.231, 50, 64.031, 80.623], abs=0.001)
    assert bends == pytest.approx([-50.906, -14.470, 111.596], abs=0.001)
    assert returns.tolist() == [True, False, True]


def test_a_corner_counts_where_it_lies_further_from_the_line_without_it_than_tolerated():
    line = np.array([[0.0, 0], [0, 30], [0.8, 60], [0, 90], [0, 120], [10, 150]])  # 0.8 and more than 2 px away
    seen = {tolerance: len(polyline(line, tolerance).lengths_px) for tolerance in (0.5, 1.0, 2.0)}
    assert seen == {0.5: 3, 1.0: 2, 2.0: 2}


@given(st.integers(0, 2**32), st.integers(2, 300), st.sampled_from([0.1, 0.5, 1.0, 2.0, 8.0]))
def test_lines_are_simplified_as_a_library_does_it(seed, points, tolerance):
    line = np.cumsum(np.random.default_rng(seed).normal(0.3, 1, (points, 2)), axis=0)
    assert np.array_equal(line[corners(line, tolerance)], approximate_polygon(line, tolerance))


def test_lines_that_end_where_they_began_are_simplified():
    line = np.array([[0.0, 0], [0, 4], [3, 4], [0, 0]])
    assert np.array_equal(line[corners(line, 1.0)], approximate_polygon(line, 1.0))


def test_a_crack_is_seen_at_every_tolerance(zigzag):
    (found,) = measure_cracks(*zigzag)
    assert list(found.further) == list(FURTHER_TOLERANCES_PX)
    assert len(found.further[2.0].lengths_px) == 3
    assert len(found.further[0.5].lengths_px) >= 3


@pytest.mark.parametrize("turns", [0, 1, 2, 3])
def test_measures_are_the_same_however_the_picture_lies(zigzag, turns):
    image, mask = (np.rot90(each, turns).copy() for each in zigzag)
    (found,) = measure_cracks(image, mask)
    assert -90 <= found.direction_deg <= 90
    assert found.direction_deg == pytest.approx((19.65 - 90 * turns + 90) % 180 - 90, abs=1)
    assert sorted(np.abs(found.line.bends_deg)) == pytest.approx(sorted(np.abs(BENDS)), abs=4)


def test_a_crack_is_found_beside_where_it_was_drawn(zigzag):
    image, mask = zigzag
    (found,) = measure_cracks(image, np.roll(mask, 2, axis=0))
    assert found.depth == pytest.approx(DEPTH, rel=0.05)
    assert found.width_px == pytest.approx(WIDTH, rel=0.05)


def test_small_gaps_are_closed_and_specks_left_out(zigzag):
    image, mask = zigzag
    broken = mask.copy()
    broken[:, 40:52] = broken[:, 140:144] = False
    broken[5:8, 5:8] = broken[130:136, 20:32] = True
    (found,) = measure_cracks(image, broken)
    assert found.line.lengths_px.sum() == pytest.approx(163, abs=4)


def test_pieces_far_apart_or_side_by_side_are_cracks_of_their_own():
    mask = np.zeros((60, 200), dtype=bool)
    mask[30:36, 20:80] = mask[30:36, 110:180] = True  # 30 px between them
    mask[18:24, 20:80] = True  # 6 px beside the first
    assert sorted(length_px(line) for line in centre_lines(mask)) == pytest.approx([59, 59, 69], abs=3)


def test_of_branches_and_loops_the_longest_way_counts():
    mask = np.zeros((80, 200), dtype=bool)
    mask[40:46, 20:180] = True
    mask[20:40, 100:106] = True  # a branch of 20 px
    mask[28:34, 40:80] = mask[28:46, 40:45] = mask[28:46, 76:81] = True  # a loop
    (line,) = centre_lines(mask)
    assert line[[0, -1], 1] == pytest.approx([20, 179], abs=2)


def test_ends_at_the_border_are_no_ends():
    image, mask = drawn()
    assert [each.ends for each in measure_cracks(image[:, :140], mask[:, :140])] == [1]
    assert [each.ends for each in measure_cracks(image[:, 50:140], mask[:, 50:140])] == [0]


def test_a_crack_that_fades_has_a_taper():
    points = np.stack([np.full(101, 40.0), np.linspace(30, 230, 101)], axis=1)
    away = np.minimum(np.arange(101), np.arange(101)[::-1]) * 2
    fade = np.minimum(1, away / 40) ** 0.5
    lost, exact = lost_light(Course(points, 8 * fade, 0.5 * fade), 80, 260)
    (found,) = measure_cracks(np.rint(200 * (1 - lost)).astype(np.uint8), exact)
    assert found.taper_px == pytest.approx(40, rel=0.3)


def test_noise_beside_a_crack_is_measured(zigzag):
    image, mask = zigzag
    white = gaussian_filter(np.random.default_rng(1).standard_normal(SIZE), 1.5)
    noisy = np.clip(image + 10 * white / white.std(), 0, 255).astype(np.uint8)
    (found,) = measure_cracks(noisy, mask)
    assert found.noise == pytest.approx(0.05, rel=0.3)
    assert found.noise_px == pytest.approx(1.5, rel=0.3)


def test_pictures_stay_as_they_are_and_empty_masks_have_no_crack(zigzag):
    image, mask = (each.copy() for each in zigzag)
    measure_cracks(image, mask)
    assert (image == zigzag[0]).all()
    assert (mask == zigzag[1]).all()
    assert measure_cracks(image, np.zeros_like(mask)) == []


def test_wrong_masks_are_refused(zigzag):
    image, mask = zigzag
    with pytest.raises(ValueError, match="must be boolean"):
        measure_cracks(image, mask.astype(np.uint8))
    with pytest.raises(ValueError, match=r"\(150, 190\)"):
        measure_cracks(image, mask.T)
