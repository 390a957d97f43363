import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.ndimage import correlate1d

from micromime.partial_models.camera.gaussian_blur import GaussianBlur, blur, kernel
from micromime.scenario.streams import stream

sizes = st.integers(0, 15).map(lambda half: 2 * half + 1)


@given(sizes)
def test_a_kernel_is_symmetric_with_sum_one_and_its_sd(size):
    weights = kernel(size)
    assert len(weights) == size
    assert np.array_equal(weights, weights[::-1])
    assert weights.sum() == pytest.approx(1, abs=1e-6)
    x = np.arange(size) - size // 2
    assert size < 5 or np.sqrt((weights * x**2).sum()) == pytest.approx(size / 6, rel=0.05)


@given(sizes, st.integers(0, 1000))
def test_equal_to_scipy_within_the_margin(size, seed):
    grey = stream(seed, "x").uniform(0, 255, (50, 64)).astype(np.float32)
    model = GaussianBlur(kernel_px=size)
    weights, inner = kernel(size).astype(float), slice(model.margin_px, -model.margin_px or None)
    expected = correlate1d(correlate1d(grey.astype(float), weights, axis=0), weights, axis=1)[inner, inner]
    assert np.allclose(blur(model, grey), expected, atol=1e-3)


def test_kernel_one_changes_nothing():
    grey = stream(0, "x").uniform(0, 255, (5, 7)).astype(np.float32)
    assert np.array_equal(blur(GaussianBlur(kernel_px=1), grey), grey)


def test_even_kernels_are_refused():
    with pytest.raises(ValueError, match="4 is even; a kernel has a middle"):
        GaussianBlur(kernel_px=4)
