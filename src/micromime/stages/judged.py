"""What the stages before the report have found, and the run that stands for each arm."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd


@dataclass(frozen=True)
class Judged:
    """What the stages before have written."""

    verdict: dict[str, Any]
    scores: pd.DataFrame
    """A row for every arm, run and picture."""
    epochs: pd.DataFrame
    scoring: pd.DataFrame
    """A row for every sample of the scoring set: parameters, and scores of the base arm."""
    arms: Sequence[Path]

    @property
    def representative(self) -> dict[Path, int]:
        """The median run of each arm by mean IoU (the lower one of two in the middle)."""
        return {arm: median_run(self.scores[self.scores["arm"] == arm.name]) for arm in self.arms}


def median_run(scores: pd.DataFrame) -> int:
    """Return the median run of one arm's rows by mean IoU over the pictures (the lower one of two in the middle)."""
    means = scores.groupby("run")["mean_iou"].mean().sort_values(kind="stable")
    return int(means.index[(len(means) - 1) // 2])
