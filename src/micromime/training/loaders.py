"""From stored samples to batches: resized once a phase, augmented anew each time they are seen."""

from collections.abc import Iterable

import numpy as np
import torch
from fastai.data.core import DataLoaders
from fastai.torch_core import TensorImage, TensorMask
from fastai.vision.augment import IntToFloatTensor, Normalize
from fastai.vision.core import imagenet_stats
from numpy.typing import NDArray
from torch.nn.functional import interpolate

from micromime.arrays import Indices
from micromime.datasets.store import Dataset
from micromime.mistakes import Mistake
from micromime.training.augmentation import augmentations
from micromime.training.phases import Augmentation, Phase


class Pairs:
    """Images and masks of some samples at one size, in memory: (3, size, size) and (size, size), both uint8."""

    split_idx = 0
    """Read by fastai's transforms: with 0 they augment, with 1 they leave all as it is. Without it, turns were also
    done in validation, and light was changed nowhere."""

    def __init__(self, dataset: Dataset, indices: Indices, size_px: int) -> None:
        """Read and resize; masks are reduced by their mean, at least half of a pixel making it true."""
        self.images = _resized((dataset.images[n] for n in indices), size_px)
        masks = _resized((dataset.masks[n].astype(np.uint8) * 255 for n in indices), size_px)
        self.masks = (masks >= 128).to(torch.uint8)

    def __len__(self) -> int:
        """Return the number of samples."""
        return len(self.images)

    def __getitem__(self, index: int) -> tuple[TensorImage, TensorMask]:
        """Return one sample: the grey image as three equal channels, and its mask as class numbers."""
        return TensorImage(self.images[index].expand(3, -1, -1)), TensorMask(self.masks[index])


def loaders(
    dataset: Dataset, parts: tuple[Indices, Indices], phase: Phase, augmentation: Augmentation, device: torch.device
) -> DataLoaders:
    """Return fastai's loaders of the training and validation samples of one phase.

    Everything random comes from the global generators that a run seeds once; loading has no workers of its own.
    Training leaves an incomplete last batch out. Raises Mistake where the images do not fill one batch.
    """
    if len(parts[0]) < phase.batch_size:  # fastai drops a batch that is not full: it would train on nothing
        raise Mistake(
            f"{len(parts[0])} images to train on do not fill a batch of {phase.batch_size}; render more, or lower "
            "batch_size or validation_share."
        )
    training, validation = (Pairs(dataset, indices, phase.size_px) for indices in parts)
    validation.split_idx = 1
    batch = [IntToFloatTensor(), *augmentations(augmentation), Normalize.from_stats(*imagenet_stats)]
    return DataLoaders.from_dsets(
        training, validation, bs=phase.batch_size, after_batch=batch, num_workers=0, device=device
    )


def _resized(pictures: Iterable[NDArray[np.uint8]], size_px: int) -> torch.Tensor:
    """Return (n, size, size) uint8: pixels that fall together are averaged."""
    out = []
    for picture in pictures:
        grey = torch.from_numpy(np.array(picture))
        if grey.shape != (size_px, size_px):
            grey = interpolate(grey[None, None].float(), (size_px, size_px), mode="area")[0, 0].round().to(torch.uint8)
        out.append(grey)
    return torch.stack(out)
