"""What the runs of the planted gap show: each sampler beside random, by the endpoints that were fixed beforehand.

Every sampler is compared with random by a paired two-tailed t-test over runs; the p values of one experiment and
endpoint are corrected over its samplers after Holm. Intervals are 95 %. Each is compared with `stratified`, too, to
tell whether it is the scores that pay: no statement was made about that beforehand.
"""

from collections.abc import Mapping, Sequence
from typing import Literal, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from experiments.gains import CONFIDENCE, Verdict, ends_text, paired_tests, significant
from experiments.planted_gap.plan import CONTROL, ORACLE, Cell
from experiments.runs import Table
from micromime.judging.statistics import bounds, sd
from micromime.reporting.words import p_text
from micromime.scenario.arrays import Reals
from micromime.scenario.streams import stream

BLIND = "stratified"
"""The sampler that asks for variations whatever the scores."""

PRIMARY = {"mode_f1": "mode F1", "all_iou": "IoU of all"}
"""Endpoints, of the last round, that the statements are about; as tables write them."""

ENDPOINTS = PRIMARY | {"rest_f1": "rest F1", "training_iou": "IoU on the training distribution"}
"""All that is tested."""

SUMMARISED = ["asked_of_mode", "asked_hopeless", *ENDPOINTS, "all_f1", "mode_iou", "rest_iou", "scoring"]

LEARNT = 0.8
"""Mode F1 from which a run counts as one that has learnt the mode."""

RESAMPLED = 2000

ROUNDING = 1e-12
"""Two means of the same scores may differ by as much."""

CLAIMED = ("progress", "residual")
"""Samplers that are expected to find a gap."""

BEATS_P, GAINS_P = 0.001, 0.05
"""Below these p values, after Holm, a sampler beats random where it should, and gains where it should not."""

LARGEST_HARM = 0.005
"""IoU that a sampler with a stop rule may lose where there is no gap."""

LARGEST_SHARE = 0.5
"""Of random's images, within which a sampler is expected to reach what random has at last."""


def rows_of(tables: Mapping[Cell, Table]) -> pd.DataFrame:
    """Return a row for every experiment, sampler, run and round (0: the common base network): what records tell."""
    parts = [pd.DataFrame(table).assign(**cell._asdict()) for cell, table in tables.items()]
    rows = pd.concat(parts, ignore_index=True)
    words = [*Cell._fields, "round", "images"]
    return rows.astype(dict.fromkeys(rows.columns.drop(words), float))  # None: NaN


def gap_verdict(rows: pd.DataFrame) -> Verdict:
    """Return by experiment what each sampler scored after each round, and how it compares with random."""
    return {str(name): _experiment(part) for name, part in rows.groupby("experiment", sort=False)}


def _experiment(rows: pd.DataFrame) -> Verdict:
    last = rows[rows["round"] == rows["round"].max()]
    by_sampler = {str(name): part for name, part in rows.groupby("sampler", sort=False)}
    said: Verdict = {"runs": int(rows["run"].nunique()), "images": int(rows["images"].max()), "samplers": {}}
    for name, part in by_sampler.items():
        said["samplers"][name] = {
            "rounds": [_round(each) for _, each in part.groupby("round")],
            "learnt": int((last.loc[last["sampler"] == name, "mode_f1"] >= LEARNT).sum()),
            "images_needed": {endpoint: images_needed(rows, name, endpoint) for endpoint in PRIMARY},
        }
    for key, control in (("minus_random", CONTROL), ("minus_stratified", BLIND)):
        others = [name for name in by_sampler if name not in (CONTROL, control)] if control in by_sampler else []
        said[key] = {endpoint: _tests(last, others, endpoint, control) for endpoint in ENDPOINTS}
    return said


def _round(rows: pd.DataFrame) -> Verdict:
    """Return a round's images, and mean, sd and interval of every number over the runs; None where one is missing."""
    said: Verdict = {"images": int(rows["images"].iloc[0])}
    for name in SUMMARISED:
        values = rows[name].tolist()
        summary = {"mean": float(np.mean(values)), "sd": sd(values), **bounds(values, CONFIDENCE)}
        said[name] = summary if np.isfinite(values).all() else None
    return said


def _tests(last: pd.DataFrame, names: list[str], endpoint: str, control: str) -> dict[str, Verdict]:
    """Return each sampler's test against a control, after the last round; none where a score is missing."""
    table = last.pivot(index="run", columns="sampler", values=endpoint)
    if table.isna().any(axis=None):
        return {}
    return paired_tests({name: (table[name].tolist(), table[control].tolist()) for name in names})


def images_needed(rows: pd.DataFrame, name: str, endpoint: str) -> Verdict:
    """Return after how many new images a sampler's mean curve reaches what random has after the last round, if it can.

    Between rounds the curve is straight. None stands for never. The interval is the bootstrap's over runs. Empty where
    that is no question: a score is missing, or random did not gain (paired over runs, the 95 % interval of what it has
    at last - what the base network had): the base network has all of it already, or more.
    """
    both = rows[rows["sampler"].isin([name, CONTROL])]
    tables = both.pivot(index="run", columns=["sampler", "images"], values=endpoint)
    mine, control = (tables[each].to_numpy(np.float64) for each in (name, CONTROL))
    images = tables[name].columns.to_numpy(np.float64)
    gained = bounds((control[:, -1] - control[:, 0]).tolist(), CONFIDENCE)["lo"]
    if not np.isfinite(tables).all(axis=None) or gained is None or gained <= 0:
        return {}
    picked = stream(0, "bootstrap").integers(len(tables), size=(RESAMPLED, len(tables)))
    found = reached(images, mine[picked].mean(axis=1), control[picked, -1].mean(axis=1))
    lo, hi = np.quantile(found, [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2], method="inverted_cdf")
    (needed,) = reached(images, mine.mean(axis=0)[None], control[:, -1].mean()[None])
    return {key: float(n) if np.isfinite(n) else None for key, n in (("needed", needed), ("lo", lo), ("hi", hi))}


def reached(images: Reals, curves: NDArray[np.float64], targets: Reals) -> Reals:
    """Return where each curve (n, rounds), straight between `images`, first reaches its target, or infinity.

    What is below it by no more than rounding has reached it.
    """
    targets = targets - ROUNDING
    there = curves >= targets[:, None]
    every, after = np.arange(len(curves)), np.maximum(there.argmax(axis=1), 1)
    low, high = curves[every, after - 1], curves[every, after]
    share = np.divide(targets - low, high - low, out=np.zeros_like(low), where=high > low)
    between = images[after - 1] + share * (images[after] - images[after - 1])
    found: Reals = np.select([there[:, 0], there.any(axis=1)], [images[0], between], np.inf)
    return found


class Statement(NamedTuple):
    """One expectation and what the runs say of it."""

    experiment: str
    text: str
    outcome: Literal["holds", "not shown", "contradicted"]
    found: str
    """The numbers that decided."""


def statements(said: Verdict, stopping: Sequence[str]) -> list[Statement]:
    """Return every statement about experiments and samplers that were run; `stopping` names those with a stop rule."""
    found: list[Statement] = []
    for name, part in said.items():
        tried = [each for each in (ORACLE, *CLAIMED, *stopping) if each in part["samplers"]]
        if name == "no_gap":
            found += [_none_gains(part), *(_harm(part, each) for each in tried if each in stopping)]
        else:
            found += [each for sampler in tried for each in (_beats(name, part, sampler), _half(name, part, sampler))]
    return found


def outcome(holds: bool, contradicted: bool) -> Literal["holds", "not shown", "contradicted"]:
    """Return what came of a statement."""
    return "holds" if holds else "contradicted" if contradicted else "not shown"


def beats(tests: Sequence[Verdict | None], sign: int = 1) -> list[bool]:
    """Return of each test whether it shows a gain, or with -1 a loss, as a sampler needs it to beat random."""
    return [significant(test, BEATS_P) and sign * test["mean_difference"] > 0 for test in tests]  # type: ignore[index]


def _beats(experiment: str, part: Verdict, sampler: str) -> Statement:
    tests = {label: part["minus_random"][endpoint].get(sampler) for endpoint, label in PRIMARY.items()}
    text = f"{sampler} beats random in {' and '.join(PRIMARY.values())} (p < {BEATS_P} after Holm)"
    numbers = (f"{label} {test['mean_difference']:+.3f}, {_p(test)}" for label, test in tests.items() if test)
    came = outcome(all(beats([*tests.values()])), any(beats([*tests.values()], -1)))
    return Statement(experiment, text, came, ", ".join(numbers))


def _half(experiment: str, part: Verdict, sampler: str) -> Statement:
    """Whether it is reached within half of the images, and so in at least 97.5 % of the bootstrap's samples.

    Where random gained nothing there is nothing to reach: neither shown nor contradicted.
    """
    most, needed = LARGEST_SHARE * part["images"], part["samplers"][sampler]["images_needed"]
    text = f"{sampler} needs at most half of random's {part['images']} images in {' and '.join(PRIMARY.values())}"
    within = all(each and each["hi"] is not None and each["hi"] <= most for each in needed.values())
    beyond = any(each and (each["lo"] is None or each["lo"] > most) for each in needed.values())
    words = (f"{label} {images_text(needed[endpoint])}" for endpoint, label in PRIMARY.items())
    return Statement(experiment, text, outcome(within, beyond), ", ".join(words))


def _none_gains(part: Verdict) -> Statement:
    text = f"no sampler gains on random in {' or '.join(PRIMARY.values())} (p < {GAINS_P} after Holm)"
    others = [name for name in part["samplers"] if name != CONTROL]
    tests = {(name, label): part["minus_random"][key].get(name) for key, label in PRIMARY.items() for name in others}
    tested = all(test and test["p_holm"] is not None for test in tests.values())
    gains = [
        f"{name} in {label}: {test['mean_difference']:+.4f}, {_p(test)}"
        for (name, label), test in tests.items()
        if test and significant(test, GAINS_P) and test["mean_difference"] > 0
    ]
    found = "; ".join(gains) or ("none does" if tested else "no test")
    return Statement("no_gap", text, outcome(tested and not gains, bool(gains)), found)


def _harm(part: Verdict, sampler: str) -> Statement:
    """Whether the whole 95 % interval of what is lost lies below the bound: a test of non-inferiority."""
    test = part["minus_random"]["all_iou"][sampler]
    text = f"{sampler}, which has a stop rule, loses less than {LARGEST_HARM} in {PRIMARY['all_iou']} (95 % interval)"
    known = test["lo"] is not None
    came = outcome(known and test["lo"] > -LARGEST_HARM, known and test["hi"] < -LARGEST_HARM)
    return Statement("no_gap", text, came, f"{test['mean_difference']:+.4f} {ends_text(test, 4)}")


def _p(test: Verdict) -> str:
    return "no test" if test["p_holm"] is None else f"p = {p_text(test['p_holm'])}"


def images_text(needed: Verdict) -> str:
    """Return how many images, and the interval; `never` where no round has reached it, `none` if nothing was asked."""
    if not needed:
        return "none"
    ends = ["never" if needed[key] is None else f"{needed[key]:.0f}" for key in ("needed", "lo", "hi")]
    return f"{ends[0]} [{ends[1]}, {ends[2]}]"
