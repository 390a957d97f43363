"""The ablation in Markdown; not a number is computed here."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from experiments.ablation.verdict import COMPARED, DECIDING, EVERYWHERE, OF_UNITS, SETTINGS, Verdict, idle, paying
from micromime.judging.metrics import LOWER_IS_BETTER, SCORED
from micromime.reporting.words import SIGNIFICANT_P, cell, headline, made_lines, markdown, p_or_none, title

NOTHING = "No runs were asked for (`ablation.runs` is 0): nothing is shown, and nothing is claimed."

KINDS = {"leave_one_out": "lost when left out", "add_one_in": "gained when added alone", SETTINGS: "tried"}
"""Kinds of gains, as tables call them."""

HEAD = """\
What a unit of the scenario earns; params.yaml says what is in it. Lost when left out: the whole scenario - the scenario
without it. Gained when added alone: what is left of the scenario without any unit, and this one, - what is left without
any. Above 0, either way, the unit is worth having. What the scenario does not draw is in no unit's gain. A setting of
training: tried - as usual."""


def ablation_tables(said: Verdict) -> str:
    """Return the gains of all units and settings, over all pictures and by source."""
    if not said:
        return f"# Ablation\n\n{NOTHING}\n"
    return f"# Ablation\n\n**{headline(said['test_set'])}**\n\n{gains_and_scores(said)}"


def gains_and_scores(said: Verdict) -> str:
    """Return the same without a title, for a page that has its own; headings are of the second level."""
    return "\n\n".join([HEAD, *_parts(said)]) + "\n"


def summary_of_ablation(said: Verdict) -> str:
    """Return mean gains over all pictures in short: a table of units, one of settings, and what both rules say."""
    gains, n = said["gains"], said["runs"]
    metrics = " / ".join(map(title, COMPARED))
    units = dict.fromkeys(name for kind in OF_UNITS for name in gains[kind])
    rows = [[_words(name), *(_in_short(gains[kind].get(name), COMPARED) for kind in OF_UNITS)] for name in units]
    tried = [
        [_words(name), *(_in_short(by, [metric]) for metric in DECIDING)]
        for name, by in gains.get(SETTINGS, {}).items()
    ]
    how = (
        f"Gains in {metrics}: mean differences over runs (n = {n}), bold where p < {SIGNIFICANT_P} (paired "
        "two-tailed t-tests, Holm over the lines of a column)."
    )
    leaving, staying = (", ".join(map(_words, each(said))) or "none" for each in (idle, paying))
    return "\n\n".join(
        [
            markdown(["unit", *(KINDS[kind] for kind in OF_UNITS)], rows),
            markdown(["setting, minus as usual", *map(title, DECIDING)], tried),
            how,
            f"No mean speaks for: {leaving}. No mean speaks against: {staying}.",
        ]
    )


def _in_short(by: Mapping[str, Any] | None, metrics: Sequence[str]) -> str:
    if by is None:
        return "none"
    return " / ".join(_mean_gain(by[EVERYWHERE][metric]) for metric in metrics)


def _mean_gain(test: Mapping[str, Any]) -> str:
    text = f"{test['mean_difference']:+.3f}"
    return f"**{text}**" if test["p_holm"] is not None and test["p_holm"] < SIGNIFICANT_P else text


def method(said: Verdict) -> str:
    """Return the sentence that says how gains were computed."""
    n = said["runs"]
    return (
        "Mean differences over runs, paired by number (the same seeds of images and training), of means over pictures, "
        f"[95 % interval, Student's t, n = {n} (runs)]; p: paired two-tailed t-tests, corrected after Holm over the "
        f"lines of a column; bold where that is below {SIGNIFICANT_P}. Intervals are not corrected: where nothing is "
        "earned, one in twenty leaves 0 out by chance. Each run is judged at the threshold, of those tried, of highest "
        "mean IoU on the synthetic scoring set."
    )


def _verdict(said: Verdict) -> str:
    """Return the rule and what it says."""
    found = ", ".join(map(_words, idle(said))) or "none"
    return (
        "What earns nothing leaves the default: a unit of which no mean gain of the table, left out or added alone, is "
        f"above 0. By this rule: **{found}**. The pictures that decide are those of the test set, so that scores of a "
        "scenario from which something has left are no longer independent of them."
    )


def _settings_verdict(said: Verdict) -> str:
    """Return the rule for settings and what it says."""
    found = ", ".join(map(_words, paying(said))) or "none"
    metrics = ", ".join(map(title, DECIDING))
    return (
        f"What pays becomes the default: a setting that no mean gain in {metrics} speaks against. By this rule: "
        f"**{found}**."
    )


def _parts(said: Verdict) -> Iterator[str]:
    """Yield the blocks of text and tables, one after the other."""
    gains, pictures = said["gains"], f"over {said['test_set']['n']} pictures"
    if units := [kind for kind in OF_UNITS if kind in gains]:
        yield f"## Gains by unit, {pictures}"
        yield _overall(gains, units)
        yield _verdict(said)
    if SETTINGS in gains:
        yield f"## Gains by setting, {pictures}"
        yield _settings(gains[SETTINGS], said["variants"])
        yield _settings_verdict(said)
    if gains:
        yield method(said)
    for metric in COMPARED if gains else ():
        yield f"## Gains in {title(metric)} by source"
        yield from (_by_source(said, kind, metric) for kind in gains)
    yield f"## Scores of the variants, {pictures}"
    rows = [[_words(name), *(cell(scores[each]) for each in SCORED)] for name, scores in said["variants"].items()]
    yield markdown(["variant", *map(title, SCORED)], rows)
    yield f"Means {pictures}, ± sd over runs (n = {said['runs']})."
    if "made" in said:
        yield made_lines(said["made"])


def _overall(gains: Mapping[str, Any], kinds: Sequence[str]) -> str:
    """Return the gains of units over all pictures: a line for each."""
    names = list(dict.fromkeys(name for kind in kinds for name in gains[kind]))
    columns = [(kind, metric) for kind in kinds for metric in COMPARED]
    head = ["unit", *(word for kind, metric in columns for word in (f"{KINDS[kind]}: {title(metric)}", "p"))]
    rows = []
    for name in names:
        tests = [gains[kind].get(name, {}).get(EVERYWHERE, {}).get(metric) for kind, metric in columns]
        rows.append([_words(name), *(word for test in tests for word in (_gain(test), _p(test)))])
    return markdown(head, rows)


def _settings(gains: Mapping[str, Any], variants: Mapping[str, Any]) -> str:
    """Return what each setting changes over all pictures: a line for each metric."""
    rows = []
    for name, by in gains.items():
        for metric, test in by[EVERYWHERE].items():
            better = "less" if metric in LOWER_IS_BETTER else "more"
            scores = [cell(variants[variant][metric]) for variant in ("all", f"with_{name}")]
            rows.append([_words(name), f"{title(metric)} ({better} is better)", *scores, _gain(test), _p(test)])
    return markdown(["setting", "metric", "as usual", "tried", "tried - as usual", "p"], rows)


def _by_source(said: Verdict, kind: str, metric: str) -> str:
    """Return the gains of one kind at every source."""
    places = {place: n for place, n in said["places"].items() if place != EVERYWHERE}
    head = [KINDS[kind], *(f"{place} ({n})" for place, n in places.items())]
    rows = [[_words(name), *(_gain(by[place][metric]) for place in places)] for name, by in said["gains"][kind].items()]
    return markdown(head, rows)


def _gain(test: Mapping[str, Any] | None) -> str:
    if test is None:
        return "none"
    if test["lo"] is None:
        return f"{test['mean_difference']:+.3f} (1 run)"
    text = f"{test['mean_difference']:+.3f} [{test['lo']:+.3f}, {test['hi']:+.3f}]"
    return f"**{text}**" if test["p_holm"] is not None and test["p_holm"] < SIGNIFICANT_P else text


def _p(test: Mapping[str, Any] | None) -> str:
    return p_or_none(test["p_holm"] if test else None)


def _words(name: str) -> str:
    return name.replace("_", " ")
