"""From the scores of single pictures to the verdict: arms beside baselines, by source and over all pictures."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd

from micromime.evaluation.size_comparison import compare_sizes
from micromime.evaluation.statistics import agresti_coull_paper, mean, paired_t_test, sd, student_interval
from micromime.mistakes import Mistake

REFERENCE_BASELINES = frozenset({"local_threshold", "line_filter"})
"""The baselines that every arm is tested against: fixed here, not those that a test set happens to favour."""

KEYS = frozenset({"arm", "baseline", "run", "picture", "source"})
"""Columns of score tables that are no metric."""

Verdict = dict[str, Any]
"""Nested mappings of words, numbers and None, ready for JSON."""


def verdict(
    test_set: Mapping[str, Any], scores: pd.DataFrame, baselines: pd.DataFrame, sizes: pd.DataFrame | None = None
) -> Verdict:
    """Return what the scores say, with unrounded numbers and None where there is none (an sd of one run).

    `test_set` has kind (real or surrogate), name and reason (why this kind). `scores` has a row for every arm, run and
    picture (columns arm, run, picture, source), `baselines` one for every baseline and picture (baseline, picture,
    source); all other columns are metrics, the same in both. A run's score is the mean over its pictures; an arm's
    mean, sd and intervals are over runs. `sizes`, where given, is what `compare_sizes` asks for; what it returns is
    under "grain_size". Raises Mistake where a picture is missing, doubled or without a number.
    """
    metrics = [name for name in scores.columns if name not in KEYS]
    pictures = sorted(scores["picture"].unique())
    _check_complete(scores, ["arm", "run"], pictures, metrics)
    _check_complete(baselines, ["baseline"], pictures, metrics)
    tested_on = {"kind": test_set["kind"], "name": test_set["name"], "reason": test_set["reason"], "n": len(pictures)}
    said: Verdict = {
        "test_set": tested_on,
        "arms": {arm: _arm(rows, metrics) for arm, rows in _parts(scores, "arm")},
        "baselines": _baseline_means(baselines, metrics),
        "by_source": {
            source: _source(rows, baselines[baselines["source"] == source], metrics)
            for source, rows in _parts(scores, "source")
        },
        "paired": dict(_comparisons(scores, baselines, metrics, f"{tested_on['kind']} {tested_on['name']}")),
    }
    if sizes is not None:
        _check_complete(sizes, ["kind", "name", "run"], pictures, ["grains"])
        said["grain_size"] = compare_sizes(sizes)
    return said


def _parts(table: pd.DataFrame, key: str) -> Iterator[tuple[str, pd.DataFrame]]:
    """Yield the rows that share a value of one column, in order of appearance."""
    for name, rows in table.groupby(key, sort=False):
        yield str(name), rows


def _per_run(rows: pd.DataFrame, metric: str) -> "pd.Series[float]":
    return rows.groupby("run")[metric].mean()


def _arm(rows: pd.DataFrame, metrics: Sequence[str]) -> Verdict:
    runs = int(rows["run"].nunique())
    summaries: Verdict = {"n_runs": runs}
    for metric in metrics:
        values = _per_run(rows, metric).tolist()
        summaries[metric] = {
            "mean": mean(values),
            "sd": sd(values),
            "ci99_student": student_interval(values),
            "ci99_agresti_coull_paper": agresti_coull_paper(mean(values), runs),
        }
    return summaries


def _source(scores: pd.DataFrame, baselines: pd.DataFrame, metrics: Sequence[str]) -> Verdict:
    arms: Verdict = {}
    for arm, rows in _parts(scores, "arm"):
        values = {metric: _per_run(rows, metric).tolist() for metric in metrics}
        arms[arm] = {metric: {"mean": mean(values[metric]), "sd": sd(values[metric])} for metric in metrics}
    return {"n": int(scores["picture"].nunique()), "arms": arms, "baselines": _baseline_means(baselines, metrics)}


def _baseline_means(baselines: pd.DataFrame, metrics: Sequence[str]) -> Verdict:
    return {
        name: {metric: mean(rows[metric].tolist()) for metric in metrics}
        for name, rows in _parts(baselines, "baseline")
    }


def _comparisons(
    scores: pd.DataFrame, baselines: pd.DataFrame, metrics: Sequence[str], on: str
) -> Iterator[tuple[str, Verdict]]:
    """Yield each arm against the reference baseline, paired by picture, and against each earlier arm, paired by run.

    By picture the p value is on the bright side where several pictures come from one source: they are alike. By run it
    speaks of other seeds, not of other pictures.
    """
    arms = dict(_parts(scores, "arm"))
    references = [(name, rows) for name, rows in _parts(baselines, "baseline") if name in REFERENCE_BASELINES]
    pairs = [(arm, arms[arm], name, rows, "picture") for arm in arms for name, rows in references]
    pairs += [(later, arms[later], earlier, arms[earlier], "run") for earlier, later in combinations(arms, 2)]
    for a, rows_a, b, rows_b, paired_by in pairs:
        for metric in metrics:
            means_a, means_b = (rows.groupby(paired_by)[metric].mean() for rows in (rows_a, rows_b))
            both = means_a.index.intersection(means_b.index)
            if len(both):
                test = paired_t_test(means_a[both].tolist(), means_b[both].tolist())
                names = {"a": a, "b": b, "metric": metric, "on": on, "paired_by": paired_by}
                yield f"{a}_vs_{b}_{metric}", names | test


def _check_complete(table: pd.DataFrame, keys: list[str], pictures: list[str], metrics: Sequence[str]) -> None:
    """Raise Mistake unless every group has one finite score for every picture: a mean over some would mislead."""
    for group, rows in table.groupby(keys):
        name = ", ".join(f"{key} {value}" for key, value in zip(keys, group, strict=True))
        if sorted(rows["picture"]) != pictures:
            count = f"{len(rows)} rows for {len(pictures)} pictures"
            raise Mistake(f"Scores of {name}: {count}; score every picture of the test set once.")
        if not np.isfinite(rows[[*metrics]].to_numpy(dtype=np.float64)).all():
            raise Mistake(f"Scores of {name}: a metric is not a finite number; score these pictures again.")
