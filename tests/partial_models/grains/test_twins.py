import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import kstest, norm

from micromime.partial_models.grains.twins import REACH_DIAMETERS, Bands, Twins, bands, lay_bands
from micromime.scenario.streams import stream

models = st.builds(
    Twins,
    share=st.floats(0, 1),
    most_bands=st.integers(1, 12),
    width=st.floats(0.01, 0.5),
    contrast_grey=st.floats(0, 120),
    line_darkness=st.floats(0, 1),
    line_px=st.floats(1, 8),
    labelled=st.integers(0, 1),
)
HALVES = np.repeat(np.arange(2, dtype=np.int32), [16, 24])[None].repeat(30, axis=0)
"""(30, 40): grain 0 to the left of column 16, grain 1 to the right."""


def drawn(model, count=3000, diameter_px=50.0, seed=1):
    nuclei = np.random.default_rng(seed).uniform(0, 500, (count, 2))
    return bands(model, nuclei, diameter_px, stream(seed, "x"))


def one_band(across=(1.0, 0.0), sides=(-3.0, 2.5)):
    """Grain 1 of HALVES has a band about row 20, column 28."""
    there = [*sides, np.inf, np.inf]
    return Bands(
        np.array([[0.0, 0.0], [20.0, 28.0]]),
        np.array([across] * 2),
        np.array([[np.inf] * 4, there]),
        np.array([9, 7.0]),
    )


@given(models, st.integers(0, 10**9))
def test_bands_lie_in_order_as_many_as_asked_for(model, seed):
    laid = drawn(model, 40, 30.0, seed)
    there = np.isfinite(laid.sides)
    assert laid.sides.shape == (40, 2 * model.most_bands)
    assert (laid.sides[:, 1:] >= laid.sides[:, :-1]).all()
    assert (there[:, 0::2] == there[:, 1::2]).all()
    assert there.any(axis=1).mean() <= (model.share > 0)
    assert np.isfinite(laid.grey).all()
    assert np.allclose(np.hypot(*laid.across.T), 1)
    assert all(np.array_equal(*pair) for pair in zip(laid, drawn(model, 40, 30.0, seed), strict=True))


@given(models, st.integers(0, 10**9))
def test_within_a_grain_numbers_change_only_at_a_side(model, seed):
    laid = bands(model, np.array([[9.0, 8], [20, 28]]), 30.0, stream(seed, "x"))
    _, _, sides, numbers = lay_bands(model, laid, HALVES, model.line_px)
    within = HALVES[:, 1:] == HALVES[:, :-1]
    assert not ((numbers[:, 1:] != numbers[:, :-1]) & within & ~(sides[:, 1:] | sides[:, :-1])).any()
    assert not ((numbers[1:] != numbers[:-1]) & ~(sides[1:] | sides[:-1])).any()


def test_a_band_is_grey_between_its_sides_in_its_grain():
    added, *_ = lay_bands(Twins(), one_band(), HALVES, 2.0)
    # From 3 px above row 20 to 2.5 below it: rows 17 to 22, in grain 1 only.
    assert np.array_equal(added, np.where(np.isin(np.arange(30), np.arange(17, 23))[:, None] & (HALVES == 1), 7, 0))


def test_the_sides_take_grey_away_by_their_distance():
    _, taken, _, _ = lay_bands(Twins(line_px=2, line_darkness=0.8), one_band(), HALVES, 2.0)
    # The sides lie at rows 17 and 22.5, 1 px either way is dark, and the darkness runs out over one pixel more.
    assert taken[14:26, 30].tolist() == pytest.approx([0, 0, 0.4, 0.8, 0.4, 0, 0, 0, 0.8, 0.8, 0, 0])
    assert not taken[:, :16].any()


@pytest.mark.parametrize(("mask_px", "rows"), [(2, [16, 17, 18, 22, 23]), (4, [15, 16, 17, 18, 19, 21, 22, 23, 24])])
def test_the_mask_has_the_width_asked_for(mask_px, rows):
    _, _, sides, _ = lay_bands(Twins(line_px=8), one_band(), HALVES, mask_px)
    assert np.flatnonzero(sides[:, 30]).tolist() == rows
    assert not sides[:, :16].any()


def test_the_grain_before_the_band_the_band_and_the_rest_have_numbers_of_their_own():
    _, _, _, numbers = lay_bands(Twins(), one_band(), HALVES, 2.0)
    assert numbers[:, 30].tolist() == [1] * 17 + [3] * 6 + [5] * 7  # 2 grains: 1, 1 + 2, 1 + 4
    assert not numbers[:, :16].any()


def test_bands_run_across_their_direction():
    slanted = one_band(across=(0.6, 0.8), sides=(-4.0, 4.0))
    added, *_ = lay_bands(Twins(), slanted, HALVES, 2.0)
    rows, cols = np.mgrid[:30, :40]
    place = 0.6 * (rows - 20) + 0.8 * (cols - 28)
    assert np.array_equal(added != 0, (place >= -4) & (place < 4) & (HALVES == 1))


def test_bands_that_overlap_touch_instead():
    model = Twins(share=1, most_bands=12, width=0.5)
    laid = drawn(model, 200)
    there = np.isfinite(laid.sides[:, 2::2])
    apart = laid.sides[:, 2::2][there] - laid.sides[:, 1:-1:2][there]
    assert apart.min() == 0


@pytest.mark.parametrize("share", [0.2, 0.8])
def test_the_share_of_grains_has_bands_in_equally_likely_numbers(share):
    number = np.isfinite(drawn(Twins(share=share, most_bands=4)).sides).sum(axis=1) // 2
    assert (number > 0).mean() == pytest.approx(share, abs=0.03)
    assert np.bincount(number)[1:] / (number > 0).sum() == pytest.approx(np.full(4, 0.25), abs=0.05)


def test_widths_places_and_greys_follow_their_laws():
    laid = drawn(Twins(share=1, most_bands=1, width=0.2, contrast_grey=30), diameter_px=50.0)
    width, middle = laid.sides[:, 1] - laid.sides[:, 0], laid.sides.mean(axis=1)
    assert np.median(width) == pytest.approx(0.2 * 50, rel=0.03)
    assert np.log(width).std() == pytest.approx(0.4, rel=0.05)
    assert np.abs(middle).max() == pytest.approx(REACH_DIAMETERS * 50, rel=0.01)
    assert kstest(laid.grey, norm(scale=30).cdf).pvalue > 0.01
