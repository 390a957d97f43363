import numpy as np
import pytest

from micromime.partial_models.camera.illumination import Illumination, illuminate


def test_no_parameter_is_even_light():
    assert np.array_equal(illuminate(Illumination(), 5, 8), np.ones((5, 8), np.float32))


@pytest.mark.parametrize(("angle", "brightest"), [(0, (2, 8)), (90, (4, 4)), (180, (2, 0)), (270, (0, 4))])
def test_the_gradient_rises_where_it_points_to(angle, brightest):
    light = illuminate(Illumination(gradient=0.2, direction_deg=angle), 5, 9)
    assert light[2, 4] == 1
    assert light[brightest] == pytest.approx(1.2)
    assert light.max() == pytest.approx(1.2)


def test_the_vignette_takes_its_share_from_the_corners():
    light = illuminate(Illumination(vignette=0.3), 7, 5)
    assert light[3, 2] == 1
    assert light[[0, 0, -1, -1], [0, -1, 0, -1]] == pytest.approx(0.7)
    assert light[0, 2] == pytest.approx(0.85)
