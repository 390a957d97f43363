"""Micrographs with their masks, as they lie in a folder that a person fills.

`images.csv` lists them, one a row: `image` and `mask` name files relative to the folder, `source` says which
specimen and microscope a micrograph comes from (the column may also be called `group`), `um_per_px` (may be absent, or
empty) how many micrometres a pixel is wide, and further columns are free. Nothing in such a folder is trusted: every
micrograph is checked before it is handed on.
"""

import csv
import math
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PureWindowsPath

import numpy as np
import PIL.Image
import PIL.ImageFile

from micromime.mistakes import Mistake
from micromime.project.work import sha256
from micromime.scenario.arrays import Image, Mask

LIST_NAME = "images.csv"
COLUMNS = ("image", "mask", "source")
ALSO_SOURCE = "group"
"""What the column `source` may be called."""
SCALE = "um_per_px"
LARGEST_PX = 64 * 2**20
FORMATS = ("PNG", "TIFF", "JPEG", "BMP")
DAMAGED = (OSError, SyntaxError, ValueError)
"""What Pillow raises on files that are cut off, scrambled or of another kind."""


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


def read_micrographs(folder: Path, maskless: bool = False) -> list[Micrograph]:
    """Return every micrograph that the folder's images.csv lists, in its order; their sizes may differ.

    Images are 8-bit grey or RGB (turned into grey by ITU-R 601 luma), masks 8-bit with 255 on a boundary and
    0 elsewhere. With `maskless` an empty cell for a mask says that there is nothing to be found in the image. Anything
    missing, damaged, too large or inconsistent raises Mistake.
    """
    micrographs = []
    for place, cells in _rows(folder, maskless):
        name, um_per_px = cells["image"], _scale(cells[SCALE], place)
        image = read_picture(folder / name, f"{place}: image {name}")
        mask = (
            read_mask(folder, cells["mask"], image, place) if cells["mask"] else np.zeros(image.shape, dtype=np.bool_)
        )
        micrographs.append(Micrograph(Path(name).stem, cells["source"], image, mask, um_per_px))
    return micrographs


def listed_files(folder: Path) -> dict[str, str]:
    """Return the SHA-256 (64 hexadecimal digits) of images.csv and of each file that it lists, by relative name."""
    names = [LIST_NAME, *(name for _, row in _rows(folder, True) for name in (row["image"], row["mask"]) if name)]
    return {name: sha256(folder / name) for name in names}


def stays_inside(name: str) -> bool:
    """Return whether a relative name, written on any system, can only mean a file inside its folder.

    Only the words count: links are followed, because DVC may link files to its cache.
    """
    path = PureWindowsPath(name)  # splits at both kinds of slashes
    return not path.anchor and path.parts != () and ".." not in path.parts


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
    return rows


def table_lines(path: Path, columns: Sequence[str]) -> Iterator[tuple[int, dict[str, str]]]:
    """Yield the number of each line of a CSV file and its cells by column, without blanks about them.

    Raises Mistake where there is no such file, it is no table or lacks one of the columns.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as opened:
            table = csv.DictReader(opened)
            table.fieldnames = ["source" if name == ALSO_SOURCE else name for name in table.fieldnames or ()]
            if missing := [column for column in columns if column not in table.fieldnames]:
                raise Mistake(f"{path} lacks the column {missing[0]}; its first line must name {', '.join(columns)}.")
            for written in table:
                cells = {name: (cell or "").strip() for name, cell in written.items() if name}
                yield table.line_num, {column: cells.get(column, "") for column in (*columns, SCALE)}
    except FileNotFoundError:
        raise Mistake(f"{path} is not there; a test set has one, with the columns {', '.join(columns)}.") from None
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise Mistake(f"{path} is not a table of comma-separated values in UTF-8 ({error}); save it as one.") from None


def checked_cells(written: Mapping[str, str], place: str, needed: Sequence[str], files: Sequence[str]) -> None:
    """Raise Mistake unless the cells needed are filled, and those that name files stay inside the folder."""
    for column in needed:
        if not written[column]:
            raise Mistake(f"{place}: the cell {column} is empty; fill it in or remove the line.")
    for column in files:
        if written[column] and not stays_inside(written[column]):
            raise Mistake(f"{place}: {column} {written[column]!r} leaves the folder; name a file inside it.")


def _scale(cell: str, place: str) -> float | None:
    if not cell:
        return None
    try:
        um_per_px = float(cell)
    except ValueError:
        um_per_px = math.nan
    if not 0 < um_per_px < math.inf:
        raise Mistake(f"{place}: {SCALE} {cell!r} is no positive number; write one, as in 0.25, or leave it empty.")
    return um_per_px


def read_mask(folder: Path, name: str, image: Image, place: str) -> Mask:
    """Return the mask in a file of the folder; Mistake unless it has the image's size and only 0 and 255."""
    mask = read_picture(folder / name, f"{place}: mask {name}")
    if image.shape != mask.shape:
        sizes = " and ".join(f"{cols} x {rows}" for rows, cols in (image.shape, mask.shape))
        raise Mistake(f"{place}: the image and its mask {name} differ in size ({sizes} px); make them equal.")
    if others := sorted(set(np.unique(mask).tolist()) - {0, 255}):
        raise Mistake(f"{place}: mask {name} holds the grey {others[0]}; it may hold only 0 and 255.")
    return mask == 255


def read_picture(path: Path, where: str) -> Image:
    """Return a picture as 8-bit grey, (rows, cols); Mistake unless it is sound, 8-bit and not too large."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of large pictures, bounded below, and of damaged TIFFs before it fails
            with PIL.Image.open(path, formats=FORMATS) as picture:
                _check_header(picture, where)
                return np.array(picture.convert("L"))
    except (FileNotFoundError, PermissionError):
        raise Mistake(f"{where} is not there, or may not be read; add the file or remove the line.") from None
    except PIL.Image.DecompressionBombError:
        most = f"{LARGEST_PX // 2**20} million (2^20) pixels"
        raise Mistake(f"{where} has more than {most}; cut it into smaller pictures.") from None
    except DAMAGED:
        formats = ", ".join(FORMATS)
        raise Mistake(f"{where} is cut off, or is no picture ({formats}); put a sound copy in its place.") from None


def _check_header(picture: PIL.ImageFile.ImageFile, where: str) -> None:
    """Raise unless the picture, of which only the header is read, is small enough and 8-bit grey or RGB."""
    if picture.width * picture.height > LARGEST_PX:
        raise PIL.Image.DecompressionBombError
    stored = [str(tile.args) for tile in picture.tile]  # Pillow cuts 16-bit RGB to 8 bit and only tells it here
    if picture.mode.startswith("I") or any(";16" in layout for layout in stored):
        raise Mistake(f"{where} has 16 or more bits a pixel; scale it to 8 bits and save it again.")
    if picture.mode not in ("L", "RGB"):
        raise Mistake(f"{where} is of the kind {picture.mode}; save it as 8-bit grey or RGB, without transparency.")
