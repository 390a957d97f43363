"""One rule for the greys of real pictures, wherever networks are asked about them: test sets, and MLflow's models.

Networks know 8-bit pictures of usual contrast. A picture that has more bits, or whose greys span less than a quarter of
8 bits, is stretched as ImageJ does it: what lies between two fixed percentiles comes to lie between black and white.
All others stay as they are. Nothing is ever divided by 256: of a 12-bit picture in a file of 16 bits that leaves 16
greys, in which networks find nothing.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from micromime.scenario.arrays import Image

Stored = NDArray[np.uint8] | NDArray[np.uint16]
"""Greys, or several channels of one picture, as they stand in its file."""

PERCENTILES = (0.5, 99.5)
"""What lies outside of them is clipped: hot pixels, dust, glare. Of most pictures the two ends of the scale, in which
scale bars are drawn, do not count either. Where both are one grey, all greys count instead."""

NARROW = 64
"""Greys of 8 bits between the percentiles; fewer are stretched. Rendered pictures, which networks know, have more (all
but 1 of 100), and so had every real micrograph that we know."""

NARROW_OF_PARTS = 32
"""The same of photographs of parts: plain surfaces have few greys, and what is rendered is made after them."""


class Stretch(NamedTuple):
    """The greys, as stored, that become black and white."""

    low: float
    high: float

    def apply(self, stored: Stored) -> NDArray[np.uint8]:
        """Return the picture in 8 bits, shape as given: linear between the two greys, clipped outside of them."""
        share = (stored.astype(np.float64) - self.low) / max(self.high - self.low, 1)
        return np.rint(np.clip(share, 0, 1) * 255).astype(np.uint8)

    def __str__(self) -> str:
        return f"its greys from {self.low:g} to {self.high:g} were stretched over 0 to 255"


def stretch_of(stored: Stored, narrow: int = NARROW) -> Stretch | None:
    """Return how a picture is stretched, or None where it stays as it is: in 8 bits, and wide enough or of one grey."""
    ends = np.iinfo(stored.dtype)
    inside = stored[(stored > ends.min) & (stored < ends.max)]
    counted = inside if inside.size > stored.size / 2 else stored  # not scale bars, which are drawn in black or white
    low, high = np.percentile(counted, PERCENTILES).tolist()
    if low == high:  # saturated grains with thin lines: both are white, and all would become black
        low, high = int(stored.min()), int(stored.max())
    if stored.dtype == np.uint8 and (high - low >= narrow or low == high):
        return None
    return Stretch(low, high)


def in_8_bits(stored: Stored) -> tuple[Image, Stretch | None]:
    """Return a picture as networks are asked about it, and how it was stretched."""
    stretch = stretch_of(stored)
    return (stored.astype(np.uint8), None) if stretch is None else (stretch.apply(stored), stretch)
