"""Uneven light: a gradient across the image and a fall towards its corners."""

import numpy as np
from pydantic import Field

from micromime.scenario.arrays import Grey
from micromime.scenario.partial_model import PartialModel


class Illumination(PartialModel):
    """Uneven illumination of an optical microscope."""

    gradient: float = Field(0.0, ge=0, le=0.5, description="Rise of the light from the middle to the edge, share.")
    direction_deg: float = Field(0.0, ge=0, le=360, description="Where it rises to: 0 right, 90 down, degrees.")
    vignette: float = Field(0.0, ge=0, le=0.8, description="Share of the light missing in the corners.")


def illuminate(model: Illumination, rows: int, cols: int) -> Grey:
    """Return the factor, (rows, cols) and 1 in the middle, by which the light differs.

    1 + gradient (r sin a + c cos a) - vignette (r^2 + c^2) / 2, with r and c from -1 to 1 over the image.
    """
    angle = np.deg2rad(model.direction_deg)
    r = np.linspace(-1, 1, rows)
    c = np.linspace(-1, 1, cols)
    down = 1 + model.gradient * np.sin(angle) * r - model.vignette / 2 * r**2
    across = model.gradient * np.cos(angle) * c - model.vignette / 2 * c**2
    return down.astype(np.float32)[:, None] + across.astype(np.float32)
