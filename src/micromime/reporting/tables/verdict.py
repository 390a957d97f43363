"""The verdict in words and Markdown tables; not a number is computed here."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from micromime.judging.metrics import LOWER_IS_BETTER
from micromime.judging.verdict import Verdict
from micromime.reporting.tables.astm import astm_table
from micromime.reporting.tables.gains import gain_tables
from micromime.reporting.tables.paired import paired_table
from micromime.reporting.words import (
    SIGNIFICANT_P,
    TITLES,
    cell,
    interval_text,
    made_lines,
    markdown,
    mean_cell,
    p_text,
    title,
)

TABLE_2 = {"pixel_error": "error", "mean_iou": "IoU", "boundary_f1": "boundary F1"}
"""The same in the layout of the paper's Table 2: its words and its order, and then ours."""

SIZES = {
    "grains": ("grains found (found / true)", ".1f", "grains_ratio", ".2f"),
    "diameter_px": ("mean equivalent diameter, px (found / true)", ".1f", "diameter_ratio", ".2f"),
    "intercept_px": ("mean linear intercept, px (pictures without one)", ".1f", "no_intercept", ".3g"),
    "astm_difference": ("ASTM number, found - true (absolute)", "+.2f", "astm_absolute_difference", ".2f"),
}
"""The tables of grain sizes: what stands in a cell, title and form; what follows in brackets, and its form."""

DRAWS = (
    "All runs of an arm train on the same images: a difference between two rounds is also one between two draws of "
    "images."
)


def headline(test_set: Mapping[str, Any]) -> str:
    """Return the sentence that says what was tested on: first line of every table, title of every panel."""
    kind = "real pictures" if test_set["kind"] == "real" else "surrogate, not real"
    reason = f" ({test_set['reason']})" if test_set["reason"] else ""
    return f"Test set: {kind}{reason}; {test_set['name']}, n = {test_set['n']}"


def verdict_table(verdict: Verdict) -> str:
    """Return the verdict in Markdown: the arms, the scores by source beside the baselines, tests and grain sizes."""
    blocks = [
        f"**{headline(verdict['test_set'])}**",
        arms_table(verdict),
        "Means over pictures; for arms mean ± sd over runs. The best of each row is bold." + _views(verdict),
        *(_scores_table(verdict, metric) for metric in _metrics(verdict, TITLES)),
        paired_table(verdict["paired"]),
        *([DRAWS] if "at_operating_points" in verdict else []),
        *gain_tables(verdict),
        *(_size_tables(verdict["grain_size"]) if "grain_size" in verdict else ()),
        *(astm_table(verdict["astm_by_picture"], verdict["true_sizes"]) if "astm_by_picture" in verdict else ()),
        *([made_lines(verdict["made"])] if "made" in verdict else []),
    ]
    return "\n\n".join(blocks) + "\n"


def _views(verdict: Verdict) -> str:
    """Return in how many views networks were asked, where the verdict says it."""
    if "views" not in verdict:
        return ""
    how = "in one view" if verdict["views"] == 1 else f"in {verdict['views']} views, of which the mean counts"
    return f" Networks were asked about each picture {how}."


def arms_table(verdict: Verdict) -> str:
    """Return the arms over all pictures as in the paper's Table 2, and a sentence for every test between two arms."""
    metrics = [name for name in _metrics(verdict, TABLE_2) if name in TABLE_2]
    head = ["arm", f"all {verdict['test_set']['n']} pictures", *(TABLE_2.get(each, title(each)) for each in metrics)]
    rows = [row for arm, part in verdict["arms"].items() for row in _arm_rows(arm, part, metrics)]
    tests = [test for test in verdict["paired"].values() if test["paired_by"] == "run" and test["metric"] in metrics]
    findings = "\n".join(f"- {finding(test)}" for test in tests)
    caption = "The arms as in the paper's Table 2: error is the pixel error, IoU the mean IoU."
    return "\n\n".join([caption, markdown(head, rows), *filter(None, [findings])])


def _metrics(verdict: Verdict, order: Mapping[str, str]) -> list[str]:
    """Return the verdict's metrics, those first that have a place in the order."""
    metrics = [name for name in next(iter(verdict["arms"].values())) if name != "n_runs"]
    return [name for name in order if name in metrics] + [name for name in metrics if name not in order]


def _arm_rows(arm: str, part: Verdict, metrics: Sequence[str]) -> Iterator[list[str]]:
    runs = part["n_runs"]
    yield [f"{arm}, runs: {runs}", "mean ± sd", *(cell(part[metric]) for metric in metrics)]
    for key, method in (
        ("ci99_student", f"99 % Student t, n = {runs} (runs)"),
        ("ci99_agresti_coull_paper", f"99 % Agresti-Coull as in the paper, n = {runs**2} (runs squared)"),
    ):
        yield ["", method, *(interval_text(part[metric][key]) for metric in metrics)]


def finding(test: Mapping[str, Any]) -> str:
    """Return what a paired test between two arms has found, and no more than that."""
    a, b, metric, n = test["a"], test["b"], test["metric"], test["n_pairs"]
    name = TABLE_2.get(metric, title(metric))
    difference = f"{a} - {b} = {test['mean_difference']:+.3f}"
    if test["p_value"] is None:
        why = "1 pair of runs" if n == 1 else f"all {n} pairs of runs differ by the same"
        return f"{name}: {difference}, no test ({why})."
    p_value = test.get("p_holm") or test["p_value"]
    many = f", corrected for {test['n_tests']} tests" if "p_holm" in test else ""
    numbers = f"p = {p_text(p_value)}{many}, n = {n} pairs, d_z = {test['effect_size']:+.2f}"
    how = f"paired two-tailed t-test by run, {numbers}"
    if p_value >= SIGNIFICANT_P:
        return f"{name}: {difference}, not significant at {SIGNIFICANT_P} ({how})."
    better = (test["mean_difference"] < 0) == (metric in LOWER_IS_BETTER)
    return f"{name}: {a} is {'better' if better else 'worse'} than {b}, {difference} ({how})."


def _scores_table(verdict: Verdict, metric: str) -> str:
    columns = _columns(verdict)
    rows, lost = [], []
    for place, part in places(verdict, verdict["by_source"], verdict["test_set"]["n"]):
        scores = [part[kind][name][metric] for kind, name in columns]
        best = _best(scores, metric)
        rows.append([place, *(_bold(cell(score), i in best) for i, score in enumerate(scores))])
        if all(columns[i][0] == "baselines" for i in best):
            lost.append(place)
    better = "less" if metric in LOWER_IS_BETTER else "more"
    runs = {arm: f", runs: {part['n_runs']}" for arm, part in verdict["arms"].items()}
    head = [f"{title(metric)} ({better} is better)", *(name + runs.get(name, "") for _, name in columns)]
    said = f"A baseline beats every arm in: {', '.join(lost)}." if lost else "No baseline beats every arm in any row."
    return f"{markdown(head, rows)}\n\n{said}"


def _size_tables(compared: Verdict) -> Iterator[str]:
    """Yield what is to be known about grain sizes, and a table for each entry of SIZES."""
    yield (
        "Grain sizes after ASTM E112: means over pictures, for arms mean ± sd over runs. A watershed on the "
        "probability closes the grains found; those of a true mask are grown until they meet. `found / true` is the "
        "mean of the pictures' ratios. A difference of 1 in the ASTM number is one class; above 0, the grains found "
        "are finer."
    )
    columns = _columns(compared["all"])
    for what, (words, form, beside, beside_form) in SIZES.items():
        rows = []
        for place, part in places(compared["all"], compared["by_source"], compared["all"]["n"]):
            found = [part[kind][name] for kind, name in columns]
            cells = [f"{cell(each[what], form)} ({mean_cell(each[beside], beside_form)})" for each in found]
            rows.append([place, _true_size(part["truth"], what, form), *cells])
        yield markdown([words, "truth", *(name for _, name in columns)], rows)


def _true_size(truth: Verdict, what: str, form: str) -> str:
    if what != "astm_difference":
        return cell(truth[what], form)
    return f"{truth['astm_number']:.2f} (n = {truth['n_astm']})" if truth["n_astm"] else "no scale"


def _columns(part: Verdict) -> list[tuple[str, str]]:
    return [(kind, name) for kind in ("baselines", "arms") for name in part[kind]]


def places(whole: Verdict, by_source: Verdict, n: int) -> list[tuple[str, Verdict]]:
    """Return the rows of a table by source, each with its number of pictures."""
    return [*((f"{source} ({part['n']})", part) for source, part in by_source.items()), (f"ALL ({n})", whole)]


def _best(scores: Sequence[Any], metric: str) -> set[int]:
    """Return the positions of the best scores; those that print alike share the place."""
    printed = [cell(score).split()[0] for score in scores]
    best = min(printed, key=float) if metric in LOWER_IS_BETTER else max(printed, key=float)
    return {i for i, value in enumerate(printed) if value == best}


def _bold(text: str, bold: bool) -> str:
    return f"**{text}**" if bold else text
