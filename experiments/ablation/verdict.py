"""What each unit of a scenario, or each setting of training, earns: variants compared run by run.

A gain is the mean over runs of paired differences of a score, which is itself a mean over pictures. Intervals are
Student's, 95 %. The p values of paired two-tailed t-tests are corrected after Holm over all gains of one kind, in one
metric, at one place (all pictures, or those of one source).
"""

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from experiments.ablation.plan import Gain
from experiments.gains import Verdict, paired_tests
from micromime.judging.metrics import LOWER_IS_BETTER, TESTED
from micromime.judging.statistics import mean, sd

COMPARED = ("mean_iou", "boundary_f1")
"""The metrics that gains of units are stated in; those of settings are stated in all that were measured."""

SETTINGS = "settings"
"""The kind of the gains that settings earn: both variants have topology measured, too."""

OF_UNITS = ("leave_one_out", "add_one_in")
"""The kinds of gains that tell what a unit earns."""

DECIDING = ("mean_iou", "boundary_f1", "cl_dice", "betti_error", "matched_grains")
"""The metrics that decide whether a setting becomes the default: regions, lines, how they hang together, grains."""

EVERYWHERE = "all pictures"


def ablation_verdict(test_set: Mapping[str, Any], rows: pd.DataFrame, gains: Sequence[Gain]) -> Verdict:
    """Return every variant's scores, and every gain over all pictures and by source.

    `rows` has one for every variant, run and picture (columns variant, run, picture, source and the metrics of TESTED,
    topology NaN but for variants that settings are compared among); `test_set` has kind, name and reason. All variants
    have the same runs, numbered alike.
    """
    parts = {EVERYWHERE: rows} | {str(source): part for source, part in rows.groupby("source", sort=False)}
    scores = {place: part.groupby(["variant", "run"])[list(TESTED)].mean() for place, part in parts.items()}
    said: Verdict = {
        "test_set": {**test_set, "n": int(rows["picture"].nunique())},
        "runs": int(rows["run"].nunique()),
        "places": {place: int(part["picture"].nunique()) for place, part in parts.items()},
        "variants": {name: _summaries(scores[EVERYWHERE].loc[name]) for name in dict.fromkeys(rows["variant"])},
        "gains": {},
    }
    for kind in dict.fromkeys(gain.kind for gain in gains):
        alike = [gain for gain in gains if gain.kind == kind]
        said["gains"][kind] = {gain.name: {place: {} for place in parts} for gain in alike}
        for place, table in scores.items():
            for metric in TESTED if kind == SETTINGS else COMPARED:
                by_run = table[metric].unstack("run").T
                pairs = {gain.name: (by_run[gain.a].tolist(), by_run[gain.b].tolist()) for gain in alike}
                for name, test in paired_tests(pairs).items():
                    said["gains"][kind][name][place][metric] = test
    return said


def _summaries(scores: pd.DataFrame) -> Verdict:
    values = {str(metric): each.tolist() for metric, each in scores.items() if each.notna().all()}
    return {metric: {"mean": mean(each), "sd": sd(each)} for metric, each in values.items()}


def idle(said: Verdict) -> list[str]:
    """Return the units that earn nothing: no mean gain, of those tested over all pictures, is above 0.

    The rule by which a unit leaves the default scenario. With few runs no p value could decide: it stays where a single
    one of the means, left out or added alone, in any metric that gains are stated in, speaks for it.
    """
    of_units = [said["gains"].get(kind, {}) for kind in OF_UNITS]
    units = dict.fromkeys(name for of_kind in of_units for name in of_kind)
    tests = {name: [of_kind[name][EVERYWHERE] for of_kind in of_units if name in of_kind] for name in units}
    means = {name: [test[metric]["mean_difference"] for test in tests[name] for metric in COMPARED] for name in units}
    return [name for name in units if max(means[name]) <= 0]


def paying(said: Verdict) -> list[str]:
    """Return the settings that pay: over all pictures no mean gain in a metric of DECIDING is for the worse.

    The rule by which a setting becomes the default. It changes every network, so that all means must speak for it.
    """
    signs = {metric: -1 if metric in LOWER_IS_BETTER else 1 for metric in DECIDING}
    found = []
    for name, by in said["gains"].get(SETTINGS, {}).items():
        gained = [sign * by[EVERYWHERE][metric]["mean_difference"] for metric, sign in signs.items()]
        if min(gained) >= 0 and max(gained) > 0:
            found.append(name)
    return found
