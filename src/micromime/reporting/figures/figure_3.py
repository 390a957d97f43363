"""Figure 3 of Trampert et al. 2021: what cracks and their surface are made of, from real cracks to training tiles."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from micromime.reporting.figures.panels import Colours, below, captioned, fitted, framed, grid, in_colours, padded
from micromime.scenario.arrays import Image

GAP_PX, MARGIN_PX = 8, 24
LETTER_PX = 22

TILE_PX, TILE_COLUMNS, TILES = 128, 5, 10
"""Side of a tile in the figure, tiles of a line, and tiles of a part at most."""

PATCH_PX, PATCH_COLUMNS, PATCHES = 51, 11, 55
"""The same of patches: each pixel of 17 x 17 is shown as 3 x 3."""

SEED_PX, SEED_COLUMNS, SEEDS = 64, 9, 36
"""The same of seed patches: each pixel of 32 x 32 is shown as 2 x 2."""

WIDTH_PX = TILE_COLUMNS * (TILE_PX + 2) + (TILE_COLUMNS - 1) * GAP_PX

CAPTIONS = (
    "(a) Examples of real cracks.",
    "(b) Excerpt of texture dictionary.",
    "(c) Seeds for texture inpainting.",
    "(d) Synthetically generated textures.",
    "(e) Synthetically generated cracks.",
    "(f) Synthetically generated training data examples.",
)
SURROGATE_CAPTIONS = (
    "(a) Examples of cracks: surrogate, not real.",
    "(b) Excerpt of texture dictionary: surrogate, not real.",
    "(c) Seeds for texture inpainting: surrogate, not real.",
    *CAPTIONS[3:],
)


class Parts(NamedTuple):
    """The pictures of the six parts; those of a part are of one size."""

    cracks: Sequence[Image]
    """Real tiles with a crack."""
    patches: Sequence[Image]
    seeds: Sequence[Image]
    textures: Sequence[Image]
    """Synthetic tiles without a crack."""
    alone: Sequence[Image]
    """The light that synthetic cracks take, on white."""
    finished: Sequence[Image]
    """Synthetic tiles with a crack."""


def figure_3(parts: Parts, test_kind: str) -> Colours:
    """Return the figure: (a) beside (b), (c) beside (d), (e) beside (f), two lines of five tiles in a part at most.

    The words of the captions are the paper's. Where `test_kind` is not `real` (as in a verdict's `test_set`), those of
    (a), (b) and (c) say so. Raises ValueError where a part has no picture.
    """
    if not all(len(part) for part in parts):
        raise ValueError("figure 3 needs at least one picture of each part")
    tiles = (TILE_PX, TILE_COLUMNS, TILES)
    layout = (tiles, (PATCH_PX, PATCH_COLUMNS, PATCHES), (SEED_PX, SEED_COLUMNS, SEEDS), tiles, tiles, tiles)
    drawn = [_part(pictures, *each) for pictures, each in zip(parts, layout, strict=True)]
    said = CAPTIONS if test_kind == "real" else SURROGATE_CAPTIONS
    lines = [captioned(drawn[n : n + 2], said[n : n + 2], LETTER_PX) for n in (0, 2, 4)]
    return np.pad(below(lines, MARGIN_PX), ((MARGIN_PX,) * 2, (MARGIN_PX,) * 2, (0, 0)), constant_values=255)


def _part(pictures: Sequence[Image], side_px: int, columns: int, count: int) -> Colours:
    """Return the first pictures in lines, each scaled so that its longer side is `side_px`."""
    shown = [framed(fitted(in_colours(each), side_px)) for each in pictures[:count]]
    return padded(grid(shown, columns, GAP_PX), WIDTH_PX)
