"""Information strips that microscopes burn into their pictures, which are no specimen: found, to be refused.

A strip is a band along the bottom or the top over the full width, of one plain background with letters on it, that
begins at a straight edge. Text or a scale bar laid over the specimen is none: no row could be told to be free of it.
"""

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from micromime.mistakes import Mistake
from micromime.scenario.arrays import Image

LEAST_PX, LEAST, LARGEST = 8, 0.025, 0.25
"""Rows of a strip: at least, and as shares of the picture's."""

PLAIN = {2: 0.8, 12: 0.95, 24: 0.95}
"""How far, in greys of 255, a background strays, and from which share of it a strip may begin with a row.

As drawn, where a filled field of the strip may cross the row; with noise; after strong JPEG compression.
"""

FILLED, BESIDE = 0.6, 0.5
"""Share of background in a strip, at least, and in as many rows beside it, at most."""

APART = 40
"""By how many greys of 255 letters differ from their background, at least."""

MARGIN_STRAYS = 12
"""How far a margin's greys stray at most."""

LETTERS, LETTER_PX = 5, 4
"""How many letters there are, and how many rows each covers, at least."""

FEW = 64
"""A picture of 8 bits whose greys span fewer is looked at as one of 16 bits is: with its own black and white."""

LINE_PX, LINE_STRAYS, LINE_SHARE = 4, 12, 0.95
"""How many rows a line beside a strip has at most, and how much of it lies how close to one grey."""

Stored = NDArray[np.uint8] | NDArray[np.uint16]


def check_no_strip(stored: Stored, where: str) -> None:
    """Raise Mistake where rows of a picture look like a strip, or several, with the rows that are left without all."""
    first, last, end = 0, len(stored) - 1, len(stored) - 1
    while found := strip_in(stored[first : last + 1]):
        above, below = found
        first, last = (first, first + above - 1) if first + below == last else (first + below + 1, last)
    strips = [f"{above} to {below}" for above, below in ((0, first - 1), (last + 1, end)) if above <= below]
    if strips:
        like = "the information strip" if len(strips) == 1 else "information strips"
        raise Mistake(
            f"{where}: rows {' and '.join(strips)} look like {like} of a microscope; write {first}-{last} in "
            f"the column rows, or 0-{end} if all of it shows the specimen."
        )


def strip_in(stored: Stored) -> tuple[int, int] | None:
    """Return the first and the last row of what looks like a strip in a picture (rows, cols), or None."""
    rows = len(stored)
    lowest, highest = int(stored.min()), int(stored.max())
    if stored.dtype == np.uint8 and highest - lowest >= FEW:
        lowest, highest = 0, 255
    for top in (False, True):
        outer = (stored if top else stored[::-1])[: int(rows * 3 * LARGEST)]
        if (lowest, highest) != (0, 255):
            outer = ((outer - np.float32(lowest)) * (255 / max(1, highest - lowest))).astype(np.uint8)
        outer = outer.astype(np.uint8, copy=False)
        if height := _height(outer, rows) or _height_in_margin(outer, rows):
            return (0, height - 1) if top else (rows - height, rows - 1)
    return None


def _height(outer: Image, rows: int) -> int:
    """Return how many rows of the outer part of a picture, outermost first, are a strip; 0 if it is none."""
    least, most = max(LEAST_PX, round(LEAST * rows)), int(LARGEST * rows)
    if most <= least:
        return 0
    background = np.uint8(np.bincount(outer[:least].ravel(), minlength=256).argmax())
    strays = np.maximum(outer, background) - np.minimum(outer, background)
    candidates = {
        height
        for close, plain in PLAIN.items()
        for height in _begins((strays <= close).mean(axis=1), plain, (least, most))
    }
    found = (height for height in sorted(candidates, reverse=True) if _letters(strays[:height] > APART) >= LETTERS)
    height = next(found, 0)
    return height + _line(outer[height:][:LINE_PX]) if height else 0


def _height_in_margin(outer: Image, rows: int) -> int:
    """Return the same of a strip that has a plain margin outside of it, as in pictures laid out to be printed."""
    margin = int(np.cumprod((np.abs(outer - outer[:1, :1].astype(np.int16)) <= MARGIN_STRAYS).all(axis=1)).sum())
    height = _height(outer[margin:], rows) if margin < LARGEST * rows else 0
    return margin + height if height else 0


def _line(beside: Image) -> int:
    """Return how many of the rows beside a strip, from the strip on, are a line that parts it from the specimen."""
    greys = np.median(beside, axis=1, keepdims=True)
    plain = (np.abs(beside - greys) <= LINE_STRAYS).mean(axis=1) >= LINE_SHARE
    return int(np.cumprod(plain).sum())


def _begins(share: NDArray[np.float64], plain: float, between: tuple[int, int]) -> list[int]:
    """Return the heights that a strip may have, of the share of background in each row, outermost first."""
    total = np.concatenate([[0.0], np.cumsum(share)])
    heights = np.arange(*between)
    inside = total[heights] / heights
    beside = (total[2 * heights] - total[heights]) / heights
    edge = (share[heights - 1] >= plain) & (share[heights] < plain)
    found: list[int] = heights[edge & (inside >= FILLED) & (beside <= BESIDE)].tolist()
    return found


def _letters(ink: NDArray[np.bool_]) -> int:
    """Return how many pieces of ink could be letters or digits."""
    labels, _ = ndimage.label(ink, np.ones((3, 3)))
    widest = ink.shape[1] / 2
    pieces = ndimage.find_objects(labels)
    return sum(rows.stop - rows.start >= LETTER_PX and cols.stop - cols.start < widest for rows, cols in pieces)
