import io

import numpy as np
import PIL.Image
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from micromime.partial_models.camera.sensor import Sensor, photograph
from micromime.scenario.streams import stream

greys = arrays(np.float32, (11, 17), elements=st.floats(-500, 900, width=32))
RAMP = np.linspace(-20, 290, 60 * 85, dtype=np.float32).reshape(60, 85)


def taken(grey, seed=0, **values):
    return photograph(Sensor(**values), np.asarray(grey, np.float32), stream(seed, "x"))


def test_rounding_and_clipping_by_hand():
    assert taken([[-7, 0.4, 0.6, 99.5, 254.6, 300]]).tolist() == [[0, 0, 1, 100, 255, 255]]


@pytest.mark.parametrize("grey", [0, 40, 120, 200])
@pytest.mark.parametrize(("read", "shot"), [(6, 0), (0, 0.7), (4, 0.5)])
def test_the_variance_is_read_noise_and_shot_noise_times_the_grey(read, shot, grey):
    # Shifted by 100 with the black and white points far apart, so that nothing is clipped; grey / 400 x 255.
    image = taken(np.full((300, 400), grey + 100), read_noise_grey=read, shot_noise=shot, white_grey=400)
    sd = np.sqrt(read**2 + shot**2 * (grey + 100)) * 255 / 400
    assert image.std() == pytest.approx(np.sqrt(sd**2 + 1 / 12), rel=0.015)
    assert image.mean() == pytest.approx((grey + 100) * 255 / 400, abs=0.05)


def test_noise_is_each_pixels_own():
    field = taken(np.full((300, 400), 128), read_noise_grey=10).astype(np.float64)
    assert abs(np.corrcoef(field[:, 1:].ravel(), field[:, :-1].ravel())[0, 1]) < 0.01
    assert abs(np.corrcoef(field[1:].ravel(), field[:-1].ravel())[0, 1]) < 0.01
    assert not np.array_equal(field, taken(np.full((300, 400), 128), seed=1, read_noise_grey=10))


def test_where_no_light_is_there_is_no_shot_noise():
    assert not taken(np.full((40, 60), -50.0), shot_noise=4).any()


def test_black_and_white_are_where_grey_ends():
    found = taken([[30, 50, 100, 150, 175]], black_grey=50, white_grey=150)
    assert found.tolist() == [[0, 0, 128, 255, 255]]  # 127.5 is rounded to even
    assert taken([[100, 400]], white_grey=400).tolist() == [[64, 255]]  # 63.75


@pytest.mark.parametrize(("gamma", "found"), [(2, [0, 16, 64, 255]), (0.5, [0, 128, 180, 255])])
def test_gamma_is_the_exponent_between_them(gamma, found):
    # 255 / 4^gamma and 255 / 2^gamma: 15.94 and 63.75, or 127.5 and 180.3.
    assert taken([[0, 63.75, 127.5, 255]], gamma=gamma).tolist() == [found]


@given(greys, st.floats(0, 120), st.floats(130, 400), st.floats(0.4, 2.5))
def test_any_tone_is_that_of_the_curve(grey, black, white, gamma):
    tone = 255 * np.clip((grey.astype(float) - black) / (white - black), 0, 1) ** gamma
    found = taken(grey, black_grey=black, white_grey=white, gamma=gamma)
    clear = np.abs(tone % 1 - 0.5) > 0.01  # single precision
    assert np.array_equal(found[clear], np.rint(tone)[clear])
    assert np.abs(found - tone).max() < 0.51


def test_noise_comes_before_the_tone_curve():
    model = {"read_noise_grey": 5, "black_grey": 100, "white_grey": 150}
    assert taken(np.full((200, 300), 125), **model).std() == pytest.approx(5 * 255 / 50, rel=0.02)


@pytest.mark.parametrize("quality", [20, 75, 99])
def test_a_jpeg_is_what_pillow_makes_of_it(quality):
    file, plain = io.BytesIO(), taken(RAMP)
    PIL.Image.fromarray(plain).save(file, "jpeg", quality=quality)
    found = taken(RAMP, jpeg_quality=quality)
    assert np.array_equal(found, np.array(PIL.Image.open(file)))
    assert np.abs(found.astype(int) - plain).max() < 40
