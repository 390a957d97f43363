"""Micrographs with their masks, as they lie in a folder that a person fills.

`images.csv` lists them, one a row: `image` and `mask` name files relative to the folder, `source` says which
specimen and microscope a micrograph comes from (the column may also be called `group`). Three columns may be absent, or
empty: `um_per_px`, how many micrometres a pixel is wide; `page`, which one of a file with several pages is meant, from
1; `rows`, as in 0-883, the first and the last row that show the specimen, from 0. Further columns are free. Nothing in
such a folder is trusted: every micrograph is checked before it is handed on.
"""

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from micromime.mistakes import Mistake
from micromime.pictures.files import Rows, read_8_bit, read_picture
from micromime.pictures.greys import NARROW, NARROW_OF_PARTS, Stored
from micromime.pictures.lists import SCALE, check_sources, checked_cells, scale_in, table_lines
from micromime.project.work import sha256
from micromime.scenario.arrays import Image, Mask

LIST_NAME = "images.csv"
COLUMNS = ("image", "mask", "source")
MOST_MASKED = 0.5
"""Share of a mask that may be 255: on real masks it is .29 at most (a tile's), on inverted ones .7 and more."""
RIGHT = "save it with 255 on what is to be found (boundaries, cracks) and 0 elsewhere"


@dataclass(frozen=True)
class Micrograph:
    """A real image at its full size, with what a person or an instrument says is to be found in it."""

    name: str
    """The image's file name without its ending, and #2 where the list names page 2; no two of a set share it."""
    source: str
    image: Image
    mask: Mask
    """(rows, cols) of the image; true on what is to be found: a boundary, a crack."""
    um_per_px: float | None = None
    """Micrometres on the specimen to a pixel; None where nobody has said."""
    changes: tuple[str, ...] = ()
    """What was done to the stored pixels on reading, a clause each (see `files.Read`)."""


def read_micrographs(folder: Path, maskless: bool = False) -> list[Micrograph]:
    """Return every micrograph that the folder's images.csv lists, in its order; their sizes may differ.

    Images are grey or RGB (see `files`), masks 8-bit with 255 on a boundary and 0 elsewhere, and of the size that
    the image's file has, also where only some `rows` of both are kept, with something to be found in them. With
    `maskless` they are photographs of parts, where there may be nothing: the mask is 0 everywhere, or its cell is
    empty. Anything missing, damaged, too large or inconsistent raises Mistake.
    """
    micrographs, first = [], dict[str, str]()
    for place, cells in _rows(folder, maskless):
        each = _micrograph(folder, cells, place, NARROW_OF_PARTS if maskless else NARROW)
        if not maskless and not each.mask.any():
            said = f"mask {cells['mask']} is 0 everywhere in what is read, so no boundary could be found"
            raise Mistake(f"{place}: {said}; save it with 255 on boundaries, or remove the line.")
        content = hashlib.sha256(f"{each.image.shape} {each.changes}".encode() + each.image.tobytes()).hexdigest()
        if (other := first.setdefault(content, place)) != place:
            raise Mistake(f"{place}: image {cells['image']} has the pixels of that in {other}; list each picture once.")
        micrographs.append(each)
    return micrographs


def _micrograph(folder: Path, cells: dict[str, str], place: str, narrow: int) -> Micrograph:
    name, um_per_px = cells["image"], scale_in(cells[SCALE], place)
    page, rows = page_in(cells["page"], place), rows_in(cells["rows"], place)
    image, changes = read_picture(folder / name, f"{place}: image {name}", page, rows, narrow)
    mask = np.zeros(image.shape, np.bool_)
    if cells["mask"]:
        mask = read_mask(folder, cells["mask"], image, place, page)
    if mask.any() and np.array_equal(image, np.uint8(255) * mask):
        said = f"image {name} and its mask {cells['mask']} are the same picture"
        raise Mistake(f"{place}: {said}; name the micrograph that the mask was drawn on.")
    kept = slice(rows[0], rows[1] + 1) if rows else slice(None)
    check_share(mask[kept], f"{place}: mask {cells['mask']}")
    return Micrograph(_name(cells, place), cells["source"], image[kept], mask[kept], um_per_px, changes)


def _name(cells: dict[str, str], place: str) -> str:
    page = page_in(cells["page"], place)
    return Path(cells["image"]).stem + (f"#{page}" if page else "")


def page_in(cell: str, place: str) -> int:
    """Return the page that a cell names, from 1, or 0 where it is empty; Mistake for anything else."""
    if cell and (not re.fullmatch("[0-9]{1,9}", cell) or int(cell) == 0):
        raise Mistake(f"{place}: page {cell!r} is no page; write its number, counted from 1, or leave it empty.")
    return int(cell or 0)


def rows_in(cell: str, place: str) -> Rows | None:
    """Return the first and the last row that a cell names, None where it is empty; Mistake for anything else."""
    if not cell:
        return None
    named = re.fullmatch(r"([0-9]{1,9})\s*[-\u2013]\s*([0-9]{1,9})", cell)
    if not named or int(named[1]) > int(named[2]):
        raise Mistake(
            f"{place}: rows {cell!r} names no rows; write the first and the last that show the specimen, counted from "
            "0, as in 0-883, or leave it empty."
        )
    return int(named[1]), int(named[2])


def listed_files(folder: Path) -> dict[str, str]:
    """Return the SHA-256 (64 hexadecimal digits) of images.csv and of each file that it lists, by relative name."""
    names = [LIST_NAME, *(name for _, row in _rows(folder, True) for name in (row["image"], row["mask"]) if name)]
    return {name: sha256(folder / name) for name in names}


def _rows(folder: Path, maskless: bool) -> list[tuple[str, dict[str, str]]]:
    """Return the place of each line, as an error names it, and its cells, which are checked but for the scale."""
    path = folder / LIST_NAME
    rows, first = [], dict[str, str]()
    for line, cells in table_lines(path, COLUMNS):
        place = f"{path} line {line}"
        checked_cells(cells, place, ("image", "source") if maskless else COLUMNS, ("image", "mask"))
        name = _name(cells, place)
        if (other := first.setdefault(name, f"line {line}")) != f"line {line}":
            raise Mistake(f"{place}: the name {name!r} stands in {other} too; give each image its own.")
        rows.append((place, cells))
    if not rows:
        raise Mistake(f"{path} lists no images; add one line for each.")
    check_sources((place, cells["source"]) for place, cells in rows)
    return rows


def read_mask(folder: Path, name: str, image: Stored, place: str, page: int | None = None) -> Mask:
    """Return the mask in a file of the folder; Mistake unless it has the image's size and only 0 and 255.

    Of a mask's pages, if it has several, it is the image's `page` (see `files.read_stored`). `check_share` says whether
    it is inverted.
    """
    where = f"{place}: mask {name}"
    mask = read_8_bit(folder / name, where, page or None)  # an image of one page has no page to name
    if image.shape != mask.shape:
        sizes = " and ".join(f"{cols} x {rows}" for rows, cols in (image.shape, mask.shape))
        raise Mistake(f"{place}: the image and its mask {name} differ in size ({sizes} px); make them equal.")
    if others := sorted(set(np.unique(mask).tolist()) - {0, 255}):
        raise Mistake(f"{where} holds the grey {others[0]}; it may hold only 0 and 255: {RIGHT}.")
    return mask == 255


def check_share(mask: Mask, where: str) -> None:
    """Raise Mistake where more than half of what is read of a mask is to be found: it is inverted, or all white."""
    if (share := mask.mean()) > MOST_MASKED:
        said = f"{where} is 255 on {share:.1%} of it, more than half"
        raise Mistake(f"{said}; if it is inverted, {RIGHT}; if not, draw its lines thinner.")
