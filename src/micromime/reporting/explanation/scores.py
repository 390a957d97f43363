"""Why networks fail: which parameters of synthetic samples go with their scores, how strongly, and how.

Everything here tells what goes together in one table of scores, of samples that were drawn at random: a parameter that
lowers the score of synthetic samples need not be what lowers it on real pictures.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from micromime.reporting.explanation.association import association, corrected, ranks_within
from micromime.reporting.explanation.forest import Dependence, Forest, dependence, held_out
from micromime.reporting.failures import SCORE, goodness, in_common
from micromime.reporting.failures import parameters as numeric

STYLE, BEFORE = "style", "before"
"""Columns of a scoring set: the style that a sample was drawn from; its score by the networks gone on from."""

TOGETHER = 0.7
"""Rank correlation from which on two parameters are said to vary together."""

MOST_CURVES = 4

LEAST_R2 = 0.005
"""Variance that a forest has to explain of unseen scores: less is written as 0."""


class Cell(NamedTuple):
    """The samples in which two parameters lie in certain ranges."""

    mean: float | None
    """Of their scores; None for no samples."""
    n: int


class Crossed(NamedTuple):
    """Mean scores by two parameters at once, as measured: no model comes in."""

    down: str
    across: str
    rows: list[str]
    """Ranges of `down` that hold a third of the samples each, or styles."""
    columns: list[str]
    cells: list[list[Cell]]


@dataclass(frozen=True)
class Explanation:
    """What the parameters of a scoring set say about its scores."""

    table: pd.DataFrame
    """A row for each parameter that varies, see `explained`."""
    forest: Forest | None
    """None for fewer than 20 samples, or where nothing varies."""
    curves: Sequence[Dependence]
    """Of the most important parameters; none where the forest explains nothing."""
    crossed: Crossed | None
    together: Sequence[tuple[str, str, float]]
    """Pairs of parameters that vary together, with their rank correlation."""

    @property
    def styled(self) -> bool:
        """Whether samples are of several styles: parameters are then told of among samples of the same style."""
        return STYLE in set(self.table["parameter"])

    @property
    def explains(self) -> bool:
        """Whether the forest explains anything of scores that it has not seen; else no importance is to be read."""
        return self.forest is not None and self.forest.r2 >= LEAST_R2


def scoring_set(table: pd.DataFrame, metric: str, run: int | None = None) -> pd.DataFrame:
    """Return id, style and parameters of a table of scores, the score of a run (or the mean over all), and `before`.

    The score is the goodness by a metric (see `failures.goodness`); `before` is the same by the networks that these
    went on from, and left out where the table does not say.
    """
    own = "" if run is None else f".run-{run:03d}"
    kept = [name for name in table if _is_parameter(str(name))]
    named = {SCORE: f"score.{metric}{own}", BEFORE: f"before.{metric}{own}"}
    scores = {name: goodness(table[column], metric) for name, column in named.items() if column in table}
    return table[["id", *kept]].assign(**scores)


def _is_parameter(name: str) -> bool:
    return name == STYLE or ("." in name and not name.startswith(("score.", "before.")))


def factors(scoring: pd.DataFrame) -> list[str]:
    """Return the columns that can explain a score: parameters that vary, and the style where there are several."""
    words = [
        str(name)
        for name in scoring
        if _is_parameter(str(name)) and not pd.api.types.is_numeric_dtype(scoring[name]) and scoring[name].nunique() > 1
    ]
    return words + numeric(scoring)


def explained(scoring: pd.DataFrame) -> Explanation:
    """Return what the parameters say about the scores: the most important first, where a forest explains anything.

    Where there are several styles, their parameters differ and so do their scores: any parameter would stand in for the
    style. So parameters are told of among samples of the same style, and the style by itself.

    Columns of the table: parameter; rank_correlation and p of `association`; p_holm, corrected for the number of
    parameters (Holm 1979); importance (see `dependence.held_out`; NaN where there is no forest); and from
    `failures.in_common` median, worst_median and worst_percentile, NaN for words.
    """
    names, scores = factors(scoring), scoring[SCORE]
    styles = scoring[STYLE] if STYLE in names else None
    found = [association(scoring[name], scores, styles) for name in names]
    rows = {"parameter": names, "rank_correlation": [r for r, _ in found], "p": [p for _, p in found]}
    shared = in_common(scoring).drop(columns="rank_correlation").set_index("parameter")
    table = pd.concat([pd.DataFrame(rows), shared.reindex(names).reset_index(drop=True)], axis=1)
    table.insert(3, "p_holm", corrected(table["p"].tolist()))
    forest = held_out(scoring[names], scores.to_numpy(np.float64), styles)
    table.insert(4, "importance", table["parameter"].map(forest.importance) if forest else np.nan)
    order = table["importance"] if forest and forest.r2 > 0 else table["rank_correlation"].abs()
    table = table.loc[order.sort_values(ascending=False, kind="stable").index].reset_index(drop=True)
    if not forest or forest.r2 <= 0:
        return Explanation(table, forest, [], None, together(scoring))
    important = [name for name in table["parameter"] if forest.always_counts(name)]
    curves = dependence(scoring[names], scores.to_numpy(np.float64), important[:MOST_CURVES])
    pair = crossed(scoring, *important[:2]) if len(important) > 1 else None
    return Explanation(table, forest, curves, pair, together(scoring))


def together(scoring: pd.DataFrame) -> list[tuple[str, str, float]]:
    """Return the pairs of parameters whose rank correlation is 0.7 or more either way, the strongest first.

    Where there are several styles, it is that among samples of the same style. A correlation of few samples says
    little: there are no pairs for fewer than 20.
    """
    named = factors(scoring)
    numbers = [name for name in named if pd.api.types.is_numeric_dtype(scoring[name])]
    ranks = ranks_within(scoring[STYLE], scoring[numbers]) if STYLE in named else scoring[numbers].rank()
    words = [name for name in named if name not in numbers and name != STYLE]
    pairs = [(a, b, association(scoring[a], ranks[b])[0]) for a in words for b in numbers]
    of_pairs = ranks.corr().to_numpy()
    pairs += [(numbers[a], numbers[b], float(of_pairs[a, b])) for a, b in combinations(range(len(numbers)), 2)]
    strong = [pair for pair in pairs if abs(pair[2]) >= TOGETHER] if len(scoring) >= 20 else []
    return sorted(strong, key=lambda pair: -abs(pair[2]))


def crossed(scoring: pd.DataFrame, down: str, across: str) -> Crossed:
    """Return the mean score and the number of samples by thirds of one parameter and thirds of another."""
    rows, columns = thirds(scoring[down]), thirds(scoring[across])

    def cell(row: str, column: str) -> Cell:
        scores = scoring[SCORE][(rows == row) & (columns == column)]
        return Cell(float(scores.mean()) if len(scores) else None, len(scores))

    below, beside = _in_order(rows, scoring[down]), _in_order(columns, scoring[across])
    return Crossed(down, across, below, beside, [[cell(row, column) for column in beside] for row in below])


def _in_order(ranges: "pd.Series[str]", values: "pd.Series[Any]") -> list[str]:
    return list(dict.fromkeys(ranges.loc[values.sort_values(kind="stable").index]))


def thirds(values: "pd.Series[Any]") -> "pd.Series[str]":
    """Return for each value the range of its third (of four values or fewer: the value itself), in words.

    Equal values are never parted: where many are equal, thirds are as near as that goes, and there may be two.
    """
    if not pd.api.types.is_numeric_dtype(values) or values.nunique() <= 4:
        return values.map(lambda value: f"{value:.4g}" if isinstance(value, float) else str(value))
    parts = ((values.rank() - 0.5) * 3 // len(values)).astype(int)
    ends = {part: [f"{end:.3g}" for end in (of_part.min(), of_part.max())] for part, of_part in values.groupby(parts)}
    return parts.map({part: " to ".join(dict.fromkeys(both)) for part, both in ends.items()})
