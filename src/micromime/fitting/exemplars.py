"""Exemplars of a surface, cut from real tiles: patches, seed patches and whole tiles, all without a crack.

What is filled from such a dictionary is made as strong, at every spatial frequency, as the exemplars are.
"""

from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray
from scipy.ndimage import binary_dilation, gaussian_filter

from micromime.datasets.store import Dataset
from micromime.mistakes import Mistake
from micromime.partial_models.surface.dictionary import PATCH_PX, SEED_PX, Dictionary
from micromime.partial_models.surface.exemplar_texture import Filler, strengthened
from micromime.pictures.micrographs import read_micrographs
from micromime.pictures.tiles import Tile
from micromime.scenario.arrays import Image, Mask
from micromime.scenario.streams import stream

AWAY_PX = 4
"""How far from a crack's mask a patch begins: people draw masks a little off."""

STRIDE_PX = 3
"""Distance of the patches that may be taken."""

TRIES = 50
"""Places at which a seed patch is looked for in a tile."""

TILES, ROUNDS = 192, 4
"""Tiles that are filled to compare with the exemplars, and how often the gain is corrected."""

LEAST_GAIN, LARGEST_GAIN = 0.25, 4.0
SMOOTH = 0.5
"""Frequencies over which spectra are averaged (sd of a Gaussian), where there are 64 exemplars; more, if fewer."""


def cut_dictionary(tiles: Sequence[Tile], count: int, rng: np.random.Generator) -> Dictionary:
    """Return `count` patches (all there are, if fewer), a seed patch a tile where one fits, and the intact tiles.

    No pixel of a photograph is both in a seed patch and in a patch, whichever tiles they were cut from. Raises Mistake
    where there is no tile without a crack, or nothing to cut.
    """
    backgrounds = [tile.image for tile in tiles if not tile.mask.any()]
    if not backgrounds:
        raise Mistake("No tile is without a crack, so there is no surface to learn from; add intact tiles.")
    side = len(backgrounds[0])
    free = [~binary_dilation(tile.mask, iterations=AWAY_PX) if tile.mask.any() else ~tile.mask for tile in tiles]
    seeds, taken = [], defaultdict[str, list[tuple[int, int]]](list)
    for tile, each in zip(tiles, free, strict=True):
        for row, col in _seed_place(each, rng):
            seeds.append(tile.image[row : row + SEED_PX, col : col + SEED_PX])
            taken[tile.photograph].append((tile.row + row, tile.col + col))
    for tile, each in zip(tiles, free, strict=True):
        for at in taken[tile.photograph]:
            rows, cols = (slice(max(0, n), max(0, n + SEED_PX)) for n in (at[0] - tile.row, at[1] - tile.col))
            each[rows, cols] = False
    candidates = np.concatenate([_patches(tile, each) for tile, each in zip(tiles, free, strict=True)])
    if not seeds or not len(candidates):
        raise Mistake(f"The {len(tiles)} tiles have no room for a seed patch and patches beside it; give more tiles.")
    chosen = rng.permutation(len(candidates))[:count]
    gain = np.ones((side, side // 2 + 1), dtype=np.float32)
    return Dictionary(candidates[chosen], np.stack(seeds), gain, np.stack(backgrounds))


def calibrated(dictionary: Dictionary, seed: int) -> Dictionary:
    """Return the dictionary with the gain under which finished tiles have the spectrum of its backgrounds.

    The best fit among patches is often a smooth one, and blending smooths too; rounding to whole greys adds noise at
    the highest frequencies, where real surfaces have least. So the gain is found on finished, rounded tiles.
    """
    smooth = SMOOTH * max(1.0, 64 / len(dictionary.backgrounds)) ** 0.5
    wanted = spectrum(dictionary.backgrounds.astype(np.float64), smooth)
    raw = Filler(dictionary).fill([stream(seed, "calibration", n) for n in range(TILES)])
    gain = np.ones_like(dictionary.gain)
    for _ in range(ROUNDS):
        finished = np.stack([np.clip(np.rint(strengthened(tile, gain)), 0, 255) for tile in raw])
        gain = gain * np.sqrt(wanted / spectrum(finished, smooth)).astype(np.float32)
        gain = np.clip(gain, LEAST_GAIN, LARGEST_GAIN)
        gain[0, 0] = 1
    return dictionary._replace(gain=gain.astype(np.float32))


def spectrum(pictures: NDArray[np.float64], smooth: float) -> NDArray[np.float64]:
    """Return (rows, cols // 2 + 1): the geometric mean of the pictures' power spectra, smoothed.

    A few strong pictures would decide an arithmetic mean. Greys fall off to the rim (Hann's window): a picture's rims
    do not meet, and the step between them would look like a spectrum.
    """
    window = np.outer(np.hanning(pictures.shape[1]), np.hanning(pictures.shape[2]))
    grey = (pictures - pictures.mean(axis=(1, 2), keepdims=True)) * window
    power = np.exp(np.log(np.abs(np.fft.rfft2(grey)) ** 2 + 1e-6).mean(axis=0))
    return gaussian_filter(power, smooth, mode=("wrap", "nearest"))


def tiles_of(folder: Path) -> list[Tile]:
    """Return the real tiles of a data set."""
    dataset = Dataset(folder)
    columns = dataset.samples.rename(columns={"id": "name"})[["name", "label", "specimen", "photograph", "row", "col"]]
    return [
        Tile(**{str(key): value for key, value in row.items()}, image=dataset.images[n], mask=dataset.masks[n])
        for n, row in enumerate(columns.to_dict("records"))
    ]


def whole_photographs(folder: Path, test: Path) -> list[tuple[Image, Mask]]:
    """Return image and mask of every photograph of a specimen that is not in the test set."""
    kept_out = set(Dataset(test).description["specimens"])
    return [(each.image, each.mask) for each in read_micrographs(folder, maskless=True) if each.source not in kept_out]


def _seed_place(free: Mask, rng: np.random.Generator) -> list[tuple[int, int]]:
    """Return the corner of a random seed patch in the free part of a tile, or nothing where none was found."""
    rows, cols = free.shape
    if min(rows, cols) < SEED_PX:
        return []
    for _ in range(TRIES):
        row, col = int(rng.integers(rows - SEED_PX + 1)), int(rng.integers(cols - SEED_PX + 1))
        if free[row : row + SEED_PX, col : col + SEED_PX].all():
            return [(row, col)]
    return []


def _patches(tile: Tile, free: Mask) -> NDArray[np.uint8]:
    """Return (n, 17, 17): the patches of a tile that lie in its free part."""
    shape = (PATCH_PX, PATCH_PX)
    allowed = sliding_window_view(free, shape)[::STRIDE_PX, ::STRIDE_PX].all(axis=(2, 3))
    return sliding_window_view(tile.image, shape)[::STRIDE_PX, ::STRIDE_PX][allowed]
