"""One rule for the greys of real pictures, wherever networks are asked about them.

Networks are trained on 8-bit pictures of usual contrast. Pictures with more bits, and 8-bit ones that use few of their
greys, are stretched; all others stay as they are.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from micromime.scenario.arrays import Image

PERCENTILES = (0.5, 99.5)
"""What lies outside of these is clipped: hot pixels, dust, glare."""

NARROW = 64
"""An 8-bit picture whose greys between the percentiles span fewer levels than this is stretched."""


class Stretch(NamedTuple):
    """The greys, as stored, that become black and white."""

    low: float
    high: float

    def apply(self, stored: NDArray[np.uint8 | np.uint16 | np.float32]) -> Image:
        """Return the picture as 8-bit grey: linear between the two, clipped outside of them."""
        share = (stored.astype(np.float64) - self.low) / max(self.high - self.low, 1e-12)
        return np.rint(np.clip(share, 0, 1) * 255).astype(np.uint8)

    def __str__(self) -> str:
        return f"its greys from {self.low:g} to {self.high:g} were stretched over 0 to 255"


def stretch_of(stored: NDArray[np.uint8 | np.uint16 | np.float32]) -> Stretch | None:
    """Return how a picture (rows, cols) is stretched, or None where it stays as it is."""
    low, high = np.percentile(stored, PERCENTILES).tolist()
    if stored.dtype == np.uint8 and high - low >= NARROW:
        return None
    return Stretch(low, high)
