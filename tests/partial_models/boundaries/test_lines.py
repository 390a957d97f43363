from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from micromime.partial_models.boundaries.lines import chord, draw_lines
from micromime.scenario.arrays import STEPS, Boundaries, Edges

ROWS, COLS = np.mgrid[:24, :40]
places = st.tuples(st.floats(-10, 34), st.floats(-10, 50))


def lines(ends, thickness_px=3.0, darkness=0.5, heights=0.0):
    """Edges from (row, col) to (row, col), each bulging to the left by `heights` in the middle."""
    count = len(ends)
    start, end = np.array(ends, np.float64).reshape(-1, 2, 2).transpose(1, 0, 2).copy()
    edges = Edges(start, end, np.zeros(count, np.int32), np.ones(count, np.int32))
    curve = np.outer(np.full(count, heights), np.sin(np.linspace(0, np.pi, STEPS + 1)))
    curve[:, -1] = 0
    look = np.repeat(np.broadcast_to(np.array(darkness, np.float64), count)[:, None], STEPS + 1, axis=1)
    return Boundaries(edges, curve, np.full(count, thickness_px), look)


def distance(points):
    """(24, 40): how far each pixel centre is from a line through these points."""
    found = np.full((24, 40), np.inf)
    for (r0, c0), (r1, c1) in pairwise(points):
        square = max((r1 - r0) ** 2 + (c1 - c0) ** 2, 1e-12)
        along = np.clip(((ROWS - r0) * (r1 - r0) + (COLS - c0) * (c1 - c0)) / square, 0, 1)
        found = np.minimum(found, np.hypot(ROWS - r0 - along * (r1 - r0), COLS - c0 - along * (c1 - c0)))
    return found


def test_thickness_is_a_distance():
    mask, taken = draw_lines(lines([((10, 5), (10, 35))], 4, 0.8), 24, 40)
    assert np.flatnonzero(mask[:, 20]).tolist() == [8, 9, 10, 11, 12]  # rows within 2 px of row 10
    assert taken[7:11, 20].tolist() == pytest.approx([0, 0.4, 0.8, 0.8])
    assert np.array_equal(mask, distance([(10, 5), (10, 35)]) <= 2)


@given(places, places, st.floats(1, 24), st.floats(0.5, 16))
def test_a_straight_line_is_all_that_is_near_enough(start, end, thickness_px, mask_px):
    away = distance([start, end])
    mask, taken = draw_lines(lines([(start, end)], thickness_px, 0.7), 24, 40, np.array([mask_px]))
    assert (mask.dtype, taken.dtype, mask.shape, taken.shape) == (np.bool_, np.float32, (24, 40), (24, 40))
    clear = np.abs(away - mask_px / 2) > 1e-5  # single precision
    assert np.array_equal(mask[clear], away[clear] < mask_px / 2)
    assert np.allclose(taken, 0.7 * np.clip(thickness_px / 2 + 0.5 - away, 0, 1), atol=1e-5)


@given(places, places, st.floats(-0.6, 0.6))
def test_a_bent_line_is_within_a_tenth_of_a_pixel(start, end, bulge):
    chord_px = np.hypot(end[0] - start[0], end[1] - start[1])
    bent = lines([(start, end)], 4.0, 0.7, heights=bulge * chord_px)
    across = np.array([start[1] - end[1], end[0] - start[0]]) / max(chord_px, 1e-9)
    curve = np.linspace(start, end, STEPS + 1) + bent.heights[0][:, None] * across
    away = distance(curve)
    mask, _ = draw_lines(bent, 24, 40)
    clear = np.abs(away - 2) > 0.1 + 1e-5
    assert np.array_equal(mask[clear], away[clear] < 2)


def test_the_mask_may_be_of_another_width_than_the_line():
    boundaries = lines([((10, 5), (10, 35)), ((18, 5), (18, 35))], 3)
    drawn, taken = draw_lines(boundaries, 24, 40, np.array([7.0, 0.0]))
    assert np.flatnonzero(drawn[:, 20]).tolist() == [7, 8, 9, 10, 11, 12, 13]  # the second is left out
    assert np.array_equal(taken, draw_lines(boundaries, 24, 40)[1])
    assert taken[18, 20] == 0.5


def test_a_width_of_0_leaves_out_also_what_lies_on_the_line():
    mask, taken = draw_lines(lines([((10, 0), (10, 39))]), 24, 40, np.zeros(1))
    assert not mask.any()
    assert taken[10].tolist() == [0.5] * 40


@pytest.mark.parametrize(("darkness", "at_crossing"), [((0.3, 0.6), 0.6), ((0.3, -0.6), -0.6), ((0.8, -0.6), 0.8)])
def test_where_lines_meet_what_differs_most_counts(darkness, at_crossing):
    for order in (1, -1):
        boundaries = lines([((12, 2), (12, 38)), ((2, 20), (22, 20))][::order], 3, darkness[::order])
        mask, taken = draw_lines(boundaries, 24, 40)
        assert taken[12, 20] == pytest.approx(at_crossing)
        assert taken[12, 8] == pytest.approx(darkness[0])
        assert taken[6, 20] == pytest.approx(darkness[1])
        assert mask[12, 8]
        assert mask[6, 20]


def test_the_darkness_may_change_along_a_line():
    boundaries = lines([((10, 4), (10, 36))])
    boundaries.darkness[0] = np.linspace(0, 1, STEPS + 1)
    _, taken = draw_lines(boundaries, 24, 40)
    # In pieces up to 6 px long, of which the darker one reaches over half of the thickness.
    assert taken[10, 4:37].tolist() == pytest.approx(np.linspace(0, 1, 33).tolist(), abs=0.1)


def test_nothing_is_drawn_of_no_line_and_of_lines_outside():
    for ends in ([], [((-30, 5), (-20, 35))], [((10, 60), (20, 90))]):
        mask, taken = draw_lines(lines(ends), 24, 40)
        assert not mask.any()
        assert not taken.any()


def test_drawing_leaves_the_boundaries_as_they_are():
    boundaries = lines([((2, 5), (20, 35))], heights=4.0)
    before = [each.copy() for each in (*boundaries.edges, *boundaries[1:])]
    draw_lines(boundaries, 24, 40, np.array([3.0]))
    assert all(np.array_equal(*pair) for pair in zip(before, (*boundaries.edges, *boundaries[1:]), strict=True))


def test_a_chord_has_a_start_a_direction_and_a_length():
    assert chord(lines([((1, 2), (7, 10))]).edges[:2], 0) == pytest.approx((1, 2, 0.6, 0.8, 10))
    assert chord(lines([((5, 5), (5, 5))]).edges[:2], 0) == (5, 5, 0, 0, 1e-9)


def test_only_some_edges_are_kept_with_all_that_belongs_to_them():
    boundaries = lines([((0, 1), (2, 3)), ((4, 5), (6, 7)), ((8, 9), (10, 11))], darkness=(0.1, 0.2, 0.3))
    kept = boundaries.only(np.array([True, False, True]))
    assert kept.edges.start.tolist() == [[0, 1], [8, 9]]
    assert kept.edges.end.tolist() == [[2, 3], [10, 11]]
    assert kept.darkness[:, 0].tolist() == [0.1, 0.3]
    assert [len(each) for each in (*kept.edges, *kept[1:])] == [2] * 7
    assert all(len(each) == 0 for each in boundaries.edges.only(np.zeros(3, np.bool_)))
