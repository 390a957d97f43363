import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from micromime.partial_models.grains.grain_shades import GrainShades, shade
from micromime.scenario.arrays import Edges
from micromime.scenario.streams import stream


def ring(cells):
    """Edges by which each cell touches the next."""
    here = np.arange(cells, dtype=np.int32)
    return Edges(np.zeros((cells, 2)), np.ones((cells, 2)), here, np.roll(here, -1))


@given(st.floats(0, 255), st.floats(0, 120), st.integers(2, 300), st.integers(0, 10**9))
def test_neighbours_differ_by_the_contrast_on_average(mean, contrast, cells, seed):
    edges = ring(cells)
    greys = shade(GrainShades(mean_grey=mean, contrast_grey=contrast), edges, cells, stream(seed, "x"))
    assert np.abs(greys[edges.left] - greys[edges.right]).mean() == pytest.approx(contrast)


def test_the_mean_over_many_grains_is_the_mean():
    greys = shade(GrainShades(mean_grey=130, contrast_grey=20), ring(5000), 5000, stream(0, "x"))
    assert greys.mean() == pytest.approx(130, abs=1)


def test_an_image_without_edges_still_has_a_shade():
    none = Edges(*(np.zeros((0, 2)),) * 2, *(np.zeros(0, np.int32),) * 2)
    assert np.isfinite(shade(GrainShades(mean_grey=130, contrast_grey=20), none, 4, stream(0, "x"))).all()
