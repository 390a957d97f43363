"""Pictures of tiles: real beside synthetic ones, and those that networks take for what they are not."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from micromime.reporting.figures.panels import (
    FAINT_INK,
    INK,
    MARGIN_PX,
    PART_GAP_PX,
    Colours,
    below,
    beside,
    fitted,
    framed,
    grid,
    in_colours,
    padded,
    paragraph,
    text_line,
)
from micromime.scenario.arrays import Image

TILE_PX = 128
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
    """Of the second class, which a network has given it."""

    @property
    def surety(self) -> float:
        """How far the probability is from undecided, 0 to 0.5."""
        return abs(self.probability - 0.5)


def contact_sheet(real: Sequence[Image], synthetic: Sequence[Image], test_kind: str) -> Colours:
    """Return up to 24 real and up to 24 synthetic tiles side by side, under a word that says which are which.

    Where `test_kind` is not `real` (as in a verdict's `test_set`), that word is "surrogate, not real".
    """
    titles = ("real" if test_kind == "real" else "surrogate, not real", "synthetic")
    blocks = [
        below(
            [text_line([(INK, title)], LETTER_PX), grid([_tile(each) for each in tiles[:SHEET_TILES]], SHEET_COLUMNS)],
            4,
        )
        for title, tiles in zip(titles, (real, synthetic), strict=True)
    ]
    return _on_page(beside(blocks, PART_GAP_PX))


def wrong_tiles(models: Mapping[str, Sequence[WrongTile]], headline: str) -> Colours:
    """Return the tiles that each model takes for the wrong class, those that it is surest of first, or 'none'.

    Under a headline, a title for each model; under each tile its true class and the probability of the second class.
    """
    columns = min(WRONG_COLUMNS, max(4, *(len(tiles) for tiles in models.values())))
    across = grid([_tile(np.zeros((TILE_PX, TILE_PX), np.uint8))] * columns, columns).shape[1]
    blocks = [_block(title, tiles, across) for title, tiles in models.items()]
    return _on_page(below([paragraph(headline, LETTER_PX, across), *blocks], MARGIN_PX))


def _block(title: str, tiles: Sequence[WrongTile], width_px: int) -> Colours:
    first = sorted(tiles, key=lambda tile: -tile.surety)[:MOST_WRONG]
    more = f" (those it is surest of: {len(first)} of {len(tiles)})" if len(first) < len(tiles) else ""
    pictures = [below([_tile(each.image), _caption(each)], 2) for each in first]
    shown = grid(pictures, WRONG_COLUMNS) if pictures else text_line([(FAINT_INK, "none")], CAPTION_PX)
    return padded(below([paragraph(title + more, LETTER_PX - 4, width_px), shown], 6), width_px)


def _caption(tile: WrongTile) -> Colours:
    words = text_line([(INK, tile.label), (FAINT_INK, f"P = {tile.probability:.2f}")], CAPTION_PX)
    return padded(words, TILE_PX + 2)[:, : TILE_PX + 2]


def _tile(image: Image) -> Colours:
    return framed(fitted(in_colours(image), TILE_PX))


def _on_page(picture: Colours) -> Colours:
    return np.pad(picture, ((MARGIN_PX,) * 2, (MARGIN_PX,) * 2, (0, 0)), constant_values=255)
