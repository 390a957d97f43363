"""Micrographs with their masks, as they lie in a folder that a person fills.

`images.csv` lists them, one a row: `image` and `mask` name files relative to the folder, `source` says which
specimen and microscope a micrograph comes from, `um_per_px` (may be absent, or empty) how many micrometres a pixel
is wide, and further columns are free. Nothing in such a folder is trusted: every micrograph is checked before it is
handed on.
"""

import csv
import hashlib
import math
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PureWindowsPath
from typing import Any

import numpy as np
import PIL.Image
import PIL.ImageFile

from micromime.arrays import Image, Mask
from micromime.mistakes import Mistake

LIST_NAME = "images.csv"
COLUMNS = ("image", "mask", "source")
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
    """(rows, cols) of the image; true on a boundary."""
    um_per_px: float | None = None
    """Micrometres on the specimen to a pixel; None where nobody has said."""


@dataclass(frozen=True)
class _Row:
    place: str
    image: str
    mask: str
    source: str
    um_per_px: float | None


def read_micrographs(folder: Path) -> list[Micrograph]:
    """Return every micrograph that the folder's images.csv lists, in its order; their sizes may differ.

    Images are 8-bit grey or RGB (turned into grey by ITU-R 601 luma), masks 8-bit with 255 on a boundary and
    0 elsewhere. Anything missing, damaged, too large or inconsistent raises Mistake.
    """
    return [_micrograph(folder, row) for row in _rows(folder)]


def listed_files(folder: Path) -> dict[str, str]:
    """Return the SHA-256 (64 hexadecimal digits) of images.csv and of each file that it lists, by relative name."""
    names = [LIST_NAME, *(name for row in _rows(folder) for name in (row.image, row.mask))]
    return {name: sha256(folder / name) for name in names}


def sha256(path: Path) -> str:
    """Return the SHA-256 of a file's bytes as 64 hexadecimal digits."""
    try:
        with path.open("rb") as opened:
            return hashlib.file_digest(opened, "sha256").hexdigest()
    except OSError as error:
        raise Mistake(f"{path} cannot be read ({error.strerror}); check its name and its permissions.") from None


def stays_inside(name: str) -> bool:
    """Return whether a relative name, written on any system, can only mean a file inside its folder.

    Only the words count: links are followed, because DVC may link files to its cache.
    """
    path = PureWindowsPath(name)  # splits at both kinds of slashes
    return not path.anchor and path.parts != () and ".." not in path.parts


def _rows(folder: Path) -> list[_Row]:
    path = folder / LIST_NAME
    rows = [_row(written, f"{path} line {line}") for line, written in _lines(path)]
    if not rows:
        raise Mistake(f"{path} lists no images; add one line for each.")
    first: dict[str, str] = {}
    for row in rows:
        name = Path(row.image).stem
        if name in first:
            raise Mistake(f"{row.place}: the name {name!r} stands in {first[name]} too; give each image its own.")
        first[name] = row.place.removeprefix(f"{path} ")
    return rows


def _lines(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    try:
        with path.open(encoding="utf-8-sig", newline="") as opened:
            table = csv.DictReader(opened)
            if missing := [column for column in COLUMNS if column not in (table.fieldnames or ())]:
                raise Mistake(f"{path} lacks the column {missing[0]}; its first line must name {', '.join(COLUMNS)}.")
            for written in table:
                yield table.line_num, written
    except FileNotFoundError:
        raise Mistake(f"{path} is not there; a test set has one, with the columns {', '.join(COLUMNS)}.") from None
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise Mistake(f"{path} is not a table of comma-separated values in UTF-8 ({error}); save it as one.") from None


def _row(written: dict[str, Any], place: str) -> _Row:
    cells = {column: (written[column] or "").strip() for column in COLUMNS}
    for column, cell in cells.items():
        if not cell:
            raise Mistake(f"{place}: the cell {column} is empty; fill it in or remove the line.")
    for column in ("image", "mask"):
        if not stays_inside(cells[column]):
            raise Mistake(f"{place}: {column} {cells[column]!r} leaves the folder; name a file inside it.")
    return _Row(place, **cells, um_per_px=_scale((written.get(SCALE) or "").strip(), place))


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


def _micrograph(folder: Path, row: _Row) -> Micrograph:
    image = _picture(folder / row.image, f"{row.place}: image {row.image}")
    mask = _picture(folder / row.mask, f"{row.place}: mask {row.mask}")
    if image.shape != mask.shape:
        sizes = " and ".join(f"{cols} x {rows}" for rows, cols in (image.shape, mask.shape))
        raise Mistake(f"{row.place}: {row.image} and {row.mask} differ in size ({sizes} px); make them equal.")
    if others := sorted(set(np.unique(mask).tolist()) - {0, 255}):
        raise Mistake(f"{row.place}: mask {row.mask} holds the grey {others[0]}; it may hold only 0 and 255.")
    return Micrograph(Path(row.image).stem, row.source, image, mask == 255, row.um_per_px)


def _picture(path: Path, where: str) -> Image:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of large pictures, bounded below, and of damaged TIFFs before it fails
            with PIL.Image.open(path, formats=FORMATS) as picture:
                _check_header(picture, where)
                return np.array(picture.convert("L"))
    except (FileNotFoundError, PermissionError):
        raise Mistake(f"{where} is not there, or may not be read; add the file or remove the line.") from None
    except PIL.Image.DecompressionBombError:
        raise _too_large(where) from None
    except DAMAGED:
        formats = ", ".join(FORMATS)
        raise Mistake(f"{where} is cut off, or is no picture ({formats}); put a sound copy in its place.") from None


def _check_header(picture: PIL.ImageFile.ImageFile, where: str) -> None:
    """Raise Mistake unless the picture, of which only the header is read, is small enough and 8-bit grey or RGB."""
    if picture.width * picture.height > LARGEST_PX:
        raise _too_large(where)
    stored = [str(tile.args) for tile in picture.tile]  # Pillow cuts 16-bit RGB to 8 bit and only tells it here
    if picture.mode.startswith("I") or any(";16" in layout for layout in stored):
        raise Mistake(f"{where} has 16 or more bits a pixel; scale it to 8 bits and save it again.")
    if picture.mode not in ("L", "RGB"):
        raise Mistake(f"{where} is of the kind {picture.mode}; save it as 8-bit grey or RGB, without transparency.")


def _too_large(where: str) -> Mistake:
    return Mistake(f"{where} has more than {LARGEST_PX // 2**20} million (2^20) pixels; cut it into smaller pictures.")
