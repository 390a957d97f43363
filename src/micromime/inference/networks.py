"""How a network is asked about pictures."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.nn.functional import pad

from micromime.scenario.arrays import Image, Probability
from micromime.training.networks import description_of, load_network, resized

TOGETHER = 16
"""Pictures that a classifier is asked about at once."""

STRIDE = 32
"""Sides are padded to a multiple of this, for the five reductions of a U-Net."""

_MEAN, _SD = (torch.tensor(each).view(1, 3, 1, 1) for each in ([0.485, 0.456, 0.406], [0.229, 0.224, 0.225]))


def predictor(network: Path) -> Callable[[Image], Probability]:
    """Return what gives a network's probabilities for a picture: on a GPU where there is one, else with one thread."""
    loaded = _ready(network)
    return lambda image: probability(loaded, image)


def classifier(network: Path) -> Callable[[Sequence[Image]], Sequence[float]]:
    """Return what gives the probability of the second class for pictures, by a network that finds classes."""
    loaded, size_px = _ready(network), int(description_of(network)["size_px"])
    return lambda images: class_probabilities(loaded, np.repeat(np.stack(images)[:, None], 3, axis=1), size_px).tolist()


def class_probabilities(network: nn.Module, pixels: NDArray[np.uint8], size_px: int) -> NDArray[np.float32]:
    """Return how likely each picture of (n, 3, rows, cols) uint8 shows what is looked for: (n,) from 0 to 1.

    Pictures are resized to the size that the network was trained at. They are asked in batches of one size, the last
    filled up with its first picture: so no answer depends on which others it came with (see `probabilities`).
    """
    device = next(network.parameters()).device
    found = [np.empty(0, np.float32)]
    for first in range(0, len(pixels), TOGETHER):
        part = pixels[first : first + TOGETHER]
        whole = [*part, *[part[0]] * (TOGETHER - len(part))]
        seen = torch.stack([resized(picture, size_px) for picture in whole]).float() / 255
        with torch.inference_mode():
            scores = network(((seen - _MEAN) / _SD).to(device, memory_format=torch.channels_last))
        found.append(scores.softmax(dim=1)[: len(part), 1].cpu().numpy())
    return np.concatenate(found)


def probability(network: nn.Module, image: Image) -> NDArray[np.float32]:
    """Return how likely each pixel belongs to what is looked for: (rows, cols) from 0 to 1.

    The image keeps its size: it is mirrored outward to multiples of 32 (where a side has 32 px or fewer, its last
    pixels are repeated) and the answer is cropped.
    """
    return probabilities(network, np.broadcast_to(image, (1, 3, *image.shape)))[0]


def probabilities(network: nn.Module, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Return the same of red, green and blue, (n, 3, rows, cols) uint8: (n, rows, cols) from 0 to 1.

    Images are asked one by one, so that no answer depends on which others it came with, down to the last digit.
    """
    count, _, rows, cols = pixels.shape
    below, beside = -rows % STRIDE, -cols % STRIDE
    mode = "reflect" if min(rows, cols) > STRIDE else "replicate"
    device = next(network.parameters()).device
    found = np.empty((count, rows, cols), np.float32)
    for index in range(count):
        padded = pad(torch.from_numpy(np.array(pixels[index]))[None].float() / 255, (0, beside, 0, below), mode=mode)
        with torch.inference_mode():
            scores = network(((padded - _MEAN) / _SD).to(device))
        found[index] = scores.softmax(dim=1)[0, 1, :rows, :cols].cpu().numpy()
    return found


def _ready(network: Path) -> nn.Module:
    torch.set_num_threads(1)
    return load_network(network).to("cuda" if torch.cuda.is_available() else "cpu")
