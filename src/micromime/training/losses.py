"""What a network is told to get better at: what it learns of a mask, and how far its answer is from that."""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from fastai.losses import CrossEntropyLossFlat
from scipy.ndimage import distance_transform_edt
from skimage.morphology import skeletonize
from torch import Tensor

from micromime.training.architectures import Finds
from micromime.training.settings import TrainParameters
from micromime.training.soft_skeleton import soft_skeleton

UNDECIDED = 255
"""In a target: a pixel that counts neither as boundary nor as grain."""

LINE_PX, DECIDED_PX = 1, 4
"""How far from a centre line a pixel is boundary for certain, and from where on it is grain for certain."""


def centre_line(mask: Tensor) -> Tensor:
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


def loss_of(settings: TrainParameters, finds: Finds) -> Callable[[Any, Any], Any]:
    """Return the loss of a run: cross entropy, where masks are found by `cl_dice_share` replaced by soft clDice."""
    if finds == "class":
        return CrossEntropyLossFlat(axis=-1)
    cross_entropy, share = CrossEntropyLossFlat(axis=1, ignore_index=UNDECIDED), settings.cl_dice_share

    def mixed(scores: Tensor, truth: Tensor) -> Tensor:
        """Return the loss of (n, 2, rows, cols) scores against (n, rows, cols) masks."""
        boundary = torch.as_tensor(scores).softmax(dim=1)[:, 1:]
        of_pixels: Tensor = cross_entropy(scores, truth)
        decided = torch.as_tensor(truth != UNDECIDED)[:, None]
        topology = 1 - soft_cl_dice(boundary, torch.as_tensor(truth == 1)[:, None].float(), decided)
        return (1 - share) * of_pixels + share * topology

    return mixed if share > 0 else cross_entropy


def soft_cl_dice(found: Tensor, truth: Tensor, decided: Tensor) -> Tensor:
    """Return soft clDice of (n, 1, rows, cols) probabilities against masks, 0 to 1; 1 where lines agree.

    What is found where nothing is decided counts neither for nor against.

    The harmonic mean of the share of the found skeleton that lies in the truth, and of the true one in what was found
    (Shit et al. 2021, doi 10.1109/CVPR46437.2021.01629); however wide the lines are.
    """
    thin, true_thin = soft_skeleton(found), soft_skeleton(truth)
    precision = ((thin * truth).sum() + 1) / ((thin * decided).sum() + 1)
    sensitivity = ((true_thin * found).sum() + 1) / (true_thin.sum() + 1)
    return 2 * precision * sensitivity / (precision + sensitivity)
