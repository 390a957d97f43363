import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from micromime.partial_models.grains.grain_structure import GrainStructure, label_cells, tessellate
from micromime.scenario.streams import stream

structures = st.builds(
    GrainStructure,
    diameter_px=st.floats(6, 60),
    relaxation_steps=st.integers(0, 4),
    size_spread=st.sampled_from([0.0, 0.3, 0.8]),
)


@given(structures, st.integers(0, 10**9))
def test_every_pixel_lies_in_the_cell_of_least_power(model, seed):
    cells = tessellate(model, 40, 56, stream(seed, "x"))
    labels = label_cells(cells, 40, 56)
    rows, cols = np.mgrid[:40, :56]
    power = (rows[..., None] - cells.nuclei[:, 0]) ** 2 + (cols[..., None] - cells.nuclei[:, 1]) ** 2 - cells.weights
    own = np.take_along_axis(power, labels[..., None], axis=2)[..., 0]
    assert np.allclose(own, power.min(axis=2), atol=1e-6)


@given(structures, st.integers(0, 10**9))
def test_edges_lie_between_their_two_cells(model, seed):
    cells = tessellate(model, 40, 56, stream(seed, "x"))
    edges = cells.edges
    middle = (edges.start + edges.end) / 2
    powers = [((middle - cells.nuclei[c]) ** 2).sum(axis=1) - cells.weights[c] for c in (edges.left, edges.right)]
    assert np.allclose(*powers, rtol=1e-6, atol=1e-3)


def test_left_is_left():
    cells = tessellate(GrainStructure(diameter_px=30), 60, 80, stream(3, "x"))
    along = cells.edges.end - cells.edges.start
    to_left = cells.nuclei[cells.edges.left] - cells.nuclei[cells.edges.right]
    # Rows point down: turning (row, col) by 90 degrees to the left gives (-col, row).
    assert ((-along[:, 1] * to_left[:, 0] + along[:, 0] * to_left[:, 1]) > 0).all()


@pytest.mark.parametrize("spread", [0.0, 0.4, 0.8])
def test_the_mean_cell_has_the_diameter_asked_for(spread):
    cells = tessellate(GrainStructure(diameter_px=12, size_spread=spread), 900, 800, stream(1, "x"))
    inner = label_cells(cells, 900, 800)
    # Cells that the frame cuts count half.
    rim = np.unique(np.concatenate([inner[0], inner[-1], inner[:, 0], inner[:, -1]]))
    count = np.unique(inner).size - rim.size / 2
    assert np.sqrt(4 / np.pi * inner.size / count) == pytest.approx(12, rel=0.05)


def test_relaxing_evens_the_sizes_and_spread_widens_them():
    def variation(**values):
        cells = tessellate(GrainStructure(diameter_px=12, **values), 500, 500, stream(1, "x"))
        areas = np.bincount(label_cells(cells, 500, 500).ravel())
        return areas[areas > 0].std() / areas[areas > 0].mean()

    assert variation(relaxation_steps=5) < variation(relaxation_steps=1) < variation(relaxation_steps=0)
    assert variation(size_spread=0.0) < variation(size_spread=0.4) < variation(size_spread=0.8)


def test_the_border_knows_nothing_of_the_frame():
    # Averaged over images, boundaries are as frequent in the outermost rows and columns as inside.
    changes = np.zeros((60, 60))
    for seed in range(150):
        labels = label_cells(tessellate(GrainStructure(diameter_px=15), 60, 61, stream(seed, "x")), 60, 61)
        changes += labels[:, 1:] != labels[:, :-1]
    rim = np.concatenate([changes[:2].ravel(), changes[-2:].ravel(), changes[:, :2].ravel(), changes[:, -2:].ravel()])
    assert rim.mean() == pytest.approx(changes[10:-10, 10:-10].mean(), rel=0.1)
