"""From stored samples to batches: resized once a phase, augmented anew each time they are seen; nothing is stored."""

from functools import partial
from typing import Any

import numpy as np
import torch
from fastai.data.core import DataLoaders
from fastai.torch_core import TensorCategory, TensorImage, TensorMask
from fastai.vision.augment import AffineCoordTfm, IntToFloatTensor, Normalize, affine_mat, aug_transforms
from fastai.vision.core import imagenet_stats
from torch import Tensor

from micromime.datasets.rehearsal import Rehearsed
from micromime.datasets.store import Dataset
from micromime.mistakes import Mistake
from micromime.scenario.arrays import Indices
from micromime.training.architectures import finds
from micromime.training.losses import centre_line
from micromime.training.networks import resized
from micromime.training.settings import Augmentation, Phase, TrainParameters

LIKELY = 0.75
"""Share of the images that each augmentation changes: fastai's own for rotations, zoom and light."""


class Pairs:
    """Images of some samples at one size, in memory, (size, size) uint8, each with what is to be found in it.

    That is a mask, (size, size) uint8, or the number of the image's class.
    """

    split_idx = 0
    """Read by fastai's transforms: with 0 they augment, with 1 they leave all as it is. Without it, turns were also
    done in validation, and light was changed nowhere."""

    def __init__(self, dataset: Dataset | Rehearsed, indices: Indices, settings: TrainParameters, size_px: int) -> None:
        """Read and resize; masks are reduced by their mean, at least half of a pixel making it true."""
        self.images = resized((dataset.images[n] for n in indices), size_px)
        self.kind = TensorMask if finds(settings.architecture) == "mask" else TensorCategory
        if self.kind is TensorCategory:
            self.targets = torch.from_numpy(dataset.class_numbers[indices])
            return
        masks = resized((dataset.masks[n].astype(np.uint8) * 255 for n in indices), size_px)
        self.targets = (masks >= 128).to(torch.uint8)
        if settings.target == "centre_line":
            self.targets = torch.stack([centre_line(mask) for mask in self.targets])

    def __len__(self) -> int:
        """Return the number of samples."""
        return len(self.images)

    def __getitem__(self, index: int) -> tuple[TensorImage, TensorMask | TensorCategory]:
        """Return one sample: the grey image as one channel, and its mask as class numbers, or its class.

        `Normalize` makes three of it, at the very end: each has a mean of its own.
        """
        return TensorImage(self.images[index][None]), self.kind(self.targets[index])


def loaders(
    dataset: Dataset | Rehearsed,
    parts: tuple[Indices, Indices],
    settings: TrainParameters,
    phase: Phase,
    device: torch.device,
) -> DataLoaders:
    """Return fastai's loaders of the training and validation samples of one phase.

    Everything random comes from the global generators that a run seeds once; loading has no workers of its own.
    Training leaves an incomplete last batch out. Raises Mistake where the images do not fill one batch.
    """
    seen, checked = np.tile(parts[0], max(1, -(-phase.least_images // max(1, len(parts[0]))))), parts[1]
    if len(seen) < phase.batch_size:  # fastai drops a batch that is not full: it would train on nothing
        raise Mistake(
            f"{len(parts[0])} images to train on do not fill a batch of {phase.batch_size}; render more, or lower "
            "batch_size or validation_share."
        )
    training, validation = (Pairs(dataset, indices, settings, phase.size_px) for indices in (seen, checked))
    validation.split_idx = 1
    batch = [IntToFloatTensor(), *augmentations(settings.augmentation), Normalize.from_stats(*imagenet_stats)]
    return DataLoaders.from_dsets(
        training, validation, bs=phase.batch_size, after_batch=batch, num_workers=0, device=device
    )


def augmentations(asked: Augmentation) -> list[Any]:
    """Return flips both ways, quarter turns where asked for, rotations, zoom, lighting, stretch and squish, and jitter.

    Those of Trampert et al. 2021, sections 2.2 and 3.2.1. fastai joins all that move pixels into one, so that images
    and masks are sampled once and alike; images bilinearly, masks by the nearest pixel.
    """
    moved = [AffineCoordTfm(aff_fs=partial(stretch_mat, largest=asked.stretch))] if asked.stretch > 1 else []
    moved += [] if asked.quarter_turns else [AffineCoordTfm(aff_fs=upside_down_mat)]
    moved += [AffineCoordTfm(coord_fs=Jitter(asked.jitter_px))] if asked.jitter_px > 0 else []
    return aug_transforms(
        flip_vert=asked.quarter_turns,  # fastai then turns by quarters, too
        max_rotate=asked.rotation_deg,
        max_zoom=asked.zoom,
        max_lighting=asked.lighting,
        max_warp=0.0,
        p_affine=LIKELY,
        p_lighting=LIKELY,
        xtra_tfms=moved,
    )


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
    return affine_mat(cols[0], zero, cols[1], zero, rows[0], rows[1])


def upside_down_mat(images: Tensor) -> Tensor:
    """Return (n, 3, 3): every second image, at random, upside down."""
    one, zero = images.new_ones(len(images)), images.new_zeros(len(images))
    turned = torch.where(images.new_empty(len(images)).uniform_() < 0.5, -one, one)
    return affine_mat(one, zero, zero, zero, turned, zero)


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
