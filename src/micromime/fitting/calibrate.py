"""Make what is filled from a dictionary as strong, at every spatial frequency, as the exemplars are."""

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from micromime.partial_models.surface.dictionary import Dictionary
from micromime.partial_models.surface.exemplar_texture import Filler, strengthened
from micromime.scenario.streams import stream

TILES, ROUNDS = 192, 4
"""Tiles that are filled to compare with the exemplars, and how often the gain is corrected."""

LEAST_GAIN, LARGEST_GAIN = 0.25, 4.0
SMOOTH = 0.5
"""Frequencies over which spectra are averaged (sd of a Gaussian), where there are 64 exemplars; more, if fewer."""


def calibrated(dictionary: Dictionary, seed: int) -> Dictionary:
    """Return the dictionary with the gain under which finished tiles have the spectrum of its backgrounds.

    The best fit among patches is often a smooth one, and blending smooths too; rounding to whole greys adds noise at
    the highest frequencies, where real surfaces have least. So the gain is found on finished, rounded tiles.
    """
    smooth = SMOOTH * max(1.0, 64 / len(dictionary.backgrounds)) ** 0.5
    wanted = spectrum(dictionary.backgrounds.astype(np.float64), smooth)
    raw = Filler(dictionary).fill([stream(seed, "calibration", n) for n in range(TILES)])
    gain = np.ones_like(dictionary.gain)
    for _ in range(ROUNDS):
        finished = np.stack([np.clip(np.rint(strengthened(tile, gain)), 0, 255) for tile in raw])
        gain = gain * np.sqrt(wanted / spectrum(finished, smooth)).astype(np.float32)
        gain = np.clip(gain, LEAST_GAIN, LARGEST_GAIN)
        gain[0, 0] = 1
    return dictionary._replace(gain=gain.astype(np.float32))


def spectrum(pictures: NDArray[np.float64], smooth: float) -> NDArray[np.float64]:
    """Return (rows, cols // 2 + 1): the geometric mean of the pictures' power spectra, smoothed.

    A few strong pictures would decide an arithmetic mean. Greys fall off to the rim (Hann's window): a picture's rims
    do not meet, and the step between them would look like a spectrum.
    """
    window = np.outer(np.hanning(pictures.shape[1]), np.hanning(pictures.shape[2]))
    grey = (pictures - pictures.mean(axis=(1, 2), keepdims=True)) * window
    power = np.exp(np.log(np.abs(np.fft.rfft2(grey)) ** 2 + 1e-6).mean(axis=0))
    smoothed: NDArray[np.float64] = gaussian_filter(power, smooth, mode=("wrap", "nearest"))
    return smoothed
