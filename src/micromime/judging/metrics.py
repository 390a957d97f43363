"""How far a prediction is from the truth: one number for one picture, or for one list of classes."""

import math
from collections.abc import Callable
from functools import lru_cache

import numpy as np
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
    tp = int(np.count_nonzero(prediction & truth))
    wrong = int(np.count_nonzero(prediction)) + int(np.count_nonzero(truth)) - 2 * tp
    return (_iou(tp, wrong) + _iou(truth.size - tp - wrong, wrong)) / 2


def boundary_f1(prediction: Mask, truth: Mask, tolerance_px: float = 3) -> float:
    """Return how well the centre lines agree, whatever their widths: the F1 score of both skeletons, 0 to 1.

    Precision is the share of the predicted skeleton's pixels at most `tolerance_px` (Euclidean) from the true
    skeleton, recall the share of the true skeleton's pixels as near to the predicted one (after Martin et al. 2004,
    doi 10.1109/TPAMI.2004.1273918, with nearness instead of one-to-one matching). Two masks without any boundary
    agree (1); a boundary against none does not (0). Raises ValueError unless both are masks of one shape.
    """
    return f1_of_skeletons(prediction, truth, lambda _, skeleton: _within(skeleton, tolerance_px))


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
    shape, the truth is a mask and the probabilities are from 0 to 1.
    """
    comparable(truth, truth)
    if probability.shape != truth.shape or not (probability.min() >= 0 and probability.max() <= 1):  # not: NaN
        raise ValueError(f"cannot compare {probability.shape} with a truth of {truth.shape}; probabilities are 0 to 1")
    if not truth.any():
        return 1.0
    # The bits of floats from 0 are in their order, and the first, the sign, is free for the truth.
    bits = (np.abs(probability).view(f"u{probability.itemsize}").ravel() << 1) | truth.ravel()
    bits.sort()
    bits = bits[::-1]
    steps = np.append(np.flatnonzero(np.diff(bits >> 1)), bits.size - 1)
    tp = np.cumsum(bits & 1, dtype=np.float64)[steps]
    precision, recall = tp / (steps + 1), tp / tp[-1]
    # From the last threshold to the first, as scikit-learn sums: to the last digit.
    return float(np.sum((np.diff(recall, prepend=0) * precision)[::-1]))


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
    found, real = _skeleton(prediction), _skeleton(truth)
    n_found, n_real = np.count_nonzero(found), np.count_nonzero(real)
    if not n_found or not n_real:
        return float(n_found == n_real)
    precision = np.count_nonzero(near(truth, real) & found) / n_found
    recall = np.count_nonzero(near(prediction, found) & real) / n_real
    return float(2 * precision * recall / (precision + recall)) if precision + recall > 0 else 0.0


def comparable(prediction: Mask, truth: Mask) -> None:
    """Stop what numpy would broadcast or take for indices: other shapes, and masks of 0 and 255."""
    if prediction.shape != truth.shape or truth.ndim != 2 or truth.size == 0:
        raise ValueError(f"cannot compare a prediction of shape {prediction.shape} with a truth of shape {truth.shape}")
    if prediction.dtype != np.bool_ or truth.dtype != np.bool_:
        raise ValueError(f"masks must be boolean, not {prediction.dtype} and {truth.dtype}")


def _iou(right: int, wrong: int) -> float:
    return right / (right + wrong) if right + wrong else 1.0


def _within(skeleton: Mask, tolerance_px: float) -> Mask:
    """Return the pixels whose nearest pixel of the skeleton is at most this far: a disc is drawn about each of these.

    They are a few hundredths of a picture, so that this takes a thirtieth of the time of distances of all pixels.
    """
    reach = int(tolerance_px)
    side = np.arange(-reach, reach + 1)
    disc = np.sqrt(side[:, None] ** 2 + side**2) <= tolerance_px
    found = np.pad(np.zeros_like(skeleton), reach)
    places = np.flatnonzero(np.pad(skeleton, reach))
    for row, col in np.argwhere(disc) - reach:
        found.ravel()[places + row * found.shape[1] + col] = True
    rows, cols = skeleton.shape
    return found[reach : reach + rows, reach : reach + cols]


def _skeleton(mask: Mask) -> Mask:
    return _kept_skeleton(np.packbits(mask).tobytes(), mask.shape)


@lru_cache(maxsize=16)
def _kept_skeleton(packed: bytes, shape: tuple[int, ...]) -> Mask:
    """Return the skeleton of a mask: many masks of one picture are compared with one truth, some by two metrics."""
    from skimage.morphology import skeletonize  # not installed where params.yaml is checked only to render

    mask = np.unpackbits(np.frombuffer(packed, np.uint8), count=math.prod(shape)).reshape(shape)
    return skeletonize(mask.astype(np.bool_))


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
