"""What a person draws for boundaries: lines of a pen's width, a little off, and not where nothing is to be seen."""

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray
from pydantic import Field

from micromime.partial_models.surface.perlin_texture import smooth_field
from micromime.scenario.arrays import Boundaries, Mask, Reals
from micromime.scenario.partial_model import PartialModel


class Annotation(PartialModel):
    """How the mask differs from the boundaries as they are; by default it does not."""

    width_px: float = Field(
        0.0, ge=0, le=16, description="Width of the lines drawn, px; 0: as thick as boundaries are."
    )
    least_contrast_grey: float = Field(
        0.0,
        ge=0,
        le=60,
        description="Edges that differ less from their grains, and these from one another, are missing.",
    )
    jitter_px: float = Field(0.0, ge=0, le=4, description="Sd of how far a line lies off, px.")
    jitter_length_px: float = Field(40.0, ge=8, le=200, description="Length over which that changes, px.")


def pen_widths(model: Annotation, boundaries: Boundaries, shades: Reals) -> Reals:
    """Return how wide each edge is drawn, (n,) px; 0 where it is left out.

    `shades` has the grey of every cell. An edge shows by what it takes from its grains, on average along it, or by how
    much these differ.
    """
    one, two = shades[boundaries.edges.left], shades[boundaries.edges.right]
    line = np.abs(boundaries.darkness).mean(axis=1) * (one + two) / 2
    width = boundaries.thickness_px if model.width_px == 0 else np.full(len(line), model.width_px)
    return np.where(seen(model, line, one - two), width, 0.0)


def seen(model: Annotation, line: Reals, step: Reals) -> NDArray[np.bool_]:
    """Return which edges are drawn, (n,): by the grey of their line, or by the step of grey between their two sides."""
    return np.maximum(np.abs(line), np.abs(step)) >= model.least_contrast_grey


def jittered(model: Annotation, mask: Mask, rng: np.random.Generator) -> Mask:
    """Return the mask with its lines moved together, smoothly, so that they still meet where they met."""
    if model.jitter_px == 0:
        return mask
    rows, cols = mask.shape
    # Perlin's noise has a standard deviation of about a quarter.
    down, across = (smooth_field(rows, cols, model.jitter_length_px, rng) for _ in range(2))
    moved = np.empty_like(mask)
    _look_up(moved.ravel(), mask.ravel(), (down, across), np.float32(4 * model.jitter_px))
    return moved


@njit(cache=True)
def _look_up(moved: Any, mask: Any, fields: Any, scale: Any) -> None:
    """Give each pixel what the mask has so many whole pixels away from it, or nearest to that place."""
    down, across = fields
    rows, cols = down.shape
    at = np.empty(cols, np.int32)
    for row in range(rows):
        for col in range(cols):
            r = row + np.int32(np.rint(scale * down[row, col]))
            c = col + np.int32(np.rint(scale * across[row, col]))
            at[col] = min(max(r, 0), rows - 1) * cols + min(max(c, 0), cols - 1)
        for col in range(cols):
            moved[row * cols + col] = mask[np.uintp(at[col])]
