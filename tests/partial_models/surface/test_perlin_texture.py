import numpy as np

from micromime.partial_models.surface.perlin import PERIOD
from micromime.partial_models.surface.perlin_texture import PerlinTexture, texture
from micromime.scenario.streams import stream


def test_amplitude_scales_and_zero_is_off():
    cells = np.repeat(np.arange(3, dtype=np.int32), 20).reshape(3, 20)
    fields = [texture(PerlinTexture(amplitude_grey=a), cells, 3, 30.0, stream(1, "x")) for a in (0, 10, 20)]
    assert not fields[0].any()
    assert np.allclose(2 * fields[1], fields[2])


def test_each_grain_has_a_lattice_of_its_own():
    one, two = np.zeros((40, 40), np.int32), np.ones((40, 40), np.int32)
    fields = [texture(PerlinTexture(amplitude_grey=50), cells, 2, 30.0, stream(1, "x")) for cells in (one, two)]
    assert abs(np.corrcoef(fields[0].ravel(), fields[1].ravel())[0, 1]) < 0.5


def test_a_grains_texture_is_the_noise_on_its_turned_and_moved_lattice(perlin):
    field = texture(
        PerlinTexture(amplitude_grey=8, wavelength=0.5), np.zeros((30, 44), np.int32), 1, 40.0, stream(1, "x")
    )
    rng = stream(1, "x")
    angle, (right, down) = rng.uniform(0, 2 * np.pi, 1)[0], rng.uniform(0, PERIOD, (1, 2))[0]
    rows, cols = np.mgrid[:30, :44]
    x = (cols * np.cos(angle) - rows * np.sin(angle)) / 20 + right
    y = (cols * np.sin(angle) + rows * np.cos(angle)) / 20 + down
    assert np.allclose(field, 8 * perlin(x.astype(np.float32), y.astype(np.float32)), atol=0.01)
