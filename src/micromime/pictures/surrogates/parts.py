"""A stand-in for real photographs of cracked parts, from a simulator that shares nothing with the scenario.

Its cracks are geodesics, the cheapest ways through a rough field of costs, with a flat floor and ragged rims; its
surfaces are mixed from textures that come with scikit-image (gravel, grass; CC0) and smoothed. Scores on it say
whether a network can carry over to pictures of another making; they say nothing about real ones.
"""

from functools import cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
import PIL.Image
from numpy.typing import NDArray
from scipy import ndimage
from skimage import data
from skimage.graph import route_through_array
from skimage.transform import downscale_local_mean

from micromime.mistakes import Mistake
from micromime.pictures.micrographs import LIST_NAME
from micromime.pictures.surrogates import FINE, write_table
from micromime.scenario.arrays import Image, Points, Reals
from micromime.scenario.streams import stream

Field = NDArray[np.float64]
"""(rows, cols) or (n,): real values in the making."""

TILE_PX = 128
TILES = 5
"""Tiles of a label that are cut from the two photographs of a part."""
WIDTH_PX = 500
"""Columns of a photograph."""
LEAST_PX = 256
"""Rows of a photograph, at least: so that there is room for tiles beside the crack."""
APART_PX = 40
"""Rows or columns between the corners of two intact tiles of one photograph, at least."""
RIM_PX = 48
"""No crack runs nearer to the upper or lower rim of its photograph."""
LAYERS = 5
"""Textures in a surface, each turned and moved: gravel, grass, gravel ..."""


class _Part(NamedTuple):
    """What the photographs of one part have in common."""

    shares: Reals
    """(LAYERS,): how much of each layer of texture its surface has."""
    smooth_px: tuple[float, float]
    """Standard deviations of the smoothing along rows and columns."""
    brightness: float
    contrast: float
    """Mean and standard deviation of the surface, in grey levels."""
    blotches: float
    """Largest share of the light that is missing in a dark blotch."""


class _Crack(NamedTuple):
    lost: Field
    """(rows, cols): share of the light that is missing, 0 to 1."""
    mask: Image
    """Of the same shape; 255 along the crack, about 9 px wide, and 0 elsewhere."""
    course: Points
    """From left to right, four to a pixel."""


class _Photograph(NamedTuple):
    name: str
    image: Image
    mask: Image


_Tile = tuple[_Photograph, int, int]
"""Photograph, and row and column of the corner in it."""


def write(count: int, side_px: int, seed: int, folder: Path) -> None:
    """Write two photographs of each of `count` simulated parts, with masks and tiles, into a new or empty folder.

    Photographs are `side_px` (256 or more, else Mistake) rows by 500 columns, one of each part cracked, one not.
    images.csv: image, mask (empty where there is no crack), group (the part). tiles.csv: tile, label (crack or
    intact), group, source_image, x, y (column and row of the corner), five tiles of 128 x 128 px a label and part.
    All are 8-bit grey PNGs, masks 0 and 255; tile_masks/ holds those of the crack tiles under the same names.
    Part i depends on the seed, the side and i alone, so a larger count only adds to the same set.
    """
    if side_px < LEAST_PX:
        raise Mistake(f"photographs of parts need {LEAST_PX} rows or more, not {side_px}; make them larger.")
    for kind in ("images", "masks", "tiles/crack", "tiles/intact", "tile_masks"):
        (folder / kind).mkdir(parents=True)
    photographs, tiles = [["image", "mask", "group"]], [["tile", "label", "group", "source_image", "x", "y"]]
    for index in range(count):
        group = f"part_{index:03d}"
        rng = stream(seed, "surrogate part", index)
        part, crack = _draw_part(rng), _draw_crack(side_px, rng)
        cracked = _Photograph(f"images/{group}_cracked.png", _photograph(part, crack, rng), crack.mask)
        plain = _Crack(0 * crack.lost, 0 * crack.mask, crack.course[:0])
        intact = _Photograph(f"images/{group}_intact.png", _photograph(part, plain, rng), plain.mask)
        mask = f"masks/{group}_cracked.png"
        for name, pixels in (cracked[:2], intact[:2], (mask, crack.mask)):
            PIL.Image.fromarray(pixels).save(folder / name)
        photographs += [[cracked.name, mask, group], [intact.name, "", group]]
        tiles += _saved(_crack_tiles(cracked, crack.course, rng), "crack", group, folder)
        tiles += _saved(_intact_tiles((cracked, intact), rng), "intact", group, folder)
    write_table(folder / LIST_NAME, photographs)
    write_table(folder / "tiles.csv", tiles)


def _draw_part(rng: np.random.Generator) -> _Part:
    along_rows = rng.uniform(1.4, 2.6)
    return _Part(
        shares=rng.dirichlet(np.ones(LAYERS)),
        smooth_px=(along_rows, along_rows * rng.uniform(1.1, 2.0)),
        brightness=rng.uniform(155, 205),
        contrast=rng.uniform(9, 20),
        blotches=rng.uniform(0.2, 0.6),
    )


def _draw_crack(rows: int, rng: np.random.Generator) -> _Crack:
    """Return a crack of one way: along it, width and depth vary slowly; across it, its floor is flat."""
    course = _draw_course(rows, rng)
    fade, strength = _fade(course), rng.random()
    half = FINE / 2 * (2.2 + 4 * strength) * np.exp(0.3 * _speckle(fade.shape, (60,), rng)) * fade
    depth = (0.22 + 0.55 * strength) * np.clip(1 + 0.3 * _speckle(fade.shape, (90,), rng), 0.2, 1.3) * fade
    number = np.full((rows * FINE, WIDTH_PX * FINE), -1)
    fine = np.rint(course * FINE).astype(np.int64)
    number[fine[:, 0], fine[:, 1]] = np.arange(len(course))
    distance, nearest = ndimage.distance_transform_edt(number < 0, return_indices=True)
    here = number[tuple(nearest)]
    ragged = distance + FINE * rng.uniform(0.3, 0.7) * _speckle(number.shape, (2, 4), rng)
    flank = FINE * rng.uniform(1.0, 2.5)
    lost = np.clip(depth[here], 0, 0.9) * np.clip((half[here] - ragged) / flank + 0.5, 0, 1)
    drawn = FINE * (4.5 + 0.4 * _speckle(fade.shape, (100,), rng))
    mask = np.where(downscale_local_mean(distance <= drawn[here], FINE) >= 0.5, 255, 0).astype(np.uint8)
    return _Crack(downscale_local_mean(lost, FINE), mask, course)


def _draw_course(rows: int, rng: np.random.Generator) -> Points:
    """Return the cheapest way through a rough field from a place on the left to one on the right."""
    shape = (rows - 2 * RIM_PX, WIDTH_PX)
    rough = _speckle(shape, (2, 2), rng) + _speckle(shape, (5, 8), rng) + 0.5 * _speckle(shape, (12, 24), rng)
    cost = np.exp(rng.uniform(0.15, 0.4) * rough)
    gaps = rng.integers(100, size=2) * (rng.random(2) < 0.6)
    start = rng.integers(shape[0] // 4, 3 * shape[0] // 4)
    end = np.clip(start + rng.integers(-90, 91), 8, shape[0] - 9)
    way, _ = route_through_array(cost, (start, gaps[0]), (end, WIDTH_PX - 1 - gaps[1]))
    smooth = ndimage.gaussian_filter1d(np.array(way, float), rng.uniform(2, 4), axis=0, mode="nearest")
    steps = np.arange(0, len(smooth) - 0.9, 0.25)
    course = [np.interp(steps, np.arange(len(smooth)), places) for places in smooth.T]
    return np.stack([course[0] + RIM_PX, course[1]], axis=1)


def _fade(course: Points) -> Field:
    """Return (n,): 1 along the crack, falling to 0 towards each end that does not lie at the photograph's rim."""
    along = np.linspace(0, len(course) / 4, len(course))
    fade = np.ones(len(course))
    for from_end, col in ((along, course[0, 1]), (along[::-1], WIDTH_PX - 1 - course[-1, 1])):
        if col > 2:
            fade *= np.minimum(1, from_end / 70) ** 0.6
    return fade


def _photograph(part: _Part, crack: _Crack, rng: np.random.Generator) -> Image:
    """Return a picture of a place of the part under its own light: soft lamp, uneven columns of pixels, noise."""
    shape = crack.lost.shape
    blotches = np.clip(_speckle(shape, (rng.uniform(3, 8), rng.uniform(4, 12)), rng) - rng.uniform(1.5, 2.5), 0, 1)
    field = part.brightness + part.contrast * _surface(part, shape, rng)
    field *= (1 - part.blotches * blotches) * (1 - crack.lost)
    row, col = np.ogrid[: shape[0], : shape[1]]
    wave = (row * rng.uniform(-1, 1) + col * rng.uniform(-1, 1)) / 120 + rng.uniform(0, 2 * np.pi)
    field *= rng.uniform(0.94, 1.06) + rng.uniform(0.01, 0.06) * np.sin(wave)
    field *= 1 + rng.uniform(0, 0.02) * _speckle((WIDTH_PX,), (3,), rng)
    seen: Field = ndimage.gaussian_filter(field, rng.uniform(0.6, 1.3), mode="nearest")
    seen += rng.uniform(0.8, 3.0) * rng.standard_normal(shape)
    return np.clip(np.rint(seen), 0, 255).astype(np.uint8)


def _surface(part: _Part, shape: tuple[int, ...], rng: np.random.Generator) -> Field:
    """Return a place of the part's surface, mean 0, standard deviation 1: each texture goes on by reflection."""
    mixed = np.zeros(shape)
    for layer, share in enumerate(part.shares):
        texture = np.rot90(_textures()[layer % 2], int(rng.integers(4)))
        last = len(texture) - 1
        row, col = (np.abs((rng.integers(2 * last) + np.arange(n)) % (2 * last) - last) for n in shape)
        mixed += share * texture[np.ix_(row, col)]
    return _standard(ndimage.gaussian_filter(mixed, part.smooth_px, mode="nearest"))


@cache
def _textures() -> tuple[Field, Field]:
    """Return scikit-image's gravel and grass (512, 512), freed of slow changes of brightness and contrast."""
    high = [each - ndimage.gaussian_filter(each.astype(float), 12) for each in (data.gravel(), data.grass())]
    gravel, grass = (_standard(each / np.sqrt(ndimage.gaussian_filter(each**2, 24))) for each in high)
    return gravel, grass


def _crack_tiles(photograph: _Photograph, course: Points, rng: np.random.Generator) -> list[_Tile]:
    """Return tiles side by side along the crack, which runs through the middle half of each."""
    first = max(0.0, course[0, 1] - TILE_PX / 4)
    last = min(WIDTH_PX, course[-1, 1] + TILE_PX / 4) - TILE_PX
    tiles: list[_Tile] = []
    for left in np.linspace(first, last, TILES):
        col = round(np.clip(left + rng.uniform(-8, 8), first, last))
        row = course[np.abs(course[:, 1] - col - TILE_PX / 2).argmin(), 0] - TILE_PX * rng.uniform(0.25, 0.75)
        tiles.append((photograph, round(np.clip(row, 0, len(photograph.image) - TILE_PX)), col))
    return tiles


def _intact_tiles(photographs: tuple[_Photograph, _Photograph], rng: np.random.Generator) -> list[_Tile]:
    """Return tiles without crack: two from the first photograph, if it has room, the others from the second."""
    tiles: list[_Tile] = []
    for photograph, wanted in zip(photographs, (2, TILES), strict=True):
        windows = ndimage.maximum_filter(photograph.mask, TILE_PX, origin=-TILE_PX // 2)
        free = np.argwhere(windows[: 1 - TILE_PX, : 1 - TILE_PX] == 0)
        while len(free) and len(tiles) < wanted:
            row, col = rng.choice(free).tolist()
            tiles.append((photograph, row, col))
            free = free[np.abs(free - (row, col)).max(axis=1) >= APART_PX]
    return tiles


def _saved(tiles: list[_Tile], label: str, group: str, folder: Path) -> list[list[str]]:
    """Write the tiles and, of crack tiles, the masks; return their lines of tiles.csv."""
    lines = []
    for number, (photograph, row, col) in enumerate(tiles):
        name = f"{label}_{group}_{number}.png"
        window = np.s_[row : row + TILE_PX, col : col + TILE_PX]
        PIL.Image.fromarray(photograph.image[window]).save(folder / "tiles" / label / name)
        if label == "crack":
            PIL.Image.fromarray(photograph.mask[window]).save(folder / "tile_masks" / name)
        lines.append([f"tiles/{label}/{name}", label, group, photograph.name, str(col), str(row)])
    return lines


def _speckle(shape: tuple[int, ...], size: tuple[float, ...], rng: np.random.Generator) -> Field:
    """Return a random field with mean 0 and standard deviation 1 that is alike over about `size` pixels."""
    return _standard(ndimage.gaussian_filter(rng.standard_normal(shape), size, truncate=3))


def _standard(field: Field) -> Field:
    return np.asarray((field - field.mean()) / field.std())
