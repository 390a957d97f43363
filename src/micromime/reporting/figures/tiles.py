"""Pictures of tiles: how they are made (figure 3), real beside synthetic ones, and those that networks get wrong."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from micromime.reporting.figures.panels import (
    FAINT_INK,
    FIGURE_MARGIN_PX,
    GAP_PX,
    INK,
    MARGIN_PX,
    PART_GAP_PX,
    Colours,
    below,
    beside,
    captioned,
    grid,
    on_page,
    padded,
    paragraph,
    text_line,
    tile,
    tiles,
)
from micromime.scenario.arrays import Image

TILE_PX = 128
FRAMED_PX = TILE_PX + 2
SHEET_COLUMNS, SHEET_TILES = 6, 24
"""Of each kind on a contact sheet."""

WRONG_COLUMNS, MOST_WRONG = 8, 40
"""Of one model, at most."""

LETTER_PX, CAPTION_PX = 22, 15

TILES, PATCHES, SEEDS = 10, 55, 36
"""Tiles, patches and seed patches of a part of figure 3 at most."""

TILE_LAYOUT, PATCH_LAYOUT, SEED_LAYOUT = (5, TILE_PX, TILES), (11, 51, PATCHES), (9, 64, SEEDS)
"""Columns, side in px, and how many: a pixel of a patch of 17 x 17 is shown as 3 x 3, of a seed of 32 x 32 as 2 x 2."""

LAYOUT = (TILE_LAYOUT, PATCH_LAYOUT, SEED_LAYOUT, TILE_LAYOUT, TILE_LAYOUT, TILE_LAYOUT)
WIDTH_PX = 5 * FRAMED_PX + 4 * GAP_PX

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
    lines = [captioned(drawn[n : n + 2], said[n : n + 2], LETTER_PX) for n in (0, 2, 4)]
    return on_page(below(lines, FIGURE_MARGIN_PX), FIGURE_MARGIN_PX)


class WrongTile(NamedTuple):
    """A real tile that was wrongly classified."""

    image: Image
    label: str
    """Its true class."""
    probability: float
    """Of the second class, which a network has given it; the further from 0.5, the surer."""


def contact_sheet(real: Sequence[Image], synthetic: Sequence[Image], test_kind: str) -> Colours:
    """Return up to 24 real and up to 24 synthetic tiles side by side, under a word that says which are which.

    Where `test_kind` is not `real` (as in a verdict's `test_set`), that word is "surrogate, not real".
    """
    titles = ("real" if test_kind == "real" else "surrogate, not real", "synthetic")
    blocks = [
        below([text_line([(INK, title)], LETTER_PX), tiles(images[:SHEET_TILES], SHEET_COLUMNS, TILE_PX)], 4)
        for title, images in zip(titles, (real, synthetic), strict=True)
    ]
    return on_page(beside(blocks, PART_GAP_PX))


def wrong_tiles(models: Mapping[str, Sequence[WrongTile]], headline: str) -> Colours:
    """Return the tiles that each model takes for the wrong class, those that it is surest of first, or 'none'.

    Under a headline, a title for each model; under each tile its true class and the probability of the second class.
    """
    columns = min(WRONG_COLUMNS, max(4, *map(len, models.values())))
    across = columns * FRAMED_PX + (columns - 1) * GAP_PX
    blocks = [_block(title, wrong, across) for title, wrong in models.items()]
    return on_page(below([paragraph(headline, LETTER_PX, across), *blocks], MARGIN_PX))


def _block(title: str, wrong: Sequence[WrongTile], width_px: int) -> Colours:
    first = sorted(wrong, key=lambda each: -abs(each.probability - 0.5))[:MOST_WRONG]
    more = f" (those it is surest of: {len(first)} of {len(wrong)})" if len(first) < len(wrong) else ""
    pictures = [below([tile(each.image, TILE_PX), _caption(each)], 2) for each in first]
    shown = grid(pictures, WRONG_COLUMNS) if pictures else text_line([(FAINT_INK, "none")], CAPTION_PX)
    return padded(below([paragraph(title + more, LETTER_PX - 4, width_px), shown], 6), width_px)


def _caption(wrong: WrongTile) -> Colours:
    words = text_line([(INK, wrong.label), (FAINT_INK, f"P = {wrong.probability:.2f}")], CAPTION_PX)
    return padded(words, FRAMED_PX)[:, :FRAMED_PX]
