"""The verdict on segmentation in words and Markdown tables; verdict.md.j2 has the words, in their order."""

from collections.abc import Iterable, Mapping
from typing import Any

from micromime.judging.grain_size import CONFIDENCE, E112_SLOPE
from micromime.judging.metrics import LOWER_IS_BETTER
from micromime.judging.verdict import Verdict
from micromime.reporting.words import (
    SIGNIFICANT_P,
    TITLES,
    cell,
    ends_text,
    in_markdown,
    p_text,
    rendered,
    signed_interval,
    title,
)

TABLE_2 = {"pixel_error": "error", "mean_iou": "IoU", "boundary_f1": "boundary F1"}
"""The layout of the paper's Table 2: its words and its order, and then ours."""

AGREED = 0.5
"""Half an ASTM class: what two laboratories may differ by on one specimen."""


def verdict_table(verdict: Verdict) -> str:
    """Return the verdict in Markdown: the arms, the scores by source beside the baselines, tests and grain sizes."""
    verdict = in_markdown(verdict)
    metrics = _metrics(verdict)
    in_order = dict.fromkeys([*(name for name in TITLES if name in metrics), *metrics])
    return rendered(
        "verdict.md.j2",
        verdict=verdict,
        table_2={name: words for name, words in TABLE_2.items() if name in metrics},
        scores={name: _scores(verdict, name) for name in in_order},
        named=with_runs(verdict, scores_of(verdict)),
        lower_is_better=LOWER_IS_BETTER,
        agreed=AGREED,
        percent=f"{100 * CONFIDENCE:.0f}",
        one_class=10 ** (-1 / E112_SLOPE),
        metrics_of=_metrics,
        values=lambda part, names: [part[name] for name in names],
        pairs_in=lambda tests: dict.fromkeys((test["a"], test["b"]) for test in tests.values()),
        scores_of=scores_of,
        finding=finding,
        difference=difference_text,
        found_astm=_found_astm,
    )


def _metrics(part: Mapping[str, Any]) -> list[str]:
    """Return the metrics of a verdict or a part of it."""
    return [name for name in next(iter(part["arms"].values())) if name != "n_runs"]


def _scores(verdict: Verdict, metric: str) -> tuple[list[list[str]], list[str]]:
    """Return the rows of a metric by source, the best of each in bold, and where a baseline beats every arm."""
    rows, lost = [], []
    for place, part in places(verdict):
        cells = {name: cell(score[metric]) for name, score in scores_of(part).items()}
        printed = {name: float(text.split()[0]) for name, text in cells.items()}  # those that print alike share a place
        best = (min if metric in LOWER_IS_BETTER else max)(printed.values())
        rows.append([place, *(f"**{text}**" if printed[name] == best else text for name, text in cells.items())])
        if all(printed[arm] != best for arm in verdict["arms"]):
            lost.append(place)
    return rows, lost


def finding(test: Mapping[str, Any]) -> str:
    """Return what a paired test between two arms has found, and no more than that."""
    a, b, metric, n = test["a"], test["b"], test["metric"], test["n_pairs"]
    said = f"{a} - {b} = {test['mean_difference']:+.3f}"
    name = TABLE_2.get(metric, title(metric))
    if test["p_value"] is None:
        why = "1 pair of runs" if n == 1 else f"all {n} pairs of runs differ by the same"
        return f"{name}: {said}, no test ({why})."
    p_value = test.get("p_holm") or test["p_value"]
    many = f", corrected for {test['n_tests']} tests" if "p_holm" in test else ""
    numbers = f"p = {p_text(p_value)}{many}, n = {n} pairs, d_z = {test['effect_size']:+.2f}"
    if p_value >= SIGNIFICANT_P:
        said += f", not significant at {SIGNIFICANT_P}"
    else:
        better = (test["mean_difference"] < 0) == (metric in LOWER_IS_BETTER)
        said = f"{a} is {'better' if better else 'worse'} than {b}, {said}"
    return f"{name}: {said} (paired two-tailed t-test by run, {numbers})."


def difference_text(test: Mapping[str, Any]) -> str:
    """Return a mean difference and its interval."""
    return f"{test['mean_difference']:+.3f} {signed_interval(test['ci99_difference'])}"


def _found_astm(row: Mapping[str, Any]) -> str:
    """Return the difference, with its interval where all runs that count have one: of others it would be no mean."""
    if row["difference"] is None:
        return "none"
    known, intervals, runs = (row[key] for key in ("n_known", "n_intervals", "n_runs"))
    remarks = [f"{known} of {runs} runs"] if known < runs else []
    text = f"{row['difference']:+.2f}"
    if intervals < known:
        remarks.append(f"interval: {intervals} of {runs}")
    else:
        text += f" {ends_text(row, '+.2f')}"
    if remarks:
        return f"{text} ({', '.join(remarks)})"
    return f"**{text}**" if row["lo"] >= -AGREED and row["hi"] <= AGREED else text


def scores_of(part: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a verdict or a part of it has of every baseline, then of every arm, by name."""
    return {**part["baselines"], **part["arms"]}


def with_runs(verdict: Verdict, names: Iterable[str]) -> list[str]:
    """Return the heads of columns of baselines and arms, those of arms with their number of runs."""
    runs = {arm: f", runs: {part['n_runs']}" for arm, part in verdict["arms"].items()}
    return [name + runs.get(name, "") for name in names]


def places(verdict: Verdict) -> list[tuple[str, Verdict]]:
    """Return the rows of a table by source, each with its number of pictures, and what is said of it."""
    by_source = [(f"{source} ({part['n']})", part) for source, part in verdict["by_source"].items()]
    return [*by_source, (f"ALL ({verdict['test_set']['n']})", verdict)]
