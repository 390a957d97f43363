"""What costs nothing: masks by simple rules, printed beside every network's.

A network that does not beat them has learnt nothing. Their settings follow convention or were chosen by looking at
pictures of like materials that are no part of any test set and have no masks; they were never tuned on test pictures.
"""

from collections.abc import Callable, Sequence

import numpy as np
from scipy.ndimage import gaussian_filter, uniform_filter
from skimage.filters import threshold_otsu

from micromime.scenario.arrays import Image, Mask


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
    return image <= threshold


def local_threshold(image: Image) -> Mask:
    """Return as boundary what is clearly darker than its surroundings (after Niblack 1986).

    Dark is more than half a standard deviation, and more than one grey level, below the mean, both over the square of
    51 px about the pixel (mirrored at the image's edge). The pixel itself is smoothed first (Gaussian, sigma 1 px).
    Niblack's own factor is 0.2; with it, noise and polishing marks within grains came out as boundaries on the
    pictures looked at, with a factor of 1 faint boundaries broke up.
    """
    grey = image.astype(np.float64)
    mean, mean_square = (uniform_filter(values, size=51, mode="reflect") for values in (grey, grey**2))
    variance = np.maximum(mean_square - mean**2, 0)  # rounding may leave it just below 0
    contrast = np.maximum(0.5 * np.sqrt(variance), 1.0)
    return gaussian_filter(grey, sigma=1.0) < mean - contrast


def line_response(image: Image) -> float:
    """Return how much darker the darkest line along the rows is than what lies above and below it.

    A share of the image's mean grey, 0 for an even image. The line is averaged over about 20 px along the rows and
    3 px across, its surroundings over 12 px across (Gaussians); cracks in the parts that were looked at run so.
    """
    grey = image.astype(np.float64)
    line, around = (gaussian_filter(grey, sigma=(across, 10.0)) for across in (1.5, 6.0))
    return float((around - line).max() / max(grey.mean(), 1.0))


def fitted_threshold(responses: Sequence[float], positive: Sequence[bool]) -> float:
    """Return the threshold above which as many as possible are rightly called positive: the middle of the best gap.

    Of several best gaps the widest. Raises ValueError without values of both classes.
    """
    values, truth = np.asarray(responses, dtype=np.float64), np.asarray(positive, dtype=bool)
    if truth.all() or not truth.any():
        raise ValueError("a threshold between two classes needs values of both")
    order = np.argsort(values, kind="stable")
    values, truth = values[order], truth[order]
    wrong_below, wrong_above = np.cumsum(truth), (~truth).sum() - np.cumsum(~truth)
    gaps = np.diff(values, append=values[-1])
    wrong = np.where(gaps > 0, wrong_below + wrong_above, len(values) + 1)
    best = np.flatnonzero(wrong == wrong.min())
    chosen = best[np.argmax(gaps[best])]
    return float(values[chosen] + gaps[chosen] / 2)


BASELINES: dict[str, Callable[[Image], Mask]] = {
    "nothing_found": nothing_found,
    "otsu": otsu,
    "local_threshold": local_threshold,
}
"""The trivial baselines of a segmentation, by the name they have in every table and file."""
