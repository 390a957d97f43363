"""Grey profiles across the centre line of a crack: where the dark line is, how wide it is, how deep."""

from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d, map_coordinates

from micromime.fitting.cracks.lines import evened, normals
from micromime.scenario.arrays import Image, Points, Reals

FWHM_SIGMAS = float(2 * np.sqrt(2 * np.log(2)))
"""Full width at half maximum of a Gaussian, in standard deviations."""
HALF = 20
"""Places on either side of the middle at which a profile is read."""
LEAST_REACH_PX = 14.0
OFFSETS_PX = np.arange(-8, 9) / 2
"""Where the dark line may lie beside a hand-drawn one."""
STIFFNESS = 0.02
"""Share of light that half a pixel sideways per pixel along must gain, that the line follows it."""
HOMING = 0.001
"""Share of light per squared px by which places far from the drawn line count as lighter."""

Profiles = NDArray[np.float64]
"""(points, 2 HALF + 1): grey levels across a line, from one side to the other."""


class Shape(NamedTuple):
    """What profiles along a line of n points say."""

    width_px: float
    """Full width at half depth, the median along the line."""
    depth: Reals
    """(n,): the share of the light that is missing in the middle, 0 to 1 (below 0 where it is lighter)."""
    grey: float
    """Grey level beside the crack."""
    noise: float
    """Standard deviation of the grey beside the crack, as a share of it."""
    noise_px: float
    """Standard deviation of the Gaussian filter that makes white noise as smooth as that beside the crack, px."""


def dark_line(image: Image, line: Points) -> Points:
    """Return the line moved sideways, at most 4 px, to the dark line beside it; (m, 2) points 1 px apart.

    Of all ways that move half a pixel or less sideways per pixel along, it takes the one that is darkest on average,
    less a charge for moving (a minimal path). Grey levels are smoothed by 1 px across and 3 px along before.
    """
    across = normals(line)
    light = _read(image, line, across, np.arange(-14, 15) / 2)
    light = gaussian_filter1d(gaussian_filter1d(light, 2.0, axis=1), 3.0, axis=0)
    light = light[:, 6:-6] / max(float(np.median(light)), 1.0) + HOMING * OFFSETS_PX**2
    return evened(line + across * OFFSETS_PX[_cheapest(light)][:, None], sigma_px=2.0)


def shape(image: Image, line: Points, drawn_px: float) -> Shape:
    """Return width, depth and surroundings of the dark line, from profiles as far out as 1.5 times the drawn width.

    Each profile is a Gaussian on a sloping background, fitted by least squares over a grid of widths and places; for
    the width profiles are averaged along 6 px, for the depth along 2 px with the width fixed.
    """
    reach = max(1.5 * drawn_px, LEAST_REACH_PX)
    profiles = _read(image, line, normals(line), np.linspace(-reach, reach, 2 * HALF + 1))
    sigma = _sigma(gaussian_filter1d(profiles, 6.0, axis=0)[3::6])
    lost, ground = _amplitudes(gaussian_filter1d(profiles, 2.0, axis=0), sigma)
    grey, noise, noise_px = _surroundings(profiles)
    return Shape(FWHM_SIGMAS * sigma * reach, lost / np.maximum(ground, 1.0), grey, noise, noise_px)


def _read(image: Image, line: Points, across: Points, offsets: Reals) -> Profiles:
    """Return the grey levels beside each point; beyond the picture those of its border."""
    at = line[:, None, :] + offsets[None, :, None] * across[:, None, :]
    read: Profiles = map_coordinates(image.astype(np.float64), np.moveaxis(at, -1, 0), order=1, mode="nearest")
    return read


@njit(cache=True)
def _cheapest(cost: Any) -> Any:
    """Return the place at every point of the cheapest way through (points, places), moving 0 or 1 place a step."""
    points, places = cost.shape
    total, came = cost[0].copy(), np.zeros(cost.shape, dtype=np.int64)
    for k in range(1, points):
        before = total.copy()
        for place in range(places):
            best = place
            for other in (place - 1, place + 1):
                if 0 <= other < places and before[other] + STIFFNESS < before[best] + STIFFNESS * (best != place):
                    best = other
            came[k, place] = best
            total[place] = before[best] + STIFFNESS * (best != place) + cost[k, place]
    way = np.empty(points, dtype=np.int64)
    way[-1] = total.argmin()
    for k in range(points - 1, 0, -1):
        way[k - 1] = came[k, way[k]]
    return way


@lru_cache(maxsize=1)
def _designs() -> tuple[Reals, Any]:
    """Return the sigmas tried, in units of the reach, and (sigmas, places, 2 HALF + 1) their Gaussians.

    The Gaussians are orthogonal to a sloping background and of unit length: what they explain is a product with them.
    """
    x = np.linspace(-1, 1, 2 * HALF + 1)
    sigmas = np.geomspace(0.04, 0.6, 56)
    gauss = np.exp(-0.5 * ((x - np.linspace(-0.12, 0.12, 7)[:, None]) / sigmas[:, None, None]) ** 2)
    ground, _ = np.linalg.qr(np.stack([np.ones_like(x), x], axis=1))
    gauss = gauss - gauss @ ground @ ground.T
    return sigmas, gauss / np.linalg.norm(gauss, axis=2, keepdims=True)


def _sigma(profiles: Profiles) -> float:
    """Return the sigma of the dark line in units of the reach: the median of the profiles with a dark line in them."""
    sigmas, designs = _designs()
    explained = np.einsum("spx,nx->nsp", designs, -profiles).max(axis=2)
    best = explained.argmax(axis=1)
    deep = explained[np.arange(len(best)), best]
    inner = np.clip(best, 1, len(sigmas) - 2)
    left, middle, right = (np.maximum(explained[np.arange(len(best)), inner + k], 0) ** 2 for k in (-1, 0, 1))
    curve = left - 2 * middle + right
    shift = np.where(curve < 0, 0.5 * (left - right) / np.minimum(curve, -1e-12), 0)
    found = np.interp(inner + np.clip(shift, -1, 1), np.arange(len(sigmas)), sigmas)
    return float(np.median(found[deep >= 0.5 * np.median(deep)]))


def _amplitudes(profiles: Profiles, sigma: float) -> tuple[Reals, Reals]:
    """Return what is missing in the middle and what there is beside it, in grey levels, at every point."""
    x = np.linspace(-1, 1, 2 * HALF + 1)
    design = np.stack([np.ones_like(x), x, -np.exp(-0.5 * (x / sigma) ** 2)], axis=1)
    ground, _, lost = np.einsum("kx,nx->kn", np.linalg.pinv(design), profiles)
    return lost, ground


def _surroundings(profiles: Profiles) -> tuple[float, float, float]:
    """Return grey, noise and noise_px of the outer fifths of the profiles."""
    sides = profiles[:, np.r_[0 : HALF // 3, -(HALF // 3) : 0]]
    grey = max(float(np.median(sides)), 1.0)
    left = sides / grey - gaussian_filter1d(sides / grey, 20.0, axis=0)
    noise = float(left.std())
    alike = float((left[3:] * left[:-3]).mean()) / max(noise**2, 1e-12)
    # White noise after a Gaussian filter is alike at the distance d by exp(-d^2 / (4 sigma^2)).
    return grey, noise, 3 / (2 * np.sqrt(-np.log(np.clip(alike, 0.001, 0.97))))
