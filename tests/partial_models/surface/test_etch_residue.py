import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.ndimage import distance_transform_edt

from micromime.partial_models.surface.etch_residue import EtchResidue, distance_to, lay_residue
from micromime.scenario.streams import stream


def one_line(rows=60, cols=84):
    """A line along the middle row."""
    lines = np.zeros((rows, cols), np.bool_)
    lines[rows // 2] = True
    return lines


def laid(model, lines, diameter_px=50.0, seed=0):
    """Cover and picture of a residue on a grey of 500."""
    grey = np.full(lines.shape, 500, np.float32)
    cover = lay_residue(model, grey, lines, diameter_px, stream(seed, "x"))
    return cover, grey


def many(model, lines, diameter_px=50.0, count=60):
    """Covers and pictures, (count, rows, cols) each."""
    pictures = [laid(model, lines, diameter_px, seed) for seed in range(count)]
    return tuple(np.array(each) for each in zip(*pictures, strict=True))


def test_without_lines_there_is_none():
    cover, grey = laid(EtchResidue(width=0.6), np.zeros((30, 44), np.bool_), 20.0)
    assert not cover.any()
    assert (grey == 500).all()


@given(arrays(np.bool_, st.tuples(st.integers(1, 30), st.integers(1, 30)), elements=st.booleans(), fill=st.just(False)))
def test_the_distance_is_that_to_the_nearest_line(lines):
    if lines.any():
        assert np.array_equal(distance_to(lines), distance_transform_edt(~lines).astype(np.float32))
    else:
        assert np.isinf(distance_to(lines)).all()


def test_a_pixel_shows_the_residue_by_as_much_as_is_covered():
    model = {"width": 0.3, "roughness_grey": 0, "grey": 40}
    cover, grey = laid(EtchResidue(**model), one_line())
    assert ((cover > 0) & (cover < 1)).any()
    assert np.allclose(grey, 500 - 460 * cover, atol=1e-3)


@pytest.mark.parametrize(("width", "half"), [(0.2, 5), (0.24, 6), (0.5, 12.5)])
def test_an_even_band_reaches_half_of_its_width_to_both_sides(width, half):
    model = EtchResidue(width=width, unevenness=0, raggedness_px=0)
    distance = np.abs(np.arange(60) - 30)[:, None] + np.zeros(84)
    cover, _ = laid(model, one_line())
    assert np.allclose(cover, np.clip(half + 0.5 - distance, 0, 1), atol=1e-5)


def test_the_width_is_a_share_of_the_diameter_in_the_median():
    model = EtchResidue(width=0.2, unevenness=0.4, raggedness_px=2)
    cover, _ = many(model, one_line())
    assert np.median(cover.sum(axis=1)) == pytest.approx(0.2 * 50, rel=0.1)


@pytest.mark.parametrize("sigma", [0.2, 0.5])
def test_unevenness_is_the_sigma_of_the_width(sigma):
    cover, _ = many(EtchResidue(width=0.2, unevenness=sigma, raggedness_px=0), one_line(), 40.0, 120)
    assert np.log(cover.sum(axis=1)).std() == pytest.approx(sigma, rel=0.15)


@pytest.mark.parametrize("ragged_px", [1, 4])
def test_the_sides_run_in_and_out_by_about_the_raggedness(ragged_px):
    cover, _ = many(EtchResidue(width=0.4, unevenness=0, raggedness_px=ragged_px), one_line(), count=100)
    assert 0.6 * ragged_px < cover[:, 30:].sum(axis=1).std() < 1.1 * ragged_px  # one of the two sides


def test_the_grey_has_the_mean_and_the_spread_asked_for():
    cover, grey = many(EtchResidue(width=0.6, grey=100, roughness_grey=20), one_line(), count=200)
    grey = grey[cover == 1]
    assert grey.mean() == pytest.approx(100, abs=3)
    assert grey.std() == pytest.approx(20, rel=0.05)
    assert (grey > 100).mean() < 0.45  # skewed: most of it is dark, and some glints
