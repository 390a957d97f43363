import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import kstest, uniform

from micromime.partial_models.boundaries.boundary_contrast import BoundaryContrast, contrasted
from micromime.scenario.arrays import STEPS, Boundaries, Edges
from micromime.scenario.streams import stream

models = st.builds(
    BoundaryContrast,
    faint_share=st.floats(0, 1),
    faintness=st.floats(0, 1),
    bright_share=st.floats(0, 1),
    fading=st.floats(0, 1),
    broken=st.floats(0, 0.9),
)


def straight(count, darkness=0.5):
    """Straight edges between cells 0 and 1, all alike."""
    ends, cells = np.zeros((count, 2)), np.zeros(count, np.int32)
    edges = Edges(ends, ends + np.array([3.0, 7.0]), cells, cells + 1)
    look = np.full((count, STEPS + 1), darkness)
    return Boundaries(edges, np.zeros((count, STEPS + 1)), np.full(count, 2.0), look)


def kept(count=4000, seed=1, **values):
    """The share of its darkness that each edge keeps at each place."""
    return contrasted(BoundaryContrast(**values), straight(count), stream(seed, "x")).darkness / 0.5


@given(models, st.integers(1, 40), st.integers(0, 10**9))
def test_only_the_darkness_changes_and_never_grows(model, count, seed):
    given_ = straight(count, 0.8)
    out = contrasted(model, given_, stream(seed, "x"))
    assert (out.darkness.shape, out.darkness.dtype) == ((count, STEPS + 1), np.float64)
    assert np.isfinite(out.darkness).all()
    assert np.abs(out.darkness).max() <= 0.8
    assert out[:3] == given_[:3]
    assert (given_.darkness == 0.8).all()
    assert np.array_equal(out.darkness, contrasted(model, given_, stream(seed, "x")).darkness)


@pytest.mark.parametrize("share", [0.2, 0.7])
def test_the_share_of_edges_is_faint(share):
    factor = kept(faint_share=share, faintness=0.8)
    assert (np.ptp(factor, axis=1) == 0).all()
    assert (factor[:, 0] < 1).mean() == pytest.approx(share, abs=0.025)


def test_a_faint_edge_lacks_from_half_of_the_faintness_to_all_of_it():
    for share in (0.4, 1):
        factor = kept(faint_share=share, faintness=0.8)[:, 0]
        assert kstest(factor[factor < 1], uniform(0.2, 0.4).cdf).pvalue > 0.01


def test_the_share_of_edges_is_bright_and_as_strong():
    factor = kept(bright_share=0.3)
    assert set(np.unique(factor)) == {-1, 1}
    assert (np.ptp(factor, axis=1) == 0).all()
    assert (factor[:, 0] < 0).mean() == pytest.approx(0.3, abs=0.025)


def test_an_edge_fades_to_all_that_is_asked_for_and_by_half_of_it_on_average():
    factor = kept(fading=0.6)
    assert kstest(factor[:, 5], uniform(0.4, 0.6).cdf).pvalue > 0.01
    assert kstest(factor[:, STEPS], uniform(0.4, 0.6).cdf).pvalue > 0.01


@pytest.mark.parametrize("share", [0.05, 0.5, 0.9])
def test_the_share_of_the_length_is_missing_and_all_else_as_dark_as_before(share):
    factor = kept(broken=share)
    assert set(np.unique(factor)) == {0, 1}
    assert (factor == 0).mean() == pytest.approx(share, abs=0.02)


def test_edges_break_where_they_are_faintest():
    faded = kept(fading=1)
    assert np.array_equal(kept(fading=1, broken=0.3), np.where(faded < 0.3, 0, faded))


def test_the_look_changes_smoothly_along_an_edge():
    level = kept(fading=1)
    assert np.corrcoef(level[:, 9], level[:, 10])[0, 1] > 0.94
    assert abs(np.corrcoef(level[:, 0], level[:, STEPS])[0, 1]) < 0.05
    assert abs(np.corrcoef(level[1:, 7], level[:-1, 7])[0, 1]) < 0.05
