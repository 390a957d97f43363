"""From the scores of single pictures to the verdict: arms beside baselines, by source and over all pictures."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd

from micromime.evaluation.metrics import LOWER_IS_BETTER
from micromime.evaluation.statistics import agresti_coull_paper, mean, paired_t_test, sd, student_interval
from micromime.mistakes import Mistake

REFERENCE_BASELINE = "local_threshold"
"""The baseline that every arm is tested against: fixed here, not the one that a test set happens to favour."""

KEYS = frozenset({"arm", "baseline", "run", "picture", "source"})
"""Columns of score tables that are no metric."""

TITLES = {"mean_iou": "mean IoU", "boundary_f1": "boundary F1", "pixel_error": "pixel error"}
"""How a table writes a metric, in its order of metrics; others follow with spaces for underscores."""

Verdict = dict[str, Any]
"""Nested mappings of words, numbers and None, ready for JSON."""


def verdict(test_set: Mapping[str, Any], scores: pd.DataFrame, baselines: pd.DataFrame) -> Verdict:
    """Return what the scores say, with unrounded numbers and None where there is none (an sd of one run).

    `test_set` has kind (real or surrogate), name and reason (why this kind). `scores` has a row for every arm, run and
    picture (columns arm, run, picture, source), `baselines` one for every baseline and picture (baseline, picture,
    source); all other columns are metrics, the same in both. A run's score is the mean over its pictures; an arm's
    mean, sd and intervals are over runs. Raises Mistake where a picture is missing, doubled or without a number.
    """
    metrics = [name for name in scores.columns if name not in KEYS]
    pictures = sorted(scores["picture"].unique())
    _check_complete(scores, ["arm", "run"], pictures, metrics)
    _check_complete(baselines, ["baseline"], pictures, metrics)
    tested_on = {"kind": test_set["kind"], "name": test_set["name"], "reason": test_set["reason"], "n": len(pictures)}
    return {
        "test_set": tested_on,
        "arms": {arm: _arm(rows, metrics) for arm, rows in _parts(scores, "arm")},
        "baselines": _baseline_means(baselines, metrics),
        "by_source": {
            source: _source(rows, baselines[baselines["source"] == source], metrics)
            for source, rows in _parts(scores, "source")
        },
        "paired": dict(_comparisons(scores, baselines, metrics, f"{tested_on['kind']} {tested_on['name']}")),
    }


def headline(test_set: Mapping[str, Any]) -> str:
    """Return the sentence that says what was tested on: first line of every table, title of every panel."""
    kind = "real pictures" if test_set["kind"] == "real" else "surrogate, not real"
    reason = f" ({test_set['reason']})" if test_set["reason"] else ""
    return f"Test set: {kind}{reason}; {test_set['name']}, n = {test_set['n']}"


def verdict_table(verdict: Verdict) -> str:
    """Return the verdict in Markdown: scores by source beside the baselines, then the intervals and paired tests."""
    metrics = [name for name in next(iter(verdict["arms"].values())) if name != "n_runs"]
    in_order = [name for name in TITLES if name in metrics] + [name for name in metrics if name not in TITLES]
    blocks = [
        f"**{headline(verdict['test_set'])}**",
        "Means over pictures; for arms mean ± sd over runs. The best of each row is bold.",
        *(_scores_table(verdict, metric) for metric in in_order),
        _intervals_table(verdict, in_order),
        _paired_table(verdict),
    ]
    return "\n\n".join(blocks) + "\n"


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
    reference = baselines[baselines["baseline"] == REFERENCE_BASELINE]
    pairs = [(arm, arms[arm], REFERENCE_BASELINE, reference, "picture") for arm in arms]
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


def _scores_table(verdict: Verdict, metric: str) -> str:
    columns = [(kind, name) for kind in ("baselines", "arms") for name in verdict[kind]]
    places = {f"{source} ({part['n']})": part for source, part in verdict["by_source"].items()}
    places[f"ALL ({verdict['test_set']['n']})"] = verdict
    rows, lost = [], []
    for place, part in places.items():
        scores = [part[kind][name][metric] for kind, name in columns]
        best = _best(scores, metric)
        rows.append([place, *(_bold(_cell(score), i in best) for i, score in enumerate(scores))])
        if all(columns[i][0] == "baselines" for i in best):
            lost.append(place)
    better = "less" if metric in LOWER_IS_BETTER else "more"
    runs = {arm: f", runs: {part['n_runs']}" for arm, part in verdict["arms"].items()}
    head = [f"{_title(metric)} ({better} is better)", *(name + runs.get(name, "") for _, name in columns)]
    finding = (
        f"A baseline beats every arm in: {', '.join(lost)}." if lost else "No baseline beats every arm in any row."
    )
    return f"{_markdown(head, rows)}\n\n{finding}"


def _intervals_table(verdict: Verdict, metrics: Sequence[str]) -> str:
    head = ["99 % interval, all pictures", "Student t over runs", "Agresti-Coull as in the paper (n = runs squared)"]
    rows = [
        [
            f"{arm}, {_title(metric)}",
            *(_interval(part[metric][key]) for key in ("ci99_student", "ci99_agresti_coull_paper")),
        ]
        for arm, part in verdict["arms"].items()
        for metric in metrics
    ]
    return _markdown(head, rows)


def _paired_table(verdict: Verdict) -> str:
    head = ["a - b", "metric", "paired by", "n", "mean difference", "p (two-tailed t)", "effect size d_z"]
    rows = [
        [
            f"{test['a']} - {test['b']}",
            _title(test["metric"]),
            test["paired_by"],
            str(test["n_pairs"]),
            f"{test['mean_difference']:+.3f}",
            "none" if test["p_value"] is None else f"{test['p_value']:.2g}",
            "none" if test["effect_size"] is None else f"{test['effect_size']:+.2f}",
        ]
        for test in verdict["paired"].values()
    ]
    return _markdown(head, rows)


def _markdown(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] + ["---:"] * (len(head) - 1), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _best(scores: Sequence[Any], metric: str) -> set[int]:
    """Return the positions of the best scores; those that print alike share the place."""
    printed = [_cell(score).split()[0] for score in scores]
    best = min(printed, key=float) if metric in LOWER_IS_BETTER else max(printed, key=float)
    return {i for i, value in enumerate(printed) if value == best}


def _cell(score: Any) -> str:
    """Return a baseline's number, or an arm's mean and sd, as printed."""
    mean_score, spread = (score["mean"], score["sd"]) if isinstance(score, Mapping) else (score, None)
    return f"{mean_score:.3f}" if spread is None else f"{mean_score:.3f} ± {spread:.3f}"


def _bold(text: str, bold: bool) -> str:
    return f"**{text}**" if bold else text


def _interval(interval: Mapping[str, Any] | None) -> str:
    return "none (1 run)" if interval is None else f"{interval['lo']:.3f} to {interval['hi']:.3f} (n = {interval['n']})"


def _title(metric: str) -> str:
    return TITLES.get(metric, metric.replace("_", " "))
