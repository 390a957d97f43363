"""Files of pictures, which are not trusted: read in grey, as a viewer shows them, or refused in one sentence."""

import itertools
import re
import struct
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import PIL.Image
import PIL.ImageFile
from PIL.TiffImagePlugin import TiffImageFile

from micromime.mistakes import Mistake
from micromime.pictures.greys import NARROW, Stored, stretch_of
from micromime.pictures.strips import check_no_strip
from micromime.scenario.arrays import Image

LARGEST_PX = 64 * 2**20
FORMATS = ("PNG", "TIFF", "JPEG", "BMP")
DAMAGED = (OSError, SyntaxError, ValueError, LookupError, TypeError, struct.error)
"""What Pillow raises on files that are cut off, scrambled or of another kind, found by spoiling some."""

EIGHT_BIT = ("L", "RGB")
SIXTEEN_BIT = ("I;16", "I;16B", "I;16L")
KINDS = (*EIGHT_BIT, *SIXTEEN_BIT, "1", "P", "LA", "RGBA")
"""Pillow's modes of the pictures that are read; a mask or a tile has to be one of `EIGHT_BIT`."""

CALLED = {"1": "of 1 bit a pixel", "F": "of floating-point numbers", "I": "of 32 bits a pixel", "P": "of a palette"}
CALLED |= dict.fromkeys(SIXTEEN_BIT, "of 16 bits a pixel")

BITS, WHITE_IS, DESCRIPTION, REDUCED, SAMPLE_FORMAT, ORIENTATION = 258, 262, 270, 254, 339, 274
"""Tags of TIFF 6.0: BitsPerSample, PhotometricInterpretation, ImageDescription, NewSubfileType, SampleFormat, ..."""
SIGNED = 2
NO_WHOLE_PICTURE = 0b101
"""Bits of NewSubfileType: a smaller version of another page, or which of its pixels are transparent."""

TURNS = {
    2: PIL.Image.Transpose.FLIP_LEFT_RIGHT,
    3: PIL.Image.Transpose.ROTATE_180,
    4: PIL.Image.Transpose.FLIP_TOP_BOTTOM,
    5: PIL.Image.Transpose.TRANSPOSE,
    6: PIL.Image.Transpose.ROTATE_270,
    7: PIL.Image.Transpose.TRANSVERSE,
    8: PIL.Image.Transpose.ROTATE_90,
}
"""How a viewer turns a picture, by its orientation tag; 1 and all that the standard does not know stay upright."""
LYING = (5, 6, 7, 8)
"""Tags of pictures whose stored rows are columns."""

Rows = tuple[int, int]
"""The first and the last that count, both included."""


class Read(NamedTuple):
    """A picture as it is used."""

    image: Image
    changes: tuple[str, ...]
    """What was done to the stored pixels that a person should know, a clause each: "its greys ... were stretched"."""


def read_picture(path: Path, where: str, page: int = 0, rows: Rows | None = None, narrow: int = NARROW) -> Read:
    """Return a picture of a specimen as 8-bit grey, stretched where `greys` says so.

    `page` counts from 1 and is needed of files with several. `rows` are those that show the specimen: they decide how
    all are stretched. Raises Mistake as `read_stored` does, for rows that the picture does not have, and where none
    are given and something looks like a microscope's information strip (`strips`).
    """
    stored, changes = _stored(path, where, page, KINDS)
    if rows is None:
        check_no_strip(stored, where)
        rows = (0, len(stored) - 1)
    elif rows[1] >= len(stored):
        most = len(stored) - 1
        raise Mistake(f"{where} has the rows 0 to {most}, so not {rows[0]}-{rows[1]}; correct the cell rows.")
    stretch = stretch_of(stored[rows[0] : rows[1] + 1], narrow)
    return Read(stretch.apply(stored), (*changes, str(stretch))) if stretch else Read(stored.astype(np.uint8), changes)


def read_stored(path: Path, where: str, page: int | None = None) -> Stored:
    """Return a picture's greys as stored, (rows, cols), turned as its orientation tag says; RGB as ITU-R 601 luma.

    `page` counts from 1; 0 means that nobody has said, None that there is no list with a column to say it. Raises
    Mistake unless the picture is sound, grey (8 or 16 bits) or 8-bit RGB, opaque, not too large, and the only one.
    """
    return _stored(path, where, page, KINDS)[0]


def read_8_bit(path: Path, where: str, page: int | None = None) -> Image:
    """Return the same of a picture that must be 8-bit grey or RGB, as masks and tiles are; else Mistake."""
    return _stored(path, where, page, EIGHT_BIT)[0].astype(np.uint8, copy=False)


def header_px(path: Path, page: int = 0, rows: Rows | None = None) -> int:
    """Return the pixels that are read of a picture, by its header alone; one of `DAMAGED` where it is none."""
    with warnings.catch_warnings(), path.open("rb") as file, PIL.Image.open(file, formats=FORMATS) as picture:
        warnings.simplefilter("ignore")  # as below
        pages = _pages(picture)
        picture.seek(0)
        picture.seek(pages[min(max(page, 1), len(pages)) - 1])
        lying = not isinstance(picture, TiffImageFile) and _orientation(picture) in LYING  # TIFFs say it turned
        height, width = picture.size if lying else picture.size[::-1]
        return width * (rows[1] + 1 - rows[0] if rows else height)


def _stored(path: Path, where: str, page: int | None, kinds: Sequence[str]) -> tuple[Stored, tuple[str, ...]]:
    """Return the greys as stored, and how they were turned, a clause."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of large pictures, bounded below, and of damaged TIFFs before it fails
            # Not opened by name: Pillow (11 to 13) then maps TIFFs to memory by the size that they have when turned.
            with path.open("rb") as file, PIL.Image.open(file, formats=FORMATS) as picture:
                _check_size(picture)
                _go_to_page(picture, page, where, kinds)
                _check_header(picture, where, kinds)
                return _decoded(picture, where)
    except (FileNotFoundError, PermissionError):
        raise Mistake(f"{where} is not there, or may not be read; add the file or remove the line.") from None
    except PIL.Image.DecompressionBombError:
        most = f"{LARGEST_PX // 2**20} million (2^20) pixels"
        raise Mistake(f"{where} has more than {most}; cut it into smaller pictures.") from None
    except DAMAGED:
        formats = ", ".join(FORMATS)
        raise Mistake(f"{where} is cut off, or is no picture ({formats}); put a sound copy in its place.") from None


def _go_to_page(picture: PIL.ImageFile.ImageFile, page: int | None, where: str, kinds: Sequence[str]) -> None:
    """Go to the page that is meant; Mistake where that is not clear, or there is none."""
    pages = _pages(picture)
    if len(pages) > 1 and not page:
        column = f", or write its number, 1 to {len(pages)}, in the column page" if page == 0 else ""
        raise Mistake(f"{where} has {len(pages)} pages; save the one that is meant as a file of its own{column}.")
    if len(pages) == 1 and kinds == EIGHT_BIT:
        page = None  # one mask for all pages of an image
    if page and page > len(pages):
        there = "1 page" if len(pages) == 1 else f"{len(pages)} pages"
        raise Mistake(f"{where} has {there}, so no page {page}; correct the cell page.")
    picture.seek(0)  # seeking the page where `_pages` ended would do nothing, though it may have failed there
    picture.seek(pages[page - 1 if page else 0])
    described = str(picture.tag_v2.get(DESCRIPTION, "")) if isinstance(picture, TiffImageFile) else ""
    stack = re.search(r"^images=(\d+)", described, re.MULTILINE) if described.startswith("ImageJ=") else None
    if stack and int(stack[1]) > len(pages):  # all behind one another, of which TIFF's own tags know the first
        raise Mistake(f"{where} is a stack of {stack[1]} images; save the one that is meant as a file of its own.")


def _pages(picture: PIL.ImageFile.ImageFile) -> list[int]:
    """Return the numbers, from 0, of a TIFF's pages or an animated PNG's frames.

    Smaller versions of another page do not count, nor the previews that cameras add to a JPEG.
    """
    if not isinstance(picture, TiffImageFile):
        return [*range(getattr(picture, "n_frames", 1))] if picture.format == "PNG" else [0]
    whole = []
    for frame in itertools.count():
        try:
            picture.seek(frame)
        except EOFError:
            break
        except (SyntaxError, LookupError):
            pass  # a kind that Pillow does not read; its tags are there all the same
        if not picture.tag_v2.get(REDUCED, 0) & NO_WHOLE_PICTURE:
            whole.append(frame)
    return whole or [0]


def _orientation(picture: PIL.ImageFile.ImageFile) -> int | None:
    """Return what the orientation tag says; of files other than TIFFs it is known once they are loaded."""
    try:
        return picture.getexif().get(ORIENTATION)
    except DAMAGED:  # a viewer shows it upright
        return None


def _check_size(picture: PIL.ImageFile.ImageFile) -> None:
    """Raise unless the picture, of which only the header is read, is small enough."""
    if picture.width * picture.height > LARGEST_PX:
        raise PIL.Image.DecompressionBombError


def _check_header(picture: PIL.ImageFile.ImageFile, where: str, kinds: Sequence[str]) -> None:
    """Raise Mistake unless the picture, of which only the header is read, is of one of the kinds, small enough."""
    _check_size(picture)
    tags = picture.tag_v2 if isinstance(picture, TiffImageFile) else {}
    if SIGNED in tags.get(SAMPLE_FORMAT, ()):  # Pillow takes them for unsigned, or exchanges their bytes
        raise Mistake(f"{where} has signed numbers; save it as grey of 8 or 16 bits without a sign.")
    if picture.mode not in kinds:
        kind = CALLED.get(picture.mode, f"of the kind {picture.mode}")
        allowed = "8-bit grey or RGB" if kinds == EIGHT_BIT else "grey of 8 or 16 bits, or 8-bit RGB"
        raise Mistake(f"{where} is {kind}; save it as {allowed}, without transparency.")
    # Pillow cuts colours of 16 bits to 8 and tells it in the layout alone; of TIFFs in planes, not even there.
    deep = any(";16" in str(tile.args) for tile in picture.tile) or max(tags.get(BITS, (8,))) > 8
    if deep and picture.mode not in SIXTEEN_BIT:
        raise Mistake(f"{where} has 16 bits a colour; save it in grey, or with 8 bits a colour.")


def _decoded(picture: PIL.ImageFile.ImageFile, where: str) -> tuple[Stored, tuple[str, ...]]:
    """Return the greys of a picture whose header is checked, and how they were turned."""
    by_pillow = isinstance(picture, TiffImageFile)  # it turns TIFFs, and no others, when it loads them
    tag = _orientation(picture) if by_pillow else None
    picture.load()
    tag = tag if by_pillow else _orientation(picture)  # a PNG's may stand behind its pixels
    pixels = picture if by_pillow or tag not in TURNS else picture.transpose(TURNS[tag])
    changes = (f"it was turned as its orientation tag ({tag}) says",) if tag in TURNS else ()
    if picture.mode in SIXTEEN_BIT:
        greys = np.array(pixels).astype(np.uint16)
        inverted = isinstance(picture, TiffImageFile) and picture.tag_v2.get(WHITE_IS) == 0  # Pillow: of 8 bits alone
        return (65535 - greys if inverted else greys), changes
    if picture.has_transparency_data and picture.convert("RGBA").getchannel("A").getextrema()[0] != 255:
        raise Mistake(f"{where} has transparent pixels; save it without transparency.")
    return np.array(pixels.convert("L")), changes
