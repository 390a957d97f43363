"""Micrographs with their masks, as they lie in a folder that a person fills.

`images.csv` lists them, one a row: `image` and `mask` name files relative to the folder, `source` says which
specimen and microscope a micrograph comes from (the column may also be called `group`), `um_per_px` (may be absent, or
empty) how many micrometres a pixel is wide, and further columns are free. Nothing in such a folder is trusted: every
micrograph is checked before it is handed on.
"""

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from micromime.mistakes import Mistake
from micromime.pictures.files import read_picture, read_stored
from micromime.pictures.lists import SCALE, check_sources, checked_cells, scale_in, table_lines
from micromime.project.work import sha256
from micromime.scenario.arrays import Image, Mask

LIST_NAME = "images.csv"
COLUMNS = ("image", "mask", "source")


@dataclass(frozen=True)
class Micrograph:
    """A real image at its full size, with what a person or an instrument says is to be found in it."""

    name: str
    """The image's file name without its ending; no two micrographs of a set share it."""
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

    Images are 8-bit grey or RGB (turned into grey by ITU-R 601 luma), masks 8-bit with 255 on a boundary and
    0 elsewhere. With `maskless` an empty cell for a mask says that there is nothing to be found in the image. Anything
    missing, damaged, too large or inconsistent raises Mistake.
    """
    micrographs, first = [], dict[str, str]()
    for place, cells in _rows(folder, maskless):
        name, um_per_px = cells["image"], scale_in(cells[SCALE], place)
        image, changes = read_picture(folder / name, f"{place}: image {name}")
        content = hashlib.sha256(f"{image.shape} {changes}".encode() + image.tobytes()).hexdigest()
        if (other := first.setdefault(content, place)) != place:
            raise Mistake(f"{place}: image {name} has the pixels of that in {other}; list each picture once.")
        mask = (
            read_mask(folder, cells["mask"], image, place) if cells["mask"] else np.zeros(image.shape, dtype=np.bool_)
        )
        micrographs.append(Micrograph(Path(name).stem, cells["source"], image, mask, um_per_px, changes))
    return micrographs


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
        if (other := first.setdefault(Path(cells["image"]).stem, f"line {line}")) != f"line {line}":
            name = Path(cells["image"]).stem
            raise Mistake(f"{place}: the name {name!r} stands in {other} too; give each image its own.")
        rows.append((place, cells))
    if not rows:
        raise Mistake(f"{path} lists no images; add one line for each.")
    check_sources((place, cells["source"]) for place, cells in rows)
    return rows


def read_mask(folder: Path, name: str, image: Image, place: str) -> Mask:
    """Return the mask in a file of the folder; Mistake unless it has the image's size and only 0 and 255."""
    mask = read_stored(folder / name, f"{place}: mask {name}")
    if image.shape != mask.shape:
        sizes = " and ".join(f"{cols} x {rows}" for rows, cols in (image.shape, mask.shape))
        raise Mistake(f"{place}: the image and its mask {name} differ in size ({sizes} px); make them equal.")
    if others := sorted(set(np.unique(mask).tolist()) - {0, 255}):
        raise Mistake(f"{place}: mask {name} holds the grey {others[0]}; it may hold only 0 and 255.")
    return mask == 255
