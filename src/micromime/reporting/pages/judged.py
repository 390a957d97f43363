"""What the stages before the report have found, and the run that stands for each arm."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

import pandas as pd

from micromime.judging.metrics import TESTED


class Part(NamedTuple):
    """What one verdict says of an arm, and the scores of the arm that it says it by."""

    prefix: str
    """Where its numbers stand in MLflow: none for those that count, a word for further ones."""
    name: str
    """Of the arm in the verdict."""
    verdict: dict[str, Any]
    scores: pd.DataFrame
    """A row for every run and picture."""


@dataclass(frozen=True)
class Judged:
    """What the stages before have written."""

    metrics: ClassVar[Sequence[str]] = TESTED
    """Columns of the scores that MLflow is told of."""
    median_by: ClassVar[str] = "mean_iou"
    """The one whose median run stands for an arm."""

    verdict: dict[str, Any]
    scores: pd.DataFrame
    """A row for every arm, run and picture."""
    epochs: pd.DataFrame
    scoring: pd.DataFrame
    """A row for every sample of the scoring set: parameters, and scores of the base arm."""
    arms: Sequence[Path]

    def parts(self, arm: Path) -> list[Part]:
        """Return what is said of an arm, what counts first."""
        return [Part("", arm.name, self.verdict, self.scores[self.scores["arm"] == arm.name])]

    @property
    def representative(self) -> dict[Path, int]:
        """The median run of each arm (the lower one of two in the middle)."""
        return {arm: median_run(self.parts(arm)[0].scores, self.median_by) for arm in self.arms}


def median_run(scores: pd.DataFrame, metric: str = Judged.median_by) -> int:
    """Return the median run of one arm's rows by a metric over the pictures (the lower one of two in the middle)."""
    means = scores.groupby("run")[metric].mean().sort_values(kind="stable")
    return int(means.index[(len(means) - 1) // 2])
