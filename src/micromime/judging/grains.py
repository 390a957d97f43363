"""From boundaries, found or true, to closed grains: label maps of one kind, and how many grains of two are the same.

Every pixel belongs to a grain: a boundary has no width, and runs between two pixels with different numbers. Lines in
masks are 2 to 10 px wide, which says nothing about the grains; so grains are grown until they meet. A picture without
room for a grain is all 0; no other pixel is 0. A grain is connected through its pixels' sides.
"""

from typing import TypedDict

import numpy as np
from numpy.typing import NDArray
from pydantic import Field
from scipy.ndimage import gaussian_filter, label
from skimage.morphology import local_minima
from skimage.segmentation import expand_labels

from micromime.judging.flooding import filled, flooded
from micromime.scenario.arrays import Labels, Mask, Probability
from micromime.scenario.parameters import Section

LEAST_GRAIN_PX = 25
"""Least area of a grain, px: a square of 5 px, as wide as a line in a mask (they are 2 to 10 px wide)."""

LEAST_IOU = 0.5
"""A found grain matches a true one whose IoU with it is above this: no grain can do so with two (Kirillov et al.)."""


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
    """Return the grains between boundaries that are probable: (rows, cols), 1 to n, every pixel labelled.

    Boundaries are the watersheds of the smoothed probability (Meyer 1994, doi 10.1016/0165-1684(94)90060-4), between
    all minima that are `depth` deep (extended minima: Soille 2003, doi 10.1007/978-3-662-05088-0). A gap in a line is
    closed where the probability is higher, by `depth`, than in the grains on both sides of it. A picture in which
    nothing rises by `depth` is one grain, also where all of it is boundary; one without room for a grain is all 0.
    Raises ValueError for what is no probability.
    """
    _check(probability)
    height = gaussian_filter(probability, settings.sigma_px)
    # Not `h_minima`: it gives minima that are equal a number each, however low the pass between them.
    minima, count = label(local_minima(filled(height, settings.depth), connectivity=1))
    grains = flooded(height, minima) if count else np.ones(probability.shape, dtype=np.int32)
    kept = _large(grains, settings.least_grain_px)
    # Flooded again from those that stay, the small ones go to where their boundary is lowest.
    return flooded(height, kept).astype(kept.dtype) if kept.any() else kept


def grains_of_mask(mask: Mask) -> Labels:
    """Return the grains of a mask (true on a boundary): (rows, cols), 1 to n, every pixel labelled.

    A grain is a region of `LEAST_GRAIN_PX` and more, connected through sides. A pixel of a boundary, or of a pocket in
    one, goes to the nearest grain, so that grains meet at centre lines. All 0 where there is no grain. Raises
    ValueError for a mask that is not boolean.
    """
    if mask.dtype != np.bool_:
        raise ValueError(f"a mask must be boolean, not {mask.dtype}")
    regions, _ = label(~mask)
    kept = _large(regions, LEAST_GRAIN_PX)
    return expand_labels(kept, distance=sum(mask.shape)) if kept.any() else kept


class MatchedGrains(TypedDict):
    """What matching has found in one picture."""

    n_found: int
    n_true: int
    n_matched: int
    recall: float
    """Matched / true grains, 0 to 1."""
    precision: float
    """Matched / found grains, 0 to 1."""
    f1: float
    """Of both: the recognition quality of Kirillov et al."""
    matched_iou: float | None
    """Mean IoU of the matched grains, 0.5 to 1: their segmentation quality. None where none is matched."""


def match_grains(prediction: Labels, truth: Labels) -> MatchedGrains:
    """Return how many grains of two label maps (0: no grain) are the same (Kirillov et al. 2019, panoptic quality).

    doi 10.1109/CVPR.2019.00963. Panoptic quality is f1 * matched_iou. Each grain counts as one, whatever its size, and
    also where the picture's border cuts it off. Two maps without a grain agree (1); grains against none do not (0).
    Raises ValueError where the shapes differ.
    """
    if prediction.shape != truth.shape:
        raise ValueError(f"cannot match grains of a picture of {prediction.shape} with those of {truth.shape}")
    true_px, found_px = np.bincount(truth.ravel()), np.bincount(prediction.ravel())
    pairs, shared_px = np.unique(truth.astype(np.int64) * len(found_px) + prediction, return_counts=True)
    row, col = pairs // len(found_px), pairs % len(found_px)
    iou = shared_px / (true_px[row] + found_px[col] - shared_px)
    matched = iou[(iou > LEAST_IOU) & (row > 0) & (col > 0)]
    n_true, n_found, n = int(np.count_nonzero(true_px[1:])), int(np.count_nonzero(found_px[1:])), len(matched)
    return MatchedGrains(
        n_found=n_found,
        n_true=n_true,
        n_matched=n,
        recall=_share(n, n_true, n_found),
        precision=_share(n, n_found, n_true),
        f1=_share(2 * n, n_true + n_found, 0),
        matched_iou=float(matched.mean()) if n else None,
    )


def _large(regions: NDArray[np.integer], least_px: int) -> Labels:
    """Return the regions that are large enough, numbered without gaps; 0 elsewhere."""
    large = np.bincount(regions.ravel()) >= least_px
    large[0] = False
    kind = np.uint16 if large.sum() <= np.iinfo(np.uint16).max else np.uint32
    return (np.cumsum(large) * large).astype(kind)[regions]


def _check(probability: Probability) -> None:
    if probability.ndim != 2 or not np.issubdtype(probability.dtype, np.floating):
        raise ValueError(f"a probability is (rows, cols) of floats, not {probability.shape} of {probability.dtype}")
    if probability.size == 0 or not (probability.min() >= 0 and probability.max() <= 1):  # not: NaN is no probability
        raise ValueError("probabilities must lie within 0 and 1, and there must be some")


def _share(part: int, whole: int, others: int) -> float:
    return part / whole if whole else float(others == 0)
