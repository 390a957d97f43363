"""What a network learns of a mask, where that is not the mask itself."""

import numpy as np
import torch
from scipy.ndimage import distance_transform_edt
from skimage.morphology import skeletonize

UNDECIDED = 255
"""In a target: a pixel that counts neither as boundary nor as grain."""

LINE_PX, DECIDED_PX = 1, 4
"""How far from a centre line a pixel is boundary for certain, and from where on it is grain for certain."""


def centre_line(mask: torch.Tensor) -> torch.Tensor:
    """Return (rows, cols) a target that does not know how wide a mask's lines are drawn.

    1 within `LINE_PX` of their centre lines, 0 beyond `DECIDED_PX` of all, in between undecided: so a line drawn narrow
    and one drawn wide ask for the same.
    """
    lines = skeletonize(mask.numpy().astype(bool))
    if not lines.any():
        return torch.zeros_like(mask)
    distance = distance_transform_edt(~lines)
    target = np.where(distance <= LINE_PX, 1, np.where(distance > DECIDED_PX, 0, UNDECIDED))
    return torch.from_numpy(target.astype(np.uint8))
