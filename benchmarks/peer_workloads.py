"""What peers do, and what of ours is beside it: a workload a process, as benchmarks/workloads.py has them.

    python benchmarks/peer_workloads.py patchmatch FOLDER        prints units a second, and peak memory

Two are run by an environment of their own, which has neither this package nor what it needs (benchmarks/peers.py).
"""

import json
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from workloads import peak_memory_mib, rate

GRAINS, SIDE_PX = 150, 512
TILE_PX, SEED_PX, SOURCE_PX = 128, 32, 256
CLASSIFIED_PX, BATCH, EPOCHS = 64, 32, 4
"""Size and batch of a classifier's training, and how often it sees each tile."""

MEAN, SD = 0.449, 0.226
"""Of ImageNet, in grey."""


def voronoi_grain_net(folder: Path) -> float:
    """Return micrographs a second: image and label with random points and its noises, as its samples configure them."""
    sys.path.insert(0, str(folder / "voronoi-grain-net/voronoi"))
    from utils import VoronoiGenerator

    processors = [
        {"type": "gaussian_noise", "apply_to": "image", "params": {"mean": 0, "std": 20}},
        {"type": "perlin_noise", "apply_to": "image", "params": {"res": [32, 32], "noise_range": 20}},
    ]
    make = VoronoiGenerator(
        {
            "width": SIDE_PX,
            "height": SIDE_PX,
            "point_generation": {"method": "random", "params": {"points_num": [GRAINS]}},
            "label_info": {"color": [255, 255, 255], "thickness": 2},
            "image_info": {"method": "gaussian", "params": {"mean": 128, "std": 32}},
            "post_processors": processors,
        }
    )

    def work(turn: int) -> float:
        np.random.seed(turn)  # noqa: NPY002 - it draws from nothing else
        image, label = make.generate(points_num=GRAINS)
        assert image.shape[:2] == label.shape[:2] == (SIDE_PX, SIDE_PX)
        return 1

    return rate(work)


def patchmatch(folder: Path) -> float:
    """Return tiles a second: all around a seed patch in the middle is filled, from a surface that lies beside it."""
    from patchmatch import patch_match

    surface = np.load(folder / "surface.npy")
    rng = np.random.default_rng(0)

    def work(turn: int) -> float:
        patch_match.set_random_seed(turn)
        row, col = rng.integers(0, SOURCE_PX - SEED_PX, 2)
        picture = np.zeros((SOURCE_PX, SOURCE_PX + TILE_PX), np.uint8)
        hole, unused = np.zeros((2, *picture.shape), np.uint8)
        picture[:, :SOURCE_PX], unused[TILE_PX:, SOURCE_PX:] = surface[:SOURCE_PX, :SOURCE_PX], 255
        hole[:TILE_PX, SOURCE_PX:] = 255
        first = (TILE_PX - SEED_PX) // 2
        middle = np.s_[first : first + SEED_PX, SOURCE_PX + first : SOURCE_PX + first + SEED_PX]
        picture[middle], hole[middle] = surface[row : row + SEED_PX, col : col + SEED_PX], 0
        colours = np.repeat(picture[..., None], 3, axis=2)
        filled = patch_match.inpaint(colours, hole, global_mask=unused, patch_size=3)
        assert filled[:TILE_PX, SOURCE_PX:].any()
        return 1

    return rate(work)


def image_folder(folder: Path) -> float:
    """Return tiles a second that torchvision's folder of PNG files gives to a training: resized, normalised batches."""
    import torch
    from torch.utils.data import DataLoader
    from torchvision.datasets import ImageFolder
    from torchvision.transforms import v2

    size = v2.Resize((CLASSIFIED_PX, CLASSIFIED_PX), antialias=True)
    to_float = v2.ToDtype(torch.float32, scale=True)
    seen = v2.Compose([v2.ToImage(), size, to_float, v2.Normalize([MEAN] * 3, [SD] * 3)])

    def work(turn: int) -> float:  # noqa: ARG001 - each time the same
        batches = DataLoader(ImageFolder(folder / "classes", seen), batch_size=BATCH, shuffle=True, drop_last=True)
        return sum(_count(batches) for _ in range(EPOCHS))

    return rate(work)


def shards(folder: Path) -> float:
    """Return tiles a second that our data set gives to a training: read and resized once, then in batches."""
    import torch
    from fastai.data.load import DataLoader

    from micromime.datasets.store import Dataset
    from micromime.scenario.parameters import read_tree
    from micromime.training.loaders import Pairs
    from micromime.training.settings import TrainParameters

    torch.set_num_threads(1)
    tree = read_tree(Path(__file__).parents[1] / "params.yaml")
    settings = TrainParameters.of(tree, "chip_cracks", "train")
    mean, sd = torch.full((3, 1, 1), MEAN), torch.full((3, 1, 1), SD)  # of one channel they make three, as in training

    def work(turn: int) -> float:  # noqa: ARG001 - each time the same
        dataset = Dataset(folder / "shards")
        tiles = Pairs(dataset, np.arange(len(dataset.images)), settings, CLASSIFIED_PX)
        batches = DataLoader(tiles, bs=BATCH, shuffle=True, drop_last=True, num_workers=0)
        return sum(_count(((x.float() / 255 - mean) / sd, y) for x, y in batches) for _ in range(EPOCHS))

    return rate(work)


def _count(batches: Iterable[Any]) -> int:
    """Return how many images batches have, all looked at."""
    count = 0
    for images, _ in batches:
        assert images.shape[1:] == (3, CLASSIFIED_PX, CLASSIFIED_PX)
        count += len(images)
    return count


def main(arguments: Sequence[str]) -> None:
    """Print the result of a workload."""
    name, folder = arguments
    per_second = {each.__name__: each for each in (voronoi_grain_net, patchmatch, image_folder, shards)}[name](
        Path(folder)
    )
    print(json.dumps({"per_second": per_second, "peak_memory_mib": peak_memory_mib()}))


if __name__ == "__main__":
    main(sys.argv[1:])
