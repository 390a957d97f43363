"""The verdict in short: the arms that matter most beside the baselines, by source, and how they compare."""

from collections.abc import Mapping, Sequence
from typing import Any

from micromime.judging.verdict import Verdict
from micromime.reporting.tables.verdict import places
from micromime.reporting.words import SIGNIFICANT_P, markdown, mean_cell, p_or_none, signed_interval, title

SHOWN = ("mean_iou", "boundary_f1")
"""The metrics of a short verdict, in this order in each cell."""

COMPARED = (*SHOWN, "pixel_error", "average_precision")
"""Those in which arms are compared, as far as there are tests of them."""

UNCUT = frozenset({"average_precision"})
"""Of these, those that no threshold has a part in."""


def summary_table(verdict: Verdict, arms: Sequence[str], baselines: Sequence[str]) -> str:
    """Return mean IoU and boundary F1 of some arms and baselines: a row for each source, the last two for all pictures.

    In the very last each run is at its own threshold; a baseline has none.
    """
    columns = [*(("baselines", name) for name in baselines), *(("arms", name) for name in arms)]
    rows = []
    for place, part in places(verdict, verdict["by_source"], verdict["test_set"]["n"]):
        rows.append([place, *(_both(part[kind][name]) for kind, name in columns)])
    own = verdict["at_operating_points"]["arms"]
    alone = [_both(own[name]) if kind == "arms" else "none" for kind, name in columns]
    rows.append([f"ALL ({verdict['test_set']['n']}), each run at its own threshold", *alone])
    runs = {name: f", runs: {verdict['arms'][name]['n_runs']}" for name in arms}
    head = ["mean IoU / boundary F1", *(name + runs.get(name, "") for _, name in columns)]
    return markdown(head, rows)


def compared_table(verdict: Verdict, pairs: Sequence[tuple[str, str]]) -> str:
    """Return what arms gain on others, (later, earlier): a column a pair, at 0.5 and at each run's own threshold."""
    rows, tests = [], []
    parts = {"at 0.5": verdict["paired"], "at its own threshold": verdict["at_operating_points"]["paired"]}
    for where, part in parts.items():
        for metric in COMPARED:
            row = [part[name] for name in (f"{a}_vs_{b}_{metric}" for a, b in pairs) if name in part]
            if row:
                rows.append([title(metric) if metric in UNCUT else f"{title(metric)} {where}", *map(_gain, row)])
            tests += row
    counts = " and ".join(dict.fromkeys(str(test["n_tests"]) for test in tests))
    numbers = " or ".join(dict.fromkeys(str(test["n_pairs"]) for test in tests))
    how = (
        f"Mean difference over runs [99 % interval, Student's t, n = {numbers} pairs of runs]; p of paired two-tailed "
        f"t-tests by run, corrected for {counts} tests (Holm), significant below {SIGNIFICANT_P}."
    )
    table = markdown(["score", *(f"{later} - {earlier}" for later, earlier in pairs)], rows)
    return f"{table}\n\n{how}"


def _gain(test: Mapping[str, Any]) -> str:
    p_value = p_or_none(test["p_holm"])
    return f"{test['mean_difference']:+.3f} {signed_interval(test['ci99_difference'])}, p = {p_value}"


def _both(scores: Mapping[str, object]) -> str:
    return " / ".join(mean_cell(scores[metric], ".3f") for metric in SHOWN)
