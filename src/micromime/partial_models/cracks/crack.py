"""A crack in a surface: a line of straight segments and bends, dark in the middle, fading at its ends."""

from typing import Any, NamedTuple

import numpy as np
from numba import njit
from pydantic import Field

from micromime.scenario.arrays import Grey, Mask, Points, Reals
from micromime.scenario.partial_model import PartialModel

STEP_PX = 3.0
"""Distance of the points between which a crack is straight and its depth changes evenly."""

LARGEST_BEND_DEG = 150.0
WANDER = 2.0
"""Median bends away from the main direction beyond which a crack turns back: real ones do not turn round."""

LARGEST_DEPTH = 0.95
SIGMAS = 3.0
"""Standard deviations of the cross profile beyond which nothing of it is drawn."""

FWHM_SIGMAS = float(2 * np.sqrt(2 * np.log(2)))
"""Full width at half maximum of a Gaussian, in standard deviations."""


class Crack(PartialModel):
    """What was measured on real cracks: segments, bends, width and intensity (Trampert et al. 2021, section 3.1.1)."""

    segments: int = Field(ge=1, le=400, description="Number of straight segments of the whole crack.")
    segment_px: float = Field(gt=0, le=400, description="Median length of a segment, px.")
    segment_spread: float = Field(ge=0, le=2, description="Standard deviation of the logarithm of the lengths.")
    bend_deg: float = Field(ge=0, le=90, description="Median angle between one segment and the next, degrees.")
    bend_spread: float = Field(ge=0, le=2, description="Standard deviation of the logarithm of the angles.")
    return_share: float = Field(ge=0, le=1, description="Share of the bends that turn back to the main direction.")
    direction_deg: float = Field(
        ge=-180, le=180, description="From end to end, one way or the other: 0 along the rows, 90 down, degrees."
    )
    width_px: float = Field(gt=0, le=60, description="Full width at half of the depth, px.")
    depth: float = Field(ge=0, le=LARGEST_DEPTH, description="Share of the light that is missing in the middle.")
    depth_spread: float = Field(ge=0, le=1, description="Standard deviation of the depth along the crack, relative.")
    depth_correlation_px: float = Field(gt=0, le=1000, description="Distance over which the depth stays alike, px.")
    taper_px: float = Field(ge=0, le=400, description="Length over which width and depth fade towards a tip, px.")
    tips: int = Field(2, ge=1, le=2, description="Ends that fade: 1 where cracks begin at the edge of a specimen.")


class Course(NamedTuple):
    """Where a crack runs and how it looks there: n points, `STEP_PX` or less apart."""

    points: Points
    width_px: Reals
    depth: Reals


def course(model: Crack, rng: np.random.Generator) -> Course:
    """Return a whole crack that begins at (0, 0); with one tip, that is at its end.

    Lengths and angles are log-normal. A bend turns back towards the main direction with the chance `return_share`,
    else away from it, unless the crack runs more than `WANDER` bends away from it already. The depth is a first-order
    autoregressive process along the crack, about its mean.
    """
    corners = _corners(model, rng)
    lengths = np.hypot(*np.diff(corners, axis=0).T)
    ends = np.concatenate([[0.0], np.cumsum(lengths)])
    along = np.linspace(0, ends[-1], max(2, int(np.ceil(ends[-1] / STEP_PX)) + 1))
    points = np.stack([np.interp(along, ends, corners[:, axis]) for axis in (0, 1)], axis=1)
    from_tip = ends[-1] - along if model.tips == 1 else np.minimum(along, ends[-1] - along)
    fade = np.ones(len(along)) if model.taper_px == 0 else np.minimum(1, from_tip / model.taper_px) ** 0.5
    kept = np.exp(-(along[1] - along[0]) / model.depth_correlation_px)
    wave = _autoregressive(kept, rng.standard_normal(len(along)))
    depth = np.clip(model.depth * (1 + model.depth_spread * wave), 0, LARGEST_DEPTH)
    return Course(points, model.width_px * fade, depth * fade)


def through(crack: Course, rows: int, cols: int, rng: np.random.Generator) -> Course:
    """Return the crack moved so that a random point of it lies at a random place of a frame, not at its rim.

    Frames cut from a photograph of a larger crack show it so: what lies outside is cut off.
    """
    share, down, across = rng.random(3)
    point = crack.points[int(share * len(crack.points))]
    place = np.array([rows, cols]) * (0.15 + 0.7 * np.array([down, across]))
    return crack._replace(points=crack.points - point + place)


def lost_light(crack: Course, rows: int, cols: int) -> tuple[Grey, Mask]:
    """Return the share of the light that is missing, (rows, cols) from 0 to 0.95, and the crack's exact mask.

    Across the crack it is Gaussian, as on real parts; the mask is true where it is at least half of what it is in the
    middle. Where parts of a crack overlap, the deeper counts.
    """
    return _raster(crack.points, crack.width_px, crack.depth, rows, cols)


def _corners(model: Crack, rng: np.random.Generator) -> Points:
    """Return (segments + 1, 2): the ends of the segments, from (0, 0)."""
    n = model.segments
    lengths = model.segment_px * np.exp(model.segment_spread * rng.standard_normal(n))
    bends = np.minimum(model.bend_deg * np.exp(model.bend_spread * rng.standard_normal(n)), LARGEST_BEND_DEG)
    back = rng.random(n) < model.return_share
    away = np.empty(n)
    away[0] = bends[0] / 2 * (1 if rng.random() < 0.5 else -1)
    for k in range(1, n):
        side = 1.0 if away[k - 1] >= 0 else -1.0
        returns = back[k] or abs(away[k - 1]) > WANDER * model.bend_deg
        away[k] = away[k - 1] + bends[k] * (-side if returns else side)
    angle = np.deg2rad(away)
    steps = lengths * np.exp(1j * angle)  # real: along the direction; imaginary: to its right
    places = np.concatenate([[0], np.cumsum(steps)])
    ahead = np.deg2rad(model.direction_deg + (180 if rng.random() < 0.5 else 0))
    turned = places * np.exp(1j * (ahead - np.angle(places[-1])))
    return np.stack([turned.imag, turned.real], axis=1)


def _autoregressive(kept: float, normal: Reals) -> Reals:
    """Return a process of mean 0 and variance 1 in which each value keeps the share `kept` of the one before."""
    values = normal.copy()
    for k in range(1, len(values)):
        values[k] = kept * values[k - 1] + np.sqrt(1 - kept**2) * normal[k]
    return values


@njit(cache=True)
def _raster(points: Any, width_px: Any, depth: Any, rows: int, cols: int) -> Any:
    """Draw every piece into its box: the loss of a pixel is that of the nearest place of the piece."""
    lost = np.zeros((rows, cols), dtype=np.float32)
    mask = np.zeros((rows, cols), dtype=np.bool_)
    for k in range(len(points) - 1):
        (r0, c0), (r1, c1) = points[k], points[k + 1]
        reach = SIGMAS * max(width_px[k], width_px[k + 1]) / FWHM_SIGMAS
        top, bottom = max(0, int(min(r0, r1) - reach)), min(rows, int(max(r0, r1) + reach) + 2)
        left, right = max(0, int(min(c0, c1) - reach)), min(cols, int(max(c0, c1) + reach) + 2)
        dr, dc = r1 - r0, c1 - c0
        squared = max(dr * dr + dc * dc, 1e-12)
        for row in range(top, bottom):
            for col in range(left, right):
                t = min(1.0, max(0.0, ((row - r0) * dr + (col - c0) * dc) / squared))
                width = width_px[k] + t * (width_px[k + 1] - width_px[k])
                away = (row - r0 - t * dr) ** 2 + (col - c0 - t * dc) ** 2
                if width <= 0 or away > (SIGMAS * width / FWHM_SIGMAS) ** 2:
                    continue
                here = (depth[k] + t * (depth[k + 1] - depth[k])) * np.exp(-away / 2 * (FWHM_SIGMAS / width) ** 2)
                lost[row, col] = max(lost[row, col], np.float32(here))
                if away <= (width / 2) ** 2:
                    mask[row, col] = True
    return lost, mask
