"""The table of paired tests between arms, and between arms and baselines."""

from collections.abc import Mapping
from typing import Any

from micromime.reporting.words import markdown, p_or_none, signed_interval, title


def paired_table(paired: Mapping[str, Mapping[str, Any]]) -> str:
    """Return a line for each test: what it compares, n, the difference and its 99 % interval, p, effect size."""
    tests = list(paired.values())
    corrected = [f"p of {test['n_tests']} tests by run (Holm)" for test in tests if "p_holm" in test][:1]
    head = ["a - b", "metric", "paired by", "n", "mean difference", "99 % interval", "p (two-tailed t)"]
    rows = [
        [
            f"{test['a']} - {test['b']}",
            title(test["metric"]),
            test["paired_by"],
            str(test["n_pairs"]),
            f"{test['mean_difference']:+.3f}",
            signed_interval(test["ci99_difference"]),
            p_or_none(test["p_value"]),
            *([p_or_none(test.get("p_holm"))] if corrected else []),
            "none" if test["effect_size"] is None else f"{test['effect_size']:+.2f}",
        ]
        for test in tests
    ]
    return markdown([*head, *corrected, "effect size d_z"], rows)
