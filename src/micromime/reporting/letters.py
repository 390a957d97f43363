"""Letters on pictures: names that people chose may have some that a font lacks, and may be long."""

import math
from bisect import bisect_right

from matplotlib.font_manager import findfont, get_font
from PIL import ImageFont

Lettering = ImageFont.FreeTypeFont | ImageFont.ImageFont

WIDER = "DejaVu Sans"
"""The font that comes with matplotlib: Latin, Greek, Cyrillic and more."""


def lettering(text: str, size_px: int) -> Lettering:
    """Return the font of pictures, Pillow's own; for a text beyond ASCII, which that hardly has, `WIDER`."""
    return ImageFont.load_default(size_px) if text.isascii() else ImageFont.truetype(findfont(WIDER), size_px)


def legible(text: str) -> str:
    """Return the text, each letter that both fonts lack by its code point: any two of them would look alike."""
    if text.isascii():
        return text
    there = get_font(findfont(WIDER)).get_charmap()
    return "".join(each if ord(each) in there else f"\\u{ord(each):04x}" for each in text)


def letters_in(font: Lettering, width_px: int, text: str) -> int:
    """Return how many letters of a text have room, at least one."""
    return max(1, bisect_right(range(len(text) + 1), width_px, key=lambda n: math.ceil(font.getlength(text[:n]))) - 1)
