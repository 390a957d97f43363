"""Files of pictures, which are not trusted: read as 8-bit grey, or refused in one sentence."""

import warnings
from pathlib import Path
from typing import NamedTuple

import numpy as np
import PIL.Image
import PIL.ImageFile

from micromime.mistakes import Mistake
from micromime.pictures.greys import stretch_of
from micromime.scenario.arrays import Image

LARGEST_PX = 64 * 2**20
FORMATS = ("PNG", "TIFF", "JPEG", "BMP")
DAMAGED = (OSError, SyntaxError, ValueError)
"""What Pillow raises on files that are cut off, scrambled or of another kind."""


class Read(NamedTuple):
    """A picture as it is used."""

    image: Image
    changes: tuple[str, ...]
    """What was done to the stored pixels that a person should know, a clause each: "its greys ... were stretched"."""


def read_picture(path: Path, where: str) -> Read:
    """Return a picture as 8-bit grey, stretched where `greys` says so; Mistake as from `read_stored`."""
    stored = read_stored(path, where)
    stretch = stretch_of(stored)
    return Read(stretch.apply(stored), (str(stretch),)) if stretch else Read(stored, ())


def read_stored(path: Path, where: str) -> Image:
    """Return a picture's greys as stored, (rows, cols); Mistake unless it is sound, 8-bit and not too large."""
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
