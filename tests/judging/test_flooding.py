"""Floods beside scikit-image's, which are slower: every pixel is the same, also where heights are."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from scipy.ndimage import gaussian_filter
from skimage.morphology import diamond, reconstruction
from skimage.segmentation import watershed

from micromime.judging.flooding import filled, flooded

SHAPES = array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=24)


@st.composite
def landscapes(draw):
    """Heights, of which many are equal, and markers."""
    shape = draw(SHAPES)
    height = draw(arrays(np.float32, shape, elements=st.sampled_from([0, 0.25, 0.5, 0.75, 1])))
    sigma = draw(st.sampled_from([0, 1, 3]))
    return gaussian_filter(height, sigma), draw(arrays(np.uint16, shape, elements=st.sampled_from([0, 0, 0, 1, 2, 7])))


@given(landscapes(), st.sampled_from([0.01, 0.1, 0.5]), st.sampled_from([np.float32, np.float64]))
def test_hollows_are_filled_as_by_reconstruction(landscape, depth, kind):
    height = landscape[0].astype(kind)
    kept = height.copy()
    found = filled(height, depth)
    slowly = reconstruction(height + depth, height, method="erosion", footprint=diamond(1))
    assert found.dtype == slowly.dtype == kind
    assert np.array_equal(found, slowly)
    assert np.array_equal(height, kept)


@given(landscapes())
def test_floods_are_watersheds(landscape):
    height, markers = landscape
    if markers.any():
        assert np.array_equal(flooded(height, markers), watershed(height, markers))


@pytest.mark.parametrize("noise", [0, 0.05])
def test_pictures_are_flooded_as_by_scikit_image(noise):
    rows, cols = np.mgrid[:150, :220]
    lines = ((rows % 40 < 4) | ((cols + rows // 3) % 55 < 5)).astype(np.float32)
    height = gaussian_filter(lines + np.random.default_rng(3).normal(0, noise, lines.shape).astype(np.float32), 2)
    markers = np.zeros(height.shape, dtype=np.int32)
    markers[20::40, 10::27] = np.arange(markers[20::40, 10::27].size).reshape(markers[20::40, 10::27].shape) + 1
    assert np.array_equal(flooded(height, markers), watershed(height, markers))
    slowly = reconstruction(height + 0.06, height, method="erosion", footprint=diamond(1))
    assert np.array_equal(filled(height, 0.06), slowly)
