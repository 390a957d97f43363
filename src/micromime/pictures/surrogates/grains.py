"""A stand-in for real micrographs, from a simulator that shares nothing with the scenarios.

Its grains grow in the Potts model of grain growth (Anderson et al. 1984, doi 10.1016/0001-6160(84)90151-2) and
its pictures come from a small microscope: grooves whose depth follows the misorientation of the two grains, a
lamp close to the specimen, an aperture, a camera that counts photons. Scores on it say whether a network can
carry over to pictures of another making; they say nothing about real ones.
"""

import math
from pathlib import Path
from typing import NamedTuple

import numpy as np
import PIL.Image
from numba import njit
from numpy.typing import NDArray
from scipy import ndimage
from skimage.transform import downscale_local_mean

from micromime.pictures.micrographs import LIST_NAME, Micrograph
from micromime.pictures.surrogates import FINE, write_table
from micromime.scenario.arrays import Grey, Image, Mask
from micromime.scenario.streams import stream

Spins = NDArray[np.int64]

LATTICE = 4
"""Fine pixels to a site of the lattice on which grains grow."""
SHAPES = ((1.0, 1.0), (0.75, 1.0), (1.0, 0.875))
"""Rows and columns of a picture as shares of the wanted side."""
LINE_PX = 3.0
"""Width of the lines in the masks."""
LEAST_SITES = 16
"""Sites of the lattice to a sweep, at least: so that a small picture, too, shows several grains."""
NEIGHBOURS = np.array([(r, c) for r in (-1, 0, 1) for c in (-1, 0, 1) if (r, c) != (0, 0)])


class _Microscope(NamedTuple):
    source: str
    sweeps: int
    """Duration of the growth; the mean grain diameter grows about as its square root."""
    groove: float
    """Grey levels lost in the deepest groove."""
    easy_deg: float
    """Misorientation at which the etchant takes 63 % of a full groove."""
    missed: float
    """Share of the boundary length that the etchant missed."""
    tone: float
    """Grey levels between the darkest and the brightest orientation."""
    roughness: float
    """Standard deviation of the surface's texture, in grey levels."""
    photons: float
    """Photons counted to a grey level: the fewer, the noisier."""
    pits: float
    """Pits to 10,000 px."""


MICROSCOPES = (
    _Microscope("surrogate_etched", 500, 130.0, 45.0, 0.06, 22.0, 4.0, 12.0, 4.0),
    _Microscope("surrogate_shaded", 600, 22.0, 60.0, 0.35, 95.0, 5.0, 6.0, 1.5),
    _Microscope("surrogate_faint", 600, 48.0, 50.0, 0.15, 10.0, 7.0, 0.35, 2.0),
)


def write(count: int, side_px: int, seed: int, folder: Path) -> None:
    """Write `count` simulated micrographs of three sources in turn, none longer than `side_px` a side, into a folder.

    Images are uint8, masks 255 on boundary lines about 3 px wide. Micrograph i depends on the seed, the side
    and i alone, so a larger count only adds to the same set. The folder must exist.
    """
    micrographs = []
    for index in range(count):
        microscope = MICROSCOPES[index % len(MICROSCOPES)]
        rows, cols = (round(share * side_px) for share in SHAPES[index // len(MICROSCOPES) % len(SHAPES)])
        image, mask = _simulate(microscope, rows, cols, stream(seed, "surrogate", index))
        micrographs.append(Micrograph(f"surrogate_{index:03d}", microscope.source, image, mask))
    write_micrographs(micrographs, folder)


def write_micrographs(micrographs: list[Micrograph], folder: Path) -> None:
    """Write the micrographs as images.csv, images/ and masks/ (PNG, 255 on a boundary) into an existing folder."""
    for kind in ("images", "masks"):
        (folder / kind).mkdir()
    table: list[list[object]] = [["image", "mask", "source", "width", "height", "boundary_fraction"]]
    for each in micrographs:
        names = [f"{kind}/{each.name}.png" for kind in ("images", "masks")]
        for name, pixels in zip(names, (each.image, np.uint8(255) * each.mask), strict=True):
            PIL.Image.fromarray(pixels).save(folder / name)
        rows, cols = each.image.shape
        table.append([*names, each.source, cols, rows, f"{each.mask.mean():.4f}"])
    write_table(folder / LIST_NAME, table)


def _simulate(microscope: _Microscope, rows: int, cols: int, rng: np.random.Generator) -> tuple[Image, Mask]:
    sites = (-(-rows * FINE // LATTICE), -(-cols * FINE // LATTICE))
    sweeps = min(round(microscope.sweeps * rng.uniform(0.5, 1.6)), math.prod(sites) // LEAST_SITES)
    lattice = _grow(*sites, sweeps, rng)
    grains = _enlarge(lattice, LATTICE, 3)[: rows * FINE, : cols * FINE]
    across = _facing(grains)
    distance, nearest = ndimage.distance_transform_edt(across < 0, return_indices=True)
    here, there = grains[tuple(nearest)], across[tuple(nearest)]
    axes = rng.normal(size=(lattice.max() + 1, 3))
    axes /= np.linalg.norm(axes, axis=1, keepdims=True)
    field = 150 + microscope.tone * (np.abs(axes[:, 0]) - 0.5)[grains]
    field += microscope.roughness * rng.uniform(0.4, 1.6, len(axes))[grains] * _speckle(grains.shape, 5, rng)
    depth = microscope.groove * _etched(microscope, axes, rng)[here, there]
    depth *= _reached(microscope, grains.shape, rng)[tuple(nearest)]
    width = FINE * rng.uniform(0.6, 1.3)
    field -= depth / (1 + (distance / width) ** 4)
    field -= _pits(microscope, distance, rng)
    mask = downscale_local_mean(distance <= FINE * LINE_PX / 2 - 1, FINE) >= 0.5
    return _photograph(field * _lamp(grains.shape, rng), microscope.photons, rng), mask


def _grow(rows: int, cols: int, sweeps: int, rng: np.random.Generator) -> Spins:
    """Return grain numbers on a periodic lattice after growth from one grain a site; the last sweeps are cold."""
    spins = np.arange(rows * cols).reshape(rows, cols)
    for sweep in range(sweeps):
        sites = rng.integers(spins.size, size=spins.size)
        steps = rng.integers(len(NEIGHBOURS), size=spins.size)
        temperature = 0.8 if sweep < sweeps - 10 else 0.05
        _sweep(spins, sites, steps, rng.random(spins.size), temperature)
    return np.unique(spins, return_inverse=True)[1]


@njit(cache=True)
def _sweep(spins: Spins, sites: Spins, steps: Spins, luck: NDArray[np.float64], temperature: float) -> None:
    """Offer each site the grain of a neighbour; Metropolis's rule with 8 neighbours, unlike bonds cost 1."""
    rows, cols = spins.shape
    for k in range(sites.size):
        row, col = divmod(sites[k], cols)
        old = spins[row, col]
        offered = spins[(row + NEIGHBOURS[steps[k], 0]) % rows, (col + NEIGHBOURS[steps[k], 1]) % cols]
        if offered == old:
            continue
        gain = 0
        for down, right in NEIGHBOURS:
            neighbour = spins[(row + down) % rows, (col + right) % cols]
            gain += int(neighbour == offered) - int(neighbour == old)
        if gain >= 0 or luck[k] < np.exp(gain / temperature):
            spins[row, col] = offered


@njit(cache=True)
def _enlarge(spins: Spins, factor: int, reach: int) -> Spins:
    """Return the grains at `factor` times the resolution: each pixel goes by a vote of the sites in reach."""
    rows, cols = spins.shape
    side = 2 * reach + 1
    grains = np.empty((rows * factor, cols * factor), np.int64)
    names, votes = np.empty(side * side, np.int64), np.empty(side * side)
    for row, col in np.ndindex(grains.shape):
        y, x = (row + 0.5) / factor - 0.5, (col + 0.5) / factor - 0.5
        known = 0
        for r in range(round(y) - reach, round(y) + reach + 1):
            for c in range(round(x) - reach, round(x) + reach + 1):
                weight = max(0.0, 1 - ((r - y) ** 2 + (c - x) ** 2) / (reach + 0.5) ** 2)
                name = spins[r % rows, c % cols]
                k = 0
                while k < known and names[k] != name:
                    k += 1
                if k == known:
                    names[k], votes[k] = name, 0.0
                    known += 1
                votes[k] += weight * weight
        grains[row, col] = names[np.argmax(votes[:known])]
    return grains


def _facing(grains: Spins) -> Spins:
    """Return, at each pixel that touches another grain, the number of that grain; -1 elsewhere."""
    across = np.full_like(grains, -1)
    for a, b in ((np.s_[:, :-1], np.s_[:, 1:]), (np.s_[:-1], np.s_[1:])):
        differ = grains[a] != grains[b]
        across[a][differ], across[b][differ] = grains[b][differ], grains[a][differ]
    return across


def _etched(microscope: _Microscope, axes: NDArray[np.float64], rng: np.random.Generator) -> NDArray[np.float64]:
    """Return (grains, grains): relative groove depth, 0 to about 1, growing with the angle between their axes."""
    angles = np.degrees(np.arccos(np.clip(np.abs(axes @ axes.T), 0, 1)))
    spread = rng.lognormal(0, 0.4, angles.shape)
    return (1 - np.exp(-((angles / microscope.easy_deg) ** 2))) * np.sqrt(spread * spread.T)


def _reached(microscope: _Microscope, shape: tuple[int, ...], rng: np.random.Generator) -> NDArray[np.float64]:
    """Return the share of its full depth that a groove reaches at each place, near 0 where the etchant missed it."""
    patches = _speckle(shape, 31, rng)
    threshold = np.quantile(patches, microscope.missed)
    return 1 / (1 + np.exp(-3 * (patches - threshold)))


def _speckle(shape: tuple[int, ...], size: int, rng: np.random.Generator) -> NDArray[np.float64]:
    """Return a random field with standard deviation 1 that changes over about `size` fine pixels."""
    field = ndimage.uniform_filter(ndimage.uniform_filter(rng.uniform(-1, 1, shape), size), size)
    field -= field.mean()
    return np.asarray(field / field.std())


def _pits(microscope: _Microscope, distance: NDArray[np.float64], rng: np.random.Generator) -> NDArray[np.float64]:
    """Return the grey levels lost in round pits, half of which sit on boundaries."""
    lost = np.zeros(distance.shape)
    on_boundary = np.argwhere(distance == 0)
    for _ in range(rng.poisson(microscope.pits * distance.size / FINE**2 / 1e4)):
        place = rng.choice(on_boundary) if rng.random() < 0.5 else rng.uniform(0, distance.shape)
        radius = FINE * min(rng.lognormal(0.1, 0.5), 5.0)
        top, left = (max(0, int(at - radius)) for at in place)
        around = lost[top : int(place[0] + radius) + 2, left : int(place[1] + radius) + 2]
        row, col = np.ogrid[top : top + around.shape[0], left : left + around.shape[1]]
        around[np.hypot(row - place[0], col - place[1]) < radius] = 90
    return lost


def _lamp(shape: tuple[int, ...], rng: np.random.Generator) -> NDArray[np.float64]:
    """Return the light of a small lamp beside the specimen, by its inverse square and cosine, with mean 1."""
    row, col = np.ogrid[: shape[0], : shape[1]]
    place, height = rng.uniform(0, 1, 2) * shape, rng.uniform(1.2, 3.0) * max(shape)
    light = (height**2 + (row - place[0]) ** 2 + (col - place[1]) ** 2) ** -1.5
    return np.asarray(light / light.mean())


def _photograph(field: NDArray[np.float64], photons: float, rng: np.random.Generator) -> Image:
    """Return what a camera makes of the light: an aperture's disc, twice coarser pixels, counted photons."""
    reach = rng.uniform(1.0, 2.4)
    span = np.arange(-2, 3)
    disc = np.clip(reach + 0.5 - np.hypot(span[:, None], span), 0, 1)
    exposure = rng.uniform(0.65, 1.15)
    light = exposure * downscale_local_mean(ndimage.convolve(field, disc / disc.sum(), mode="nearest"), FINE)
    counted: Grey = (rng.poisson(photons * np.clip(light, 5, None)) / photons).astype(np.float32)
    return np.clip(np.rint(counted), 0, 255).astype(np.uint8)
