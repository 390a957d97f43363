import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.interpolate import CubicSpline

from micromime.partial_models.boundaries.grain_boundaries import GrainBoundaries, bend, near
from micromime.partial_models.boundaries.lines import draw_lines, label_grains
from micromime.partial_models.grains.grain_structure import GrainStructure, label_cells, tessellate
from micromime.scenario.arrays import STEPS, Boundaries, Edges
from micromime.scenario.streams import stream

models = st.builds(
    GrainBoundaries,
    control_points=st.integers(1, 6),
    waviness=st.floats(0, 0.2),
    thickness_px=st.floats(2, 8),
    thickness_spread=st.floats(0, 0.6),
    darkness=st.floats(0, 1),
    darkness_spread=st.floats(0, 0.5),
)


def drawn(model, seed, diameter_px=18.0, rows=60, cols=88):
    cells = tessellate(GrainStructure(diameter_px=diameter_px), rows, cols, stream(seed, "cells"))
    straight = label_cells(cells, rows, cols)
    bent = bend(model, near(cells.edges, diameter_px, rows, cols), diameter_px, stream(seed, "bend"))
    labels, bent = label_grains(straight, bent)
    return straight, labels, bent, *draw_lines(bent, rows, cols)


def one_edge(heights=0.0, thickness_px=3.0, darkness=0.5):
    """An edge from (10, 5) to (10, 35): left of it (smaller rows) is cell 0, right cell 1."""
    edges = Edges(np.array([[10.0, 5.0]]), np.array([[10.0, 35.0]]), np.array([0], np.int32), np.array([1], np.int32))
    curve = heights * np.sin(np.linspace(0, np.pi, STEPS + 1))[None]
    curve[:, -1] = 0
    return Boundaries(edges, curve, np.array([thickness_px]), np.full((1, STEPS + 1), darkness))


def sides(edges, heights, e, rows, cols):
    """(rows, cols): 1 between an edge's chord and its curve to the left, -1 to the right, else 0."""
    (r0, c0), (dr, dc) = edges.start[e], edges.end[e] - edges.start[e]
    length = max(np.sqrt(dr * dr + dc * dc), 1e-9)
    r, c = (each - first for each, first in zip(np.mgrid[:rows, :cols], (r0, c0), strict=True))
    along = (r * (dr / length) + c * (dc / length)) * (STEPS / length)
    height = c * (dr / length) - r * (dc / length)
    k = np.clip(along.astype(int), 0, STEPS - 1)
    curve = np.where((along > 0) & (along < STEPS), heights[k] + (along - k) * (heights[k + 1] - heights[k]), 0)
    return ((height > 0) & (height <= curve)).astype(int) - ((height < 0) & (height >= curve))


def plain_labels(straight, bent):
    """Labels and heights of `label_grains`, by going through all edges anew until no pixel is claimed wrongly."""
    (_, _, left, right), heights, times = bent.edges, bent.heights.copy(), np.zeros(len(bent.heights))
    while True:
        labels, claims, wrong = straight.copy(), np.full(straight.shape, -1), np.zeros(len(heights), np.bool_)
        for e in range(len(heights)):
            side = sides(bent.edges, heights[e], e, *straight.shape)
            own = straight == np.where(side > 0, left[e], right[e])
            taken = (side != 0) & own & (claims < 0)
            earlier = claims[(side != 0) & ~taken]
            wrong[e] = earlier.size > 0
            wrong[earlier[earlier >= 0]] = True
            labels[taken], claims[taken] = np.where(side > 0, right[e], left[e])[taken], e
        if not wrong.any():
            return labels, heights
        times += wrong
        heights[wrong] *= np.where(times[wrong] < 5, 0.5, 0)[:, None]


@pytest.mark.parametrize("seed", range(12))
def test_labels_are_those_of_going_through_all_edges_anew(seed):
    cells = tessellate(GrainStructure(diameter_px=30, relaxation_steps=0, size_spread=0.6), 90, 120, stream(seed, "x"))
    straight = label_cells(cells, 90, 120)
    model = GrainBoundaries(waviness=0.2, thickness_px=3, darkness=1)
    bent = bend(model, near(cells.edges, 30, 90, 120), 30, stream(seed, "bend"))
    labels, drawn_as = label_grains(straight, bent)
    expected, heights = plain_labels(straight, bent)
    assert np.array_equal(labels, expected)
    assert np.array_equal(drawn_as.heights, heights)


@given(models, st.integers(0, 10**9))
def test_labels_change_only_at_a_line(model, seed):
    _, labels, _, mask, _ = drawn(model, seed)
    assert not ((labels[:, 1:] != labels[:, :-1]) & ~(mask[:, 1:] | mask[:, :-1])).any()
    assert not ((labels[1:] != labels[:-1]) & ~(mask[1:] | mask[:-1])).any()


@given(models, st.integers(0, 10**9))
def test_no_grain_is_lost_or_new(model, seed):
    straight, labels, _, _, _ = drawn(model, seed, diameter_px=24)
    gone = np.setdiff1d(straight, labels)
    assert np.setdiff1d(labels, straight).size == 0 or model.waviness > 0
    # Only a sliver at the frame can be swapped away whole.
    assert all((straight == cell).sum() < 40 for cell in gone)


def test_without_waviness_edges_stay_straight():
    straight, labels, bent, _, _ = drawn(GrainBoundaries(waviness=0, thickness_px=3, darkness=1), 5)
    assert np.array_equal(straight, labels)
    assert not bent.heights.any()


def test_both_ends_stay_where_the_edges_meet():
    _, _, bent, _, _ = drawn(GrainBoundaries(waviness=0.2, thickness_px=3, darkness=1), 5)
    assert bent.heights[:, 1:-1].any()
    assert not bent.heights[:, [0, -1]].any()


@pytest.mark.parametrize("points", [1, 3, 6])
def test_a_curve_is_the_cubic_spline_through_its_control_points(points):
    model = GrainBoundaries(control_points=points, waviness=0.1, thickness_px=3, darkness=1)
    bent = bend(model, one_edge().edges, 30.0, stream(1, "x"))
    offsets = np.clip(stream(1, "x").standard_normal((1, points)), -2, 2)[0] * 0.1 * 30
    spline = CubicSpline(np.linspace(0, 30, points + 2), [0, *offsets, 0], bc_type="natural")
    assert np.allclose(bent.heights[0], spline(np.linspace(0, 30, STEPS + 1)), atol=1e-9)


def test_edges_of_border_cells_bend_no_further_than_three_diameters():
    model = GrainBoundaries(waviness=0.2, thickness_px=3, darkness=1)
    curves = [bend(model, one_edge().edges, diameter_px, stream(1, "x")).heights for diameter_px in (1.0, 10.0, 99.0)]
    assert np.allclose(curves[0] * 10, curves[1])
    assert np.array_equal(curves[1], curves[2])


def test_pixels_between_chord_and_curve_change_over():
    straight = np.zeros((24, 40), np.int32)
    straight[10:] = 1
    labels, _ = label_grains(straight, one_edge(heights=4.2))
    # A positive height lies to the left, in smaller rows: cell 1 takes rows 6 to 9 in the middle of the edge.
    assert labels[5:11, 20].tolist() == [0, 1, 1, 1, 1, 1]
    assert labels[:, 2].tolist() == straight[:, 2].tolist()


def test_curves_that_would_take_a_third_cell_are_flattened():
    straight = np.zeros((24, 40), np.int32)
    straight[10:] = 1
    straight[:7] = 2
    labels, bent = label_grains(straight, one_edge(heights=8.0))
    assert 0 < bent.heights.max() < 4.1
    assert np.array_equal(labels == 2, straight == 2)


@given(models, st.integers(0, 10**9))
def test_only_masked_pixels_and_their_rim_are_dark(model, seed):
    _, _, bent, mask, taken = drawn(model, seed)
    assert taken.min() >= 0
    assert taken.max() <= bent.darkness.max() + 1e-6
    grown = np.pad(mask, 1)
    grown = grown[1:-1, 1:-1] | grown[:-2, 1:-1] | grown[2:, 1:-1] | grown[1:-1, :-2] | grown[1:-1, 2:]
    assert not (taken[~grown] > 0.75 * bent.darkness.max()).any()


def test_thickness_and_darkness_vary_between_edges():
    model = GrainBoundaries(thickness_px=4, thickness_spread=0.3, darkness=0.5, darkness_spread=0.1)
    bent = drawn(model, 0, diameter_px=8, rows=200, cols=200)[2]
    assert np.log(bent.thickness_px).std() == pytest.approx(0.3, rel=0.1)
    assert np.median(bent.thickness_px) == pytest.approx(4, rel=0.05)
    assert bent.darkness.mean() == pytest.approx(0.5, abs=0.02)
    assert bent.darkness.std() == pytest.approx(0.1, rel=0.1)
