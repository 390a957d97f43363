"""A contact sheet of a data set: what a person looks at first."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image as Picture

from micromime.datasets.store import Dataset
from micromime.mistakes import Mistake

BOUNDARY = np.array([230, 97, 1], dtype=np.uint8)
"""Orange that is told apart from grey, and by colour-blind eyes."""


def write_preview(dataset: Dataset, file: Path, count: int = 12, side_px: int = 256) -> None:
    """Write a PNG of the first samples: each as it is, and beside it with its mask in orange.

    Mistake where the file's name is none of a PNG.
    """
    if file.suffix != ".png":
        raise Mistake(f"{file}: a contact sheet is a PNG file; give a name that ends in .png.")
    shown = range(min(count, len(dataset.images)))
    pairs = [_pair(dataset.images[n], dataset.masks[n], side_px) for n in shown]
    columns = min(3, len(pairs))
    blank = np.full_like(pairs[0], 255)
    pairs += [blank] * (-len(pairs) % columns)
    sheet = np.vstack([np.hstack(pairs[n : n + columns]) for n in range(0, len(pairs), columns)])
    Picture.fromarray(sheet).save(file, optimize=False)


def _pair(image: NDArray[np.uint8], mask: NDArray[np.bool_], side_px: int) -> NDArray[np.uint8]:
    """Return image and overlay side by side as RGB with a white rim, reduced by a whole factor if large."""
    step = max(1, -(-max(image.shape) // side_px))
    plain = np.repeat(image[::step, ::step, None], 3, axis=2)
    marked = np.where(mask[::step, ::step, None], BOUNDARY, plain)
    return np.pad(np.hstack([plain, marked]), ((2, 2), (2, 2), (0, 0)), constant_values=255)
