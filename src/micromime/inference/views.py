"""All ways in which a micrograph may lie: it has no up and no left, and a network should not care."""

from collections.abc import Callable
from functools import partial
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, field_validator

from micromime.scenario.arrays import Image, Probability
from micromime.scenario.parameters import Section

VIEWS = tuple((turns, mirrored) for mirrored in (False, True) for turns in range(4))
"""Quarter turns, and whether a picture is mirrored before them."""

ALL_VIEWS = len(VIEWS)

Pixels = NDArray[np.uint8]
"""A grey image, (rows, cols), or several channels of one, (channels, rows, cols)."""


class JudgeParameters(Section):
    """How networks that find masks are judged: `<use case>.judge`."""

    views: Literal[1, 8] = Field(description="Ways in which a picture is asked about; the mean of the answers counts.")

    @field_validator("views", mode="before")
    @classmethod
    def _whole(cls, written: Any) -> Any:
        if isinstance(written, bool | float):  # which a Literal takes for the whole number they equal
            raise ValueError(f"{written!r} is not allowed; it should be 1 or 8")
        return written


def in_views(find: Callable[[Image], Probability], views: int) -> Callable[[Image], Probability]:
    """Return what gives the mean of a network's answers in all views of a picture, or its one answer."""
    return find if views == 1 else partial(in_all_views, find)


def in_all_views(find: Callable[[Pixels], NDArray[np.float32]], image: Pixels) -> NDArray[np.float32]:
    """Return the mean of what is found in the eight views of an image, each put back as the image lies.

    It is (rows, cols), from 0 to 1 as what `find` returns, and turns with the image. A network makes different errors
    in each view, so that their mean has fewer; asking takes eight times as long (augmentation at test time: Wang et
    al. 2019, doi 10.1016/j.neucom.2019.01.103).
    """
    rows, cols = image.shape[-2:]
    found = np.zeros((rows, cols))
    for turns, mirrored in VIEWS:
        seen = np.rot90(image[..., ::-1] if mirrored else image, turns, axes=(-2, -1))
        back = np.rot90(find(np.ascontiguousarray(seen)), -turns)
        found += back[:, ::-1] if mirrored else back
    return (found / len(VIEWS)).astype(np.float32)
