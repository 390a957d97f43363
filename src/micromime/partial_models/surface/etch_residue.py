"""Dark, rough residue that an etchant leaves along boundaries, ragged towards the grains."""

from typing import NamedTuple

import numpy as np
import scipy
from pydantic import Field

from micromime.partial_models.surface.perlin_texture import smooth_field
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


class Residue(NamedTuple):
    """What lies on the grains."""

    cover: Grey
    """Share of the grains' light that it hides, 0 to 1."""
    grey: Grey


def residue(model: EtchResidue, lines: Mask, diameter_px: float, rng: np.random.Generator) -> Residue:
    """Return the residue about lines, (rows, cols): within half of the local width of one, the sides moved by noise.

    The width changes over about a grain diameter, the sides over some pixels.
    """
    rows, cols = lines.shape
    far = scipy.ndimage.distance_transform_edt
    distance = far(~lines).astype(np.float32) if lines.any() else np.full(lines.shape, np.inf)
    # Perlin's noise has a standard deviation of about a quarter.
    slow = 4 * smooth_field(rows, cols, 0.8 * diameter_px, rng)
    ragged = 3 * smooth_field(rows, cols, 4 * max(model.raggedness_px, 1), rng)
    ragged += 0.8 * smooth_field(rows, cols, 4.0, rng)
    half = model.width * diameter_px / 2 * np.exp(model.unevenness * slow) + model.raggedness_px * ragged
    cover = np.clip(half - distance + 0.5, 0, 1)
    rough = 3 * smooth_field(rows, cols, model.speck_px, rng) + 3 * smooth_field(rows, cols, 3 * model.speck_px, rng)
    # Most of it is dark, and some of it glints: a skewed law with mean 0 and the standard deviation asked for.
    grey = model.grey + 0.9 * model.roughness_grey * (np.exp(0.8 * np.clip(rough, -3, 2)) - 1.3)
    return Residue(cover.astype(np.float32), grey.astype(np.float32))
