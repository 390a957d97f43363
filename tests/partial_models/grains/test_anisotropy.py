import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from micromime.partial_models.grains.anisotropy import Anisotropy, stretched, unstretched_sides
from micromime.partial_models.grains.grain_structure import GrainStructure, label_cells, tessellate
from micromime.scenario.streams import stream

models = st.builds(Anisotropy, stretch=st.floats(1, 4), direction_deg=st.floats(0, 180))
structures = st.builds(
    GrainStructure,
    diameter_px=st.floats(8, 60),
    relaxation_steps=st.integers(0, 2),
    size_spread=st.sampled_from([0.0, 0.3, 0.8]),
)


def cells_of(model, structure, seed=0, rows=40, cols=56):
    laid = tessellate(structure, *unstretched_sides(model, rows, cols), stream(seed, "x"))
    return laid, stretched(model, laid, rows, cols)


def power(cells, points):
    """|x - nucleus|^2 - weight under the metric, (points, cells)."""
    r, c = (points[:, None, axis] - cells.nuclei[:, axis] for axis in (0, 1))
    m0, m1, m2 = cells.metric
    return m0 * r * r + 2 * m1 * r * c + m2 * c * c - cells.weights


@pytest.mark.parametrize(
    ("direction_deg", "metric"),
    [(0, (4, 0, 0.25)), (90, (0.25, 0, 4)), (45, (2.125, -1.875, 2.125)), (180, (4, 0, 0.25))],
)
def test_the_metric_of_a_stretch_of_4(direction_deg, metric):
    # Lengths along the direction count half, those across it twice.
    model = Anisotropy(stretch=4, direction_deg=direction_deg)
    assert cells_of(model, GrainStructure(diameter_px=20))[1].metric == pytest.approx(metric, abs=1e-12)


def test_the_plane_to_lay_is_shorter_along_and_longer_across():
    # At 45 degrees, corner (40, -60) lies at -20 / sqrt 2 along and at 100 / sqrt 2 across: half and twice of these.
    for direction_deg, sides in ((0, (80, 30)), (90, (20, 120)), (45, (95, 105))):
        found = unstretched_sides(Anisotropy(stretch=4, direction_deg=direction_deg), 40, 60)
        assert found == pytest.approx(sides, abs=1)  # rounded up, also for a rounding error
        assert found >= sides


@given(models, structures, st.integers(0, 10**9))
def test_every_pixel_lies_in_the_cell_nearest_under_the_metric(model, structure, seed):
    cells = cells_of(model, structure, seed)[1]
    labels = label_cells(cells, 40, 56)
    powers = power(cells, np.argwhere(np.ones((40, 56))).astype(np.float64))
    own = np.take_along_axis(powers, labels.reshape(-1, 1), axis=1)[:, 0]
    assert (labels.shape, labels.dtype) == ((40, 56), np.int32)
    assert np.allclose(own, powers.min(axis=1), rtol=1e-6, atol=1e-5)


@given(models, structures, st.integers(0, 10**9))
def test_edges_lie_between_their_cells_with_left_on_the_left(model, structure, seed):
    cells = cells_of(model, structure, seed)[1]
    edges = cells.edges
    powers, n = power(cells, (edges.start + edges.end) / 2), np.arange(len(edges.left))
    assert np.allclose(powers[n, edges.left], powers[n, edges.right], rtol=1e-5, atol=1e-2)
    along, to_left = edges.end - edges.start, cells.nuclei[edges.left] - cells.nuclei[edges.right]
    long = np.hypot(*along.T) > 1e-3
    assert (along[long, 0] * to_left[long, 1] - along[long, 1] * to_left[long, 0] > -1e-6).all()


@pytest.mark.parametrize(("direction_deg", "ratio"), [(0, 2), (90, 1 / 2), (45, 1), (135, 1)])
def test_stretch_is_the_ratio_of_the_mean_intercepts(direction_deg, ratio):
    cells = cells_of(Anisotropy(stretch=2, direction_deg=direction_deg), GrainStructure(diameter_px=8), 1, 420, 380)[1]
    labels = label_cells(cells, 420, 380)
    along_rows, down = (labels[:, 1:] != labels[:, :-1]).mean(), (labels[1:] != labels[:-1]).mean()
    assert down / along_rows == pytest.approx(ratio, rel=0.04)


@pytest.mark.parametrize("direction_deg", [0, 30, 90])
def test_the_mean_cell_keeps_its_area(direction_deg):
    cells = cells_of(Anisotropy(stretch=3, direction_deg=direction_deg), GrainStructure(diameter_px=10), 1, 420, 380)[1]
    labels = label_cells(cells, 420, 380)
    rim = np.unique(np.concatenate([labels[0], labels[-1], labels[:, 0], labels[:, -1]]))
    count = np.unique(labels).size - rim.size / 2  # cells that the frame cuts count half
    assert np.sqrt(4 / np.pi * labels.size / count) == pytest.approx(10, rel=0.05)
    assert cells.diameter_px == 10
