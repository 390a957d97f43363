"""Grains that were found beside the true ones, grain by grain: how many are the same, and how well they agree."""

from typing import TypedDict

import numpy as np
from skimage.metrics import contingency_table

from micromime.scenario.arrays import Labels

LEAST_IOU = 0.5
"""A found grain matches a true one whose IoU with it is above this: no grain can do so with two (Kirillov et al.)."""


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
    shared = contingency_table(truth, prediction, sparse_type="array").tocoo()
    true_px, found_px = np.bincount(truth.ravel()), np.bincount(prediction.ravel())
    iou = shared.data / (true_px[shared.row] + found_px[shared.col] - shared.data)
    matched = iou[(iou > LEAST_IOU) & (shared.row > 0) & (shared.col > 0)]
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


def _share(part: int, whole: int, others: int) -> float:
    return part / whole if whole else float(others == 0)
