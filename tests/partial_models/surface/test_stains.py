import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from micromime.partial_models.surface.perlin_texture import smooth_field
from micromime.partial_models.surface.stains import Stains, stains
from micromime.scenario.streams import stream

models = st.builds(Stains, sd_grey=st.floats(0, 60), wavelength_px=st.floats(20, 1000))


@given(models, st.integers(0, 10**9))
def test_stains_are_bounded_and_the_same_again(model, seed):
    added = stains(model, 50, 70, stream(seed, "x"))
    assert (added.shape, added.dtype) == ((50, 70), np.float32)
    assert np.abs(added).max() <= 6 * model.sd_grey  # 1.75 octaves of noise up to 1, over 0.286
    assert np.array_equal(added, stains(model, 50, 70, stream(seed, "x")))


@pytest.mark.parametrize(("sd", "wavelength_px"), [(5, 30), (20, 90)])
def test_their_spread_over_many_pictures_is_the_parameter(sd, wavelength_px):
    added = np.array(
        [stains(Stains(sd_grey=sd, wavelength_px=wavelength_px), 40, 60, stream(n, "x")) for n in range(200)]
    )
    assert added.std() == pytest.approx(sd, rel=0.06)
    assert added.mean() == pytest.approx(0, abs=0.1 * sd)


def test_they_are_three_octaves_each_half_of_the_one_before():
    rng = stream(3, "x")
    first, second, third = (smooth_field(40, 60, wavelength, rng) for wavelength in (80, 40, 20))
    added = stains(Stains(sd_grey=2.86, wavelength_px=80), 40, 60, stream(3, "x"))
    assert np.allclose(added, 10 * (first + second / 2 + third / 4), atol=1e-4)
