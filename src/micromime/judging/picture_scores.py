"""How an answer to one picture is measured: the row that a run's record keeps of it."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from micromime.judging.average_precision import average_precision
from micromime.judging.metrics import AVERAGE_PRECISION, SEGMENTATION, error_rate
from micromime.scenario.arrays import Image, Mask, Probability

THRESHOLD = 0.5
"""Probability from which a pixel counts as boundary, a picture as one of the second class."""

THRESHOLDS = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)
"""Those among which each run's own is chosen, on synthetic pictures (`judging/operating_point.py`)."""


class Picture(NamedTuple):
    """What a network is asked about, and what is right."""

    name: str
    image: Image
    truth: Mask
    class_number: int = -1
    """Of the picture's class; none where there are no classes."""


def measured(picture: Picture, probability: Probability) -> dict[str, Any]:
    """Return one row: how what was found, a probability for each pixel, compares with the truth.

    `<metric>` is that of the mask at `THRESHOLD`, `mean_iou.at_0.3` that at another threshold.
    """
    scores = {name: metric(probability > THRESHOLD, picture.truth) for name, metric in SEGMENTATION.items()}
    scores[AVERAGE_PRECISION] = average_precision(probability, picture.truth)
    return {"picture": picture.name, **scores, **at_thresholds(picture, probability, ("mean_iou",))}


def at_thresholds(picture: Picture, probability: Probability, metrics: Sequence[str]) -> dict[str, float]:
    """Return metrics of the masks at each of `THRESHOLDS`, as `<metric>.at_<threshold>`."""
    masks = {threshold: probability > threshold for threshold in THRESHOLDS}
    return {
        f"{name}.at_{threshold}": SEGMENTATION[name](mask, picture.truth)
        for name in metrics
        for threshold, mask in masks.items()
    }


def classified(picture: Picture, probability: float) -> dict[str, Any]:
    """Return one row: whether a picture's class was wrong, 0 or 1, and how probable the second class was."""
    wrong = error_rate(np.array([int(probability > THRESHOLD)]), np.array([picture.class_number]))
    return {"picture": picture.name, "error_rate": wrong, "probability": probability}
