"""What costs nothing: masks by simple rules, printed beside every network's.

A network that does not beat them has learnt nothing. Their settings follow convention or were chosen by looking at
pictures of like materials that are no part of any test set and have no masks; they were never tuned on test pictures.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter, uniform_filter
from skimage.filters import threshold_otsu

from micromime.arrays import Image, Mask


def nothing_found(image: Image) -> Mask:
    """Return a mask of the image's shape without any boundary."""
    return np.zeros(image.shape, dtype=np.bool_)


def otsu(image: Image) -> Mask:
    """Return the darker of the two classes of grey as boundary (Otsu 1979, doi 10.1109/TSMC.1979.4310076); no settings.

    An image of one grey has no boundary.
    """
    threshold = threshold_otsu(image)
    if threshold >= image.max():
        return nothing_found(image)
    dark: Mask = image <= threshold
    return dark


def local_threshold(image: Image) -> Mask:
    """Return as boundary what is clearly darker than its surroundings (after Niblack 1986).

    Dark is more than half a standard deviation, and more than one grey level, below the mean, both over the square of
    51 px about the pixel (mirrored at the image's edge). The pixel itself is smoothed first (Gaussian, sigma 1 px).
    Niblack's own factor is 0.2; with it, noise and polishing marks within grains came out as boundaries on the
    pictures looked at, with a factor of 1 faint boundaries broke up.
    """
    grey = image.astype(np.float64)
    mean = _window_mean(grey)
    variance = np.maximum(_window_mean(grey**2) - mean**2, 0)  # rounding may leave it just below 0
    contrast = np.maximum(0.5 * np.sqrt(variance), 1.0)
    dark: Mask = gaussian_filter(grey, sigma=1.0) < mean - contrast
    return dark


BASELINES: dict[str, Callable[[Image], Mask]] = {
    "nothing_found": nothing_found,
    "otsu": otsu,
    "local_threshold": local_threshold,
}
"""The trivial baselines, by the name they have in every table and file."""


def _window_mean(values: NDArray[np.float64]) -> NDArray[np.float64]:
    mean: NDArray[np.float64] = uniform_filter(values, size=51, mode="reflect")
    return mean
