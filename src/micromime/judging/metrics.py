"""How far a prediction is from the truth: one number for one picture, or for one list of classes."""

from collections.abc import Callable

import numpy as np
import scipy
from numpy.typing import NDArray

from micromime.scenario.arrays import Mask, Probability


def pixel_error(prediction: Mask, truth: Mask) -> float:
    """Return the share of wrong pixels, 0 to 1 (Trampert et al. 2021, section 3.2.3).

    Misleading alone: where boundaries are a tenth of the picture, finding nothing scores 0.1.
    Raises ValueError unless both are masks of one shape.
    """
    comparable(prediction, truth)
    return float(np.mean(prediction != truth))


def mean_iou(prediction: Mask, truth: Mask) -> float:
    """Return intersection over union, averaged over boundary and grain, 0 to 1.

    From Long et al. 2015 (doi 10.1109/CVPR.2015.7298965), here for one picture. A class that neither mask has counts
    as 1: the other class then fills both masks and has 1 too, so leaving it out would give the same. Falls with a
    wrong line width even where every line is found. Raises ValueError unless both are masks of one shape.
    """
    comparable(prediction, truth)
    return (_iou(prediction, truth) + _iou(~prediction, ~truth)) / 2


def boundary_f1(prediction: Mask, truth: Mask, tolerance_px: float = 3) -> float:
    """Return how well the centre lines agree, whatever their widths: the F1 score of both skeletons, 0 to 1.

    Precision is the share of the predicted skeleton's pixels at most `tolerance_px` (Euclidean) from the true
    skeleton, recall the share of the true skeleton's pixels as near to the predicted one (after Martin et al. 2004,
    doi 10.1109/TPAMI.2004.1273918, with nearness instead of one-to-one matching). Two masks without any boundary
    agree (1); a boundary against none does not (0). Raises ValueError unless both are masks of one shape.
    """

    def near(_: Mask, skeleton: Mask) -> Mask:
        distance_px: NDArray[np.float64] = scipy.ndimage.distance_transform_edt(~skeleton)
        return distance_px <= tolerance_px

    return f1_of_skeletons(prediction, truth, near)


def error_rate(predicted_classes: NDArray[np.integer], true_classes: NDArray[np.integer]) -> float:
    """Return wrong classifications / all classifications, 0 to 1 (Trampert et al. 2021, section 2.2).

    Raises ValueError where the lists differ in length or are empty.
    """
    if predicted_classes.shape != true_classes.shape or true_classes.size == 0:
        raise ValueError(f"cannot compare {predicted_classes.shape} classes with {true_classes.shape}")
    wrong = np.count_nonzero(predicted_classes != true_classes)
    return float(wrong / true_classes.size)


def average_precision(probability: Probability, truth: Mask) -> float:
    """Return the area under the precision-recall curve over all pixels, 0 to 1: the higher, the better they are told.

    Summed in steps, as scikit-learn does: sum of (R_n - R_n-1) P_n over all thresholds, not interpolated. Probabilities
    without any information score the share of boundary, so compare within one picture. 1 where the truth has no
    boundary: nothing can be missed there, and no network is better than another. Raises ValueError unless both have one
    shape, the truth is a mask and the probabilities are numbers.
    """
    from sklearn.metrics import average_precision_score  # seconds that no other metric waits for

    comparable(truth, truth)
    if probability.shape != truth.shape or not np.isfinite(probability).all():
        raise ValueError(f"cannot compare {probability.shape} with a truth of {truth.shape}; probabilities are finite")
    return float(average_precision_score(truth.ravel(), probability.ravel())) if truth.any() else 1.0


def cl_dice(prediction: Mask, truth: Mask) -> float:
    """Return the centre-line Dice score of two masks, 0 to 1 (Shit et al. 2021, doi 10.1109/CVPR46437.2021.01629).

    The harmonic mean of the share of the predicted skeleton within the true mask and the share of the true skeleton
    within the predicted mask. So the tolerance is half of a line's width: wide lines are forgiven more than thin ones,
    and a prediction that is boundary all over misses nothing. `boundary_f1` has a fixed tolerance instead. Two masks
    without any boundary agree (1); a boundary against none does not (0). Raises ValueError unless both are masks of one
    shape.
    """
    return f1_of_skeletons(prediction, truth, lambda mask, _: mask)


def betti_numbers(mask: Mask) -> tuple[int, int]:
    """Return (components, loops) of a boundary network (mask, true on a boundary): its Betti numbers b0 and b1.

    Lines are connected through corners too, what they enclose only through sides, so that a line one pixel wide closes
    a loop on a diagonal. A loop is a grain, or a pocket of any size, that does not reach the picture's border: a grain
    cut off by the border is none. b1 = b0 - Euler number. Raises ValueError for a mask that is not boolean.
    """
    if mask.dtype != np.bool_:
        raise ValueError(f"a mask must be boolean, not {mask.dtype}")
    from skimage.measure import euler_number, label  # not installed where params.yaml is checked only to render

    components = int(label(mask, connectivity=2).max(initial=0))
    return components, components - int(euler_number(mask, connectivity=2))


def betti_error(prediction: Mask, truth: Mask) -> float:
    """Return how far the Betti numbers of two masks are apart, 0 (equal) to 1 (one of the networks is empty).

    (|b0 - b0'| + |b1 - b1'|) / (b0 + b0' + b1 + b1'): as a share of all components and loops, since a picture of four
    times the area has four times as many, and bounded, since one speckled prediction would outweigh all others in a
    mean. Only numbers are compared, not places: a loop too many here makes up for one that is missing there; see
    `grains.match_grains` for places. Raises ValueError unless both are masks of one shape.
    """
    comparable(prediction, truth)
    found, real = np.array(betti_numbers(prediction)), np.array(betti_numbers(truth))
    total = int(found.sum() + real.sum())
    return float(np.abs(found - real).sum() / total) if total else 0.0


def f1_of_skeletons(prediction: Mask, truth: Mask, near: Callable[[Mask, Mask], Mask]) -> float:
    """Return 2 P R / (P + R): P is the share of the predicted skeleton that is near the truth, R that of the true one.

    `near` says of a mask and its skeleton which pixels count as near. 1 for two masks without boundary, 0 where only
    one has none. Raises ValueError unless both are masks of one shape.
    """
    comparable(prediction, truth)
    if not prediction.any() and not truth.any():
        return 1.0
    from skimage.morphology import skeletonize

    found, real = skeletonize(prediction), skeletonize(truth)
    if not found.any() or not real.any():
        return float(found.any() == real.any())
    precision, recall = float(np.mean(near(truth, real)[found])), float(np.mean(near(prediction, found)[real]))
    return 2 * precision * recall / (precision + recall) if precision + recall > 0 else 0.0


def comparable(prediction: Mask, truth: Mask) -> None:
    """Stop what numpy would broadcast or take for indices: other shapes, and masks of 0 and 255."""
    if prediction.shape != truth.shape or truth.ndim != 2 or truth.size == 0:
        raise ValueError(f"cannot compare a prediction of shape {prediction.shape} with a truth of shape {truth.shape}")
    if prediction.dtype != np.bool_ or truth.dtype != np.bool_:
        raise ValueError(f"masks must be boolean, not {prediction.dtype} and {truth.dtype}")


def _iou(prediction: Mask, truth: Mask) -> float:
    tp = np.count_nonzero(prediction & truth)
    fp = np.count_nonzero(prediction & ~truth)
    fn = np.count_nonzero(~prediction & truth)
    return float(tp / (tp + fp + fn)) if tp + fp + fn > 0 else 1.0


SEGMENTATION: dict[str, Callable[[Mask, Mask], float]] = {
    "pixel_error": pixel_error,
    "mean_iou": mean_iou,
    "boundary_f1": boundary_f1,
}
"""The metrics of a mask, by the name they have in every table and file; equal masks score 1, or 0 if less is better."""

AVERAGE_PRECISION = "average_precision"

SCORED = (*SEGMENTATION, AVERAGE_PRECISION)
"""What is said of a network's answer to one picture, and what a sampler may go by."""

TOPOLOGY: dict[str, Callable[[Mask, Mask], float]] = {"cl_dice": cl_dice, "betti_error": betti_error}
"""How far a boundary network hangs together as the true one does: a wrong pixel costs most where it opens a grain."""

TESTED = (*SCORED, *TOPOLOGY, "matched_grains")
"""What is said of it besides where the picture is a test picture."""

ASTM, ALL_TILES = "astm_g_error", "error_rate_all_tiles"
"""Scores of whole test sets: the mean absolute difference of ASTM numbers; the error rate on all real tiles, those to
train on among them, as the paper has it."""

SCORES = (*TESTED, ASTM, "error_rate", ALL_TILES)
"""The short names of scores on a test set, in MLflow and wherever arms stand side by side."""

_NONE = np.zeros((1, 1), dtype=np.bool_)
_ERRORS = (name for name, metric in SEGMENTATION.items() if metric(_NONE, _NONE) == 0)

LOWER_IS_BETTER = frozenset({"error_rate", ALL_TILES, ASTM, "betti_error", *_ERRORS})
"""Metrics of which less is better; of all others more is."""
