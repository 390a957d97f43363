"""The microscope's blur: a convolution with a Gaussian filter."""

from typing import Annotated, Any

import numpy as np
from numba import njit
from numpy.typing import NDArray
from pydantic import AfterValidator, Field

from micromime.scenario.arrays import Grey
from micromime.scenario.partial_model import PartialModel


def _odd(size: int) -> int:
    if size % 2 == 0:
        raise ValueError(f"{size} is even; a kernel has a middle, give an odd number")
    return size


class GaussianBlur(PartialModel):
    """Gaussian filter of a given kernel size (Trampert et al. 2021, section 3.2.1)."""

    kernel_px: Annotated[int, AfterValidator(_odd)] = Field(
        1, ge=1, le=31, description="Side of the kernel, odd, px; it spans 3 standard deviations each way; 1 is none."
    )

    @property
    def margin_px(self) -> int:
        """How far a pixel's value reaches: what must be rendered beyond the image, px."""
        return self.kernel_px // 2


def blur(model: GaussianBlur, grey: Grey) -> Grey:
    """Return the picture convolved with the kernel, smaller by `margin_px` on each side."""
    if model.kernel_px == 1:
        return grey
    return _convolve(np.ascontiguousarray(grey), kernel(model.kernel_px))


def kernel(size: int) -> NDArray[np.float32]:
    """Return (size,) samples of a Gaussian with standard deviation size / 6, their sum 1."""
    x = np.arange(size) - size // 2
    weights = np.exp(-(x**2) / (2 * (size / 6) ** 2))
    return (weights / weights.sum()).astype(np.float32)


@njit(cache=True)
def _convolve(grey: Any, weights: Any) -> Any:
    """Convolve down, then across; every sum in the order of the kernel, so that bits do not depend on the machine."""
    size = len(weights)
    rows, cols = grey.shape[0] - size + 1, grey.shape[1] - size + 1
    out = np.empty((rows, cols), dtype=np.float32)
    line = np.empty(grey.shape[1], dtype=np.float32)
    for row in range(rows):
        line[:] = 0
        out[row] = 0
        for k in range(size):
            for col in range(len(line)):
                line[col] += weights[k] * grey[row + k, col]
        for k in range(size):
            for col in range(cols):
                out[row, col] += weights[k] * line[k + col]
    return out
