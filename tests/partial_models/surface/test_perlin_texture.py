import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from micromime.partial_models.surface.perlin_texture import PERIOD, PerlinTexture, smooth_field, smooth_values, texture
from micromime.scenario.streams import stream

PLAIN = np.zeros(3, np.float32)

# Written down from noise.pnoise2 of the package noise 1.2.2, for machines without a compiler.
KNOWN = [(0.3, 0.7, 0.09597452), (12.25, 3.5, 0.27148438), (-4.6, 250.1, -0.03609311), (511.9, -0.35, -0.052036047)]


def test_known_values(perlin):
    x, y, value = np.array(KNOWN, dtype=np.float32).T
    assert perlin(x, y).tolist() == value.tolist()


@given(st.lists(st.tuples(st.floats(-900, 900, width=32), st.floats(-900, 900, width=32)), min_size=1))
def test_equal_to_the_package_noise_to_the_bit(perlin, points):
    noise = pytest.importorskip("noise")
    x, y = np.array(points, dtype=np.float32).T
    expected = np.array([noise.pnoise2(float(a), float(b)) for a, b in zip(x, y, strict=True)], dtype=np.float32)
    assert np.array_equal(perlin(x, y), expected)


def test_lattice_points_are_zero_and_the_period_is_256(perlin):
    x, y = np.meshgrid(np.arange(-3, 5, dtype=np.float32), np.arange(7, dtype=np.float32))
    assert not perlin(x, y).any()
    assert np.array_equal(perlin(x + 0.25, y + 0.5), perlin(x + PERIOD + 0.25, y - PERIOD + 0.5))


@given(st.integers(1, 50), st.integers(1, 50), st.floats(1, 2000), st.integers(0, 10**9))
def test_a_field_is_bounded_and_the_same_again(rows, cols, wavelength_px, seed):
    field = smooth_field(rows, cols, wavelength_px, stream(seed, "x"))
    assert (field.shape, field.dtype) == ((rows, cols), np.float32)
    assert np.abs(field).max() <= 1
    assert np.array_equal(field, smooth_field(rows, cols, wavelength_px, stream(seed, "x")))


def test_a_field_is_the_noise_on_a_lattice_turned_and_moved(perlin):
    field, rng = smooth_field(30, 44, 20.0, stream(1, "x")), stream(1, "x")
    angle, (right, down) = rng.uniform(0, 2 * np.pi), rng.uniform(0, PERIOD, 2)
    rows, cols = np.mgrid[:30, :44]
    x = (cols * np.cos(angle) - rows * np.sin(angle)) / 20 + right
    y = (cols * np.sin(angle) + rows * np.cos(angle)) / 20 + down
    assert np.allclose(field, perlin(x.astype(np.float32), y.astype(np.float32)), atol=1e-3)


def test_its_mean_is_0_and_its_spread_a_quarter():
    # The partial models that ask for a standard deviation count on it.
    fields = np.array([smooth_field(40, 60, 9.0, stream(seed, "x")) for seed in range(300)])
    assert fields.mean() == pytest.approx(0, abs=0.01)
    assert fields.std() == pytest.approx(0.25, rel=0.05)
    assert 0.8 < np.abs(fields).max() <= 0.9


def test_amplitude_scales_and_zero_is_off():
    cells = np.repeat(np.arange(3, dtype=np.int32), 20).reshape(3, 20)
    fields = [texture(PerlinTexture(amplitude_grey=a), cells, PLAIN[:3], 30.0, stream(1, "x")) for a in (0, 10, 20)]
    assert not fields[0].any()
    assert np.allclose(2 * fields[1], fields[2])


def test_each_grain_has_a_lattice_of_its_own():
    one, two = np.zeros((40, 40), np.int32), np.ones((40, 40), np.int32)
    fields = [texture(PerlinTexture(amplitude_grey=50), cells, PLAIN[:2], 30.0, stream(1, "x")) for cells in (one, two)]
    assert abs(np.corrcoef(fields[0].ravel(), fields[1].ravel())[0, 1]) < 0.5


def test_a_grains_texture_is_the_noise_on_its_turned_and_moved_lattice(perlin):
    field = texture(
        PerlinTexture(amplitude_grey=8, wavelength=0.5), np.zeros((30, 44), np.int32), PLAIN[:1], 40.0, stream(1, "x")
    )
    rng = stream(1, "x")
    angle, (right, down) = rng.uniform(0, 2 * np.pi, 1)[0], rng.uniform(0, PERIOD, (1, 2))[0]
    rows, cols = np.mgrid[:30, :44]
    x = (cols * np.cos(angle) - rows * np.sin(angle)) / 20 + right
    y = (cols * np.sin(angle) + rows * np.cos(angle)) / 20 + down
    assert np.allclose(field, 8 * perlin(x.astype(np.float32), y.astype(np.float32)), atol=0.01)


def test_noise_lies_about_the_shade_of_its_cell():
    cells, shades = np.repeat(np.arange(3, dtype=np.int32), 20).reshape(3, 20), np.array([50, 90, 200], np.float32)
    flat, shaded = (
        texture(PerlinTexture(amplitude_grey=9), cells, each, 30.0, stream(1, "x")) for each in (PLAIN, shades)
    )
    assert np.array_equal(shaded, shades[cells] + flat)
    assert np.array_equal(texture(PerlinTexture(), cells, shades, 30.0, stream(1, "x")), shades[cells])


@given(st.integers(0, 10**9), st.floats(1, 300))
def test_values_here_and_there_are_those_of_the_field(seed, wavelength_px):
    field, there = smooth_field(40, 60, wavelength_px, stream(seed, "x")), stream(seed, "places").random((40, 60)) < 0.3
    there[5:9], there[-1, -1] = False, True
    assert np.array_equal(smooth_values(there, wavelength_px, stream(seed, "x")), field[there])
