"""Cut the exemplars of a surface from real tiles: patches, seed patches and whole tiles, all without a crack."""

from collections import defaultdict
from collections.abc import Iterator, Sequence

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray
from scipy.ndimage import binary_dilation

from micromime.mistakes import Mistake
from micromime.partial_models.surface.dictionary import PATCH_PX, SEED_PX, Dictionary
from micromime.pictures.tiles import Tile
from micromime.scenario.arrays import Mask

AWAY_PX = 4
"""How far from a crack's mask a patch begins: people draw masks a little off."""

STRIDE_PX = 3
"""Distance of the patches that may be taken."""

TRIES = 50
"""Places at which a seed patch is looked for in a tile."""


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
    places = [_seed_place(each, rng) for each in free]
    seeds = [
        tile.image[row : row + SEED_PX, col : col + SEED_PX]
        for tile, place in zip(tiles, places, strict=True)
        for row, col in place
    ]
    for each, kept in zip(free, _kept(tiles, places), strict=True):
        for row, col in kept:
            each[max(0, row) : row + SEED_PX, max(0, col) : col + SEED_PX] = False
    candidates = np.concatenate([_patches(tile, each) for tile, each in zip(tiles, free, strict=True)])
    if not seeds or not len(candidates):
        raise Mistake(f"The {len(tiles)} tiles have no room for a seed patch and patches beside it; give more tiles.")
    chosen = rng.permutation(len(candidates))[:count]
    gain = np.ones((side, side // 2 + 1), dtype=np.float32)
    return Dictionary(candidates[chosen], np.stack(seeds), gain, np.stack(backgrounds))


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


def _kept(tiles: Sequence[Tile], places: Sequence[Sequence[tuple[int, int]]]) -> Iterator[list[tuple[int, int]]]:
    """Yield for each tile the corners, in the tile, of all seed patches of its photograph that reach into it."""
    by_photograph: defaultdict[str, list[tuple[int, int]]] = defaultdict(list)
    for tile, place in zip(tiles, places, strict=True):
        by_photograph[tile.photograph] += [(tile.row + row, tile.col + col) for row, col in place]
    for tile in tiles:
        rows, cols = tile.image.shape
        corners = [(row - tile.row, col - tile.col) for row, col in by_photograph[tile.photograph]]
        yield [(r, c) for r, c in corners if -SEED_PX < r < rows and -SEED_PX < c < cols]


def _patches(tile: Tile, free: Mask) -> NDArray[np.uint8]:
    """Return (n, 17, 17): the patches of a tile that lie in its free part."""
    shape = (PATCH_PX, PATCH_PX)
    allowed = sliding_window_view(free, shape)[::STRIDE_PX, ::STRIDE_PX].all(axis=(2, 3))
    found: NDArray[np.uint8] = sliding_window_view(tile.image, shape)[::STRIDE_PX, ::STRIDE_PX][allowed]
    return found
