"""How far a prediction is from the truth: one number for one picture, or for one list of classes."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import distance_transform_edt
from skimage.morphology import skeletonize

from micromime.scenario.arrays import Mask


def pixel_error(prediction: Mask, truth: Mask) -> float:
    """Return the share of wrong pixels, 0 to 1 (Trampert et al. 2021, section 3.2.3).

    Misleading alone: where boundaries are a tenth of the picture, finding nothing scores 0.1.
    Raises ValueError unless both are masks of one shape.
    """
    _comparable(prediction, truth)
    return float(np.mean(prediction != truth))


def mean_iou(prediction: Mask, truth: Mask) -> float:
    """Return intersection over union, averaged over boundary and grain, 0 to 1.

    From Long et al. 2015 (doi 10.1109/CVPR.2015.7298965), here for one picture. A class that neither mask has counts
    as 1: the other class then fills both masks and has 1 too, so leaving it out would give the same. Falls with a
    wrong line width even where every line is found. Raises ValueError unless both are masks of one shape.
    """
    _comparable(prediction, truth)
    return (_iou(prediction, truth) + _iou(~prediction, ~truth)) / 2


def boundary_f1(prediction: Mask, truth: Mask, tolerance_px: float = 3) -> float:
    """Return how well the centre lines agree, whatever their widths: the F1 score of both skeletons, 0 to 1.

    Precision is the share of the predicted skeleton's pixels at most `tolerance_px` (Euclidean) from the true
    skeleton, recall the share of the true skeleton's pixels as near to the predicted one (after Martin et al. 2004,
    doi 10.1109/TPAMI.2004.1273918, with nearness instead of one-to-one matching). Two masks without any boundary
    agree (1); a boundary against none does not (0). Raises ValueError unless both are masks of one shape.
    """
    _comparable(prediction, truth)
    found, real = skeletonize(prediction), skeletonize(truth)
    if not found.any() or not real.any():
        return float(found.any() == real.any())
    precision = float(np.mean(_distance_px(real)[found] <= tolerance_px))
    recall = float(np.mean(_distance_px(found)[real] <= tolerance_px))
    return 2 * precision * recall / (precision + recall) if precision + recall > 0 else 0.0


def error_rate(predicted_classes: NDArray[np.integer], true_classes: NDArray[np.integer]) -> float:
    """Return wrong classifications / all classifications, 0 to 1 (Trampert et al. 2021, section 2.2).

    Raises ValueError where the lists differ in length or are empty.
    """
    if predicted_classes.shape != true_classes.shape or true_classes.size == 0:
        raise ValueError(f"cannot compare {predicted_classes.shape} classes with {true_classes.shape}")
    wrong = np.count_nonzero(predicted_classes != true_classes)
    return float(wrong / true_classes.size)


SEGMENTATION: dict[str, Callable[[Mask, Mask], float]] = {
    "pixel_error": pixel_error,
    "mean_iou": mean_iou,
    "boundary_f1": boundary_f1,
}
"""The metrics of a segmentation, by the name they have in every table and file."""

AVERAGE_PRECISION = "average_precision"

SCORED = (*SEGMENTATION, AVERAGE_PRECISION)
"""What is said of a network's answer to one picture, and what a sampler may go by."""

TESTED = (*SCORED, "cl_dice", "betti_error", "matched_grains")
"""What is said of it besides where the picture is a test picture: see topology.py and matched_grains.py."""

LOWER_IS_BETTER = frozenset({"pixel_error", "error_rate", "betti_error"})
"""Metrics of which less is better; of all others more is."""


def _iou(prediction: Mask, truth: Mask) -> float:
    tp = np.count_nonzero(prediction & truth)
    fp = np.count_nonzero(prediction & ~truth)
    fn = np.count_nonzero(~prediction & truth)
    return float(tp / (tp + fp + fn)) if tp + fp + fn > 0 else 1.0


def _distance_px(skeleton: Mask) -> NDArray[np.float64]:
    """Return every pixel's distance to the nearest pixel of the skeleton."""
    distance: NDArray[np.float64] = distance_transform_edt(~skeleton)
    return distance


def _comparable(prediction: Mask, truth: Mask) -> None:
    """Stop what numpy would broadcast or take for indices: other shapes, and masks of 0 and 255."""
    if prediction.shape != truth.shape or truth.ndim != 2 or truth.size == 0:
        raise ValueError(f"cannot compare a prediction of shape {prediction.shape} with a truth of shape {truth.shape}")
    if prediction.dtype != np.bool_ or truth.dtype != np.bool_:
        raise ValueError(f"masks must be boolean, not {prediction.dtype} and {truth.dtype}")
