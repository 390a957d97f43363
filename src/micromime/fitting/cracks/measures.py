"""What a crack in a photograph looks like in numbers: segments, bends, width and depth along its centre line."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from micromime.fitting.cracks.lines import centre_lines, length_px, simplified
from micromime.fitting.cracks.profiles import dark_line, shape
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


class Polyline(NamedTuple):
    """The straight segments that stand for a centre line, from left to right."""

    lengths_px: Reals
    """(segments,): their lengths."""
    bends_deg: Reals
    """(segments - 1,): turns from one segment to the next, above 0 clockwise on the screen."""
    returns: Mask
    """(segments - 1,): whether a bend turns back towards the chord, the line from end to end."""


@dataclass(frozen=True)
class MeasuredCrack:
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
    corners = simplified(line, tolerance_px)
    steps = np.diff(corners, axis=0)
    chord = corners[-1] - corners[0]
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
    drawn_px = _drawn_px(mask[box], line - corner)
    found = dark_line(image[box], line - corner)
    seen = shape(image[box], found, drawn_px)
    inside = _inside(line[[0, -1]], image.shape)
    body = seen.depth[_body(len(found), inside)]
    alike = _autocorrelation(body)
    down, right = found[-1] - found[0]
    return MeasuredCrack(
        line=polyline(found),
        further={each: polyline(found, each) for each in FURTHER_TOLERANCES_PX},
        direction_deg=float(np.rad2deg(np.arctan2(down, right))),
        width_px=seen.width_px,
        depth=float(np.clip(body.mean(), 0.001, 0.999)),
        depth_spread=float(min(body.std() / max(body.mean(), 0.001), LARGEST_SPREAD)),
        depth_correlation_px=_correlation_px(alike),
        depth_likeness=float(alike[min(LIKENESS_PX, len(alike) - 1)]),
        taper_px=_taper_px(seen.depth / max(body.mean(), 0.001), inside),
        ends=sum(inside),
        drawn_px=drawn_px,
        grey=seen.grey,
        noise=seen.noise,
        noise_px=seen.noise_px,
    )


def _drawn_px(mask: Mask, line: Points) -> float:
    """Return the mean width of a mask along the line in it: area / length."""
    return float(np.count_nonzero(mask)) / max(length_px(line), 1.0)


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
