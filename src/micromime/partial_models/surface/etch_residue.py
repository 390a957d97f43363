"""Dark, rough residue that an etchant leaves along boundaries, ragged towards the grains."""

from typing import Any

import numpy as np
from numba import njit
from pydantic import Field

from micromime.partial_models.surface.perlin_texture import smooth_field, smooth_values
from micromime.scenario.arrays import Grey, Mask
from micromime.scenario.partial_model import PartialModel


class EtchResidue(PartialModel):
    """A band about the boundaries that is neither line nor grain."""

    width: float = Field(0.0, ge=0, le=0.6, description="Median width of the band / grain diameter; 0 is none.")
    unevenness: float = Field(0.5, ge=0, le=1.5, description="Sigma of the log-normal width, from place to place.")
    raggedness_px: float = Field(3.0, ge=0, le=20, description="How far the band's sides run in and out, px.")
    grey: float = Field(40.0, ge=0, le=255, description="Mean grey of the residue.")
    roughness_grey: float = Field(20.0, ge=0, le=100, description="Sd of the grey within the residue.")
    speck_px: float = Field(3.0, ge=1, le=16, description="Size of what is rough in it, px.")


def lay_residue(model: EtchResidue, grey: Grey, lines: Mask, diameter_px: float, rng: np.random.Generator) -> Grey:
    """Cover a (rows, cols) picture in place: within half of the local width of a line, the sides moved by noise.

    Returns the share of the picture's light that is hidden, 0 to 1. The width changes over about a grain diameter, the
    sides over some pixels.
    """
    (rows, cols), distance = lines.shape, distance_to(lines)
    # Perlin's noise has a standard deviation of about a quarter.
    cover = np.exp(4 * model.unevenness * smooth_field(rows, cols, 0.8 * diameter_px, rng))
    cover *= model.width * diameter_px / 2
    ragged = 3 * smooth_field(rows, cols, 4 * max(model.raggedness_px, 1), rng)
    ragged += 0.8 * smooth_field(rows, cols, 4.0, rng)
    ragged *= model.raggedness_px
    cover += ragged
    cover -= distance
    cover += 0.5
    np.clip(cover, 0, 1, out=cover)
    _hide(grey, cover, _greys(model, cover > 0, rng))
    return cover


def _greys(model: EtchResidue, there: Mask, rng: np.random.Generator) -> Grey:
    """Return the grey of the residue where there is some, (n,) row by row."""
    fine, coarse = (smooth_values(there, size_px, rng) for size_px in (model.speck_px, 3 * model.speck_px))
    rough = 3 * fine + 3 * coarse
    # Most of it is dark, and some of it glints: a skewed law with mean 0 and the standard deviation asked for.
    grey: Grey = model.grey + 0.9 * model.roughness_grey * (np.exp(0.8 * np.clip(rough, -3, 2)) - 1.3)
    return grey


@njit(cache=True)
def _hide(grey: Any, cover: Any, greys: Any) -> None:
    """Lay the greys, row by row, over what they cover."""
    n = 0
    for row in range(grey.shape[0]):
        for col in range(grey.shape[1]):
            if cover[row, col] > 0:
                grey[row, col] += (greys[n] - grey[row, col]) * cover[row, col]
                n += 1


def distance_to(lines: Mask) -> Grey:
    """Return how far each pixel is from the nearest one of the lines, (rows, cols) px; infinite where there are none.

    By the lower envelope of parabolas (Felzenszwalb and Huttenlocher 2012, doi:10.4086/toc.2012.v008a019), in whole
    numbers but for the root.
    """
    out = np.full(lines.shape, np.inf, dtype=np.float32)
    if lines.any():
        _envelopes(out, _rows_away(lines))
    return out


@njit(cache=True)
def _rows_away(lines: Any) -> Any:
    """Return how many rows each pixel is from a line in its own column; a number beyond all others if there is none."""
    rows, cols = lines.shape
    away = np.full((rows + 2, cols), rows + cols, np.int32)
    for row in range(rows):
        for col in range(cols):
            away[row + 1, col] = 0 if lines[row, col] else away[row, col] + 1
    for row in range(rows, 0, -1):
        for col in range(cols):
            away[row, col] = min(away[row, col], away[row + 1, col] + 1)
    return away[1:-1]


@njit(cache=True)
def _envelopes(out: Any, away: Any) -> None:
    """Put the distances into `out`: in each row the least of (col - k)^2 + away[k]^2 over all columns k."""
    rows, cols = out.shape
    lowest, until = np.empty(cols, np.int64), np.empty(cols, np.float64)
    for row in range(rows):
        last = -1
        for k in range(cols):
            own, start = np.int64(away[row, k]) ** 2 + k * k, -np.inf
            while last >= 0:
                before = lowest[last]
                start = (own - np.int64(away[row, before]) ** 2 - before * before) / (2 * (k - before))
                if last == 0 or start > until[last - 1]:
                    break
                last -= 1
            if last >= 0:
                until[last] = start
            last += 1
            lowest[last] = k
        until[last] = np.inf
        n = 0
        for col in range(cols):
            while until[n] < col:
                n += 1
            k = lowest[n]
            out[row, col] = np.sqrt((col - k) ** 2 + np.int64(away[row, k]) ** 2)
