"""From boundaries, found or true, to closed grains: label maps of one kind, that can be compared grain by grain.

Every pixel belongs to a grain: a boundary has no width, and runs between two pixels with different numbers. Lines in
masks are 2 to 10 px wide, which says nothing about the grains; so grains are grown until they meet. A picture without
room for a grain is all 0; no other pixel is 0. A grain is connected through its pixels' sides.
"""

import numpy as np
from numpy.typing import NDArray
from pydantic import Field
from scipy.ndimage import gaussian_filter, label
from skimage.morphology import diamond, local_minima, reconstruction
from skimage.segmentation import expand_labels, watershed

from micromime.scenario.arrays import Labels, Mask, Probability
from micromime.scenario.parameters import Section

LEAST_GRAIN_PX = 25
"""Least area of a grain, px: a square of 5 px, as wide as a line in a mask (they are 2 to 10 px wide)."""


class ClosedGrains(Section):
    """How boundaries with gaps are closed.

    The defaults served best on what networks of the base arm found in rendered pictures of all styles that they had not
    seen: as many grains as there are, neither more nor fewer. Less depth keeps more grains apart where boundaries are
    faint or broken, more depth makes fewer grains of scratches and texture that were taken for boundaries; a larger
    sigma does both, until it swallows grains.
    """

    sigma_px: float = Field(
        3, ge=0, le=20, description="Of the Gaussian that smooths the probability; grains of 3 of it and less get lost."
    )
    depth: float = Field(
        0.06, ge=0.001, le=0.9, description="By how much the smoothed probability must rise between two grains."
    )
    least_grain_px: int = Field(
        LEAST_GRAIN_PX, ge=1, le=100_000, description="Least area of a grain; smaller ones go to their neighbours."
    )


def close_grains(settings: ClosedGrains, probability: Probability) -> Labels:
    """Return the grains between boundaries that are probable: (rows, cols) uint16, 1 to n, every pixel labelled.

    Boundaries are the watersheds of the smoothed probability (Meyer 1994, doi 10.1016/0165-1684(94)90060-4), between
    all minima that are `depth` deep (extended minima: Soille 2003, doi 10.1007/978-3-662-05088-0). A gap in a line is
    closed where the probability is higher, by `depth`, than in the grains on both sides of it. A picture in which
    nothing rises by `depth` is one grain, also where all of it is boundary; one without room for a grain is all 0.
    Raises ValueError for what is no probability.
    """
    _check(probability)
    height = gaussian_filter(probability, settings.sigma_px)
    # Not `h_minima`: it gives minima that are equal a number each, however low the pass between them.
    filled = reconstruction(height + settings.depth, height, method="erosion", footprint=diamond(1))
    minima, count = label(local_minima(filled, connectivity=1))
    grains = watershed(height, minima) if count else np.ones(probability.shape, dtype=np.int32)
    kept = _large(grains, settings.least_grain_px)
    # Flooded again from those that stay, the small ones go to where their boundary is lowest.
    return watershed(height, kept).astype(np.uint16) if kept.any() else kept


def grains_of_mask(mask: Mask) -> Labels:
    """Return the grains of a mask (true on a boundary): (rows, cols) uint16, 1 to n, every pixel labelled.

    A grain is a region of `LEAST_GRAIN_PX` and more, connected through sides. A pixel of a boundary, or of a pocket in
    one, goes to the nearest grain, so that grains meet at centre lines. All 0 where there is no grain. Raises
    ValueError for a mask that is not boolean.
    """
    if mask.dtype != np.bool_:
        raise ValueError(f"a mask must be boolean, not {mask.dtype}")
    regions, _ = label(~mask)
    kept = _large(regions, LEAST_GRAIN_PX)
    grown: Labels = expand_labels(kept, distance=sum(mask.shape)) if kept.any() else kept
    return grown


def _large(regions: NDArray[np.integer], least_px: int) -> Labels:
    """Return the regions that are large enough, numbered without gaps; 0 elsewhere."""
    large = np.bincount(regions.ravel()) >= least_px
    large[0] = False
    if large.sum() > np.iinfo(np.uint16).max:
        raise ValueError(f"{large.sum()} grains do not fit a label map, which holds 65535")
    numbers: Labels = (np.cumsum(large) * large).astype(np.uint16)[regions]
    return numbers


def _check(probability: Probability) -> None:
    if probability.ndim != 2 or not np.issubdtype(probability.dtype, np.floating):
        raise ValueError(f"a probability is (rows, cols) of floats, not {probability.shape} of {probability.dtype}")
    if probability.size == 0 or not (probability.min() >= 0 and probability.max() <= 1):  # not: NaN is no probability
        raise ValueError("probabilities must lie within 0 and 1, and there must be some")
