"""Fluctuations of long wavelength within the grains: Perlin noise, laid anew in every grain.

The noise, of which other partial models are made too, is to the bit that of the package `noise`.
"""

from typing import Any

import numpy as np
from numba import njit
from pydantic import Field

from micromime.scenario.arrays import Grey, Indices, Mask
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
_PERM = np.frombuffer(_ORDER, dtype=np.uint8).astype(np.intp)
_COLS = [1, -1, 1, -1, 1, -1, 1, -1, 0, 0, 0, 0, 1, -1, 0, 0]
_ROWS = [1, 1, -1, -1, 0, 0, 0, 0, 1, -1, 1, -1, 0, 0, -1, 1]
_KIND = _PERM[_PERM[(_PERM[:, None] + np.arange(PERIOD)) % PERIOD]] & 15
_GRADIENT = (np.array(_COLS) * 65536 + (np.array(_ROWS) & 65535)).astype(np.int32)[_KIND].ravel()
"""Gradient of lattice point (i, j) at 256 i + j: the column in the upper half of its bits, the row in the lower."""


class PerlinTexture(PartialModel):
    """Perlin noise of 1/5 to 2/3 grain diameters (Trampert et al. 2021, section 3.2.1)."""

    amplitude_grey: float = Field(0.0, ge=0, le=120, description="Grey levels of a noise value of 1.")
    wavelength: float = Field(0.4, ge=0.2, le=0.667, description="Lattice cell / grain diameter.")


def texture(model: PerlinTexture, cells: Indices, shades: Grey, diameter_px: float, rng: np.random.Generator) -> Grey:
    """Return the grey at each pixel of a (rows, cols) map of cells: the cell's shade, and noise about it.

    Each cell has a lattice of its own, turned and moved at random: no direction is common to all grains.
    """
    count = len(shades)
    angle = rng.uniform(0, 2 * np.pi, count)
    wavelength = model.wavelength * diameter_px
    turn = np.column_stack([np.cos(angle), np.sin(angle)]) / wavelength
    shift = rng.uniform(0, PERIOD, (count, 2))
    out = np.empty(cells.shape, dtype=np.float32)
    lattices = np.column_stack([turn, shift]).astype(np.float32)
    _fill(out, cells, lattices, shades, np.float32(model.amplitude_grey))
    return out


@njit(cache=True)
def _fill(out: Any, cells: Any, lattices: Any, shades: Any, amplitude: Any) -> None:
    """Lay noise over the picture, in each cell's own lattice, and the cell's shade."""
    rows, cols = out.shape
    x, y, corners = _room(cols + 15)
    shade = np.empty(cols + 15, np.float32)
    for row in range(rows):
        r, own = np.float32(row), cells[row]
        first = 0
        while first < cols:
            cell, last = own[first], first + 1
            while last < cols and own[last] == cell:
                last += 1
            cos, sin, across, down = lattices[cell]
            for col in range(first, first + (last - first + 15) // 16 * 16):  # what is too much is written over
                c = np.float32(col)
                x[col] = c * cos - r * sin + across
                y[col] = c * sin + r * cos + down
                shade[col] = shades[cell]
            first = last
        _noise(x[:cols], y, corners)
        for col in range(cols):
            out[row, col] = shade[col] + amplitude * x[col]


def smooth_field(rows: int, cols: int, wavelength_px: float, rng: np.random.Generator) -> Grey:
    """Return (rows, cols) Perlin noise, about -0.9 to 0.9, of a lattice turned and moved at random."""
    out = np.empty((rows, cols), dtype=np.float32)
    _lay(out, _lattice(wavelength_px, rng))
    return out


def smooth_values(there: Mask, wavelength_px: float, rng: np.random.Generator) -> Grey:
    """Return what `smooth_field` has where `there` is true, (n,) row by row: for a field of which little is needed."""
    out = np.empty(np.count_nonzero(there), dtype=np.float32)
    _lay_some(out, there, _lattice(wavelength_px, rng))
    return out


def _lattice(wavelength_px: float, rng: np.random.Generator) -> Grey:
    """Return cosine and sine of a turn, over the wavelength, and a shift across and down."""
    angle = rng.uniform(0, 2 * np.pi)
    turn = np.cos(angle) / wavelength_px, np.sin(angle) / wavelength_px
    return np.array([*turn, *rng.uniform(0, PERIOD, 2)], dtype=np.float32)


@njit(cache=True)
def _lay(out: Any, lattice: Any) -> None:
    rows, cols = out.shape
    cos, sin, across, down = lattice
    x, y, corners = _room(cols)
    for row in range(rows):
        r = np.float32(row)
        for col in range(cols):
            c = np.float32(col)
            x[col] = c * cos - r * sin + across
            y[col] = c * sin + r * cos + down
        _noise(x, y, corners)
        for col in range(cols):
            out[row, col] = x[col]


@njit(cache=True)
def _lay_some(out: Any, there: Any, lattice: Any) -> None:
    rows, cols = there.shape
    cos, sin, across, down = lattice
    x, y, corners = _room(cols)
    first = 0
    for row in range(rows):
        r, count = np.float32(row), 0
        for col in range(cols):
            c = np.float32(col)
            x[count] = c * cos - r * sin + across
            y[count] = c * sin + r * cos + down
            count += there[row, col]
        _noise(x[:count], y, corners)
        for n in range(count):
            out[first + n] = x[n]
        first += count


def noise(x: Grey, y: Grey) -> Grey:
    """Return Perlin's noise at points, (n,), about -0.9 to 0.9: to the bit `pnoise2(x, y)` of the package `noise`.

    Improved noise with three look-ups of the permutation (Perlin 2002, doi:10.1145/566654.566636), float32 throughout;
    the order of operations is that of the C source, so the bits are too.
    """
    out = np.empty(len(x), dtype=np.float32)
    _at(out, x, y)
    return out


@njit(cache=True)
def _at(out: Any, x: Any, y: Any) -> None:
    """Lay noise at points, some hundreds at a time, for which there is room in the cache."""
    for first in range(0, len(x), 512):
        own = slice(first, first + 512)
        some_x, some_y, corners = _room(len(x[own]))
        some_x[:], some_y[:] = x[own], y[own]
        _noise(some_x, some_y, corners)
        out[own] = some_x


@njit(cache=True, inline="always")
def _room(count: int) -> Any:
    """Return arrays for the coordinates of so many points, and for the four lattice points about each.

    Made where they are used, they are known not to overlap, without which there would be no vector instructions.
    """
    x, y = np.empty(count, np.float32), np.empty(count, np.float32)
    corners = np.empty(count, np.int32), np.empty(count, np.int32), np.empty(count, np.int32), np.empty(count, np.int32)
    return x, y, corners


@njit(cache=True, inline="always")
def _noise(x: Any, y: Any, corners: Any) -> None:
    """Put the noise at points (x, y) into x; y and `corners` are spent.

    Three loops without a branch, which are compiled to vector instructions: only the look-ups go one by one.
    """
    one, six, ten, fifteen = np.float32(1), np.float32(6), np.float32(10), np.float32(15)
    aa, ba, ab, bb = corners
    for n in range(len(x)):
        i, j = np.floor(x[n]), np.floor(y[n])
        x[n], y[n] = x[n] - i, y[n] - j
        near, low = np.int32(i) & 255, np.int32(j) & 255
        far, high = (near + 1) & 255, (low + 1) & 255
        aa[n], ba[n], ab[n], bb[n] = near * 256 + low, far * 256 + low, near * 256 + high, far * 256 + high
    for n in range(len(x)):  # unsigned, as numba then need not ask whether an index counts from the end
        aa[n], ba[n] = _GRADIENT[np.uintp(aa[n])], _GRADIENT[np.uintp(ba[n])]
        ab[n], bb[n] = _GRADIENT[np.uintp(ab[n])], _GRADIENT[np.uintp(bb[n])]
    for n in range(len(x)):
        x0, y0 = x[n], y[n]
        x1, y1 = x0 - one, y0 - one
        fx = x0 * x0 * x0 * (x0 * (x0 * six - fifteen) + ten)
        fy = y0 * y0 * y0 * (y0 * (y0 * six - fifteen) + ten)
        at_aa = x0 * np.float32(aa[n] >> 16) + y0 * np.float32(np.int16(aa[n]))
        at_ba = x1 * np.float32(ba[n] >> 16) + y0 * np.float32(np.int16(ba[n]))
        at_ab = x0 * np.float32(ab[n] >> 16) + y1 * np.float32(np.int16(ab[n]))
        at_bb = x1 * np.float32(bb[n] >> 16) + y1 * np.float32(np.int16(bb[n]))
        below = at_aa + fx * (at_ba - at_aa)
        above = at_ab + fx * (at_bb - at_ab)
        x[n] = below + fy * (above - below)
