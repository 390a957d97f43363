"""What the runs of the planted gap show: each sampler beside random, by the endpoints that were fixed beforehand.

Every sampler is compared with random by a paired two-tailed t-test over runs; the p values of one experiment and
endpoint are corrected over its samplers after Holm (1979, doi:10.2307/4615733). Intervals are 95 %. Each is
compared with `stratified`, too, to tell whether it is the scores that pay: no statement was made about that beforehand.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from micromime.judging.statistics import bounds, holm, paired_t_test
from micromime.scenario.arrays import Reals
from micromime.scenario.streams import stream

CONTROL, BLIND = "random", "stratified"
"""Samplers that others are compared with: fresh draws, and variations that are asked for whatever the scores."""

Verdict = dict[str, Any]
"""Nested mappings of words, numbers and None, ready for JSON."""

PRIMARY = {"mode_f1": "mode F1", "all_iou": "IoU of all"}
"""Endpoints, of the last round, that the statements are about; as tables write them."""

ENDPOINTS = PRIMARY | {"rest_f1": "rest F1", "training_iou": "IoU on the training distribution"}
"""All that is tested."""

LEARNT = 0.8
"""Mode F1 from which a run counts as one that has learnt the mode."""

CONFIDENCE, RESAMPLED = 0.95, 2000

ROUNDING = 1e-12
"""Two means of the same scores may differ by as much."""


def gap_verdict(rows: pd.DataFrame) -> Verdict:
    """Return by experiment what each sampler scored after each round, and how it compares with random.

    `rows` has a row for every experiment, sampler, run and round (0: the common base network), with images, the shares
    asked for (asked_of_mode, asked_hopeless) and the endpoints. Only runs that all samplers of an experiment have are
    counted.
    """
    if rows.empty:
        return {}
    return {
        str(name): _experiment(paired(part))
        for name, part in rows.groupby("experiment", sort=False)
        if CONTROL in set(part["sampler"])
    }


def paired(rows: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of those runs that every sampler has."""
    samplers = rows["sampler"].nunique()
    return rows[rows.groupby("run")["sampler"].transform("nunique") == samplers]


def _experiment(rows: pd.DataFrame) -> Verdict:
    names = [str(name) for name in rows["sampler"].unique()]
    said: Verdict = {"runs": int(rows["run"].nunique()), "images": int(rows["images"].max()), "samplers": {}}
    for name in names:
        mine = rows[rows["sampler"] == name]
        last = mine[mine["round"] == mine["round"].max()]
        said["samplers"][name] = {
            "rounds": _rounds(mine),
            "learnt": int((last["mode_f1"] >= LEARNT).sum()),
            "images_needed": {endpoint: images_needed(rows, name, endpoint) for endpoint in PRIMARY},
        }
    for key, control in (("minus_random", CONTROL), ("minus_stratified", BLIND)):
        others = [name for name in names if name not in (CONTROL, control)] if control in names else []
        said[key] = {endpoint: _compared(rows, others, endpoint, control) for endpoint in ENDPOINTS}
    return said


def _rounds(rows: pd.DataFrame) -> list[Verdict]:
    """Return for each round its images, and mean, sd and interval of every number over the runs."""
    shown = ["asked_of_mode", "asked_hopeless", *ENDPOINTS, "all_f1", "mode_iou", "rest_iou", "scoring"]
    return [
        {
            "images": int(part["images"].iloc[0]),
            **{name: _summary(part[name].to_numpy(np.float64)) for name in shown if name in part},
        }
        for _, part in rows.groupby("round")
    ]


def _summary(values: Reals) -> Verdict | None:
    if not np.isfinite(values).all():
        return None
    return {
        "mean": float(values.mean()),
        "sd": float(values.std(ddof=1)) if len(values) > 1 else None,
        **bounds(values.tolist(), CONFIDENCE),
    }


def _compared(rows: pd.DataFrame, names: Sequence[str], endpoint: str, control: str) -> dict[str, Verdict]:
    """Return each sampler's test against a control, after the last round."""
    last = rows[rows["round"] == rows["round"].max()].pivot(index="run", columns="sampler", values=endpoint)
    if last.isna().any(axis=None):
        return {}
    tests: dict[str, Verdict] = {}
    for name in names:
        test = paired_t_test(last[name].tolist(), last[control].tolist())
        tests[name] = {**test, **bounds((last[name] - last[control]).tolist(), CONFIDENCE), "p_holm": None}
    known = [name for name in names if tests[name]["p_value"] is not None]
    for name, p in zip(known, holm([tests[name]["p_value"] for name in known]), strict=True):
        tests[name]["p_holm"] = p
    return tests


def images_needed(rows: pd.DataFrame, name: str, endpoint: str) -> Verdict:
    """Return after how many new images a sampler's mean curve reaches what random has after the last round, if it can.

    Between rounds the curve is straight. None stands for never. The interval is the bootstrap's over runs. Empty where
    that is no question: a score is missing, or random did not gain (paired over runs, the 95 % interval of what it has
    at last - what the base network had): the base network has all of it already, or more.
    """
    tables = rows[rows["sampler"].isin([name, CONTROL])].pivot(
        index="run", columns=["sampler", "images"], values=endpoint
    )
    mine, control = (tables[each].to_numpy(np.float64) for each in (name, CONTROL))
    images = tables[name].columns.to_numpy(np.float64)
    gained = bounds((control[:, -1] - control[:, 0]).tolist(), CONFIDENCE)["lo"]
    if not np.isfinite(tables).all(axis=None) or gained is None or gained <= 0:
        return {}
    rng, count = stream(0, "bootstrap"), len(tables)
    picked = rng.integers(count, size=(RESAMPLED, count))
    curves, targets = mine[picked].mean(axis=1), control[picked, -1].mean(axis=1)
    found = [reached(images, curve, target) for curve, target in zip(curves, targets, strict=True)]
    lo, hi = np.quantile(found, [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2], method="inverted_cdf")
    needed = reached(images, mine.mean(axis=0), control[:, -1].mean())
    return {key: float(n) if np.isfinite(n) else None for key, n in (("needed", needed), ("lo", lo), ("hi", hi))}


def reached(images: Reals, scores: Reals, target: float) -> float:
    """Return where the straight lines through (images, scores) first reach a target; infinity if they do not.

    What is below it by no more than rounding has reached it.
    """
    target -= ROUNDING
    if scores[0] >= target:
        return float(images[0])
    for n in range(1, len(images)):
        if scores[n] >= target:
            share = (target - scores[n - 1]) / (scores[n] - scores[n - 1])
            return float(images[n - 1] + share * (images[n] - images[n - 1]))
    return float("inf")


def rows_of(tables: Mapping[tuple[str, str, int], Mapping[str, Sequence[Any]]]) -> pd.DataFrame:
    """Return what `gap_verdict` asks for: the tables of records, by experiment, sampler and run, as one."""
    parts = [
        pd.DataFrame(table).assign(experiment=experiment, sampler=sampler, run=run)
        for (experiment, sampler, run), table in tables.items()
    ]
    if not parts:
        return pd.DataFrame()
    rows = pd.concat(parts, ignore_index=True)
    words = ("experiment", "sampler")
    return rows.astype(dict.fromkeys(rows.columns.drop([*words, "run", "round", "images"]), float))  # None: NaN
