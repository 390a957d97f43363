"""From the scores of single pictures to the verdict: arms beside baselines, by source and over all pictures."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from micromime.judging.grain_size import compare_sizes
from micromime.judging.statistics import (
    agresti_coull_paper,
    holm,
    logit_interval,
    mean,
    paired_t_test,
    sd,
    student_interval,
    student_over_sources,
)
from micromime.mistakes import Mistake

REFERENCE_BASELINES = frozenset({"local_threshold", "line_filter"})
"""The baselines that every arm is tested against: fixed here, not those that a test set happens to favour."""

KEYS = frozenset({"arm", "baseline", "run", "picture", "source"})
"""Columns of score tables that are no metric."""

SCORES, CURVES, DETAILS = "scores.parquet", "curves.csv", "details.md"
"""Beside a verdict: the scores of every picture, the learning curves, and all of its tables."""

Pairs = Sequence[tuple[str, str]]
"""Names of arms that are compared: (later, earlier)."""

Verdict = dict[str, Any]
"""Nested mappings of words, numbers and None, ready for JSON."""


def verdict(
    test_set: Mapping[str, Any],
    scores: pd.DataFrame,
    baselines: pd.DataFrame,
    sizes: pd.DataFrame | None = None,
    pairs: Pairs | None = None,
) -> Verdict:
    """Return what the scores say, with unrounded numbers and None where there is none (an sd of one run).

    `test_set` has kind (real or surrogate), name, reason (why this kind) and perhaps changes (by picture, clauses
    that say what reading did to it). `scores` has a row for every arm, run and picture (columns arm, run, picture,
    source), `baselines` one for every baseline and picture (baseline, picture, source); all other columns are
    metrics, the same in both. A run's score is the mean over its pictures; an arm's mean, sd and intervals are over
    runs. `pairs` says which arms are compared, (later, earlier), and that the tests are corrected for their number
    (by source: for that of one metric, over all sources); without it every arm is compared with each earlier one.
    `sizes`, where given, is what `compare_sizes` asks for; what it returns is under "grain_size". Raises Mistake
    where a picture is missing, doubled or without a number.
    """
    metrics = [name for name in scores.columns if name not in KEYS]
    pictures = sorted(scores["picture"].unique())
    _check_complete(scores, ["arm", "run"], pictures, metrics)
    _check_complete(baselines, ["baseline"], pictures, metrics)
    tested_on = {"kind": test_set["kind"], "name": test_set["name"], "reason": test_set["reason"], "n": len(pictures)}
    if changes := test_set.get("changes"):
        tested_on["changes"] = changes
    said: Verdict = {
        "test_set": tested_on,
        "arms": {arm: _arm(rows, metrics) for arm, rows in _parts(scores, "arm")},
        "baselines": _baseline_means(baselines, metrics),
        "by_source": {
            source: _source(rows, baselines[baselines["source"] == source], metrics)
            for source, rows in _parts(scores, "source")
        },
        "paired": dict(_comparisons(scores, baselines, pairs, f"{tested_on['kind']} {tested_on['name']}")),
    }
    _stay_in_range(said)
    if pairs is not None:
        _correct(said["paired"].values())
        for source, rows in _parts(scores, "source"):
            tests = sorted(_by_run(rows, pairs, source), key=lambda named: metrics.index(named[1]["metric"]))
            said["by_source"][source]["paired"] = dict(tests)
        by_source = [test for part in said["by_source"].values() for test in part["paired"].values()]
        for metric in metrics:
            _correct(test for test in by_source if test["metric"] == metric)
    if sizes is not None:
        _check_complete(sizes, ["kind", "name", "run"], pictures, ["grains"])
        said["grain_size"] = compare_sizes(sizes)
    return said


def write_verdict(out: Path, said: Verdict, tables: str, scores: pd.DataFrame, curves: pd.DataFrame) -> None:
    """Write a verdict (JSON), and beside it its tables, the scores of every picture and the learning curves."""
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(json.dumps(said, indent=1) + "\n")
    out.with_name(DETAILS).write_text(tables)
    scores.to_parquet(out.with_name(SCORES), index=False)
    curves.to_csv(out.with_name(CURVES), index=False)


def _parts(table: pd.DataFrame, key: str) -> Iterator[tuple[str, pd.DataFrame]]:
    """Yield the rows that share a value of one column, in order of appearance."""
    for name, rows in table.groupby(key, sort=False):
        yield str(name), rows


def _per_run(rows: pd.DataFrame, metrics: Sequence[str]) -> dict[str, list[float]]:
    """Return for each metric the mean of every run."""
    means = rows.groupby("run")[[*metrics]].mean()
    return {metric: means[metric].tolist() for metric in metrics}


def _arm(rows: pd.DataFrame, metrics: Sequence[str]) -> Verdict:
    runs = int(rows["run"].nunique())
    summaries = {
        metric: {
            "mean": mean(values),
            "sd": sd(values),
            "ci99_student": student_interval(values),
            "ci99_agresti_coull_paper": agresti_coull_paper(mean(values), runs),
        }
        for metric, values in _per_run(rows, metrics).items()
    }
    return {"n_runs": runs, **summaries}


def _stay_in_range(said: Verdict) -> None:
    """Add to the scores of arms their intervals that stay within 0 to 1: over runs, and over sources."""
    counts = [part["n"] for part in said["by_source"].values()]
    for arm, scores in said["arms"].items():
        for metric in [name for name in scores if name != "n_runs"]:
            score = scores[metric]
            means = [part["arms"][arm][metric]["mean"] for part in said["by_source"].values()]
            score["ci99"] = logit_interval(score["mean"], score["ci99_student"])
            score["ci99_sources"] = logit_interval(score["mean"], student_over_sources(means, counts))


def _source(scores: pd.DataFrame, baselines: pd.DataFrame, metrics: Sequence[str]) -> Verdict:
    arms = {
        arm: {metric: {"mean": mean(each), "sd": sd(each)} for metric, each in _per_run(rows, metrics).items()}
        for arm, rows in _parts(scores, "arm")
    }
    return {"n": int(scores["picture"].nunique()), "arms": arms, "baselines": _baseline_means(baselines, metrics)}


def _baseline_means(baselines: pd.DataFrame, metrics: Sequence[str]) -> Verdict:
    return {
        name: {metric: mean(rows[metric].tolist()) for metric in metrics}
        for name, rows in _parts(baselines, "baseline")
    }


def _comparisons(
    scores: pd.DataFrame, baselines: pd.DataFrame, pairs: Pairs | None, on: str
) -> Iterator[tuple[str, Verdict]]:
    """Yield each arm against the reference baseline, paired by picture, and arms against others, paired by run.

    By picture the p value is on the bright side where several pictures come from one source: they are alike. By run it
    speaks of other seeds, not of other pictures.
    """
    arms = dict(_parts(scores, "arm"))
    for arm in arms.items():
        for reference in _parts(baselines[baselines["baseline"].isin(REFERENCE_BASELINES)], "baseline"):
            yield from _tests(arm, reference, "picture", on)
    every = [(later, earlier) for earlier, later in combinations(arms, 2)]
    yield from _by_run(scores, every if pairs is None else pairs, on)


def _by_run(scores: pd.DataFrame, pairs: Pairs, on: str) -> Iterator[tuple[str, Verdict]]:
    """Yield tests of arms against others over the runs that both have."""
    arms = dict(_parts(scores, "arm"))
    for later, earlier in pairs:
        yield from _tests((later, arms[later]), (earlier, arms[earlier]), "run", on)


def _tests(
    one: tuple[str, pd.DataFrame], two: tuple[str, pd.DataFrame], by: str, on: str
) -> Iterator[tuple[str, Verdict]]:
    """Yield a test for each metric."""
    (a, rows_a), (b, rows_b) = one, two
    for metric in [name for name in rows_a.columns if name not in KEYS]:
        means_a, means_b = (rows.groupby(by)[metric].mean() for rows in (rows_a, rows_b))
        both = means_a.index.intersection(means_b.index)
        if len(both):
            values = means_a[both].tolist(), means_b[both].tolist()
            interval = student_interval(np.subtract(*values).tolist())
            names = {"a": a, "b": b, "metric": metric, "on": on, "paired_by": by}
            yield f"{a}_vs_{b}_{metric}", names | paired_t_test(*values) | {"ci99_difference": interval}


def _correct(tests: Iterable[Verdict]) -> None:
    """Add to the tests by run their p values corrected for the number of all of these (Holm 1979)."""
    by_run = [test for test in tests if test["paired_by"] == "run"]
    known = [test for test in by_run if test["p_value"] is not None]
    for test in by_run:
        test |= {"p_holm": None, "n_tests": len(known)}
    for test, p_holm in zip(known, holm([test["p_value"] for test in known]), strict=True):
        test["p_holm"] = p_holm


def _check_complete(table: pd.DataFrame, keys: list[str], pictures: list[str], metrics: Sequence[str]) -> None:
    """Raise Mistake unless every group has one finite score for every picture: a mean over some would mislead."""
    for group, rows in table.groupby(keys):
        name = ", ".join(f"{key} {value}" for key, value in zip(keys, group, strict=True))
        if sorted(rows["picture"]) != pictures:
            count = f"{len(rows)} rows for {len(pictures)} pictures"
            raise Mistake(f"Scores of {name}: {count}; score every picture of the test set once.")
        if not np.isfinite(rows[[*metrics]].to_numpy(dtype=np.float64)).all():
            raise Mistake(f"Scores of {name}: a metric is not a finite number; score these pictures again.")
