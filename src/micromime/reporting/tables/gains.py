"""What one arm gains over another: at each run's own threshold, and source by source."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from micromime.judging.verdict import Verdict
from micromime.reporting.tables.paired import paired_table
from micromime.reporting.words import cell, markdown, p_or_none, signed_interval, title


def gain_tables(verdict: Verdict) -> Iterator[str]:
    """Yield the tables that a verdict of compared arms has, with what is to be known about them; else nothing."""
    if "at_operating_points" not in verdict:
        return
    own = verdict["at_operating_points"]
    yield (
        f"The same with each run at a threshold of its own: of {_tried(own)}, that of highest mean IoU on the "
        "synthetic scoring set (no test picture has a say in it). So arms are compared at equal operating points."
    )
    yield _points_table(own)
    by_run = {name: test for name, test in own["paired"].items() if test["paired_by"] == "run"}
    if by_run:
        yield paired_table(by_run)
        yield "Corrected among themselves, apart from the tests at 0.5."
    pairs = sorted({test["n_pairs"] for test in by_run.values()})
    runs = f", n = {' or '.join(map(str, pairs))} pairs of runs" if pairs else ""
    yield (
        f"Gains by source: mean difference over runs, its 99 % interval (Student's t{runs}; not corrected), p of the "
        "paired two-tailed t-test, corrected after Holm over the sources and pairs of a column, and effect size d_z."
    )
    for where, part in (("at 0.5", verdict), ("at each run's own threshold", own)):
        yield _by_source_table(part, where)


def _tried(own: Mapping[str, Any]) -> str:
    """Return which thresholds there were to choose from, and how many runs have an outermost one."""
    tried, chosen = own["tried"], [each for of_arm in own["thresholds"].values() for each in of_arm]
    outermost = sum(each in (tried[0], tried[-1]) for each in chosen)
    return f"{tried[0]}, {tried[1]} to {tried[-1]} (outermost: {outermost} of {len(chosen)} runs)"


def _points_table(own: Mapping[str, Any]) -> str:
    """Return the arms' scores over all pictures, each run at its own threshold."""
    metrics = _metrics(own)
    rows = []
    for arm, part in own["arms"].items():
        thresholds = own["thresholds"][arm]
        rows.append([arm, f"{min(thresholds)} to {max(thresholds)}", *(cell(part[metric]) for metric in metrics)])
    return markdown(["arm", "thresholds", *map(title, metrics)], rows)


def _by_source_table(part: Mapping[str, Any], where: str) -> str:
    """Return by how much each later arm differs from the earlier one that it is compared with."""
    metrics, rows = _metrics(part), []
    for source, scores in part["by_source"].items():
        pairs = dict.fromkeys((test["a"], test["b"]) for test in scores["paired"].values())
        for a, b in pairs:
            tests = [scores["paired"].get(f"{a}_vs_{b}_{metric}") for metric in metrics]
            rows.append([f"{source} ({scores['n']})", f"{a} - {b}", *map(_gain, tests)])
    return markdown([f"source ({where})", "a - b", *map(title, metrics)], rows)


def _metrics(part: Mapping[str, Any]) -> Sequence[str]:
    return [name for name in next(iter(part["arms"].values())) if name != "n_runs"]


def _gain(test: Mapping[str, Any] | None) -> str:
    if test is None:
        return "none"
    found = f"{test['mean_difference']:+.3f} {signed_interval(test['ci99_difference'])}"
    if test["p_holm"] is None:
        return f"{found}, no test"
    return f"{found}, p = {p_or_none(test['p_holm'])}, d_z = {test['effect_size']:+.2f}"
