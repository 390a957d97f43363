"""Figure 4 of Trampert et al. 2021: synthetic and test pictures, each above its truth and its prediction."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from micromime.reporting.figures.panels import (
    Colours,
    Shown,
    below,
    beside,
    captioned,
    fitted,
    framed,
    legend,
    padded,
    png,
    triple,
)

COLUMNS = 5
COLUMN_PX = 200
GAP_PX, MARGIN_PX = 8, 24
LETTER_PX = 28
"""The figure is made to be seen at about half its size."""

SYNTHETIC_CAPTIONS = (
    "(a) Examples of synthetic images.",
    "(c) Auto-generated masks for the synthetic images.",
    "(e) Masks for the synthetic images generated with a trained model.",
)
REAL_CAPTIONS = (
    "(b) Examples of real images.",
    "(d) True masks for the real images.",
    "(f) Masks for the real images generated with a trained model.",
)
SURROGATE_CAPTIONS = (
    "(b) Examples of test images: surrogate, not real.",
    "(d) The simulator's masks for the test images: surrogate, not real.",
    "(f) Masks for the test images (surrogate, not real) generated with a trained model.",
)


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
    lefts, rights = (_parts(shown[:COLUMNS], width_px) for shown in (synthetic, real))
    said = REAL_CAPTIONS if test_kind == "real" else SURROGATE_CAPTIONS
    lines = [
        captioned((left, right), pair, LETTER_PX)
        for left, right, pair in zip(lefts, rights, zip(SYNTHETIC_CAPTIONS, said, strict=True), strict=True)
    ]
    page = below([*lines, legend(LETTER_PX)], MARGIN_PX)
    return np.pad(page, ((MARGIN_PX,) * 2, (MARGIN_PX,) * 2, (0, 0)), constant_values=255)


def write_figure_4(path: Path, synthetic: Sequence[Shown], real: Sequence[Shown], test_kind: str) -> None:
    """Write figure 4 as a PNG file; the same pictures give the same bytes."""
    path.write_bytes(png(figure_4(synthetic, real, test_kind)))


def _parts(shown: Sequence[Shown], width_px: int) -> list[Colours]:
    """Return the images, the truths and the predictions, each as one row of columns."""
    triples = [[framed(fitted(part, COLUMN_PX)) for part in triple(each)] for each in shown]
    rows = [[padded(picture, COLUMN_PX + 2) for picture in part] for part in zip(*triples, strict=True)]
    return [padded(beside(row, GAP_PX), width_px) for row in rows]
