"""Information strips as microscopes burn them into pictures, drawn on pictures that have none."""

import io
from dataclasses import dataclass

import numpy as np
import PIL.Image
from PIL import ImageDraw, ImageFont

TEXTS = (
    "HV 20.00 kV  mag 500 x  WD 10.2 mm  det ETD  spot 4.0  HFW 597 um",
    "EHT = 15.00 kV   WD = 8.5 mm   Signal A = SE2   Mag = 1.00 K X",
    "SEM HV: 20.0 kV   View field: 277 um   Det: BSE   Date(m/d/y): 03/14/24",
    "15.0kV 9.8mm x300 SE",
)


@dataclass(frozen=True)
class Strip:
    """How a strip looks."""

    share: float = 0.07
    """Of the picture's rows."""
    ground: int = 0
    ink: int = 255
    lines: int = 1
    text: int = 0
    separator: int | None = None
    """Grey of a line of 2 px between the specimen and the strip."""
    bar: bool = False
    logo: bool = False
    cells: bool = False
    """Whether lines divide it, as in a table, and run around it."""
    quality: int | None = None
    """Of JPEG."""
    noise: float = 0
    """Standard deviation, in greys."""
    top: bool = False

    def on(self, picture: np.ndarray) -> tuple[np.ndarray, tuple[int, int]]:
        """Return the picture (uint8) with the strip over its last or first rows, and which these are."""
        rows, cols = picture.shape
        height = max(10, round(self.share * rows))
        strip = self._drawn(height, cols)
        both = np.concatenate([strip, picture[height:]] if self.top else [picture[:-height], strip])
        if self.noise:
            both = both + np.random.default_rng(0).normal(0, self.noise, both.shape)
        both = np.clip(np.rint(both), 0, 255).astype(np.uint8)
        if self.quality:
            PIL.Image.fromarray(both).save(file := io.BytesIO(), "JPEG", quality=self.quality)
            both = np.array(PIL.Image.open(file))
        return both, ((0, height - 1) if self.top else (rows - height, rows - 1))

    def _drawn(self, height: int, cols: int) -> np.ndarray:
        picture = PIL.Image.new("L", (cols, height), self.ground)
        draw = ImageDraw.Draw(picture)
        font = ImageFont.load_default(max(7, 0.72 * height / self.lines))
        for line in range(self.lines):
            text = TEXTS[(self.text + line) % len(TEXTS)]
            draw.text((8, (line + 0.5) * height / self.lines), text, self.ink, font, anchor="lm")
        middle, right = height // 2, cols - 8
        if self.bar:
            draw.rectangle((right - cols // 5, middle - 12, right, height), self.ground)
            draw.line((right - cols // 5, middle, right, middle), self.ink, 2)
            for end in (right - cols // 5, right):
                draw.line((end, middle - 3, end, middle + 3), self.ink, 2)
        if self.logo:
            draw.ellipse((right - height + 4, 2, right - 2, height - 4), self.ink)
        if self.cells:
            draw.rectangle((0, 0, cols - 1, height - 1), None, self.ink)
            for col in range(cols // 4, cols, cols // 4):
                draw.line((col, 0, col, height), self.ink)
        if self.separator is not None:
            draw.rectangle((0, 0, cols, 1) if not self.top else (0, height - 2, cols, height), self.separator)
        return np.array(picture)


STRIPS = {
    "FEI": Strip(0.07, cells=True, bar=True),
    "FEI, old: white on black, two lines": Strip(0.1, lines=2),
    "Zeiss: black on white": Strip(0.09, 255, 0, text=1, bar=True),
    "Zeiss, two lines, logo": Strip(0.12, 255, 0, lines=2, text=1, logo=True),
    "JEOL: white on black, small": Strip(0.045, text=3, bar=True),
    "JEOL, JPEG": Strip(0.06, text=3, bar=True, quality=75),
    "Hitachi": Strip(0.055, text=3),
    "TESCAN: three lines in cells": Strip(0.12, lines=3, text=2, cells=True),
    "TESCAN: logo": Strip(0.11, lines=2, text=2, logo=True, bar=True),
    "black, thin": Strip(0.04),
    "white, thin": Strip(0.04, 255, 0),
    "grey, white letters": Strip(0.08, 128, 255),
    "grey, black letters": Strip(0.08, 128, 0, text=1),
    "light grey": Strip(0.08, 200, 20, text=2, logo=True),
    "dark grey": Strip(0.06, 50, 220, text=1),
    "white line above": Strip(0.07, separator=255),
    "black line above": Strip(0.07, 255, 0, separator=0, text=1),
    "line above a grey strip": Strip(0.08, 140, 255, separator=0, bar=True),
    "JPEG 90, black": Strip(0.07, quality=90, bar=True),
    "JPEG 60, white": Strip(0.08, 255, 0, quality=60, text=1),
    "JPEG 40, grey": Strip(0.09, 120, 255, quality=40, text=2),
    "noise over all": Strip(0.08, 30, 220, noise=4),
    "noise over a white one": Strip(0.08, 255, 0, noise=5, text=1),
    "noise and JPEG": Strip(0.1, 20, 240, noise=3, quality=80, lines=2),
    "at the top, black": Strip(0.07, top=True, bar=True),
    "at the top, white, line": Strip(0.06, 255, 0, top=True, separator=0, text=1),
    "at the top, JPEG": Strip(0.08, top=True, quality=75, text=2),
}
