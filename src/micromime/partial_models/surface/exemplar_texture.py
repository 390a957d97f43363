"""Texture that goes on from a small seed patch as its exemplars do: patches of a dictionary, laid outward ring by ring.

Exemplar-based filling after Criminisi et al. 2004 (doi 10.1109/TIP.2004.833105), as Trampert et al. 2021 use it
(section 3.1.1). Criminisi's priorities depend on the picture; here every tile is filled in the same order, from its
middle outward, so that one matrix product compares a step of all tiles with the dictionary. That product says only what
a patch costs at least; those that may be the best are compared pixel by pixel. Their costs are whole numbers, which
float64 holds exactly: a tile is the same alone and in any batch, whatever the product is rounded to.
"""

from collections.abc import Iterator, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
import scipy
from numba import njit
from numpy.typing import NDArray
from pydantic import Field
from threadpoolctl import threadpool_limits

from micromime.partial_models.surface.dictionary import PATCH_PX, SEED_PX, Dictionary
from micromime.scenario.arrays import Grey, Mask
from micromime.scenario.partial_model import PartialModel

OVERLAP_PX = 5
"""How far a patch lies on what is there: compared, and blended."""

BLOCK = 2048
"""Patches that one step chooses among, about: the next step has others, so that none comes again soon."""

MIDDLE = 128
"""Taken from greys, so that their products stay small."""

ABREAST = 32
"""Tiles filled side by side, at most: what they compare stays in the processor's cache."""

COMPONENTS = 12
"""Directions in which patches differ most: the distance in these alone is never above the whole one, and so near to it
that few patches need be compared pixel by pixel."""

TOGETHER = 64
"""Patches that are looked through at once: hardly ever is one of them near enough."""

ROUNDING = 64
"""More than float32 can be wrong by in the cost of a patch, whatever its greys."""

MEAN_WEIGHT, SD_WEIGHT, SD_SCALE = 3, 1, 4
"""Cost of a patch whose mean, or sd in quarters of a grey, differs by 1 from the seed patch's. Without it the best fit
is often a smooth or dark patch, and the next one then fits that: contrast dies away."""

Greys = NDArray[np.float32]
"""(n, rows, cols): greys minus 128, whole numbers."""


class ExemplarTexture(PartialModel):
    """A surface like that of the exemplars."""

    dictionary: str = Field(min_length=1, description="File of the dictionary, which the stage measure makes.")
    way: Literal["filled", "phase_randomised", "white_noise", "cut"] = Field(
        "filled", description="filled: as in the paper. For comparison, what is simpler: see surfaces()."
    )


class _Step(NamedTuple):
    """One place where a patch is laid, the same in all tiles."""

    row: int
    col: int
    kind: int
    """Steps of one kind compare the same pixels."""
    compared: Mask
    """(17, 17): pixels that lie there already, near to those that do not."""
    pixels: NDArray[np.int64]
    """(n,): where these are, row by row."""
    weight: NDArray[np.float32]
    """(17, 17): share of the new patch: 1 where nothing lies yet, falling over the overlap."""


class Filler:
    """Fills tiles of one size from one dictionary; keeps what all tiles have in common."""

    def __init__(self, dictionary: Dictionary) -> None:
        """Prepare the steps."""
        self.dictionary, self.side = dictionary, len(dictionary.gain)
        self._steps, self._canvas = steps(self.side)
        count = len(dictionary.patches)
        self._blocks = max(1, count // BLOCK)
        self._ends = np.linspace(0, count, self._blocks + 1).astype(int)
        self._moments = _moments(dictionary.patches)
        self._bases: dict[int, NDArray[np.float64]] = {}
        self._tables: dict[tuple[int, int], NDArray[np.float32]] = {}

    def fill(self, rngs: Sequence[np.random.Generator]) -> Greys:
        """Return (n, side, side), a tile for each generator; each depends on its own generator alone."""
        drawn = [(rng.integers(len(self.dictionary.seeds)), rng.integers(self._blocks)) for rng in rngs]
        seeds = self.dictionary.seeds[[seed for seed, _ in drawn]]
        offsets = np.array([offset for _, offset in drawn])
        tiles = np.zeros((len(seeds), self._canvas, self._canvas), dtype=np.float32)
        first = (self._canvas - SEED_PX) // 2
        tiles[:, first : first + SEED_PX, first : first + SEED_PX] = seeds.astype(np.float32) - MIDDLE
        wanted = _moments(seeds)
        with threadpool_limits(1, "blas"):  # products this small are slower with more, and far slower on busy cores
            for offset in np.unique(offsets):
                alike = np.flatnonzero(offsets == offset)
                for here in np.split(alike, range(ABREAST, len(alike), ABREAST)):
                    tiles[here] = self._filled(tiles[here], wanted[here], int(offset))
        start = (self._canvas - self.side) // 2
        return tiles[:, start : start + self.side, start : start + self.side]

    def _filled(self, tiles: Greys, wanted: NDArray[np.float32], offset: int) -> Greys:
        """Return the tiles with all patches laid, the first of them from the block `offset`."""
        used = np.full((len(self._steps), len(tiles)), -1)
        for number, step in enumerate(self._steps):
            block = (offset + number) % self._blocks
            earlier = used[number % self._blocks : number : self._blocks]
            used[number] = self._best(block, tiles, step, wanted, earlier)
            _lay(tiles, self.dictionary.patches, used[number], (step.row, step.col), step.weight)
        return tiles

    def _best(
        self, block: int, tiles: Greys, step: _Step, wanted: NDArray[np.float32], earlier: NDArray[np.int64]
    ) -> NDArray[np.int64]:
        """Return the patch of a block that fits each tile best, none that it has: of equal ones the first."""
        there = tiles[:, step.row : step.row + PATCH_PX, step.col : step.col + PATCH_PX][:, step.compared]
        left = np.column_stack([-2 * _coordinates(there, self._basis(step)), np.ones(len(tiles)), wanted])
        least = left.astype(np.float32) @ self._table(step, block)
        least[np.arange(len(tiles)), earlier - self._ends[block]] = np.inf
        part = slice(self._ends[block], self._ends[block + 1])
        known = self.dictionary.patches.reshape(-1, PATCH_PX**2)[part], self._moments[part]
        found = least.argmin(axis=1)
        _nearest(least, found, (there, wanted), known, step.pixels)
        return self._ends[block] + found

    def _basis(self, step: _Step) -> NDArray[np.float64]:
        """Return (pixels, components): orthonormal directions in which patches differ most where a step compares."""
        if step.kind not in self._bases:
            greys = self._greys(slice(BLOCK), step)
            greys -= greys.mean(axis=0)
            _, axes = np.linalg.eigh(greys.T @ greys)
            self._bases[step.kind] = np.ascontiguousarray(axes[:, -COMPONENTS:])
        return self._bases[step.kind]

    def _table(self, step: _Step, block: int) -> NDArray[np.float32]:
        """Return (columns, patches of the block), so that `[-2 coordinates, 1, wanted] @ table` is a least cost."""
        if (step.kind, block) not in self._tables:
            part = slice(self._ends[block], self._ends[block + 1])
            greys, moments = self._greys(part, step), self._moments[part]
            weights = np.array([MEAN_WEIGHT, SD_WEIGHT])
            own = (greys**2).sum(axis=1) + (weights * moments**2).sum(axis=1)
            table = np.column_stack([_coordinates(greys, self._basis(step)), own, -2 * weights * moments])
            self._tables[step.kind, block] = np.ascontiguousarray(table.T, dtype=np.float32)
        return self._tables[step.kind, block]

    def _greys(self, part: slice, step: _Step) -> NDArray[np.float64]:
        """Return (patches, pixels): what a step compares of some patches, a new array."""
        return self.dictionary.patches[part][:, step.compared].astype(np.float64) - MIDDLE


def _coordinates(greys: NDArray[Any], basis: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return (n, components + 1): coordinates on the basis, and the distance from what it spans.

    Two of these are no farther from each other than the greys are.
    """
    exact = greys.astype(np.float64)
    within = exact @ basis
    beyond = (exact**2).sum(axis=1) - (within**2).sum(axis=1)
    return np.column_stack([within, np.sqrt(np.maximum(beyond, 0))])


@njit(cache=True)
def _nearest(least: Any, found: Any, sought: Any, known: Any, pixels: Any) -> None:
    """Put into `found` which patch costs each tile least, of equal ones the first; whole numbers alone decide.

    `least` (n, patches) is what each costs at least, but for rounding, and `found` (n,) where that is smallest;
    `sought` is (n, pixels) and the wanted moments, `known` the patches (patches, 289) and their moments; `pixels` says
    which are compared.
    """
    for tile, best in enumerate(found):
        there, wanted = sought[0][tile], sought[1][tile]
        lowest = _cost(there, wanted, known[0][best], known[1][best], pixels)
        for first in range(0, least.shape[1], TOGETHER):
            some, near = least[tile, first : first + TOGETHER], 0
            for patch in range(len(some)):
                near += some[patch] <= lowest + ROUNDING
            for patch in range(first, first + len(some) if near else first):
                if least[tile, patch] <= lowest + ROUNDING:
                    cost = _cost(there, wanted, known[0][patch], known[1][patch], pixels)
                    if cost < lowest or (cost == lowest and patch < best):
                        best, lowest = patch, cost
        found[tile] = best


@njit(cache=True)
def _cost(there: Any, wanted: Any, patch: Any, moments: Any, pixels: Any) -> Any:
    """Return the squared difference of a patch from what is there and is wanted, but for a constant of the tile."""
    cost = MEAN_WEIGHT * moments[0] * (moments[0] - 2 * wanted[0])
    cost += SD_WEIGHT * moments[1] * (moments[1] - 2 * wanted[1])
    for k in range(len(pixels)):
        grey = np.float32(patch[pixels[k]]) - np.float32(MIDDLE)
        cost += grey * (grey - 2 * there[k])
    return cost


@lru_cache(maxsize=2)
def filler(file: str) -> Filler:
    """Return what fills tiles from the dictionary in a file, made once a process."""
    return Filler(Dictionary.read(Path(file)))


def surfaces(models: Sequence[ExemplarTexture], rngs: Sequence[np.random.Generator]) -> list[Grey]:
    """Return a surface for each model and generator: greys, about 0 to 255; neighbours change none of them.

    All are (side, side), as large as the tiles that the dictionary was made for.

    filled: exemplar-based, then filtered so that all spatial frequencies are as strong as in the exemplars.
    phase_randomised: an exemplar's own spectrum with random phases (Galerne et al. 2011, doi 10.1109/TIP.2010.2052822).
    white_noise: mean and sd of an exemplar. cut: an exemplar as it is. The last three are what the first must beat.
    """
    found: dict[int, Grey] = {}
    for file in dict.fromkeys(model.dictionary for model in models):
        ours = filler(file)
        filled = [n for n, each in enumerate(models) if each.dictionary == file and each.way == "filled"]
        tiles: Sequence[Grey] = list(ours.fill([rngs[n] for n in filled])) if filled else []
        found |= {n: strengthened(tile, ours.dictionary.gain) for n, tile in zip(filled, tiles, strict=True)}
        others = [n for n, each in enumerate(models) if each.dictionary == file and each.way != "filled"]
        found |= {n: _simpler(models[n].way, ours.dictionary, rngs[n]) for n in others}
    return [found[n] for n in range(len(models))]


def steps(side: int) -> tuple[list[_Step], int]:
    """Return where patches are laid, in order, and the side of the canvas: the first that is no smaller than `side`."""
    new = PATCH_PX - OVERLAP_PX
    rings = max(0, -(-(side - SEED_PX) // (2 * new)))
    canvas = SEED_PX + 2 * new * rings
    known = np.zeros((canvas, canvas), dtype=np.bool_)
    first = (canvas - SEED_PX) // 2
    known[first : first + SEED_PX, first : first + SEED_PX] = True
    kinds: dict[bytes, int] = {}
    found = []
    for row, col in _places(rings, canvas):
        window = known[row : row + PATCH_PX, col : col + PATCH_PX]
        if not window.all():
            from_new = scipy.ndimage.distance_transform_cdt(window, "chessboard")
            compared = window & (from_new <= OVERLAP_PX)
            weight = np.maximum(0, 1 - from_new / (OVERLAP_PX + 1)).astype(np.float32)
            kind = kinds.setdefault(compared.tobytes(), len(kinds))
            found.append(_Step(row, col, kind, compared, np.flatnonzero(compared), weight))
            window[:] = True
    return found, canvas


def _places(rings: int, canvas: int) -> Iterator[tuple[int, int]]:
    """Yield the corners of the patches, clockwise round each ring, from the inside out."""
    new = PATCH_PX - OVERLAP_PX
    for ring in range(1, rings + 1):
        low = (canvas - SEED_PX) // 2 - new * ring
        high = canvas - low - PATCH_PX
        along = [*range(low, high, new), high]
        yield from ((low, col) for col in along)
        yield from ((row, high) for row in along)
        yield from ((high, col) for col in reversed(along))
        yield from ((row, low) for row in reversed(along))


@njit(cache=True)
def _lay(tiles: Any, patches: Any, chosen: Any, corner: tuple[int, int], weight: Any) -> None:
    """Blend a patch into each tile, and round: what later steps compare are whole numbers."""
    for tile, patch in enumerate(chosen):
        for row in range(weight.shape[0]):
            for col in range(weight.shape[1]):
                there = tiles[tile, corner[0] + row, corner[1] + col]
                more = weight[row, col] * (np.float32(patches[patch, row, col]) - np.float32(MIDDLE) - there)
                tiles[tile, corner[0] + row, corner[1] + col] = there + np.rint(more)


def _moments(pictures: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Return (n, 2): mean minus 128 and sd in quarters of a grey, both rounded to whole numbers."""
    flat = pictures.reshape(len(pictures), -1).astype(np.float64)
    moments = np.stack([flat.mean(axis=1) - MIDDLE, SD_SCALE * flat.std(axis=1)], axis=1)
    return np.rint(moments).astype(np.float32)


def strengthened(tile: Grey, gain: NDArray[np.float32]) -> Grey:
    """Return greys, about 0 to 255, of a filled tile with each spatial frequency raised by its gain; the mean stays."""
    filtered = np.fft.irfft2(np.fft.rfft2(tile.astype(np.float64)) * gain, s=tile.shape)
    return (filtered + MIDDLE).astype(np.float32)


def _simpler(way: str, dictionary: Dictionary, rng: np.random.Generator) -> Grey:
    exemplar = dictionary.backgrounds[rng.integers(len(dictionary.backgrounds))].astype(np.float64)
    noise = rng.standard_normal(exemplar.shape)
    if way == "white_noise":
        exemplar = exemplar.mean() + exemplar.std() * noise
    elif way == "phase_randomised":
        phases = np.exp(1j * np.angle(np.fft.rfft2(noise)))
        spectrum = np.abs(np.fft.rfft2(exemplar - exemplar.mean()))
        exemplar = exemplar.mean() + np.fft.irfft2(spectrum * phases, s=exemplar.shape)
    return exemplar.astype(np.float32)
