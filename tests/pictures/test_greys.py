"""Greys: what networks know stays as it is, all else is stretched between fixed percentiles, and never divided."""

import numpy as np
import PIL.Image
import pytest
from hypothesis import given
from hypothesis import strategies as st

from micromime.pictures.greys import NARROW, PERCENTILES, Stretch, in_8_bits, stretch_of
from micromime.pictures.micrographs import read_micrographs

RAMP = np.arange(200, dtype=np.uint8).reshape(10, 20)


def test_a_usual_picture_of_8_bits_stays_as_it_is():
    found, stretch = in_8_bits(RAMP)
    assert stretch is None
    assert np.array_equal(found, RAMP)


def test_a_narrow_picture_is_stretched_between_the_percentiles():
    narrow = 100 + RAMP // 16  # 13 greys, 100 to 112
    found, stretch = in_8_bits(narrow)
    assert stretch == Stretch(100, 112)
    assert str(stretch) == "its greys from 100 to 112 were stretched over 0 to 255"
    assert found.dtype == np.uint8
    assert sorted(np.unique(found)) == [round(255 * n / 12) for n in range(13)]


def test_hot_pixels_do_not_decide():
    narrow = (100 + RAMP // 16).repeat(10, axis=0)
    narrow[0, 0], narrow[5, 5] = 0, 255
    assert stretch_of(narrow) == Stretch(100, 112)
    assert {in_8_bits(narrow)[0][place] for place in ((0, 0), (5, 5))} == {0, 255}


@pytest.mark.parametrize("bits", [8, 16])
def test_a_scale_bar_drawn_in_white_or_black_does_not_decide(bits):
    narrow = (100 + RAMP // 16).repeat(10, axis=0).astype(f"uint{bits}")
    expected, barred = stretch_of(narrow), narrow.copy()
    barred[80:90, 2:10], barred[92:96, 2:10] = 2**bits - 1, 0
    assert stretch_of(barred) == expected == Stretch(100, 112)


@pytest.mark.parametrize("factor", [1, 16, 257])  # 8, 12 and 16 bits in a file of 16
def test_the_bits_of_a_file_of_16_do_not_matter(factor):
    found, stretch = in_8_bits(RAMP.astype(np.uint16) * factor)
    low, high = np.percentile(RAMP[RAMP > 0], PERCENTILES)
    assert stretch == pytest.approx((low * factor, high * factor))
    assert np.array_equal(found, np.rint(np.clip((RAMP - low) / (high - low), 0, 1) * 255))


@pytest.mark.parametrize("stored", [np.full((4, 6), 7, np.uint8), np.full((4, 6), 700, np.uint16)])
def test_a_picture_of_one_grey_stays_of_one(stored):
    assert len(np.unique(in_8_bits(stored)[0])) == 1


@pytest.mark.parametrize("kind", [np.uint8, np.uint16])
def test_saturated_grains_with_thin_lines_do_not_become_black(kind):
    """Fewer lines than a half percent, and all else of one grey: both percentiles are that grey."""
    white = np.iinfo(kind).max
    stored = np.full((40, 300), white, kind)
    stored[20, :20] = white // 5
    found, _ = in_8_bits(stored)
    assert found[20, 0] <= 51
    assert found[0, 0] == 255
    narrow = (stored // (white // 255)).astype(np.uint8) // 8 + 100  # 106 and 131: fewer than are left as they are
    assert in_8_bits(narrow)[1] == Stretch(106, 131)


def test_the_bound_is_a_quarter_of_all_greys():
    greys = np.array([0, NARROW], np.uint8).repeat(50)
    assert stretch_of(greys) is None
    assert stretch_of(greys - (greys == NARROW)) == Stretch(0, NARROW - 1)


def test_photographs_of_parts_may_have_fewer(tmp_path):
    narrow = (np.arange(80 * 60).reshape(80, 60) % 48).astype(np.uint8)
    PIL.Image.fromarray(narrow).save(tmp_path / "part.png")
    PIL.Image.fromarray(np.where(narrow > 40, 255, 0).astype(np.uint8)).save(tmp_path / "mask.png")
    (tmp_path / "images.csv").write_text("image,mask,source\npart.png,mask.png,one\n")
    photograph, micrograph = (read_micrographs(tmp_path, maskless)[0] for maskless in (True, False))
    assert np.array_equal(photograph.image, narrow)
    assert micrograph.image.max() == 255


def test_channels_are_stretched_alike():
    grey = (100 + RAMP // 16)[None].repeat(3, axis=0)
    assert np.array_equal(in_8_bits(grey)[0], in_8_bits(grey[0])[0][None].repeat(3, axis=0))


@given(st.integers(0, 2**32), st.sampled_from([np.uint8, np.uint16]), st.integers(1, 12))
def test_order_is_kept_and_nothing_leaves_8_bits(seed, kind, bits):
    stored = np.random.default_rng(seed).integers(0, 2 ** min(bits, 8 * np.dtype(kind).itemsize), (9, 14)).astype(kind)
    before = stored.copy()
    found, _ = in_8_bits(stored)
    assert np.array_equal(stored, before)
    assert (found.dtype, found.shape) == (np.uint8, stored.shape)
    assert (np.diff(found.ravel()[np.argsort(stored.ravel(), kind="stable")].astype(int)) >= 0).all()
