import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.ndimage import label

from micromime.partial_models.boundaries.annotation import Annotation, jittered, pen_widths
from micromime.partial_models.boundaries.lines import draw_lines
from micromime.partial_models.surface.perlin_texture import smooth_field
from micromime.scenario.arrays import STEPS, Boundaries, Edges
from micromime.scenario.streams import stream

models = st.builds(
    Annotation,
    width_px=st.floats(0, 16),
    least_contrast_grey=st.floats(0, 60),
    jitter_px=st.floats(0, 4),
    jitter_length_px=st.floats(8, 200),
)
SHADES = np.array([100.0, 100.0, 160.0])


def rows_of_edges(darkness, cells=((0, 1), (1, 2), (0, 2))):
    """Edges along rows 10, 20, 30 from column 5 to 45, 3 px thick, between these cells."""
    start = np.array([[10.0 * n, 5] for n in range(1, 4)])
    left, right = np.array(cells, np.int32).T
    edges = Edges(start, start + np.array([0.0, 40]), left, right)
    look = np.repeat(np.array(darkness, np.float64)[:, None], STEPS + 1, axis=1)
    return Boundaries(edges, np.zeros((3, STEPS + 1)), np.full(3, 3.0), look)


def net(rows=90, cols=120, side=15):
    """Lines 3 px wide, 15 px apart."""
    down, across = np.arange(rows) % side < 3, np.arange(cols) % side < 3
    return down[:, None] | across


@given(models, st.lists(st.floats(-1, 1), min_size=3, max_size=3))
def test_a_line_has_the_pens_width_or_none(model, darkness):
    edges = rows_of_edges(darkness)
    before = edges.darkness.copy()
    widths = pen_widths(model, edges, SHADES)
    assert (widths.shape, widths.dtype) == ((3,), np.float64)
    assert set(widths) <= {0.0, model.width_px or 3.0}
    assert np.array_equal(edges.darkness, before)


def test_by_default_lines_are_drawn_as_thick_as_they_are():
    edges = rows_of_edges([0, 0.2, 0.9])._replace(thickness_px=np.array([1.5, 3, 9]))
    assert pen_widths(Annotation(), edges, SHADES).tolist() == [1.5, 3, 9]


@pytest.mark.parametrize(
    ("width_px", "rows"), [(0, [9, 10, 11]), (1, [10]), (4, [8, 9, 10, 11, 12]), (5.9, [8, 9, 10, 11, 12])]
)
def test_the_mask_is_what_lies_within_half_of_the_pens_width(width_px, rows):
    edges = rows_of_edges([0.5, 0.5, 0.5])
    mask, _ = draw_lines(edges, 42, 50, pen_widths(Annotation(width_px=width_px), edges, SHADES))
    assert np.flatnonzero(mask[:15, 25]).tolist() == rows


@pytest.mark.parametrize(("least", "drawn"), [(5, [5, 5, 5]), (10, [5, 5, 5]), (10.1, [0, 5, 5]), (60, [0, 5, 5])])
def test_edges_that_hardly_differ_are_missing(least, drawn):
    # The first takes 0.1 of two grains of 100; the two others stand between 100 and 160, however faint they are.
    edges = rows_of_edges([0.1, 0.0, 0.05])
    assert pen_widths(Annotation(width_px=5, least_contrast_grey=least), edges, SHADES).tolist() == drawn


def test_bright_and_broken_edges_count_by_what_is_seen_of_them():
    edges = rows_of_edges([-0.2, 0.4, 0.1], cells=((0, 1),) * 3)
    edges.darkness[1, : STEPS // 2] = 0  # 17 of 33 places are left: 0.206 on average
    annotation = Annotation(width_px=2, least_contrast_grey=20)
    assert pen_widths(annotation, edges, SHADES).tolist() == [2, 2, 0]


@pytest.mark.parametrize("jitter_px", [0.5, 1.5, 3])
@pytest.mark.parametrize("axis", [0, 1])
def test_lines_lie_off_by_the_sd_asked_for(jitter_px, axis):
    model, line = Annotation(jitter_px=jitter_px, jitter_length_px=60), np.zeros((61, 81), np.bool_)
    np.moveaxis(line, axis, 0)[29:32] = True
    moved = [np.moveaxis(jittered(model, line, stream(seed, "x")), axis, 0) for seed in range(150)]
    off = [np.flatnonzero(each[:, 40 - 10 * axis]).mean() - 30 for each in moved]
    assert np.std(off) == pytest.approx(np.sqrt(jitter_px**2 + 1 / 12), rel=0.2)  # to whole pixels
    assert np.mean(off) == pytest.approx(0, abs=0.3 * jitter_px)


@given(st.floats(0.1, 4), st.integers(0, 10**9))
def test_a_pixel_is_that_of_the_mask_so_many_whole_pixels_away(jitter_px, seed):
    mask, rng = net(30, 44, 7), stream(seed, "x")
    down, across = (np.rint(4 * jitter_px * smooth_field(30, 44, 20, rng)).astype(int) for _ in range(2))
    row, col = np.arange(30)[:, None] + down, np.arange(44) + across
    expected = mask[np.clip(row, 0, 29), np.clip(col, 0, 43)]
    found = jittered(Annotation(jitter_px=jitter_px, jitter_length_px=20), mask, stream(seed, "x"))
    assert np.array_equal(found, expected)


@pytest.mark.parametrize("seed", range(4))
def test_lines_still_meet_where_they_met(seed):
    moved = jittered(Annotation(jitter_px=1.5, jitter_length_px=40), net(), stream(seed, "x"))
    inside = np.zeros((90, 120), np.bool_)
    inside[16:-16, 16:-16] = True
    assert (moved != net()).any()
    assert label(moved)[1] == 1
    grains = label(~moved)[0]
    sizes = np.bincount(grains.ravel())[1:]
    assert np.sum(sizes > 40) == 48  # 6 x 8 grains of 12 x 12 px, none open to another, none gone
    assert sizes.max() < 2 * 144
