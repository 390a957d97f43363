"""Metrics that a training is watched by: they are told of every epoch, and decide nothing."""

from collections.abc import Callable, Mapping
from typing import Any

from fastai.metrics import AvgMetric
from torch import Tensor

from micromime.training.targets import UNDECIDED

Metrics = Mapping[str, Callable[[Any, Any], float]]
"""By name: metrics of two masks, or of the classes predicted and true of several pictures."""


def averaged(name: str, metric: Callable[[Any, Any], float]) -> AvgMetric:
    """Return a metric as fastai's: the mean over the validation images; undecided pixels are grain in both masks."""

    def score(scores: Tensor, truth: Tensor) -> float:
        found, true = scores.argmax(dim=1).cpu().numpy(), truth.cpu().numpy()
        if true.ndim == 1:
            return metric(found, true)
        masks, decided = found.astype(bool) & (true != UNDECIDED), true == 1
        values = [metric(*pair) for pair in zip(masks, decided, strict=True)]
        return sum(values) / len(values)

    score.__name__ = name
    return AvgMetric(score)
