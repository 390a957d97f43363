"""Stains: slow changes of grey that no grain and no lamp explains, as drying leaves them."""

import numpy as np
from pydantic import Field

from micromime.partial_models.surface.perlin_texture import smooth_field
from micromime.scenario.arrays import Grey
from micromime.scenario.partial_model import PartialModel


class Stains(PartialModel):
    """Clouds over the whole picture."""

    sd_grey: float = Field(0.0, ge=0, le=60, description="Standard deviation, grey levels.")
    wavelength_px: float = Field(180.0, ge=20, le=1000, description="Size of the largest clouds, px.")


def stains(model: Stains, rows: int, cols: int, rng: np.random.Generator) -> Grey:
    """Return the grey that stains add, (rows, cols): three octaves of Perlin's noise, each half of the one before."""
    clouds = np.zeros((rows, cols), dtype=np.float32)
    for octave in range(3):
        clouds += smooth_field(rows, cols, model.wavelength_px / 2**octave, rng) / 2**octave
    # A Perlin octave has an sd of about 0.25; the sum of the three of 0.25 sqrt(1 + 1/4 + 1/16).
    return clouds * np.float32(model.sd_grey / 0.286)
