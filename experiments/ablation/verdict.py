"""What each unit of a scenario, or each setting of training, earns: variants compared run by run.

A gain is the mean over runs of paired differences of a score, which is itself a mean over pictures. Intervals are
Student's, 95 %. The p values of paired two-tailed t-tests are corrected after Holm over all gains of one kind, in one
metric, at one place (all pictures, or those of one source).
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from micromime.judging.metrics import LOWER_IS_BETTER, TESTED
from micromime.judging.statistics import bounds, holm, mean, paired_t_test, sd

Verdict = dict[str, Any]
"""Nested mappings of words, numbers and None, ready for JSON."""

COMPARED = ("mean_iou", "boundary_f1")
"""The metrics that gains of units are stated in; those of settings are stated in all that were measured."""

SETTINGS = "settings"
"""The kind of the gains that settings earn: both variants have topology measured, too."""

OF_UNITS = ("leave_one_out", "add_one_in")
"""The kinds of gains that tell what a unit earns."""

DECIDING = ("mean_iou", "boundary_f1", "cl_dice", "betti_error", "matched_grains")
"""The metrics that decide whether a setting becomes the default: regions, lines, how they hang together, grains."""

EVERYWHERE = "all pictures"

CONFIDENCE = 0.95
"""Of the intervals."""

Gains = Sequence[tuple[str, str, str, str]]
"""Comparisons (kind, name, a, b): what a unit or setting earns is what variant a scores more than b."""


def ablation_verdict(test_set: Mapping[str, Any], rows: pd.DataFrame, gains: Gains) -> Verdict:
    """Return every variant's scores, and every gain over all pictures and by source; {} where there are no rows.

    `rows` has one for every variant, run and picture (columns variant, run, picture, source and the metrics of TESTED,
    topology NaN but for variants that settings are compared among); `test_set` has kind, name and reason. All variants
    have the same runs, numbered alike.
    """
    if rows.empty:
        return {}
    parts = {EVERYWHERE: rows} | {str(source): part for source, part in rows.groupby("source", sort=False)}
    scores = {place: part.groupby(["variant", "run"])[list(TESTED)].mean() for place, part in parts.items()}
    names = list(dict.fromkeys(rows["variant"]))
    said: Verdict = {
        "test_set": {**test_set, "n": int(rows["picture"].nunique())},
        "runs": int(rows["run"].nunique()),
        "places": {place: int(part["picture"].nunique()) for place, part in parts.items()},
        "variants": {name: _summaries(scores[EVERYWHERE].loc[name]) for name in names},
        "gains": {},
    }
    for kind in dict.fromkeys(gain[0] for gain in gains):
        alike = [gain for gain in gains if gain[0] == kind]
        said["gains"][kind] = {name: {place: {} for place in parts} for _, name, _, _ in alike}
        for place, table in scores.items():
            for metric in TESTED if kind == SETTINGS else COMPARED:
                for name, test in _tests(table[metric].unstack("run"), alike).items():
                    said["gains"][kind][name][place][metric] = test
    return said


def _summaries(scores: pd.DataFrame) -> Verdict:
    values = {str(metric): each.tolist() for metric, each in scores.items() if each.notna().all()}
    return {metric: {"mean": mean(each), "sd": sd(each)} for metric, each in values.items()}


def _tests(scores: pd.DataFrame, gains: Gains) -> dict[str, Verdict]:
    """Return the test of each gain by its name; `scores` has a row for every variant, a column for every run."""
    tests: dict[str, Verdict] = {}
    by_run = {str(name): row.tolist() for name, row in scores.iterrows()}
    for _, name, a, b in gains:
        pair = by_run[a], by_run[b]
        tests[name] = {**paired_t_test(*pair), **bounds(np.subtract(*pair).tolist(), CONFIDENCE), "p_holm": None}
    known = [name for name, test in tests.items() if test["p_value"] is not None]
    for name, p in zip(known, holm([tests[name]["p_value"] for name in known]), strict=True):
        tests[name]["p_holm"] = p
    return tests


def idle(said: Verdict) -> list[str]:
    """Return the units that earn nothing: no mean gain, of those tested over all pictures, is above 0.

    The rule by which a unit leaves the default scenario. With few runs no p value could decide: it stays where a single
    one of the means, left out or added alone, in any metric that gains are stated in, speaks for it.
    """
    gains = said["gains"]
    kinds = [kind for kind in OF_UNITS if kind in gains]
    units = dict.fromkeys(name for kind in kinds for name in gains[kind])
    tests = {name: [gains[kind][name][EVERYWHERE] for kind in kinds if name in gains[kind]] for name in units}
    return [
        name
        for name, found in tests.items()
        if all(test[metric]["mean_difference"] <= 0 for test in found for metric in COMPARED)
    ]


def paying(said: Verdict) -> list[str]:
    """Return the settings that pay: over all pictures no mean gain in a metric of DECIDING is for the worse.

    The rule by which a setting becomes the default. It changes every network, so that all means must speak for it.
    """
    return [
        name
        for name, by in said["gains"].get(SETTINGS, {}).items()
        if all(_better(metric, by[EVERYWHERE][metric]["mean_difference"]) >= 0 for metric in DECIDING)
        and any(by[EVERYWHERE][metric]["mean_difference"] != 0 for metric in DECIDING)
    ]


def _better(metric: str, difference: float) -> float:
    return -difference if metric in LOWER_IS_BETTER else difference
