import numpy as np
import pytest
from scipy.stats import kstest, norm

from micromime.partial_models.camera.white_noise import WhiteNoise, add_white_noise
from micromime.scenario.streams import stream


def white_noise(model, rows, cols, rng):
    field = np.zeros((rows, cols), np.float32)
    add_white_noise(model, field, rng)
    return field


def test_values_are_gaussian_and_independent():
    field = white_noise(WhiteNoise(sd_grey=7), 300, 400, stream(1, "x"))
    assert field.dtype == np.float32
    assert kstest(field.ravel(), norm(scale=7).cdf).pvalue > 0.01
    assert abs(np.corrcoef(field[:, 1:].ravel(), field[:, :-1].ravel())[0, 1]) < 0.01
    assert abs(np.corrcoef(field[1:].ravel(), field[:-1].ravel())[0, 1]) < 0.01


def test_a_value_is_the_quantile_of_two_bytes_of_the_stream():
    field = white_noise(WhiteNoise(sd_grey=2), 31, 45, stream(1, "x"))
    numbers = np.frombuffer(stream(1, "x").bytes(2 * 31 * 45), "<u2")
    assert np.allclose(field.ravel(), norm(scale=2).ppf((numbers + 0.5) / 65536), rtol=1e-5)


@pytest.mark.parametrize("sd", [0, 3, 60])
def test_its_spread_is_the_parameter(sd):
    field = white_noise(WhiteNoise(sd_grey=sd), 200, 300, stream(1, "x"))
    assert field.std() == pytest.approx(sd, rel=0.02)
    assert abs(field.mean()) <= 0.02 * sd
