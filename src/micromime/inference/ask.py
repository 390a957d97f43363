"""What a network gives for pictures, wherever it lies."""

import itertools
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np

from micromime.datasets.store import Dataset
from micromime.judging.picture_scores import Picture
from micromime.pictures.micrographs import LIST_NAME, read_micrographs
from micromime.scenario.arrays import Image, Probability


def pictures_in(folder: Path) -> Iterator[Picture]:
    """Yield what a folder of micrographs or a synthetic data set holds."""
    if (folder / LIST_NAME).is_file():
        yield from (Picture(each.name, each.image, each.mask) for each in read_micrographs(folder))
        return
    dataset = Dataset(folder)
    numbers = dataset.class_numbers if "classes" in dataset.description else itertools.repeat(-1)
    for n, (name, number) in enumerate(zip(dataset.samples["id"], numbers, strict=False)):
        image, mask = np.array(dataset.images[n]), np.array(dataset.masks[n])  # not read-only: skeletons
        yield Picture(str(name), image, mask, int(number))


def predictor(network: Path) -> Callable[[Image], Probability]:
    """Return what gives a network's probabilities for a picture: on a GPU where there is one, else with one thread."""
    import torch

    from micromime.inference.networks import probability
    from micromime.training.networks import load_network

    torch.set_num_threads(1)
    loaded = load_network(network).to("cuda" if torch.cuda.is_available() else "cpu")
    return lambda image: probability(loaded, image)


def classifier(network: Path) -> Callable[[Sequence[Image]], Sequence[float]]:
    """Return what gives the probability of the second class for pictures, by a network that finds classes."""
    import torch

    from micromime.inference.networks import class_probabilities
    from micromime.training.networks import description_of, load_network

    torch.set_num_threads(1)
    loaded = load_network(network).to("cuda" if torch.cuda.is_available() else "cpu")
    size_px = int(description_of(network)["size_px"])

    def ask(images: Sequence[Image]) -> Sequence[float]:
        colours = np.repeat(np.stack(images)[:, None], 3, axis=1)
        found: list[float] = class_probabilities(loaded, colours, size_px).tolist()
        return found

    return ask
