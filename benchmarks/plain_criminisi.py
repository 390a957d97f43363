"""A plain reading of section 3.1.1: exemplar-based filling after Criminisi et al. 2004, with a crack drawn on it.

A step finds the fill front, the priority of each place on it (confidence x data term), and the patch of the whole
dictionary with the least sum of squared differences, and copies what is missing (doi 10.1109/TIP.2004.833105, table I).
The crack is a line of Pillow's, everywhere as wide and deep. It shares no code with the package but the classes that
hold the parameters and the dictionary.
"""

from functools import cache
from pathlib import Path

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray
from PIL import Image as Picture
from PIL import ImageDraw
from scipy.ndimage import binary_dilation, gaussian_filter, uniform_filter

from micromime.partial_models.cracks.crack import Crack
from micromime.partial_models.surface.dictionary import Dictionary
from micromime.use_cases.chip_cracks import ChipTile

Floats = NDArray[np.float64]
Greys = NDArray[np.float32]
Mask = NDArray[np.bool_]
Places = NDArray[np.intp]


@cache
def exemplars(file: str) -> tuple[NDArray[np.uint8], Greys]:
    """Return what textures are made of, from the dictionary in a file, which is read once.

    That is seeds (m, 32, 32), and the greys that the n patches have at each of their pixels (17, 17, n).
    """
    stored = Dictionary.read(Path(file))
    return stored.seeds, np.ascontiguousarray(np.moveaxis(stored.patches, 0, -1), dtype=np.float32)


def plain_fill(seed: Greys, patches: Greys, side: int) -> Greys:
    """Return a tile (side, side): the seed patch in its middle, and pixels of the patches all around."""
    half = len(patches) // 2
    inside = np.pad(np.ones((side, side), dtype=np.bool_), half)  # a window may reach over the tile's rim
    tile, confidence, known = np.zeros(inside.shape, np.float32), np.zeros(inside.shape), np.zeros_like(inside)
    first = half + (side - len(seed)) // 2
    middle = np.s_[first : first + len(seed), first : first + len(seed)]
    tile[middle], confidence[middle], known[middle] = seed, 1, True
    while not known[inside].all():
        row, col, trust = most_urgent(tile, confidence, known, inside & ~known, half)
        window = np.s_[row - half : row + half + 1, col - half : col + half + 1]
        best = patches[..., best_fit(patches, tile[window], known[window])]
        new = inside[window] & ~known[window]
        tile[window][new], confidence[window][new], known[window][new] = best[new], trust, True
    return tile[half:-half, half:-half]


def most_urgent(tile: Greys, confidence: Floats, known: Mask, unknown: Mask, half: int) -> tuple[int, int, float]:
    """Return row and column of the place on the front with the highest priority, and the confidence there."""
    rows, cols = np.nonzero(unknown & binary_dilation(known))
    trust = uniform_filter(confidence, 2 * half + 1, mode="constant")[rows, cols]
    best = (trust * data_term(tile, known, rows, cols, half)).argmax()
    return int(rows[best]), int(cols[best]), float(trust[best])


def data_term(tile: Greys, known: Mask, rows: Places, cols: Places, half: int) -> Floats:
    """Return |isophote . normal| / 255 at places on the front.

    The isophote is that of the strongest gradient in the known part of the window (a component that needs an unknown
    neighbour counts as 0), the normal that of the front.
    """
    down, right = np.nan_to_num(np.gradient(np.where(known, tile, np.nan)))
    size = 2 * half + 1
    windows = sliding_window_view(np.hypot(down, right), (size, size))[rows - half, cols - half]
    strongest = windows.reshape(len(rows), -1).argmax(axis=1)
    there = rows - half + strongest // size, cols - half + strongest % size
    normal = np.stack(np.gradient(known.astype(float)))[:, rows, cols]
    normal /= np.maximum(np.hypot(*normal), 1e-9)
    across: Floats = np.abs(down[there] * normal[1] - right[there] * normal[0])
    return across / 255


def best_fit(patches: Greys, wanted: Greys, there: Mask) -> int:
    """Return the patch with the least sum of squared differences over the pixels that are there."""
    differences = patches[there] - wanted[there][:, None]
    return int((differences**2).sum(axis=0).argmin())


def plain_corners(crack: Crack, rng: np.random.Generator) -> Floats:
    """Return (segments + 1, 2): the ends of the segments of a crack that begins at (0, 0)."""
    corners, away = [np.zeros(2)], 0.0
    for _ in range(crack.segments):
        angle = np.deg2rad(crack.direction_deg + away)
        length = crack.segment_px * rng.lognormal(0, crack.segment_spread)
        corners.append(corners[-1] + length * np.array([np.sin(angle), np.cos(angle)]))
        back = rng.random() < crack.return_share
        away += crack.bend_deg * rng.lognormal(0, crack.bend_spread) * (-1 if back == (away > 0) else 1)
    return np.array(corners)


def plain_line(corners: Floats, width: int, rows: int, cols: int) -> Mask:
    """Return a line of a width in whole pixels through the corners."""
    canvas = Picture.new("1", (cols, rows))
    ImageDraw.Draw(canvas).line([(col, row) for row, col in corners], fill=1, width=width, joint="curve")
    return np.array(canvas)


def render_plain(instance: ChipTile, rng: np.random.Generator) -> tuple[NDArray[np.uint8], Mask]:
    """Return image and mask with the parameters of a square instance of the crack use case."""
    rows, cols, crack, light = instance.rows, instance.cols, instance.crack, instance.illumination
    seeds, patches = exemplars(instance.exemplar_texture.dictionary)
    grey = plain_fill(seeds[rng.integers(len(seeds))].astype(np.float32), patches, rows)
    r, c = np.meshgrid(np.linspace(-1, 1, rows), np.linspace(-1, 1, cols), indexing="ij")
    angle = np.deg2rad(light.direction_deg)
    grey *= 1 + light.gradient * (np.sin(angle) * r + np.cos(angle) * c) - light.vignette * (r**2 + c**2) / 2
    mask = np.zeros((rows, cols), dtype=np.bool_)
    if instance.label == "crack":
        corners = plain_corners(crack, rng)
        corners += rng.uniform(0.15, 0.85, 2) * [rows, cols] - corners[rng.integers(len(corners))]
        mask = plain_line(corners, round(crack.width_px), rows, cols)
        grey *= 1 - crack.depth * gaussian_filter(mask.astype(float), crack.width_px / 4)
    return np.clip(np.rint(grey), 0, 255).astype(np.uint8), mask
