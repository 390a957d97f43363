"""From stored samples to batches: resized once a phase, augmented anew each time they are seen."""

from typing import NamedTuple

import numpy as np
import torch
from fastai.data.core import DataLoaders
from fastai.torch_core import TensorCategory, TensorImage, TensorMask
from fastai.vision.augment import IntToFloatTensor, Normalize
from fastai.vision.core import imagenet_stats

from micromime.datasets.rehearsal import Rehearsed
from micromime.datasets.store import Dataset
from micromime.mistakes import Mistake
from micromime.scenario.arrays import Indices
from micromime.training.architectures import Finds
from micromime.training.augmentation import augmentations
from micromime.training.resizing import resized
from micromime.training.settings import Augmentation, Phase, Target
from micromime.training.targets import centre_line


class View(NamedTuple):
    """How samples are seen in a phase."""

    phase: Phase
    augmentation: Augmentation
    finds: Finds = "mask"
    target: Target = "mask"


class Pairs:
    """Images of some samples at one size, in memory, (3, size, size) uint8, each with what is to be found in it.

    That is a mask, (size, size) uint8, or the number of the image's class.
    """

    split_idx = 0
    """Read by fastai's transforms: with 0 they augment, with 1 they leave all as it is. Without it, turns were also
    done in validation, and light was changed nowhere."""

    def __init__(self, dataset: Dataset | Rehearsed, indices: Indices, view: View) -> None:
        """Read and resize; masks are reduced by their mean, at least half of a pixel making it true."""
        size_px = view.phase.size_px
        self.images = resized((dataset.images[n] for n in indices), size_px)
        self.kind = TensorMask if view.finds == "mask" else TensorCategory
        if view.finds == "class":
            self.targets = torch.from_numpy(dataset.class_numbers[indices])
            return
        masks = resized((dataset.masks[n].astype(np.uint8) * 255 for n in indices), size_px)
        self.targets = (masks >= 128).to(torch.uint8)
        if view.target == "centre_line":
            self.targets = torch.stack([centre_line(mask) for mask in self.targets])

    def __len__(self) -> int:
        """Return the number of samples."""
        return len(self.images)

    def __getitem__(self, index: int) -> tuple[TensorImage, TensorMask | TensorCategory]:
        """Return one sample: the grey image as three equal channels, and its mask as class numbers, or its class."""
        return TensorImage(self.images[index].expand(3, -1, -1)), self.kind(self.targets[index])


def loaders(
    dataset: Dataset | Rehearsed, parts: tuple[Indices, Indices], view: View, device: torch.device
) -> DataLoaders:
    """Return fastai's loaders of the training and validation samples of one phase.

    Everything random comes from the global generators that a run seeds once; loading has no workers of its own.
    Training leaves an incomplete last batch out. Raises Mistake where the images do not fill one batch.
    """
    phase = view.phase
    seen, checked = np.tile(parts[0], max(1, -(-phase.least_images // max(1, len(parts[0]))))), parts[1]
    if len(seen) < phase.batch_size:  # fastai drops a batch that is not full: it would train on nothing
        raise Mistake(
            f"{len(parts[0])} images to train on do not fill a batch of {phase.batch_size}; render more, or lower "
            "batch_size or validation_share."
        )
    training, validation = (Pairs(dataset, indices, view) for indices in (seen, checked))
    validation.split_idx = 1
    batch = [IntToFloatTensor(), *augmentations(view.augmentation), Normalize.from_stats(*imagenet_stats)]
    return DataLoaders.from_dsets(
        training, validation, bs=phase.batch_size, after_batch=batch, num_workers=0, device=device
    )
