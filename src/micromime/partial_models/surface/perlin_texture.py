"""Fluctuations of long wavelength within the grains: Perlin noise, laid anew in every grain.

The noise, of which other partial models are made too, is to the bit that of the package `noise`.
"""

from typing import Any

import numpy as np
from numba import njit
from pydantic import Field

from micromime.scenario.arrays import Grey, Indices
from micromime.scenario.partial_model import PartialModel

PERIOD = 256
"""The noise repeats after this many lattice cells."""

# Perlin's permutation of 0..255 (written twice in a row, to save a modulo) and the twelve gradients as he ordered them.
_ORDER = bytes.fromhex(
    "97a0895b5a0f830dc95f6035c2e907e18c24671e458e086325f0150a17be0694f778ea4b001ac53e5efcdbcb75230b20"
    "39b12158ed953857ae147d88aba844af4aa547868b301ba64d929ee7536fe57a3cd385e6dc695c29372ef528f4668f36"
    "41193fa101d85049d14c84bbd05912a9c8c4878274bc9f56a4646dc6adba034034d9e2fa7c7b05ca2693767eff5255d4"
    "cfce3be32f103a11b6bd1c2adfb7aad577f898022c9aa346dd99659ba72bac09811627fd13626c6e4f71e0e8b2b97068"
    "daf661e4fb22f2c1eed2900cbfb3a2f1513391ebf90eef6b31c0d61fb5c76a9db854ccb07379322d7f0496fe8aeccd5d"
    "de72431d1848f38d80c34e42d73d9cb4"
)
_PERM = np.tile(np.frombuffer(_ORDER, dtype=np.uint8), 2)
_COLS = [1, -1, 1, -1, 1, -1, 1, -1, 0, 0, 0, 0, 1, -1, 0, 0]
_ROWS = [1, 1, -1, -1, 0, 0, 0, 0, 1, -1, 1, -1, 0, 0, -1, 1]
_GRADIENT = np.column_stack([_COLS, _ROWS]).astype(np.float32)[_PERM & 15]
"""Gradient of a lattice point by its next-to-last look-up."""


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


def smooth_field(rows: int, cols: int, wavelength_px: float, rng: np.random.Generator) -> Grey:
    """Return (rows, cols) Perlin noise, about -0.9 to 0.9, of a lattice turned and moved at random."""
    angle = rng.uniform(0, 2 * np.pi)
    cos, sin = np.cos(angle) / wavelength_px, np.sin(angle) / wavelength_px
    shift = rng.uniform(0, PERIOD, 2)
    out = np.empty((rows, cols), dtype=np.float32)
    _lay(out, np.array([cos, sin, *shift], dtype=np.float32))
    return out


@njit(cache=True, inline="always")
def noise_at(x: Any, y: Any) -> Any:
    """Return Perlin's noise at one point, about -0.9 to 0.9: to the bit that of the package `noise`, `pnoise2(x, y)`.

    Improved noise with three look-ups of the permutation (Perlin 2002, doi:10.1145/566654.566636), float32 throughout;
    the order of operations is that of the C source, so the bits are too.
    """
    i, j = np.floor(x), np.floor(y)
    x0, y0 = x - i, y - j
    x1, y1 = x0 - np.float32(1), y0 - np.float32(1)
    fx = x0 * x0 * x0 * (x0 * (x0 * np.float32(6) - np.float32(15)) + np.float32(10))
    fy = y0 * y0 * y0 * (y0 * (y0 * np.float32(6) - np.float32(15)) + np.float32(10))
    # Unsigned, as numba then need not ask whether an index counts from the end.
    near, low = np.uintp(np.int32(i) & 255), np.uintp(np.int32(j) & 255)
    far, high = (near + np.uintp(1)) & np.uintp(255), (low + np.uintp(1)) & np.uintp(255)
    a, b = np.uintp(_PERM[near]), np.uintp(_PERM[far])
    aa, ab = np.uintp(_PERM[a + low]), np.uintp(_PERM[a + high])
    ba, bb = np.uintp(_PERM[b + low]), np.uintp(_PERM[b + high])
    at_aa = x0 * _GRADIENT[aa, 0] + y0 * _GRADIENT[aa, 1]
    at_ba = x1 * _GRADIENT[ba, 0] + y0 * _GRADIENT[ba, 1]
    at_ab = x0 * _GRADIENT[ab, 0] + y1 * _GRADIENT[ab, 1]
    at_bb = x1 * _GRADIENT[bb, 0] + y1 * _GRADIENT[bb, 1]
    below = at_aa + fx * (at_ba - at_aa)
    above = at_ab + fx * (at_bb - at_ab)
    return below + fy * (above - below)


@njit(cache=True)
def _lay(out: Any, lattice: Any) -> None:
    rows, cols = out.shape
    cos, sin, across, down = lattice
    for row in range(rows):
        for col in range(cols):
            r, c = np.float32(row), np.float32(col)
            out[row, col] = noise_at(c * cos - r * sin + across, c * sin + r * cos + down)
