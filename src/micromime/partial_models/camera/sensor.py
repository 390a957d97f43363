"""What the camera and the file do: noise that grows with the light, tone, clipping, JPEG."""

import io
from typing import Any

import numpy as np
import PIL.Image
from numba import njit
from numpy.typing import NDArray
from pydantic import Field

from micromime.partial_models.camera.white_noise import NORMAL, numbers
from micromime.scenario.arrays import Grey, Image
from micromime.scenario.partial_model import PartialModel

BINS = 1024
"""Parts of the way from black to white, for each of which the first grey is known."""


class Sensor(PartialModel):
    """The chain behind the lens, in this order."""

    shot_noise: float = Field(0.0, ge=0, le=4, description="Sd of the noise / square root of the grey.")
    read_noise_grey: float = Field(0.0, ge=0, le=80, description="Sd of the noise that is everywhere alike, grey.")
    black_grey: float = Field(0.0, ge=0, le=120, description="Grey that becomes 0, and all below it.")
    white_grey: float = Field(255.0, ge=130, le=400, description="Grey that becomes 255, and all above it.")
    gamma: float = Field(1.0, ge=0.4, le=2.5, description="Exponent of the tone curve between the two.")
    jpeg_quality: int = Field(100, ge=20, le=100, description="Quality of the JPEG file it was kept in; 100 is none.")


def photograph(model: Sensor, grey: Grey, rng: np.random.Generator) -> Image:
    """Return the picture that is kept of the light on the sensor, (rows, cols).

    noise: sd^2 = read^2 + shot^2 grey (Gaussian, none beyond 4.3 standard deviations);
    then 255 ((grey - black) / (white - black))^gamma, clipped.
    """
    seen = np.ascontiguousarray(grey)
    if model.shot_noise > 0 or model.read_noise_grey > 0:
        variances = np.float32(model.read_noise_grey**2), np.float32(model.shot_noise**2)
        seen = _noisy(seen, NORMAL, numbers(seen.shape, rng), variances)
    if model.black_grey > 0 or model.white_grey != 255 or model.gamma != 1:
        scale = np.float32(model.black_grey), np.float32(BINS / (model.white_grey - model.black_grey))
        image: Image = _toned(seen, scale, *_tones(model.gamma))
    else:
        image = _rounded(seen)
    if model.jpeg_quality < 100:
        file = io.BytesIO()
        PIL.Image.fromarray(image).save(file, "jpeg", quality=model.jpeg_quality)
        image = np.array(PIL.Image.open(file))
    return image


def _tones(gamma: float) -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
    """Return where between black (0) and white (BINS) each grey but 0 begins, and the grey at each bin's start.

    Behind the last stands infinity, which nothing reaches.
    """
    begins = BINS * ((np.arange(255) + 0.5) / 255) ** (1 / gamma)
    grey = np.searchsorted(begins, np.arange(BINS + 1), side="right")
    return np.append(begins, np.inf).astype(np.float32), grey.astype(np.uint8)


@njit(cache=True)
def _noisy(grey: Any, table: Any, drawn: Any, variances: Any) -> Any:
    """Return the grey with noise of the variance read + shot grey."""
    read, shot = variances
    out = np.empty_like(grey)
    for row in range(grey.shape[0]):
        for col in range(grey.shape[1]):
            sd = np.sqrt(read + shot * max(grey[row, col], np.float32(0)))
            out[row, col] = grey[row, col] + sd * table[drawn[row, col]]
    return out


@njit(cache=True)
def _toned(seen: Any, scale: Any, begins: Any, least: Any) -> Any:
    """Return the tone of each grey: up from that of the whole number below, as many as have begun."""
    black, per_grey = scale
    out = np.empty(seen.shape, np.uint8)
    for row in range(seen.shape[0]):
        for col in range(seen.shape[1]):
            place = min(max((seen[row, col] - black) * per_grey, np.float32(0)), np.float32(len(least) - 1))
            tone = np.uintp(least[np.uintp(place)])
            while place >= begins[tone]:
                tone += np.uintp(1)
            out[row, col] = tone
    return out


@njit(cache=True)
def _rounded(seen: Any) -> Any:
    out = np.empty(seen.shape, np.uint8)
    for row in range(seen.shape[0]):
        for col in range(seen.shape[1]):
            out[row, col] = np.uint8(min(max(np.rint(seen[row, col]), np.float32(0)), np.float32(255)))
    return out
