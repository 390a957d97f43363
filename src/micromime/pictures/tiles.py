"""Tiles of one size, cut from photographs of specimens, each of one class: what a classifier is judged on.

`tiles.csv` lists them, one a row: `tile` names the picture relative to the folder, `label` its class, `source` (or
`group`) the specimen, `source_image` the photograph it was cut from, `x` and `y` the column and row of its corner.
`tile_masks/` has a mask of the tile's name for each tile with something to be found. Photographs and their masks are
listed in `images.csv` beside it (see `micrographs`), and every tile is compared with its own: a specimen under two
names would be in the test set and in what is learnt from.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import PIL.Image

from micromime.mistakes import Mistake
from micromime.pictures import micrographs
from micromime.pictures.files import Rows, read_stored
from micromime.pictures.greys import NARROW_OF_PARTS, Stored, Stretch, stretch_of
from micromime.pictures.lists import checked_cells, table_lines
from micromime.pictures.micrographs import check_share, page_in, read_mask, rows_in
from micromime.project.work import sha256
from micromime.scenario.arrays import Image, Mask

LIST_NAME = "tiles.csv"
MASKS = "tile_masks"
COLUMNS = ("tile", "label", "source", "source_image", "x", "y")

ROUNDING = 1
"""Stored by which a tile may differ from its photograph: programs round the luma of colours in two ways."""

LOSSY_SHARE, LOSSY_GREYS = 0.5, 4.0
"""The mean squared difference that a lossy format may make: this share of the variance at that place, or this squared.

On 387 tiles of real photographs JPEG of quality 10 takes at most 0.19 of the variance, and another place in the same
photograph, 20 px away or with x and y exchanged, at least 0.72."""


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


class _Line(NamedTuple):
    """A line of one of the lists: its place, as an error names it, and its cells."""

    place: str
    cells: dict[str, str]


class _Photograph(NamedTuple):
    line: _Line
    path: Path
    stored: Stored
    mask: Mask
    rows: Rows
    """Those that show the specimen."""
    stretch: Stretch | None
    """How it is stretched, and its tiles with it: one alone would look unlike its photograph."""


def read_tiles(folder: Path, classes: Sequence[str]) -> list[Tile]:
    """Return every tile that the folder's tiles.csv lists, in its order, its greys as its whole photograph's are read.

    `classes` has the class with nothing to be found first. Raises Mistake for what is missing, damaged, of another
    size or class, listed twice, or not what its photograph, its mask and its specimen are; and unless every class has
    a tile.
    """
    path = folder / LIST_NAME
    lines = _lines(path, COLUMNS)
    _check_lines(lines, classes)
    photographs = _photographs(folder)
    of = defaultdict[str, list[_Line]](list)
    for line in lines:
        _check_specimen(line, photographs.get(line.cells["source_image"]))
        of[line.cells["source_image"]].append(line)
    tiles = dict[str, Tile]()
    for name, own in of.items():  # of thousands of photographs, one at a time is held
        photograph = _photograph(folder, photographs[name])
        tiles |= {line.place: _tile(folder, line, photograph, classes) for line in own}
    ordered = [tiles[line.place] for line in lines]
    _check_all(path, ordered, classes)
    return ordered


def tile_files(folder: Path) -> dict[str, str]:
    """Return the SHA-256 of tiles.csv and of each file that it lists, by relative name; empty where there is none."""
    path = folder / LIST_NAME
    if not path.exists():
        return {}
    names = [line.cells["tile"] for line in _lines(path, COLUMNS)]
    masks = [_mask_name(folder, name) for name in names]
    return {name: sha256(folder / name) for name in [LIST_NAME, *names, *(m for m in masks if (folder / m).exists())]}


def _lines(path: Path, columns: Sequence[str]) -> list[_Line]:
    return [_Line(f"{path} line {number}", cells) for number, cells in table_lines(path, columns)]


def _photographs(folder: Path) -> dict[str, _Line]:
    """Return where each photograph is listed, by its name."""
    photographs: dict[str, _Line] = {}
    for line in _lines(folder / micrographs.LIST_NAME, micrographs.COLUMNS):
        name = line.cells["image"]
        if (other := photographs.setdefault(name, line)) is not line:
            said = f"{name} stands in {other.place} too, and tiles do not say of which page they are"
            raise Mistake(f"{line.place}: {said}; save each page as a file of its own.")
    return photographs


def _mask_name(folder: Path, tile: str) -> str:
    """Return the name of a tile's mask, which may be a PNG whatever the tile is: JPEG holds no mask."""
    same, png = (f"{MASKS}/{name}" for name in (Path(tile).name, f"{Path(tile).stem}.png"))
    return png if not (folder / same).exists() and (folder / png).exists() else same


def _check_lines(lines: Sequence[_Line], classes: Sequence[str]) -> None:
    """Raise Mistake unless the cells can be read and every place in a photograph stands there once."""
    first: dict[str, str] = {}
    for place, cells in lines:
        checked_cells(cells, place, COLUMNS, ("tile", "source_image"))
        if cells["page"] or cells["rows"]:
            raise Mistake(f"{place}: page and rows are those of photographs; write them into {micrographs.LIST_NAME}.")
        if cells["label"] not in classes:
            raise Mistake(f"{place}: label {cells['label']!r} is not known; use one of: {', '.join(classes)}.")
        if not (cells["x"].isdecimal() and cells["y"].isdecimal()):
            raise Mistake(f"{place}: x and y must be whole numbers of 0 or more, the tile's corner in its photograph.")
        at = f"x {int(cells['x'])}, y {int(cells['y'])} of {cells['source_image']}"
        if (other := first.setdefault(at, place)) != place:
            raise Mistake(f"{place}: {at} is a tile in {other} too; remove one of the lines.")


def _check_specimen(tile: _Line, photograph: _Line | None) -> None:
    """Raise Mistake unless a tile's photograph is listed, as one of the same specimen."""
    name, specimen = tile.cells["source_image"], tile.cells["source"]
    if photograph is None:
        raise Mistake(f"{tile.place}: {micrographs.LIST_NAME} does not list its photograph {name}; add it there.")
    if (other := photograph.cells["source"]) != specimen:
        said = f"the tile is of {specimen!r}, but {photograph.place} says that {name} is of {other!r}"
        raise Mistake(f"{tile.place}: {said}; correct one of them.")


def _photograph(folder: Path, line: _Line) -> _Photograph:
    place, cells = line
    checked_cells(cells, place, ("image", "source"), ("image", "mask"))
    page, where = page_in(cells["page"], place), f"{place}: image {cells['image']}"
    stored = read_stored(folder / cells["image"], where, page)
    first, last = rows_in(cells["rows"], place) or (0, len(stored) - 1)
    mask = read_mask(folder, cells["mask"], stored, place, page) if cells["mask"] else np.zeros(stored.shape, np.bool_)
    check_share(mask[first : last + 1], f"{place}: mask {cells['mask']}")
    stretch = stretch_of(stored[first : last + 1], NARROW_OF_PARTS)
    return _Photograph(line, folder / cells["image"], stored, mask, (first, last), stretch)


def _tile(folder: Path, line: _Line, photograph: _Photograph, classes: Sequence[str]) -> Tile:
    place, cells = line
    path, row, col = folder / cells["tile"], int(cells["y"]), int(cells["x"])
    stored = read_stored(path, f"{place}: tile {cells['tile']}")
    _check_place(line, (path, stored), photograph)
    cut = photograph.mask[row:, col:][: stored.shape[0], : stored.shape[1]]
    own = _mask_name(folder, cells["tile"])
    if cells["label"] != classes[0]:
        mask = read_mask(folder, own, stored, place)
        check_share(mask, f"{place}: mask {own}")
        _check_mask(place, mask, cut, cells["label"])
    else:
        there = (folder / own).exists()
        masks = {f"the mask of {cells['source_image']}": cut}
        masks |= {f"its own, {own},": read_mask(folder, own, stored, place)} if there else {}
        _check_intact(place, masks, cells["label"])
    image = photograph.stretch.apply(stored) if photograph.stretch else stored.astype(np.uint8)
    names = Path(cells["tile"]).stem, cells["label"], cells["source"], cells["source_image"]
    return Tile(*names, row, col, image, cut.copy())


def _check_place(line: _Line, tile: tuple[Path, Stored], photograph: _Photograph) -> None:
    """Raise Mistake unless a tile has the pixels of its place in its photograph."""
    path, stored = tile
    col, row = int(line.cells["x"]), int(line.cells["y"])
    here, exchanged = (
        photograph.stored[top:, left:][: stored.shape[0], : stored.shape[1]] for top, left in ((row, col), (col, row))
    )
    files = (path, photograph.path)
    if stored.dtype != photograph.stored.dtype:
        said = f"the tile has {8 * stored.itemsize} bits a pixel, its photograph {8 * photograph.stored.itemsize}"
        raise Mistake(f"{line.place}: {said}; cut it from the photograph without changing its greys.")
    first, last = photograph.rows
    if _same(here, stored, files):
        if not first <= row <= row + len(stored) - 1 <= last:
            said = f"the tile has the rows {row} to {row + len(stored) - 1} of its photograph"
            raise Mistake(f"{line.place}: {said}, of which {first} to {last} show the specimen; leave it out.")
        return
    size, whole = (f"{cols} x {rows}" for rows, cols in (stored.shape, photograph.stored.shape))
    at = f"x {col}, y {row} of {line.cells['source_image']}"
    if _same(exchanged, stored, files):
        raise Mistake(f"{line.place}: x and y are exchanged: the tile has the pixels of x {row}, y {col}; write that.")
    if here.shape != stored.shape:
        raise Mistake(f"{line.place}: a tile of {size} px at {at} is not inside its {whole} px; correct x and y.")
    raise Mistake(
        f"{line.place}: the tile does not have the pixels of {at}; correct x, y or source_image, or cut it anew."
    )


def _same(cut: Stored, tile: Stored, files: Sequence[Path]) -> bool:
    """Return whether a cut-out and a tile show the same, as exactly as the formats of their files allow."""
    if cut.shape != tile.shape:
        return False
    off = np.abs(cut.astype(np.float64) - tile)
    if off.max() <= ROUNDING or all(map(_lossless, files)):
        return bool(off.max() <= ROUNDING)
    return bool((off**2).mean() <= max(LOSSY_SHARE * cut.astype(np.float64).var(), LOSSY_GREYS**2))


def _lossless(path: Path) -> bool:
    """Return whether a picture's format keeps every pixel as it was."""
    with PIL.Image.open(path) as picture:
        lossy = ("jpeg", "tiff_jpeg", "webp")
        return picture.format in ("PNG", "BMP", "TIFF") and picture.info.get("compression") not in lossy


def _check_mask(place: str, mask: Mask, cut: Mask, label: str) -> None:
    """Raise Mistake unless a tile's mask has something in it, and is what its photograph's mask has at that place."""
    if not mask.any():
        raise Mistake(f"{place}: the tile is labelled {label}, but its mask is empty; correct one of them.")
    if differing := int((mask != cut).sum()):
        said = f"its mask differs from that of its photograph in {differing} px"
        raise Mistake(f"{place}: {said}; cut it from there, at the tile's place.")


def _check_intact(place: str, masks: Mapping[str, Mask], label: str) -> None:
    """Raise Mistake where a mask of a tile with nothing to be found has something: its photograph's, or its own."""
    for name, mask in masks.items():  # by what a sentence calls it
        if mask.any():
            said = f"the tile is labelled {label}, but {name} has {mask.sum()} px in it"
            raise Mistake(f"{place}: {said}; correct the label or that mask.")


def _check_all(path: Path, tiles: Sequence[Tile], classes: Sequence[str]) -> None:
    """Raise Mistake unless the tiles have names of their own, one size, and every class."""
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
