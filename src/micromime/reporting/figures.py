"""Pictures of the reports, none distorted: test pictures beside truth and prediction, figures 3 and 4, and tiles."""

import io
import math
from collections.abc import Mapping, Sequence
from functools import partial
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image as Pillow
from PIL import ImageColor, ImageDraw

from micromime.judging.metrics import boundary_f1, mean_iou
from micromime.reporting.letters import legible, lettering, letters_in
from micromime.scenario.arrays import Image, Mask

Colours = NDArray[np.uint8]
"""(rows, cols, 3): red, green, blue, 0 to 255."""

# Boundaries that were found look as in the truth; the two kinds of error differ in hue and in lightness, so that
# people with any kind of colour vision tell them apart (vermilion and sky blue of Okabe and Ito's palette).
FOUND, WRONG, MISSED = "#222222", "#d55e00", "#56b4e9"
LEGEND = ((FOUND, "boundary found"), (WRONG, "found where there is none"), (MISSED, "missed"))
INK, FAINT_INK = "#222222", "#666666"
FRAME_GREY = 180

LARGEST_SIDE_PX = 300
SMALLEST_COLUMN_PX = 180
BLOCKS_ACROSS = 2
GAP_PX, MARGIN_PX = 8, 28
PART_GAP_PX = 56
"""Between parts of a figure that have captions of their own."""

FIGURE_MARGIN_PX = 24

COLUMNS, COLUMN_PX = 5, 200
"""Pictures of a part of figure 4 at most, and the longer side of each."""

LETTER_PX, SMALL_LETTER_PX, CAPTION_PX = 28, 22, 15
"""Figure 4 is made to be seen at about half its size; pictures of tiles have smaller letters."""

FIGURE_4 = (
    "(a) Examples of synthetic images.",
    "(b) Examples of real images.",
    "(c) Auto-generated masks for the synthetic images.",
    "(d) True masks for the real images.",
    "(e) Masks for the synthetic images generated with a trained model.",
    "(f) Masks for the real images generated with a trained model.",
)
SURROGATE_4 = (
    FIGURE_4[0],
    "(b) Examples of test images: surrogate, not real.",
    FIGURE_4[2],
    "(d) The simulator's masks for the test images: surrogate, not real.",
    FIGURE_4[4],
    "(f) Masks for the test images (surrogate, not real) generated with a trained model.",
)

TILE_PX = 128
FRAMED_PX = TILE_PX + 2
SHEET_COLUMNS, SHEET_TILES = 6, 24
"""Of each kind on a contact sheet."""

WRONG_COLUMNS, MOST_WRONG = 8, 40
"""Of one model, at most."""

TILES, PATCHES, SEEDS = 10, 55, 36
"""Tiles, patches and seed patches of a part of figure 3 at most."""

LAYOUT = ((5, TILE_PX, TILES), (11, 51, PATCHES), (9, 64, SEEDS), *[(5, TILE_PX, TILES)] * 3)
"""Columns, side in px, and how many: a pixel of a patch of 17 x 17 is shown as 3 x 3, of a seed of 32 x 32 as 2 x 2."""

WIDTH_PX = 5 * FRAMED_PX + 4 * GAP_PX

FIGURE_3 = (
    "(a) Examples of real cracks.",
    "(b) Excerpt of texture dictionary.",
    "(c) Seeds for texture inpainting.",
    "(d) Synthetically generated textures.",
    "(e) Synthetically generated cracks.",
    "(f) Synthetically generated training data examples.",
)
SURROGATE_3 = (
    "(a) Examples of cracks: surrogate, not real.",
    "(b) Excerpt of texture dictionary: surrogate, not real.",
    "(c) Seeds for texture inpainting: surrogate, not real.",
    *FIGURE_3[3:],
)


class Shown(NamedTuple):
    """One test picture with its truth and a prediction, all of the same (rows, cols)."""

    name: str
    source: str
    image: Image
    truth: Mask
    prediction: Mask


def panel(shown: Sequence[Shown], headline: str) -> Colours:
    """Return one picture of them all: image, truth and prediction in columns, under a headline and a legend.

    Pictures keep their proportions: columns are padded, and a picture with a side above 300 px is reduced by a whole
    factor (mean over areas). The scores in the captions are those of the full size. Raises ValueError for no picture.
    """
    if not shown:
        raise ValueError("a panel needs at least one picture")
    triples = [[framed(reduced(part, LARGEST_SIDE_PX)) for part in triple(each)] for each in shown]
    column_px = max([SMALLEST_COLUMN_PX, *(picture.shape[1] for triple in triples for picture in triple)])
    blocks = [_beside_truth(each, parts, column_px) for each, parts in zip(shown, triples, strict=True)]
    titles = [padded(text_line([(INK, title)], CAPTION_PX), column_px) for title in ("image", "truth", "prediction")]
    across = beside([beside(titles, GAP_PX)] * min(BLOCKS_ACROSS, len(blocks)), MARGIN_PX)
    lines = [beside(blocks[i : i + BLOCKS_ACROSS], MARGIN_PX) for i in range(0, len(blocks), BLOCKS_ACROSS)]
    return on_page(below([paragraph(headline, 24, across.shape[1]), legend(), across, *lines], MARGIN_PX // 2))


def _beside_truth(shown: Shown, parts: Sequence[Colours], column_px: int) -> Colours:
    """Return the three pictures, each in a column of its own, under their caption."""
    iou, f1 = mean_iou(shown.prediction, shown.truth), boundary_f1(shown.prediction, shown.truth)
    name, scores = f"{shown.name} ({shown.source})", f"mean IoU {iou:.2f}, boundary F1 {f1:.2f}"
    pictures = beside([padded(picture, column_px) for picture in parts], GAP_PX)
    caption = [text_line([(INK, name), (FAINT_INK, scores)], CAPTION_PX)]
    if caption[0].shape[1] > pictures.shape[1]:
        caption = [paragraph(name, CAPTION_PX, pictures.shape[1]), text_line([(FAINT_INK, scores)], CAPTION_PX)]
    return below([*caption, pictures], GAP_PX // 2)


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
    captions = FIGURE_4 if test_kind == "real" else SURROGATE_4
    return _in_pairs([part for pair in drawn for part in pair], captions, LETTER_PX, legend(LETTER_PX))


def _rows(shown: Sequence[Shown], width_px: int) -> list[Colours]:
    """Return the images, the truths and the predictions, each as one row of columns."""
    triples = [[padded(framed(fitted(part, COLUMN_PX)), COLUMN_PX + 2) for part in triple(each)] for each in shown]
    return [padded(beside(row, GAP_PX), width_px) for row in zip(*triples, strict=True)]


def _in_pairs(parts: Sequence[Colours], captions: Sequence[str], letter_px: int, *more: Colours) -> Colours:
    """Return a figure of parts (a) and (b) above (c) and (d) and so on, and of what stands below."""
    lines = [captioned(parts[n : n + 2], captions[n : n + 2], letter_px) for n in range(0, len(parts), 2)]
    return on_page(below([*lines, *more], FIGURE_MARGIN_PX), FIGURE_MARGIN_PX)


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
    return _in_pairs(drawn, FIGURE_3 if test_kind == "real" else SURROGATE_3, SMALL_LETTER_PX)


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
        below([text_line([(INK, title)], SMALL_LETTER_PX), tiles(images[:SHEET_TILES], SHEET_COLUMNS, TILE_PX)], 4)
        for title, images in zip(titles, (real, synthetic), strict=True)
    ]
    return on_page(beside(blocks, PART_GAP_PX))


def wrong_tiles(models: Mapping[str, Sequence[WrongTile]], headline: str) -> Colours:
    """Return the tiles that each model takes for the wrong class, those that it is surest of first, or 'none'.

    Under a headline, a title for each model; under each tile its true class and the probability of the second class.
    """
    columns = min(WRONG_COLUMNS, max(4, *map(len, models.values())))
    across = columns * FRAMED_PX + (columns - 1) * GAP_PX
    blocks = [_of_model(title, wrong, across) for title, wrong in models.items()]
    return on_page(below([paragraph(headline, SMALL_LETTER_PX, across), *blocks], MARGIN_PX))


def _of_model(title: str, wrong: Sequence[WrongTile], width_px: int) -> Colours:
    first = sorted(wrong, key=lambda each: -abs(each.probability - 0.5))[:MOST_WRONG]
    more = f" (those it is surest of: {len(first)} of {len(wrong)})" if len(first) < len(wrong) else ""
    pictures = [below([tile(each.image, TILE_PX), _caption(each)], 2) for each in first]
    shown = grid(pictures, WRONG_COLUMNS) if pictures else text_line([(FAINT_INK, "none")], CAPTION_PX)
    return padded(below([paragraph(title + more, SMALL_LETTER_PX - 4, width_px), shown], 6), width_px)


def _caption(wrong: WrongTile) -> Colours:
    words = text_line([(INK, wrong.label), (FAINT_INK, f"P = {wrong.probability:.2f}")], CAPTION_PX)
    return padded(words, FRAMED_PX)[:, :FRAMED_PX]


def png(colours: Colours) -> bytes:
    """Return the picture as the bytes of a PNG file: of the same picture the same."""
    file = io.BytesIO()
    Pillow.fromarray(colours).save(file, format="PNG")
    return file.getvalue()


def triple(shown: Shown) -> list[Colours]:
    """Return image, truth and prediction in full size: the image in its greys, the masks coloured by `agreement`."""
    return [in_colours(shown.image), agreement(shown.truth, shown.truth), agreement(shown.prediction, shown.truth)]


def in_colours(image: Image) -> Colours:
    """Return the picture in its greys."""
    return np.repeat(image[..., None], 3, axis=2)


def agreement(prediction: Mask, truth: Mask) -> Colours:
    """Return the prediction on white, coloured by what the truth says: found, found where there is none, missed."""
    colours = np.full((*truth.shape, 3), 255, dtype=np.uint8)
    colours[prediction & truth] = ImageColor.getrgb(FOUND)
    colours[prediction & ~truth] = ImageColor.getrgb(WRONG)
    colours[~prediction & truth] = ImageColor.getrgb(MISSED)
    return colours


def reduced(colours: Colours, largest_px: int) -> Colours:
    """Return the picture with no side above `largest_px`: each pixel the mean over a square of whole pixels.

    Edges that do not fill a square are continued by their last pixels.
    """
    rows, cols, _ = colours.shape
    factor = math.ceil(max(rows, cols) / largest_px)
    filled = np.pad(colours, ((0, -rows % factor), (0, -cols % factor), (0, 0)), mode="edge")
    squares = filled.reshape(filled.shape[0] // factor, factor, filled.shape[1] // factor, factor, 3)
    return np.rint(squares.mean(axis=(1, 3))).astype(np.uint8)


def fitted(colours: Colours, side_px: int) -> Colours:
    """Return the picture scaled so that its longer side is `side_px`: each pixel the mean over its area.

    Both axes share the factor, up to rounding to whole pixels. Pictures below that size are enlarged.
    """
    rows, cols, _ = colours.shape
    factor = side_px / max(rows, cols)
    size = (max(round(cols * factor), 1), max(round(rows * factor), 1))
    return np.asarray(Pillow.fromarray(colours).resize(size, Pillow.Resampling.BOX))


def legend(size_px: int = 15) -> Colours:
    """Return one line that says what the colours of `agreement` mean, in letters of `size_px`."""
    entries = [text_line([(INK, "Prediction:")], size_px)]
    for colour, meaning in LEGEND:
        swatch = np.full((size_px + 3, size_px + 3, 3), ImageColor.getrgb(colour), dtype=np.uint8)
        entries.append(beside([swatch, text_line([(INK, meaning)], size_px)], GAP_PX))
    return beside(entries, 2 * GAP_PX)


def text_line(parts: Sequence[tuple[str, str]], size_px: int) -> Colours:
    """Return one line of text on white, in pieces of (colour, text), as wide as the text."""
    font, texts = lettering("".join(text for _, text in parts), size_px), [legible(text) for _, text in parts]
    widths = [math.ceil(font.getlength(text)) + 2 * GAP_PX for text in texts]
    sheet = Pillow.new("RGB", (sum(widths), size_px + 6), "white")
    pen = ImageDraw.Draw(sheet)
    for i, (colour, _) in enumerate(parts):
        pen.text((sum(widths[:i]), 0), texts[i], fill=colour, font=font)
    return np.asarray(sheet)


def paragraph(text: str, size_px: int, width_px: int) -> Colours:
    """Return the text on white, broken so that no line is above `width_px`: between words, a longer word within."""
    font, lines = lettering(text, size_px), [""]
    most = partial(letters_in, font, width_px - 2 * GAP_PX)
    for word in legible(text).split():
        longer = f"{lines[-1]} {word}".lstrip()
        if most(longer) == len(longer):
            lines[-1] = longer
            continue
        rest = word
        while rest:
            lines.append(rest[: most(rest)])
            rest = rest[most(rest) :]
    return below([text_line([(INK, line)], size_px) for line in lines if line] or [text_line([], size_px)], 0)


def captioned(parts: Sequence[Colours], captions: Sequence[str], letter_px: int) -> Colours:
    """Return the parts of a figure in a row, each as wide as the first, their captions below their left edges."""
    width_px = parts[0].shape[1]
    blocks = [padded(paragraph(text, letter_px, width_px), width_px)[:, :width_px] for text in captions]
    return below([beside(each, PART_GAP_PX) for each in ([padded(part, width_px) for part in parts], blocks)], GAP_PX)


def framed(picture: Colours) -> Colours:
    """Return the picture with a thin grey frame, so that a white one does not melt into the page."""
    return np.pad(picture, ((1, 1), (1, 1), (0, 0)), constant_values=FRAME_GREY)


def on_page(picture: Colours, margin_px: int = MARGIN_PX) -> Colours:
    """Return the picture with a white margin."""
    return np.pad(picture, ((margin_px,) * 2, (margin_px,) * 2, (0, 0)), constant_values=255)


def padded(picture: Colours, width_px: int) -> Colours:
    """Return the picture with white to its right, at least `width_px` wide."""
    return np.pad(picture, ((0, 0), (0, max(width_px - picture.shape[1], 0)), (0, 0)), constant_values=255)


def below(pictures: Sequence[Colours], gap_px: int) -> Colours:
    """Return the pictures in a column on white, left edges aligned."""
    return beside([each.transpose(1, 0, 2) for each in pictures], gap_px).transpose(1, 0, 2)


def beside(pictures: Sequence[Colours], gap_px: int) -> Colours:
    """Return the pictures in a row on white, tops aligned."""
    tallest = max(each.shape[0] for each in pictures)
    across = sum(each.shape[1] for each in pictures) + gap_px * (len(pictures) - 1)
    row, left = np.full((tallest, across, 3), 255, dtype=np.uint8), 0
    for each in pictures:
        row[: each.shape[0], left : left + each.shape[1]] = each
        left += each.shape[1] + gap_px
    return row


def grid(pictures: Sequence[Colours], columns: int, gap_px: int = GAP_PX) -> Colours:
    """Return the pictures on white in lines of as many columns, the last line filled as far as there are some."""
    return below([beside(pictures[n : n + columns], gap_px) for n in range(0, len(pictures), columns)], gap_px)


def tiles(images: Sequence[Image], columns: int, side_px: int) -> Colours:
    """Return images as a grid of framed tiles, each scaled so that its longer side is `side_px`."""
    return grid([tile(each, side_px) for each in images], columns)


def tile(image: Image, side_px: int) -> Colours:
    """Return an image in a frame, scaled so that its longer side is `side_px`."""
    return framed(fitted(in_colours(image), side_px))
