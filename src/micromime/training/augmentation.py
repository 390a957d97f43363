"""What training does to images and masks at random whenever it sees them; nothing of it is stored."""

from functools import partial
from typing import Any

import torch
from fastai.vision.augment import AffineCoordTfm, affine_mat, aug_transforms
from torch import Tensor

from micromime.training.settings import Augmentation

LIKELY = 0.75
"""Share of the images that each of them changes: fastai's own for rotations, zoom and light."""


def augmentations(asked: Augmentation) -> list[Any]:
    """Return flips both ways, quarter turns where asked for, rotations, zoom, lighting, stretch and squish, and jitter.

    Those of Trampert et al. 2021, sections 2.2 and 3.2.1. fastai joins all that move pixels into one, so that images
    and masks are sampled once and alike; images bilinearly, masks by the nearest pixel.
    """
    moved = [AffineCoordTfm(aff_fs=partial(stretch_mat, largest=asked.stretch))] if asked.stretch > 1 else []
    if not asked.quarter_turns:
        moved.append(AffineCoordTfm(aff_fs=upside_down_mat))
    if asked.jitter_px > 0:
        moved.append(AffineCoordTfm(coord_fs=Jitter(asked.jitter_px)))
    joined: list[Any] = aug_transforms(
        flip_vert=asked.quarter_turns,  # fastai then turns by quarters, too
        max_rotate=asked.rotation_deg,
        max_zoom=asked.zoom,
        max_lighting=asked.lighting,
        max_warp=0.0,
        p_affine=LIKELY,
        p_lighting=LIKELY,
        xtra_tfms=moved,
    )
    return joined


def stretch_mat(images: Tensor, largest: float) -> Tensor:
    """Return (n, 3, 3): one axis of each image enlarged up to `largest` times about a random place, or neither.

    Along the columns it stretches, along the rows it squishes. Nothing from beyond the image comes into sight.
    """
    count = len(images)
    one, zero = images.new_ones(count), images.new_zeros(count)
    scale = 1 / images.new_empty(count).uniform_(1, largest)
    scale = torch.where(images.new_empty(count).uniform_() < LIKELY, scale, one)
    along_cols = images.new_empty(count).uniform_() < 0.5
    shift = (1 - scale) * images.new_empty(count).uniform_(-1, 1)
    cols = [torch.where(along_cols, part, other) for part, other in ((scale, one), (shift, zero))]
    rows = [torch.where(along_cols, other, part) for part, other in ((scale, one), (shift, zero))]
    matrices: Tensor = affine_mat(cols[0], zero, cols[1], zero, rows[0], rows[1])
    return matrices


def upside_down_mat(images: Tensor) -> Tensor:
    """Return (n, 3, 3): every second image, at random, upside down."""
    one, zero = images.new_ones(len(images)), images.new_zeros(len(images))
    turned = torch.where(images.new_empty(len(images)).uniform_() < 0.5, -one, one)
    matrices: Tensor = affine_mat(one, zero, zero, zero, turned, zero)
    return matrices


class Jitter:
    """Takes each pixel from a random place nearby: as if grain and line were seen through frosted glass."""

    def __init__(self, largest_px: float) -> None:
        """Move by at most `largest_px` along rows and along columns."""
        self.largest_px = largest_px
        self.moves = torch.zeros(0)

    def before_call(self, images: Tensor) -> None:
        """Draw the moves that image and mask then share: (n, rows, cols, 2), in fastai's coordinates from -1 to 1."""
        count, _, rows, cols = images.shape
        plain = images.as_subclass(Tensor)  # fastai's own kinds of tensors refuse to be added to one another
        moves = plain.new_empty(count, rows, cols, 2).uniform_(-1, 1)
        chosen = plain.new_empty(count, 1, 1, 1).uniform_() < LIKELY
        self.moves = moves * chosen * (2 * self.largest_px / plain.new_tensor([cols, rows]))

    def __call__(self, coordinates: Tensor) -> Tensor:
        """Return the places (n, rows, cols, 2) that pixels are taken from."""
        return coordinates + self.moves
