"""Tiles of one size, cut from photographs of specimens, each of one class: what a classifier is judged on.

`tiles.csv` lists them, one a row: `tile` names the picture relative to the folder, `label` its class, `source` (or
`group`) the specimen, `source_image` the photograph it was cut from, `x` and `y` the column and row of its corner.
`tile_masks/` has a mask of the tile's name for each tile with something to be found. Photographs and their masks are
listed in `images.csv` beside it (see `real`).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from micromime.mistakes import Mistake
from micromime.pictures.files import read_8_bit
from micromime.pictures.lists import checked_cells, table_lines
from micromime.pictures.micrographs import read_mask
from micromime.project.work import sha256
from micromime.scenario.arrays import Image, Mask

LIST_NAME = "tiles.csv"
MASKS = "tile_masks"
COLUMNS = ("tile", "label", "source", "source_image", "x", "y")


@dataclass(frozen=True)
class Tile:
    """A cut-out of a photograph, with its class."""

    name: str
    label: str
    specimen: str
    photograph: str
    row: int
    col: int
    """Of its upper left corner in the photograph."""
    image: Image
    mask: Mask
    """(rows, cols); nothing but false where the class is that nothing is to be found."""


def read_tiles(folder: Path, classes: Sequence[str]) -> list[Tile]:
    """Return every tile that the folder's tiles.csv lists, in its order.

    `classes` has the class with nothing to be found first. Raises Mistake for what is missing, damaged, of another
    size or class, or listed twice, and unless every class has a tile.
    """
    path = folder / LIST_NAME
    tiles = [_tile(folder, cells, f"{path} line {line}", classes) for line, cells in table_lines(path, COLUMNS)]
    seen: set[str] = set()
    for tile in tiles:
        if tile.name in seen:
            raise Mistake(f"{path}: the name {tile.name!r} stands there twice; give each tile its own.")
        if tile.image.shape != tiles[0].image.shape:
            first, other = (f"{cols} x {rows}" for rows, cols in (tiles[0].image.shape, tile.image.shape))
            raise Mistake(f"{path}: tile {tile.name} has {other} px, the first one {first}; cut all to one size.")
        seen.add(tile.name)
    for label in classes:
        if not any(tile.label == label for tile in tiles):
            raise Mistake(f"{path} lists no tile of the class {label}; add some, or correct the column label.")
    return tiles


def tile_files(folder: Path) -> dict[str, str]:
    """Return the SHA-256 of tiles.csv and of each file that it lists, by relative name; empty where there is none."""
    path = folder / LIST_NAME
    if not path.exists():
        return {}
    names = [cells["tile"] for _, cells in table_lines(path, COLUMNS)]
    masks = [f"{MASKS}/{Path(name).name}" for name in names]
    return {name: sha256(folder / name) for name in [LIST_NAME, *names, *(m for m in masks if (folder / m).exists())]}


def _tile(folder: Path, cells: dict[str, str], place: str, classes: Sequence[str]) -> Tile:
    checked_cells(cells, place, COLUMNS, ("tile",))
    if cells["label"] not in classes:
        raise Mistake(f"{place}: label {cells['label']!r} is not known; use one of: {', '.join(classes)}.")
    if not (cells["x"].isdecimal() and cells["y"].isdecimal()):
        raise Mistake(f"{place}: x and y must be whole numbers of 0 or more, the tile's corner in its photograph.")
    image = read_8_bit(folder / cells["tile"], f"{place}: tile {cells['tile']}")
    name = Path(cells["tile"]).name
    empty = cells["label"] == classes[0]
    mask = np.zeros(image.shape, np.bool_) if empty else read_mask(folder, f"{MASKS}/{name}", image, place)
    corner = {"row": int(cells["y"]), "col": int(cells["x"])}
    return Tile(
        Path(name).stem, cells["label"], cells["source"], cells["source_image"], **corner, image=image, mask=mask
    )
