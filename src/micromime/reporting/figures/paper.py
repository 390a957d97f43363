"""Figures laid out as those of Trampert et al. 2021: how cracks are made (3), and what is found in micrographs (4)."""

from collections.abc import Sequence
from typing import NamedTuple

from micromime.reporting.figures.panels import (
    GAP_PX,
    Colours,
    Shown,
    below,
    beside,
    captioned,
    fitted,
    framed,
    legend,
    on_page,
    padded,
    tiles,
    triple,
)
from micromime.scenario.arrays import Image

MARGIN_PX = 24

CRACKS_LETTER_PX = 22
TILES, PATCHES, SEEDS = 10, 55, 36
"""Tiles, patches and seed patches of a part of figure 3 at most."""

TILE_LAYOUT, PATCH_LAYOUT, SEED_LAYOUT = (5, 128, TILES), (11, 51, PATCHES), (9, 64, SEEDS)
"""Columns, side in px, and how many: a pixel of a patch of 17 x 17 is shown as 3 x 3, of a seed of 32 x 32 as 2 x 2."""

LAYOUT = (TILE_LAYOUT, PATCH_LAYOUT, SEED_LAYOUT, TILE_LAYOUT, TILE_LAYOUT, TILE_LAYOUT)
WIDTH_PX = 5 * (128 + 2) + 4 * GAP_PX

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

COLUMNS, COLUMN_PX = 5, 200
"""Pictures of a part of figure 4 at most, and the longer side of each."""

GRAINS_LETTER_PX = 28
"""Figure 4 is made to be seen at about half its size."""

SYNTHETIC_CAPTIONS = (
    "(a) Examples of synthetic images.",
    "(c) Auto-generated masks for the synthetic images.",
    "(e) Masks for the synthetic images generated with a trained model.",
)
TEST_CAPTIONS = {
    "real": (
        "(b) Examples of real images.",
        "(d) True masks for the real images.",
        "(f) Masks for the real images generated with a trained model.",
    ),
    "surrogate": (
        "(b) Examples of test images: surrogate, not real.",
        "(d) The simulator's masks for the test images: surrogate, not real.",
        "(f) Masks for the test images (surrogate, not real) generated with a trained model.",
    ),
}


class Parts(NamedTuple):
    """The pictures of the six parts of figure 3; those of a part are of one size."""

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
    drawn = [
        padded(tiles(pictures[:count], columns, side_px), WIDTH_PX)
        for pictures, (columns, side_px, count) in zip(parts, LAYOUT, strict=True)
    ]
    said = CAPTIONS if test_kind == "real" else SURROGATE_CAPTIONS
    lines = [captioned(drawn[n : n + 2], said[n : n + 2], CRACKS_LETTER_PX) for n in (0, 2, 4)]
    return on_page(below(lines, MARGIN_PX), MARGIN_PX)


def figure_4(synthetic: Sequence[Shown], real: Sequence[Shown], test_kind: str) -> Colours:
    """Return the figure in six parts, (a) and (b) above (c) and (d) above (e) and (f), at most five columns a part.

    The words of the captions are the paper's, but for (d): not all true masks are drawn by hand. Where `test_kind` is
    not `real` (as in a verdict's `test_set`), those of (b), (d) and (f) say so. Pictures keep their proportions: each
    is scaled to fit a square of 200 px, its corner at the upper left. The masks of (e) and (f) are coloured by
    `agreement`. Raises ValueError unless there is one of each.
    """
    if not synthetic or not real:
        raise ValueError("figure 4 needs at least one synthetic and one test picture")
    columns = min(COLUMNS, max(len(synthetic), len(real)))
    width_px = columns * (COLUMN_PX + 2) + (columns - 1) * GAP_PX
    drawn = zip(*(_rows(shown[:COLUMNS], width_px) for shown in (synthetic, real)), strict=True)
    said = zip(SYNTHETIC_CAPTIONS, TEST_CAPTIONS["real" if test_kind == "real" else "surrogate"], strict=True)
    lines = [captioned(pair, words, GRAINS_LETTER_PX) for pair, words in zip(drawn, said, strict=True)]
    return on_page(below([*lines, legend(GRAINS_LETTER_PX)], MARGIN_PX), MARGIN_PX)


def _rows(shown: Sequence[Shown], width_px: int) -> list[Colours]:
    """Return the images, the truths and the predictions, each as one row of columns."""
    triples = [[padded(framed(fitted(part, COLUMN_PX)), COLUMN_PX + 2) for part in triple(each)] for each in shown]
    return [padded(beside(row, GAP_PX), width_px) for row in zip(*triples, strict=True)]
