"""What is compiled for measuring cracks equals what scipy says, to the last bit."""

import numpy as np
import pytest
from scipy.ndimage import distance_transform_edt, gaussian_filter, gaussian_filter1d, map_coordinates
from scipy.sparse import csr_array
from skimage.graph import pixel_graph
from skimage.morphology import skeletonize

from micromime.fitting.cracks.lines import _neighbours, _to_the_rim
from micromime.fitting.cracks.measures import _read
from micromime.fitting.cracks.simulation import _light, _widened
from micromime.fitting.cracks.smoothing import smoothed


@pytest.fixture
def blob() -> np.ndarray:
    """A mask of pieces with holes, that touch the border."""
    return gaussian_filter(np.random.default_rng(0).standard_normal((90, 130)), 4) > 0.02


@pytest.mark.parametrize("shape", [(1, 5), (7, 1), (40, 29), (311, 12), (60, 173)])
@pytest.mark.parametrize("sigma_px", [0.12, 0.5, 0.73, 2.0, 20.0])
def test_smoothing_is_that_of_scipy(shape, sigma_px):
    values = 100 * np.random.default_rng(1).standard_normal(shape)
    for axis in (0, 1):
        assert np.array_equal(smoothed(values, sigma_px, axis), gaussian_filter1d(values, sigma_px, axis))
    both = smoothed(smoothed(values, sigma_px, 0), sigma_px, 1)
    assert np.array_equal(both, gaussian_filter(values, sigma_px))
    assert np.array_equal(smoothed(values.T, sigma_px, 0), gaussian_filter1d(values.T, sigma_px, 0))


def test_reading_between_pixels_is_that_of_scipy():
    rng = np.random.default_rng(2)
    image = rng.integers(256, size=(60, 83)).astype(np.uint8)
    line, across = rng.uniform(-9, 95, (200, 2)), rng.standard_normal((200, 2))
    line[:50], across[:50] = rng.integers(-2, 90, (50, 2)), [1, 0]  # also on pixels and on the border
    line[50:100], across[50:100] = rng.uniform(0, 40, (50, 2)) * [1, 0.01], [1, 0]  # and between it and the next
    offsets = np.arange(-14, 15) / 2
    at = line[:, None, :] + offsets[None, :, None] * across[:, None, :]
    expected = map_coordinates(image.astype(float), np.moveaxis(at, -1, 0), order=1, mode="nearest")
    assert np.array_equal(_read(image, line, across, offsets), expected)


@pytest.mark.parametrize("by_px", [1.0, np.sqrt(2), 2.0, 3.3, np.sqrt(13), 11.7])
def test_a_widened_mask_is_that_of_the_distance_transform(blob, by_px):
    assert np.array_equal(_widened(blob, by_px), distance_transform_edt(~blob) <= by_px)
    assert not _widened(np.zeros_like(blob), by_px).any()


def test_the_distance_to_the_rim_is_that_of_the_distance_transform(blob):
    piece = np.pad(blob, 1)
    piece[5:60, 20:70] = True  # wide, too
    pixels = np.argwhere(piece)
    assert np.array_equal(_to_the_rim(piece, pixels), distance_transform_edt(piece)[tuple(pixels.T)])


def test_neighbours_are_those_of_skimage(blob):
    skeleton = skeletonize(blob)
    pixels = np.argwhere(skeleton)
    graph, places = pixel_graph(skeleton, connectivity=2)
    ours = csr_array(_neighbours(skeleton, pixels), shape=graph.shape)
    assert np.array_equal(np.ravel_multi_index(tuple(pixels.T), blob.shape), places)
    for part in ("data", "indices", "indptr"):
        assert np.array_equal(getattr(ours, part), getattr(graph, part))


def test_light_is_that_of_the_formula():
    rng = np.random.default_rng(3)
    lost, noise = rng.random((40, 50), dtype=np.float32), 3 * rng.standard_normal((40, 50))
    grey, share, sd = 180.3, 0.31, float(noise.std())
    expected = np.clip(np.rint(grey * (1 - lost + share * noise / sd)), 0, 255).astype(np.uint8)
    assert np.array_equal(_light(lost, noise, grey, share, sd), expected)
    assert {0, 255} <= set(expected.ravel().tolist())
