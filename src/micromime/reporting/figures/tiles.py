"""Pictures of tiles: real beside synthetic ones, and those that networks take for what they are not."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from micromime.reporting.figures.panels import (
    FAINT_INK,
    GAP_PX,
    INK,
    MARGIN_PX,
    PART_GAP_PX,
    Colours,
    below,
    beside,
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
