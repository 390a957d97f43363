"""Fluctuations of long wavelength within the grains: Perlin noise, laid anew in every grain."""

from typing import Any

import numpy as np
from numba import njit
from pydantic import Field

from micromime.partial_models.surface.perlin import PERIOD, noise_at
from micromime.scenario.arrays import Grey, Indices
from micromime.scenario.partial_model import PartialModel


class PerlinTexture(PartialModel):
    """Perlin noise of 1/5 to 2/3 grain diameters (Trampert et al. 2021, section 3.2.1)."""

    amplitude_grey: float = Field(0.0, ge=0, le=120, description="Grey levels of a noise value of 1.")
    wavelength: float = Field(0.4, ge=0.2, le=0.667, description="Lattice cell / grain diameter.")


def texture(model: PerlinTexture, cells: Indices, count: int, diameter_px: float, rng: np.random.Generator) -> Grey:
    """Return the grey to add at each pixel of a (rows, cols) map of `count` cells.

    Each cell has a lattice of its own, turned and moved at random: no direction is common to all grains.
    """
    angle = rng.uniform(0, 2 * np.pi, count)
    wavelength = model.wavelength * diameter_px
    turn = np.column_stack([np.cos(angle), np.sin(angle)]) / wavelength
    shift = rng.uniform(0, PERIOD, (count, 2))
    out = np.empty(cells.shape, dtype=np.float32)
    _fill(out, cells, turn.astype(np.float32), shift.astype(np.float32), np.float32(model.amplitude_grey))
    return out


@njit(cache=True)
def _fill(out: Any, cells: Any, turn: Any, shift: Any, amplitude: Any) -> None:
    """Lay noise over the picture, in each cell's own lattice."""
    rows, cols = out.shape
    for row in range(rows):
        for col in range(cols):
            cell = cells[row, col]
            cos, sin = turn[cell, 0], turn[cell, 1]
            r, c = np.float32(row), np.float32(col)
            x = c * cos - r * sin + shift[cell, 0]
            y = c * sin + r * cos + shift[cell, 1]
            out[row, col] = amplitude * noise_at(x, y)
