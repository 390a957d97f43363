"""The verdict on segmentation in words and Markdown tables."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from micromime.judging.grain_size import CONFIDENCE, E112_SLOPE, astm_difference, astm_number_of, mean_intercept
from micromime.judging.metrics import LOWER_IS_BETTER
from micromime.judging.verdict import Verdict
from micromime.reporting.words import (
    SIGNIFICANT_P,
    TITLES,
    cell,
    ends_text,
    headline,
    interval_text,
    made_lines,
    markdown,
    mean_cell,
    p_or_none,
    p_text,
    signed_interval,
    title,
)
from micromime.scenario.arrays import Labels

TABLE_2 = {"pixel_error": "error", "mean_iou": "IoU", "boundary_f1": "boundary F1"}
"""The layout of the paper's Table 2: its words and its order, and then ours."""

INTERVALS = {
    "ci99_student": ("99 % Student t, n = {} (runs)", 1),
    "ci99_agresti_coull_paper": ("99 % Agresti-Coull as in the paper, n = {} (runs squared)", 2),
}
"""The intervals of a mean over runs: how a table writes one, and the power of the number of runs that is its n."""

SIZES = {
    "grains": ("grains found (found / true)", ".1f", "grains_ratio", ".2f"),
    "diameter_px": ("mean equivalent diameter, px (found / true)", ".1f", "diameter_ratio", ".2f"),
    "intercept_px": ("mean linear intercept, px (pictures without one)", ".1f", "no_intercept", ".3g"),
    "astm_difference": ("ASTM number, found - true (absolute)", "+.2f", "astm_absolute_difference", ".2f"),
}
"""The tables of grain sizes: what stands in a cell, title and form; what follows in brackets, and its form."""

AGREED = 0.5
"""Half an ASTM class: what two laboratories may differ by on one specimen."""


def verdict_table(verdict: Verdict) -> str:
    """Return the verdict in Markdown: the arms, the scores by source beside the baselines, tests and grain sizes."""
    blocks = [
        f"**{headline(verdict['test_set'])}**",
        arms_table(verdict),
        "Means over pictures; for arms mean ± sd over runs. The best of each row is bold." + _views(verdict),
        *(_scores_table(verdict, metric) for metric in _metrics(verdict, TITLES)),
        paired_table(verdict["paired"]),
        *(gain_tables(verdict) if "at_operating_points" in verdict else ()),
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
    rows: list[list[str]] = []
    for arm, part in verdict["arms"].items():
        rows += with_intervals(f"{arm}, runs: {part['n_runs']}", part["n_runs"], [part[name] for name in metrics])
    head = ["arm", f"all {verdict['test_set']['n']} pictures", *map(TABLE_2.__getitem__, metrics)]
    tests = [test for test in verdict["paired"].values() if test["paired_by"] == "run" and test["metric"] in metrics]
    findings = "\n".join(f"- {finding(test)}" for test in tests)
    caption = "The arms as in the paper's Table 2: error is the pixel error, IoU the mean IoU."
    return "\n\n".join([caption, markdown(head, rows), *filter(None, [findings])])


def with_intervals(name: str, runs: int, scores: Sequence[Mapping[str, Any]]) -> Iterator[list[str]]:
    """Yield the rows of a table that have scores of so many runs: mean ± sd, then each of `INTERVALS`."""
    yield [name, "mean ± sd", *map(cell, scores)]
    for key, (method, power) in INTERVALS.items():
        yield ["", method.format(runs**power), *(interval_text(score[key]) for score in scores)]


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


def paired_table(paired: Mapping[str, Mapping[str, Any]]) -> str:
    """Return a line for each test: what it compares, n, the difference and its 99 % interval, p, effect size."""
    corrected = [f"p of {test['n_tests']} tests by run (Holm)" for test in paired.values() if "p_holm" in test][:1]
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
            *(p_or_none(test.get("p_holm")) for _ in corrected),
            mean_cell(test["effect_size"], "+.2f"),
        ]
        for test in paired.values()
    ]
    return markdown([*head, *corrected, "effect size d_z"], rows)


def _scores_table(verdict: Verdict, metric: str) -> str:
    """Return a metric by source, the best of each row in bold, and where a baseline is best."""
    names, rows, lost = list(scores_of(verdict)), [], []
    for place, part in places(verdict):
        cells = {name: cell(scores_of(part)[name][metric]) for name in names}
        printed = {name: float(text.split()[0]) for name, text in cells.items()}  # those that print alike share a place
        best = (min if metric in LOWER_IS_BETTER else max)(printed.values())
        rows.append([place, *(f"**{text}**" if printed[name] == best else text for name, text in cells.items())])
        if all(printed[arm] != best for arm in verdict["arms"]):
            lost.append(place)
    better = "less" if metric in LOWER_IS_BETTER else "more"
    head = [f"{title(metric)} ({better} is better)", *with_runs(verdict, names)]
    said = f"A baseline beats every arm in: {', '.join(lost)}." if lost else "No baseline beats every arm in any row."
    return f"{markdown(head, rows)}\n\n{said}"


def gain_tables(verdict: Verdict) -> Iterator[str]:
    """Yield what one arm gains over another: at each run's own threshold, and source by source."""
    own = verdict["at_operating_points"]
    yield (
        "All runs of an arm train on the same images: a difference between two rounds is also one between two draws of "
        "images."
    )
    yield (
        f"The same with each run at a threshold of its own: of {_tried(own)}, that of highest mean IoU on the "
        "synthetic scoring set (no test picture has a say in it). So arms are compared at equal operating points."
    )
    metrics, thresholds = _metrics(own), own["thresholds"]
    points = [
        [arm, f"{min(thresholds[arm])} to {max(thresholds[arm])}", *(cell(part[metric]) for metric in metrics)]
        for arm, part in own["arms"].items()
    ]
    yield markdown(["arm", "thresholds", *map(title, metrics)], points)
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
        yield _gains_by_source(part, where)


def _tried(own: Mapping[str, Any]) -> str:
    """Return which thresholds there were to choose from, and how many runs have an outermost one."""
    tried, chosen = own["tried"], [each for of_arm in own["thresholds"].values() for each in of_arm]
    outermost = sum(each in (tried[0], tried[-1]) for each in chosen)
    return f"{tried[0]}, {tried[1]} to {tried[-1]} (outermost: {outermost} of {len(chosen)} runs)"


def _gains_by_source(part: Mapping[str, Any], where: str) -> str:
    """Return by how much each later arm differs from the earlier one that it is compared with."""
    metrics, rows = _metrics(part), []
    for source, scores in part["by_source"].items():
        for a, b in dict.fromkeys((test["a"], test["b"]) for test in scores["paired"].values()):
            tests = [scores["paired"].get(f"{a}_vs_{b}_{metric}") for metric in metrics]
            rows.append([f"{source} ({scores['n']})", f"{a} - {b}", *map(_gain, tests)])
    return markdown([f"source ({where})", "a - b", *map(title, metrics)], rows)


def _gain(test: Mapping[str, Any] | None) -> str:
    if test is None:
        return "none"
    if test["p_holm"] is None:
        return f"{difference_text(test)}, no test"
    return f"{difference_text(test)}, p = {p_text(test['p_holm'])}, d_z = {test['effect_size']:+.2f}"


def difference_text(test: Mapping[str, Any]) -> str:
    """Return a mean difference and its interval."""
    return f"{test['mean_difference']:+.3f} {signed_interval(test['ci99_difference'])}"


def _size_tables(compared: Verdict) -> Iterator[str]:
    """Yield what is to be known about grain sizes, and a table for each entry of SIZES."""
    yield (
        "Grain sizes after ASTM E112: means over pictures, for arms mean ± sd over runs. A watershed on the "
        "probability closes the grains found; those of a true mask are grown until they meet. `found / true` is the "
        "mean of the pictures' ratios. A difference of 1 in the ASTM number is one class; above 0, the grains found "
        "are finer."
    )
    names = list(scores_of(compared["all"]))
    for what, (words, form, beside, beside_form) in SIZES.items():
        rows = []
        for place, part in (compared["by_source"] | {"ALL": compared["all"]}).items():
            found = [scores_of(part)[name] for name in names]
            cells = [f"{cell(each[what], form)} ({mean_cell(each[beside], beside_form)})" for each in found]
            rows.append([f"{place} ({part['n']})", _true_size(part["truth"], what, form), *cells])
        yield markdown([words, "truth", *names], rows)


def _true_size(truth: Verdict, what: str, form: str) -> str:
    if what != "astm_difference":
        return cell(truth[what], form)
    return f"{truth['astm_number']:.2f} (n = {truth['n_astm']})" if truth["n_astm"] else "no scale"


def astm_by_picture(answers: pd.DataFrame, truths: Mapping[str, Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return for each picture and arm the mean over runs of G(found) - G(true) and of its 95 % interval's ends.

    `answers` has a row for every arm, run and picture: picture, source, arm, run, intercept_px (NaN where nothing was
    crossed), astm_lo and astm_hi (NaN also where there is no interval; see `grain_sizes.astm_difference_of`); `truths`
    has the `true_size` of each picture. Numbers are None where no run has any: n_known says how many of n_runs have a
    difference, n_intervals how many an interval.
    """
    true_px = {name: (size["intercept"] or {"intercept_px": np.nan})["intercept_px"] for name, size in truths.items()}
    rows = answers.astype({"intercept_px": float, "astm_lo": float, "astm_hi": float})
    pairs = zip(rows["intercept_px"], rows["picture"].map(true_px), strict=True)
    rows = rows.assign(difference=[astm_difference(found, true) for found, true in pairs])
    parts = rows.groupby(["source", "picture", "arm"], sort=False)
    means = parts[["difference", "astm_lo", "astm_hi"]].mean().rename(columns={"astm_lo": "lo", "astm_hi": "hi"})
    means = means.assign(n_known=parts["difference"].count(), n_intervals=parts["astm_lo"].count(), n_runs=parts.size())
    found = means.reset_index().to_dict("records")
    return [{str(key): None if value != value else value for key, value in row.items()} for row in found]


def true_size(grains: Labels, um_per_px: float | None) -> dict[str, Any]:
    """Return the true grains' mean linear intercept (`intercept`) and ASTM number (`astm`), with 95 % intervals.

    See `grain_sizes.MeanIntercept` and `AstmNumber`; None where there are fewer than two grains, or no scale.
    """
    intercept = mean_intercept(grains)
    known = intercept is not None and um_per_px is not None
    return {"intercept": intercept, "astm": astm_number_of(intercept, um_per_px) if known else None}  # type: ignore[arg-type]


def astm_table(rows: Sequence[Mapping[str, Any]], truths: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    """Yield the table of `astm_by_picture` beside `true_size` of each picture, and what is to be known of it."""
    yield (
        f"ASTM number of the grains found - of the true ones, picture by picture: means over runs of the difference "
        f"and of the ends of its {100 * CONFIDENCE:.0f} % interval (E112's over test lines, for a ratio by the delta "
        f"method: how much the two disagree from line to line; the scale cancels out). Bold: both ends within {AGREED},"
        " and every run has an interval (there is none where the test lines miss what was found). One class is a "
        f"factor of {10 ** (-1 / E112_SLOPE):.2f} in the mean linear intercept. Truth: its ASTM number G, or where the "
        f"picture has no scale its mean linear intercept, with the {100 * CONFIDENCE:.0f} % interval over n test lines."
    )
    arms = list(dict.fromkeys(row["arm"] for row in rows))
    by_picture = {(row["picture"], row["arm"]): row for row in rows}
    cells = [
        [f"{picture} ({source})", _true_astm(truths[picture]), *(_found_astm(by_picture[picture, arm]) for arm in arms)]
        for source, picture in dict.fromkeys((row["source"], row["picture"]) for row in rows)
    ]
    yield markdown(["picture (source)", "truth", *arms], cells)


def _true_astm(size: Mapping[str, Any]) -> str:
    astm, intercept = size["astm"], size["intercept"]
    if intercept is None:
        return "none"
    if astm is not None:
        return f"G {astm['number']:.2f} {ends_text(astm, '.2f')}, n = {intercept['n_lines']}"
    ends = {"lo": intercept["lo_px"], "hi": intercept["hi_px"]}
    return f"{intercept['intercept_px']:.1f} px {ends_text(ends, '.1f')}, n = {intercept['n_lines']}"


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


def _metrics(part: Mapping[str, Any], order: Iterable[str] = ()) -> list[str]:
    """Return the metrics of a verdict or a part of it, those first that have a place in the order."""
    metrics = [name for name in next(iter(part["arms"].values())) if name != "n_runs"]
    return [*(name for name in order if name in metrics), *(name for name in metrics if name not in set(order))]


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
