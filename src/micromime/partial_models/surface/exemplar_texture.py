"""Texture that goes on from a small seed patch as its exemplars do: patches of a dictionary, laid outward ring by ring.

Exemplar-based filling after Criminisi et al. 2004 (doi 10.1109/TIP.2004.833105), as Trampert et al. 2021 use it
(section 3.1.1). Criminisi's priorities depend on the picture; here every tile is filled in the same order, from its
middle outward, so that one matrix product compares a step of all tiles with the dictionary. Greys, and all sums of
their products, are whole numbers below 2^24, which float32 holds exactly: a tile is the same alone and in any batch.
"""

from collections.abc import Iterator, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
import scipy
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
        self._greys = dictionary.patches.astype(np.float32) - MIDDLE
        self._moments = _moments(dictionary.patches)
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
        used = np.full((len(self._steps), len(seeds)), -1)
        with threadpool_limits(1, "blas"):  # products this small are slower with more, and far slower on busy cores
            for number, step in enumerate(self._steps):
                blocks = (offsets + number) % self._blocks
                for block in np.unique(blocks):
                    here = np.flatnonzero(blocks == block)
                    earlier = used[number % self._blocks : number : self._blocks, here]
                    used[number, here] = self._best(int(block), tiles[here], step, wanted[here], earlier)
                _lay(tiles, self._greys[used[number]], step)
        start = (self._canvas - self.side) // 2
        return tiles[:, start : start + self.side, start : start + self.side]

    def _best(
        self, block: int, tiles: Greys, step: _Step, wanted: NDArray[np.float32], earlier: NDArray[np.int64]
    ) -> NDArray[np.int64]:
        """Return the patch of a block that fits each tile best, none that it has: of equal ones the first."""
        there = tiles[:, step.row : step.row + PATCH_PX, step.col : step.col + PATCH_PX][:, step.compared]
        left = np.column_stack([-2 * there, np.ones(len(tiles), dtype=np.float32), wanted])
        costs = left @ self._table(step, block)
        costs[np.tile(np.arange(len(tiles)), len(earlier)), earlier.ravel() - self._ends[block]] = np.inf
        return self._ends[block] + costs.argmin(axis=1)

    def _table(self, step: _Step, block: int) -> NDArray[np.float32]:
        """Return (columns, patches of the block), so that `[-2 q, 1, wanted] @ table` is a cost but for a constant."""
        if (step.kind, block) not in self._tables:
            part = slice(self._ends[block], self._ends[block + 1])
            greys, moments = self._greys[part][:, step.compared], self._moments[part]
            weights = np.array([MEAN_WEIGHT, SD_WEIGHT], dtype=np.float32)
            own = (greys**2).sum(axis=1) + (weights * moments**2).sum(axis=1)
            table = np.column_stack([greys, own, -2 * weights * moments])
            self._tables[step.kind, block] = np.ascontiguousarray(table.T)
        return self._tables[step.kind, block]


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
            found.append(_Step(row, col, kind, compared, weight))
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


def _lay(tiles: Greys, patches: Greys, step: _Step) -> None:
    """Blend the patches into the tiles, and round: what later steps compare are whole numbers."""
    there = tiles[:, step.row : step.row + PATCH_PX, step.col : step.col + PATCH_PX]
    there += np.rint(step.weight * (patches - there))


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
