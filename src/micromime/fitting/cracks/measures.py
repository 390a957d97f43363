"""What a crack in a photograph looks like in numbers: segments, bends, width and depth along its centre line.

Where the dark line is, how wide and how deep, is read from grey profiles across the centre line.
"""

from collections.abc import Mapping
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d

from micromime.fitting.cracks.lines import centre_lines, corners, evened, length_px, normals
from micromime.partial_models.cracks.crack import FWHM_SIGMAS
from micromime.scenario.arrays import Image, Mask, Points, Reals

TOLERANCE_PX = 1.0
"""Largest distance of the centre line from the straight segments that stand for it."""
FURTHER_TOLERANCES_PX = (0.5, 1.5, 2.0)
"""A crack's segments are looked at with these, too: how their number changes tells how long and how bent they are."""
BORDER_PX = 6.0
"""An end nearer to the picture's border than this is cut off by it."""
FADING_PX = 30.0
"""Length at an end inside the picture, where a crack fades, that does not count for its width and depth."""
MARGIN_PX = 40
"""How far around a crack the picture is looked at."""
LIKENESS_PX = 15
"""Distance along a crack at which the depth is compared with itself."""
LONGEST_TAPER_PX = 150.0
LARGEST_SPREAD = 1.5
"""More than this is said of no depth's spread: its mean is as good as nothing then."""

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


class Polyline(NamedTuple):
    """The straight segments that stand for a centre line, from left to right."""

    lengths_px: Reals
    """(segments,): their lengths."""
    bends_deg: Reals
    """(segments - 1,): turns from one segment to the next, above 0 clockwise on the screen."""
    returns: Mask
    """(segments - 1,): whether a bend turns back towards the chord, the line from end to end."""


class MeasuredCrack(NamedTuple):
    """One crack as it was measured, with no correction for what measuring does to it."""

    line: Polyline
    """Its segments at `TOLERANCE_PX`."""
    further: Mapping[float, Polyline]
    """By tolerance in px: its segments at the `FURTHER_TOLERANCES_PX`."""
    direction_deg: float
    """Of the chord: 0 to the right, 90 down, from -90 to 90."""
    width_px: float
    """Full width at half depth."""
    depth: float
    """Mean share of the light that is missing in the middle, away from ends inside the picture."""
    depth_spread: float
    """Standard deviation of that along the crack, relative to its mean."""
    depth_correlation_px: float
    """Distance along the crack at which the depth's autocorrelation has fallen to 1/e."""
    depth_likeness: float
    """Autocorrelation of the depth at `LIKENESS_PX`, -1 to 1: less a matter of chance than the distance before."""
    taper_px: float
    """Length over which the depth fades at ends inside the picture, their mean; NaN if there are none."""
    ends: int
    """How many of its two ends lie inside the picture, 0 to 2."""
    drawn_px: float
    """Width of the mask: area / length."""
    grey: float
    """Grey level of what lies beside the crack, 0 to 255."""
    noise: float
    """Standard deviation of that, as a share of it."""
    noise_px: float
    """Standard deviation of a Gaussian filter that makes white noise as smooth, px."""


def measure_cracks(image: Image, mask: Mask) -> list[MeasuredCrack]:
    """Return the cracks of a picture (rows, cols), one for each connected crack of its mask, in no special order.

    The mask says where a crack runs, roughly: the centre line is moved to the dark line beside it, and width and depth
    are read from the grey levels. Cracks below 20 px are left out (see `lines.centre_lines`); a mask without
    cracks gives an empty list. Raises ValueError for a mask that is not boolean or of another size.
    """
    if mask.dtype != np.bool_ or mask.shape != image.shape:
        raise ValueError(f"a mask must be boolean and {image.shape}, not {mask.dtype} and {mask.shape}")
    return [_measured(image, mask, line) for line in centre_lines(mask)]


def polyline(line: Points, tolerance_px: float = TOLERANCE_PX) -> Polyline:
    """Return the straight segments that stand for a line, nowhere farther from it than the tolerance."""
    ends = line[corners(line, tolerance_px)]
    steps = np.diff(ends, axis=0)
    chord = ends[-1] - ends[0]
    away = _turned(np.rad2deg(np.arctan2(*steps.T)) - np.rad2deg(np.arctan2(*chord)))
    bends = _turned(np.diff(away))
    returns: Mask = bends * np.where(away[:-1] >= 0, 1, -1) < 0
    return Polyline(np.hypot(*steps.T), bends, returns)


def _turned(angle_deg: Reals) -> Reals:
    """Return angles as turns from -180 to 180 degrees."""
    return (angle_deg + 180) % 360 - 180


def _measured(image: Image, mask: Mask, line: Points) -> MeasuredCrack:
    corner = np.maximum(line.min(axis=0).astype(int) - MARGIN_PX, 0)
    far = line.max(axis=0).astype(int) + MARGIN_PX
    box = np.s_[corner[0] : far[0], corner[1] : far[1]]
    drawn_px = float(np.count_nonzero(mask[box])) / max(length_px(line - corner), 1.0)
    found = dark_line(image[box], line - corner)
    width_px, depth, (grey, noise, noise_px) = shape(image[box], found, drawn_px)
    inside = _inside(line[[0, -1]], image.shape)
    body = depth[_body(len(found), inside)]
    alike = _autocorrelation(body)
    down, right = found[-1] - found[0]
    return MeasuredCrack(
        line=polyline(found),
        further={each: polyline(found, each) for each in FURTHER_TOLERANCES_PX},
        direction_deg=float(np.rad2deg(np.arctan2(down, right))),
        width_px=width_px,
        depth=float(np.clip(body.mean(), 0.001, 0.999)),
        depth_spread=float(min(body.std() / max(body.mean(), 0.001), LARGEST_SPREAD)),
        depth_correlation_px=_correlation_px(alike),
        depth_likeness=float(alike[min(LIKENESS_PX, len(alike) - 1)]),
        taper_px=_taper_px(depth / max(body.mean(), 0.001), inside),
        ends=sum(inside),
        drawn_px=drawn_px,
        grey=grey,
        noise=noise,
        noise_px=noise_px,
    )


def _inside(ends: Points, size: tuple[int, ...]) -> tuple[bool, bool]:
    room = np.minimum(ends, np.array(size) - 1 - ends).min(axis=1)
    return bool(room[0] >= BORDER_PX), bool(room[1] >= BORDER_PX)


def _body(count: int, inside: tuple[bool, bool]) -> slice:
    """Return the points of a line that are not near one of its ends inside the picture."""
    fading = round(min(FADING_PX, count / 4))
    return slice(fading if inside[0] else 0, count - fading if inside[1] else count)


def _autocorrelation(depth: Reals) -> Reals:
    """Return the correlation of the depth with itself at distances of 0, 1, 2 ... px along the crack."""
    left = depth - depth.mean()
    products = np.correlate(left, left, mode="full")[len(left) - 1 :]
    return products / max(float(products[0]), 1e-12)


def _correlation_px(alike: Reals) -> float:
    """Return the distance at which an autocorrelation falls to 1/e."""
    below = int(np.argmax(alike < 1 / np.e))
    if below == 0:
        return float(len(alike))
    return float(below - (1 / np.e - alike[below]) / max(alike[below - 1] - alike[below], 1e-12))


def _taper_px(depth: Reals, inside: tuple[bool, bool]) -> float:
    """Return the t for which (distance / t)^0.5, at most 1, is nearest to the relative depth at the ends inside."""
    tapers = np.arange(0.5, max(min(LONGEST_TAPER_PX, len(depth) / 2), 2), 1.5)
    away = np.arange(len(depth))[: max(int(tapers[-1]), 2)]
    fade = np.minimum(1, away / tapers[:, None]) ** 0.5
    ends = [each[: len(away)] for each, free in zip((depth, depth[::-1]), inside, strict=True) if free]
    found = [tapers[int(((fade - each) ** 2).sum(axis=1).argmin())] for each in ends]
    return float(np.mean(found)) if found else float("nan")


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


def shape(image: Image, line: Points, drawn_px: float) -> tuple[float, Reals, tuple[float, float, float]]:
    """Return width, depth and surroundings of the dark line, from profiles as far out as 1.5 times the drawn width.

    The width is the full one at half depth, px, the median along the line; the depth, (n,), the share of the light that
    is missing in the middle, 0 to 1 (below 0 where it is lighter); of the surroundings there are grey, noise and
    noise_px, as `MeasuredCrack` has them.

    Each profile is a Gaussian on a sloping background, fitted by least squares over a grid of widths and places; for
    the width profiles are averaged along 6 px, for the depth along 2 px with the width fixed.
    """
    reach = max(1.5 * drawn_px, LEAST_REACH_PX)
    profiles = _read(image, line, normals(line), np.linspace(-reach, reach, 2 * HALF + 1))
    sigma = _sigma(gaussian_filter1d(profiles, 6.0, axis=0)[3::6])
    lost, ground = _amplitudes(gaussian_filter1d(profiles, 2.0, axis=0), sigma)
    return FWHM_SIGMAS * sigma * reach, lost / np.maximum(ground, 1.0), _surroundings(profiles)


@njit(cache=True)
def _read(image: Any, line: Any, across: Any, offsets: Any) -> Any:
    """Return the grey levels beside each point, between pixels linearly; beyond the picture those of its border.

    To the last bit what scipy's `map_coordinates` finds, for which the picture had to be turned into float64.
    """
    last_row, last_col = image.shape[0] - 1, image.shape[1] - 1
    found = np.empty((len(line), len(offsets)))
    for point in range(len(line)):
        for place in range(len(offsets)):
            row = line[point, 0] + offsets[place] * across[point, 0]
            col = line[point, 1] + offsets[place] * across[point, 1]
            r, c = int(np.floor(row)), int(np.floor(col))
            up, left = 1.0 - (row - r), 1.0 - (col - c)
            down, right = 1.0 - up, 1.0 - left  # as scipy has it: in the first half pixel not quite what came before
            above, below = image[min(max(r, 0), last_row)], image[min(max(r + 1, 0), last_row)]
            c0, c1 = min(max(c, 0), last_col), min(max(c + 1, 0), last_col)
            grey = above[c0] * up * left + above[c1] * up * right
            found[point, place] = grey + below[c0] * down * left + below[c1] * down * right
    return found


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
