"""Pictures at the size that a network sees."""

from collections.abc import Iterable

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn.functional import interpolate


def resized(pictures: Iterable[NDArray[np.uint8]], size_px: int) -> torch.Tensor:
    """Return (n, size, size) uint8: pixels that fall together are averaged."""
    out = []
    for picture in pictures:
        grey = torch.from_numpy(np.array(picture))
        if grey.shape != (size_px, size_px):
            grey = interpolate(grey[None, None].float(), (size_px, size_px), mode="area")[0, 0].round().to(torch.uint8)
        out.append(grey)
    return torch.stack(out)
