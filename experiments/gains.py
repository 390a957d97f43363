"""Paired comparisons over runs, as experiments make and print them."""

from collections.abc import Mapping, Sequence

import numpy as np

from micromime.judging.statistics import bounds, holm, paired_t_test
from micromime.judging.verdict import Verdict

CONFIDENCE = 0.95
"""Of all intervals."""


def paired_tests(pairs: Mapping[str, tuple[Sequence[float], Sequence[float]]]) -> dict[str, Verdict]:
    """Return by name the paired two-tailed t-test of a - b, scores of the same runs, with its interval (Student's).

    `p_holm` is the p value corrected over all of them after Holm (1979, doi:10.2307/4615733), None without a test.
    """
    tests: dict[str, Verdict] = {
        name: {**paired_t_test(a, b), **bounds(np.subtract(a, b).tolist(), CONFIDENCE), "p_holm": None}
        for name, (a, b) in pairs.items()
    }
    known = [test for test in tests.values() if test["p_value"] is not None]
    for test, p in zip(known, holm([test["p_value"] for test in known]), strict=True):
        test["p_holm"] = p
    return tests


def significant(test: Verdict | None, p: float) -> bool:
    """Whether there is a difference at less than p, after correction."""
    return bool(test and test["p_holm"] is not None and test["p_holm"] < p)


def ends_text(test: Verdict, digits: int) -> str:
    """Return both ends of an interval, or that there is none."""
    return "(1 run)" if test["lo"] is None else f"[{test['lo']:+.{digits}f}, {test['hi']:+.{digits}f}]"


def gain_text(test: Verdict) -> str:
    """Return a mean difference with its interval."""
    return f"{test['mean_difference']:+.3f} {ends_text(test, 3)}"
