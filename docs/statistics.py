"""The numbers of docs/statistics.md, computed from the paper's own figures; `make readme` writes them there."""

from functools import cache

import numpy as np
import pandas as pd
from scipy.stats import t as student_t
from statsmodels.stats.proportion import proportion_confint

from micromime.judging.grain_size import astm_difference, astm_number
from micromime.judging.grains import LEAST_GRAIN_PX, ClosedGrains
from micromime.judging.statistics import CONFIDENCE, logit_interval, mean, student_interval
from micromime.reporting.words import markdown
from micromime.scenario.arrays import Reals

PAPER = pd.DataFrame(
    [
        (1, "synthetic model, error on test data", 200, 0.257, 0.060, 0.251, 0.263),
        (1, "real model, error on test data", 200, 0.273, 0.040, 0.267, 0.279),
        (1, "mixed model, error on test data", 200, 0.205, 0.032, 0.200, 0.211),
        (1, "synthetic model, error on all data", 200, 0.414, 0.042, 0.408, 0.420),
        (1, "real model, error on all data", 200, 0.147, 0.039, 0.143, 0.152),
        (1, "mixed model, error on all data", 200, 0.099, 0.030, 0.095, 0.103),
        (2, "random data, error", 50, 0.088, 0.005, 0.073, 0.103),
        (2, "random data, IoU", 50, 0.763, 0.009, 0.741, 0.785),
        (2, "adaptive sampling, error", 50, 0.077, 0.003, 0.064, 0.091),
        (2, "adaptive sampling, IoU", 50, 0.778, 0.006, 0.756, 0.799),
    ],
    columns=["table", "what", "runs", "mean", "sd", "lo", "hi"],
)
"""Mean, standard deviation and the 20 bounds over runs in Tables 1 and 2 of Trampert et al. 2021."""

SIMULATED = pd.DataFrame(
    [
        ("error rate over runs", 3, 0.06, 0.04),
        ("error rate over runs", 10, 0.06, 0.04),
        ("boundary F1 over sources", 6, 0.70, 0.17),
    ],
    columns=["what", "n", "mean", "sd"],
)
"""Scores as verdicts have them; drawn from beta distributions to count how often an interval holds their true mean."""

DRAWS, RESAMPLED = 1000, 500


def intervals() -> dict[str, Reals]:
    """Return lo and hi (2, 10) by each method: the paper's convention, a proportion's with its n, and the mean's."""
    mean, runs, n = PAPER["mean"], PAPER["runs"], PAPER["runs"] ** 2
    by_method = {
        "printed": (PAPER["lo"], PAPER["hi"]),
        "Agresti-Coull, n = runs²": proportion_confint(mean * n, n, 1 - CONFIDENCE, "agresti_coull"),
        "plain normal, n = runs²": proportion_confint(mean * n, n, 1 - CONFIDENCE, "normal"),
        "Student t, n = runs": student_t.interval(CONFIDENCE, runs - 1, mean, PAPER["sd"] / np.sqrt(runs)),
    }
    return {method: np.array(ends) for method, ends in by_method.items()}


def ratios() -> Reals:
    """Return the printed intervals' widths / those of Student's."""
    printed, *_, student = (hi - lo for lo, hi in intervals().values())
    return printed / student


def blocks() -> dict[str, str]:
    """Return the text of each marked block."""
    return {"bounds": bounds(), "hits": hits(), "widths": widths(), "coverage": coverage(), "grains": grains()}


def bounds() -> str:
    """Return the table: each interval as printed, and by the three methods."""
    rows = []
    for number, (cell, ratio) in enumerate(zip(PAPER.itertuples(), ratios(), strict=True)):
        ends = (f"[{lo[number]:.3f}, {hi[number]:.3f}]" for lo, hi in intervals().values())
        rows.append([str(cell.table), cell.what, f"{cell.mean:.3f} ± {cell.sd:.3f}", *ends, f"{ratio:.1f}"])
    table = markdown(["table", "what", "mean ± sd", *intervals(), "printed / Student"], rows)
    return table.replace("| --- | ---: |", "| --- | --- |", 1)


def hits() -> str:
    """Return how many of the printed bounds each convention gives."""
    tolerance = 0.001 + 1e-9  # all are rounded to three decimals, and so were the means
    printed, agresti_coull, normal, _ = intervals().values()
    found = []
    for name, bounds in {"Agresti and Coull's": agresti_coull, "the plain normal interval's": normal}.items():
        count = (np.abs(bounds - printed) <= tolerance).sum()
        found.append(f"{name} come within 0.001 of {count} of {printed.size}")
    return f"Of the printed bounds: {', '.join(found)}."


def widths() -> str:
    """Return how wide the printed intervals are beside Student's, in each table."""
    first, second = (ratios()[PAPER["table"] == table] for table in (1, 2))
    return (
        f"The printed intervals are {min(first):.1f} to {max(first):.1f} times as wide as Student's in Table 1 "
        f"({PAPER['what'][0]}: {first[0]:.1f}) and {min(second):.1f} to {max(second):.1f} times as wide in Table 2 "
        f"({PAPER['what'][6]}: {second[0]:.1f})."
    )


@cache
def coverage() -> str:
    """Return the table: how often 99 % intervals of simulated scores hold the true mean, and leave 0 to 1."""
    rng, rows = np.random.default_rng(0), []
    for case in SIMULATED.itertuples():
        size = case.mean * (1 - case.mean) / case.sd**2 - 1
        drawn = rng.beta(case.mean * size, (1 - case.mean) * size, (DRAWS, case.n))
        student = [student_interval(scores) for scores in drawn.tolist()]
        within = [logit_interval(mean(scores), each) for scores, each in zip(drawn, student, strict=True)]
        resampled = drawn[:, rng.integers(case.n, size=(RESAMPLED, case.n))].mean(axis=2)
        plain, logit, bootstrap = (
            *(np.array([[each["lo"], each["hi"]] for each in found]).T for found in (student, within)),
            np.quantile(resampled, [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2], axis=1),
        )
        held = [np.mean((lo <= case.mean) & (case.mean <= hi)) for lo, hi in (plain, logit, bootstrap)]
        shares = held[0], np.mean((plain[0] < 0) | (plain[1] > 1)), *held[1:]
        name = f"{case.what}, {case.mean:.2f} ± {case.sd:.2f}"
        rows.append([name, str(case.n), *(f"{100 * share:.1f} %" for share in shares)])
    head = ["scores", "n", "Student's t", "(leaves 0 to 1)", "on the logit scale", "percentile bootstrap"]
    return markdown(head, rows)


def grains() -> str:
    """Return the parameters of closing, and what the two rules of grain sizes come to in numbers."""
    closing = ClosedGrains()
    finer, coarser = astm_difference(0.5, 1), astm_difference(1.1, 1)
    return (
        f"Probabilities are smoothed by a Gaussian of sigma {closing.sigma_px:g} px, the depth is {closing.depth:g}, "
        f"and grains found below {closing.least_grain_px} px go to their neighbours. A region of a true mask below "
        f"{LEAST_GRAIN_PX} px is a pocket in a line. A mean linear intercept of 0.32 mm is "
        f"G {abs(astm_number(0.32)):.1f}, one of 0.02 mm G {astm_number(0.02):.1f}; an intercept half as long is "
        f"{finer:.1f} more, one that is a tenth longer {-coarser:.2f} less."
    )
