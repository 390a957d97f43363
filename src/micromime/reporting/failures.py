"""Where networks fail on synthetic samples: the worst of them, and what their parameters have in common."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from micromime.judging.metrics import LOWER_IS_BETTER
from micromime.reporting.figures.panels import Shown
from micromime.reporting.words import title
from micromime.scenario.arrays import Mask

SCORE = "score"
"""The column of a scoring set that says how good networks are on a sample; the worst have the least of it."""

INSTEAD = {"pixel_error": "pixel accuracy"}
"""What is told instead of an error, so that the worst have the least of it: 1 less the error."""

WORST_SHARE = 0.1
"""Share of the samples that count as the worst (Trampert et al. 2021, section 3.3)."""


class Score(NamedTuple):
    """A sample's score over runs."""

    mean: float
    sd: float | None = None
    """None for one run."""


@dataclass(frozen=True)
class WorstSample:
    """A synthetic sample that networks are bad at."""

    id: str
    shown: Shown
    scores: Mapping[str, Score]
    """By metric."""
    parameters: Mapping[str, Any]
    """The sample's value of every parameter, by its column: `partial_model.parameter`."""


def goodness(values: "pd.Series[float]", metric: str) -> "pd.Series[float]":
    """Return how good networks are by a metric: its values, or 1 less them where less of it is better."""
    return 1 - values if metric in LOWER_IS_BETTER else values


def score_title(metric: str) -> str:
    """Return what `goodness` is by a metric, in words: `mean IoU`, `pixel accuracy`."""
    return INSTEAD.get(metric, title(metric))


def parameters(scoring: pd.DataFrame) -> list[str]:
    """Return the columns that are numeric parameters and not the same in all samples, in order."""
    return [name for name in scoring.columns if _is_varying_parameter(scoring, name)]


def _is_varying_parameter(scoring: pd.DataFrame, name: str) -> bool:
    return (
        "." in name
        and not name.startswith(("score.", "before."))
        and pd.api.types.is_numeric_dtype(scoring[name])
        and scoring[name].nunique() > 1
    )


def worst(scoring: pd.DataFrame) -> Mask:
    """Return (n,): true for the tenth of the samples with the lowest scores, at least one; of ties the first."""
    order = np.argsort(scoring[SCORE].to_numpy(dtype=np.float64), kind="stable")
    chosen = np.zeros(len(scoring), dtype=np.bool_)
    chosen[order[: math.ceil(WORST_SHARE * len(scoring))]] = True
    return chosen


def lowest(scoring: pd.DataFrame, most: int) -> pd.DataFrame:
    """Return the samples with the lowest scores, the worst first, no more than `most`; of ties the first."""
    return scoring.sort_values(SCORE, kind="stable").head(most)


def percentile(scoring: pd.DataFrame, parameter: str, value: Any) -> float | None:
    """Return how many of 100 samples lie below the value, those of the same value counted half.

    None where that says nothing: the parameter has no column, is no number, or is the same in all samples.
    """
    if parameter not in scoring or not _is_varying_parameter(scoring, parameter):
        return None
    values = scoring[parameter].to_numpy(dtype=np.float64)
    return float(100 * np.mean((values < value) + 0.5 * (values == value)))


def in_common(scoring: pd.DataFrame) -> pd.DataFrame:
    """Return a row for each numeric parameter: how the worst tenth differs from all, the largest difference first.

    Columns: parameter; rank_correlation (Spearman's, with the score, -1 to 1); median of all; worst_median; and
    worst_percentile, the mean over the worst tenth of where its values lie among all, 0 to 100: 50 if nothing differs.
    """
    chosen = worst(scoring)
    rows = []
    for name in parameters(scoring):
        ranks = scoring[name].rank()
        rows.append(
            {
                "parameter": name,
                "rank_correlation": ranks.corr(scoring[SCORE].rank()),
                "median": scoring[name].median(),
                "worst_median": scoring[name][chosen].median(),
                "worst_percentile": 100 * (ranks[chosen].mean() - 0.5) / len(scoring),
            }
        )
    columns = ["parameter", "rank_correlation", "median", "worst_median", "worst_percentile"]
    table = pd.DataFrame(rows, columns=columns)
    distance = (table["worst_percentile"] - 50).abs()
    return table.loc[distance.sort_values(ascending=False, kind="stable").index].reset_index(drop=True)
