"""Noise of short wavelength: every pixel on its own."""

import math
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray
from pydantic import Field
from scipy.special import ndtri

from micromime.scenario.arrays import Grey
from micromime.scenario.partial_model import PartialModel

NORMAL = ndtri((np.arange(65536) + 0.5) / 65536).astype(np.float32)
"""Quantiles of the standard normal law for every 16-bit number: many times faster than drawing normals."""


class WhiteNoise(PartialModel):
    """Gaussian noise without correlation between pixels (Trampert et al. 2021, section 3.2.1)."""

    sd_grey: float = Field(0.0, ge=0, le=60, description="Standard deviation, grey levels.")


def add_white_noise(model: WhiteNoise, grey: Grey, rng: np.random.Generator) -> None:
    """Add independent Gaussian values of mean 0 to a (rows, cols) picture; none is beyond 4.3 standard deviations."""
    if model.sd_grey > 0:
        _add(grey, NORMAL, numbers(grey.shape, rng), np.float32(model.sd_grey))


def numbers(shape: tuple[int, ...], rng: np.random.Generator) -> NDArray[np.uint16]:
    """Return an array of random numbers, 16 bits each: those of `rng.bytes`, without copies."""
    count = math.prod(shape)
    raw = rng.bit_generator.random_raw(-(-count // 4)).astype("<u8", copy=False).view("<u2")
    return raw[:count].reshape(shape).astype(np.uint16, copy=False)


@njit(cache=True)
def _add(grey: Any, table: Any, drawn: Any, sd: Any) -> None:
    for row in range(grey.shape[0]):
        for col in range(grey.shape[1]):
            grey[row, col] += table[drawn[row, col]] * sd
