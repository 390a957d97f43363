import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from micromime.partial_models.cracks.crack import FWHM_SIGMAS, Course, Crack, course, lost_light, through

PLAIN = Crack(
    segments=12,
    segment_px=12.0,
    segment_spread=0.4,
    bend_deg=15.0,
    bend_spread=0.4,
    return_share=0.75,
    direction_deg=0.0,
    width_px=6.0,
    depth=0.5,
    depth_spread=0.2,
    depth_correlation_px=13.0,
    taper_px=20.0,
)


def plain(**values):
    return PLAIN.model_copy(update=values)


def straight(length_px: float, width_px: float, depth: float) -> Course:
    points = np.array([[20.0, 5.0], [20.0, 5.0 + length_px]])
    return Course(points, np.full(2, width_px), np.full(2, depth))


@given(st.integers(0, 10**9), st.integers(1, 60))
def test_a_course_begins_at_the_origin_and_fades_at_its_ends(seed, segments):
    points, width_px, depth = course(plain(segments=segments), np.random.default_rng(seed))
    assert points.shape == (len(width_px), 2) == (len(depth), 2)
    assert np.array_equal(points[0], [0, 0])
    assert width_px[0] == width_px[-1] == depth[0] == depth[-1] == 0
    assert np.hypot(*np.diff(points, axis=0).T).max() <= 3.0 + 1e-9
    assert 0 <= depth.min() <= depth.max() <= 0.95


def test_without_spreads_it_is_a_straight_line_of_known_length():
    model = plain(segments=4, segment_px=10, segment_spread=0, bend_deg=0, direction_deg=90, depth_spread=0, taper_px=0)
    points, width_px, depth = course(model, np.random.default_rng(0))
    assert np.allclose(np.abs(points[-1]), [40, 0])  # 90 degrees is along a column, up or down
    assert np.allclose(width_px, 6)
    assert np.allclose(depth, 0.5)


@given(st.integers(0, 10**6), st.floats(-90, 90), st.integers(2, 60))
def test_from_end_to_end_it_runs_in_its_direction(seed, direction_deg, segments):
    model = plain(direction_deg=direction_deg, segments=segments)
    down, right = course(model, np.random.default_rng(seed)).points[-1]
    away = (np.rad2deg(np.arctan2(down, right)) - direction_deg + 90) % 180 - 90
    assert away == pytest.approx(0, abs=1e-6)


def bends_of(**values) -> list[float]:
    model = plain(segment_spread=0, bend_spread=0, bend_deg=8, segment_px=9, **values)  # three pieces a segment
    found = []
    for seed in range(30):
        steps = np.diff(course(model, np.random.default_rng(seed)).points, axis=0)[1::3]
        angles = np.unwrap(np.arctan2(steps[:, 0], steps[:, 1]))
        found += np.rad2deg(np.diff(angles)).tolist()
    return found


def test_every_bend_is_as_large_as_told_where_nothing_spreads():
    bends = np.abs(bends_of(segments=20, return_share=0.7))
    assert np.allclose(bends, 8, atol=1e-6)


def test_bends_turn_back_as_often_as_told_and_never_run_away():
    zigzag = bends_of(segments=20, return_share=1.0)
    assert np.mean(np.diff(np.sign(zigzag)) != 0) > 0.9
    for share in (0.0, 1.0):
        steps = np.diff(course(plain(segments=200, return_share=share), np.random.default_rng(3)).points, axis=0)
        angles = np.rad2deg(np.arctan2(steps[:, 0], np.abs(steps[:, 1])))
        assert np.median(np.abs(angles)) < 45


def test_with_one_tip_the_beginning_does_not_fade():
    _, width_px, depth = course(plain(tips=1, depth_spread=0), np.random.default_rng(0))
    assert width_px[0] == 6
    assert depth[0] == 0.5
    assert width_px[-1] == depth[-1] == 0


def test_the_profile_is_gaussian_and_the_mask_is_where_half_of_it_is_left():
    lost, mask = lost_light(straight(60, 8.0, 0.6), 41, 70)
    middle = lost[:, 35]
    expected = 0.6 * np.exp(-((np.arange(41) - 20.0) ** 2) / 2 * (FWHM_SIGMAS / 8.0) ** 2)
    assert np.allclose(middle[12:29], expected[12:29], atol=1e-6)
    assert np.flatnonzero(mask[:, 35]).tolist() == list(range(16, 25))  # 4 px either way
    assert np.allclose(middle[[16, 24]], 0.3)


def test_where_a_crack_crosses_itself_the_deeper_part_counts():
    deep, shallow = straight(60, 6.0, 0.8), straight(60, 6.0, 0.2)
    both = Course(*(np.concatenate([a, b]) for a, b in zip(deep, shallow, strict=True)))
    assert lost_light(both, 41, 70)[0].max() == pytest.approx(0.8)


@given(st.integers(0, 10**6))
def test_a_crack_is_moved_so_that_it_shows(seed):
    rng = np.random.default_rng(seed)
    lost, mask = lost_light(through(course(plain(segments=30, taper_px=0), rng), 96, 128, rng), 96, 128)
    assert lost.shape == mask.shape == (96, 128)
    assert mask.any()
    assert lost[mask].min() > 0
    assert lost.min() == 0
