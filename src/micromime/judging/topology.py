"""Whether a boundary network hangs together as the true one does: what a wrong pixel costs where it opens a grain."""

import numpy as np
from skimage.measure import euler_number, label

from micromime.judging.metrics import comparable, f1_of_skeletons
from micromime.scenario.arrays import Mask


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
