"""The ablation as tables, in Markdown, and as a figure, SVG; not a number is computed here."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from experiments.ablation.verdict import COMPARED, DECIDING, EVERYWHERE, OF_UNITS, SETTINGS, idle, paying
from experiments.gains import Verdict, gain_text, significant
from micromime.judging.metrics import LOWER_IS_BETTER, SCORED
from micromime.reporting.charts.base import BLUE, INK, ORANGE, PURPLE, chart, in_lines, svg
from micromime.reporting.words import SIGNIFICANT_P, cell, headline, in_markdown, made_lines, markdown, p_or_none, title

KINDS = {"leave_one_out": "lost when left out", "add_one_in": "gained when added alone", SETTINGS: "tried"}
"""Kinds of gains, as tables call them."""

HEAD = """\
What a unit of the scenario earns; params.yaml says what is in it. Lost when left out: the whole scenario - the scenario
without it. Gained when added alone: what is left of the scenario without any unit, and this one, - what is left without
any. Above 0, either way, the unit is worth having. What the scenario does not draw is in no unit's gain. A setting of
training: tried - as usual."""

LOOKS: dict[str, dict[str, Any]] = {
    "leave_one_out": {"color": BLUE, "marker": "o", "label": "unit left out: whole scenario - without it"},
    "add_one_in": {"color": ORANGE, "marker": "D", "label": "unit added alone: with it - none"},
    "settings": {"color": PURPLE, "marker": "s", "label": "setting tried: with it - as usual"},
}
OFFSET = {"leave_one_out": -0.17, "add_one_in": 0.17, "settings": 0.0}
"""By how much a line's mark lies below its middle: two of one unit stand below one another."""

ROOM, LEAST = 1.6, 0.005
"""The axes reach so many times as far as the largest gain, but at least this one: intervals beyond are cut."""


def ablation_tables(said: Verdict) -> str:
    """Return the gains of all units and settings, over all pictures and by source, and the scores of all variants."""
    return "\n\n".join(["# Ablation", f"**{headline(said['test_set'])}**", HEAD, *_parts(said)]) + "\n"


def summary_of_ablation(said: Verdict) -> str:
    """Return mean gains over all pictures in short: a table of units, one of settings, and what both rules say."""
    gains = said["gains"]
    units = dict.fromkeys(name for kind in OF_UNITS for name in gains[kind])
    rows = [[_words(name), *(_in_short(gains[kind].get(name), COMPARED) for kind in OF_UNITS)] for name in units]
    tried = [[_words(name), *(_in_short(by, [each]) for each in DECIDING)] for name, by in gains[SETTINGS].items()]
    how = (
        f"Gains in {' / '.join(map(title, COMPARED))}: mean differences over runs (n = {said['runs']}), bold where p < "
        f"{SIGNIFICANT_P} (paired two-tailed t-tests, Holm over the lines of a column)."
    )
    return "\n\n".join(
        [
            markdown(["unit", *(KINDS[kind] for kind in OF_UNITS)], rows),
            markdown(["setting, minus as usual", *map(title, DECIDING)], tried),
            how,
            f"No mean speaks for: {_names(idle(said))}. No mean speaks against: {_names(paying(said))}.",
        ]
    )


def _in_short(by: Mapping[str, Any] | None, metrics: Sequence[str]) -> str:
    if by is None:
        return "none"
    tests = [by[EVERYWHERE][metric] for metric in metrics]
    return " / ".join(_bold(f"{test['mean_difference']:+.3f}", test) for test in tests)


def _parts(said: Verdict) -> Iterator[str]:
    """Yield the blocks of text and tables, one after the other."""
    gains, runs, pictures = said["gains"], said["runs"], f"over {said['test_set']['n']} pictures"
    if units := [kind for kind in OF_UNITS if kind in gains]:
        yield f"## Gains by unit, {pictures}"
        yield _overall(gains, units)
        yield (
            "What earns nothing leaves the default: a unit of which no mean gain of the table, left out or added "
            f"alone, is above 0. By this rule: **{_names(idle(said))}**. The pictures that decide are those of the "
            "test set, so that scores of a scenario from which something has left are no longer independent of them."
        )
    if SETTINGS in gains:
        yield f"## Gains by setting, {pictures}"
        yield _settings(gains[SETTINGS], said["variants"])
        yield (
            f"What pays becomes the default: a setting that no mean gain in {', '.join(map(title, DECIDING))} speaks "
            f"against. By this rule: **{_names(paying(said))}**."
        )
    yield (
        "Mean differences over runs, paired by number (the same seeds of images and training), of means over pictures, "
        f"[95 % interval, Student's t, n = {runs} (runs)]; p: paired two-tailed t-tests, corrected after Holm over the "
        f"lines of a column; bold where that is below {SIGNIFICANT_P}. Intervals are not corrected: where nothing is "
        "earned, one in twenty leaves 0 out by chance. Each run is judged at the threshold, of those tried, of highest "
        "mean IoU on the synthetic scoring set."
    )
    for metric in COMPARED:
        yield f"## Gains in {title(metric)} by source"
        yield from (_by_source(said, kind, metric) for kind in gains)
    yield f"## Scores of the variants, {pictures}"
    rows = [[_words(name), *(cell(scores[each]) for each in SCORED)] for name, scores in said["variants"].items()]
    yield markdown(["variant", *map(title, SCORED)], rows)
    yield f"Means {pictures}, ± sd over runs (n = {runs})."
    yield made_lines(said["made"])


def _overall(gains: Mapping[str, Any], kinds: Sequence[str]) -> str:
    """Return the gains of units over all pictures: a line for each."""
    columns = [(kind, metric) for kind in kinds for metric in COMPARED]
    head = ["unit", *(word for kind, metric in columns for word in (f"{KINDS[kind]}: {title(metric)}", "p"))]
    rows = []
    for name in dict.fromkeys(name for kind in kinds for name in gains[kind]):
        tests = [gains[kind].get(name, {}).get(EVERYWHERE, {}).get(metric) for kind, metric in columns]
        rows.append([_words(name), *(word for test in tests for word in _gain_and_p(test))])
    return markdown(head, rows)


def _settings(gains: Mapping[str, Any], variants: Mapping[str, Any]) -> str:
    """Return what each setting changes over all pictures: a line for each metric."""
    rows = []
    for name, by in gains.items():
        for metric, test in by[EVERYWHERE].items():
            better = "less" if metric in LOWER_IS_BETTER else "more"
            scores = [cell(variants[variant][metric]) for variant in ("all", f"with_{name}")]
            rows.append([_words(name), f"{title(metric)} ({better} is better)", *scores, *_gain_and_p(test)])
    return markdown(["setting", "metric", "as usual", "tried", "tried - as usual", "p"], rows)


def _by_source(said: Verdict, kind: str, metric: str) -> str:
    """Return the gains of one kind at every source."""
    places = {place: n for place, n in said["places"].items() if place != EVERYWHERE}
    head = [KINDS[kind], *(f"{in_markdown(place)} ({n})" for place, n in places.items())]
    gains = said["gains"][kind].items()
    rows = [[_words(name), *(_gain_and_p(by[place][metric])[0] for place in places)] for name, by in gains]
    return markdown(head, rows)


def _gain_and_p(test: Verdict | None) -> tuple[str, str]:
    return (_bold(gain_text(test), test), p_or_none(test["p_holm"])) if test else ("none", "none")


def _bold(text: str, test: Verdict) -> str:
    return f"**{text}**" if significant(test, SIGNIFICANT_P) else text


def _names(names: Sequence[str]) -> str:
    return ", ".join(map(_words, names)) or "none"


def _words(name: str) -> str:
    return name.replace("_", " ")


def ablation_chart(said: Verdict) -> str:
    """Return a panel for each metric and place: every unit's and setting's gains, with 95 % intervals over runs.

    All panels of a metric have the same scale.
    """
    gains, places = said["gains"], said["places"]
    names = list(dict.fromkeys(name for of_kind in gains.values() for name in of_kind))
    height_in, panels = (1.0 + 0.26 * len(names)) * len(COMPARED), len(COMPARED) * len(places)
    with chart(height_in, panels, len(places), sharex="row", sharey=True) as (figure, every):
        for row, metric in zip(np.reshape(every, (len(COMPARED), -1)), COMPARED, strict=True):
            for axes, (place, n) in zip(row, places.items(), strict=True):
                _gains(axes, gains, (place, metric), names)
                axes.set_title("\n".join([*place.split("_", 1), f"({n})"]), fontsize=8)
            tests = [by[place][metric] for of_kind in gains.values() for by in of_kind.values() for place in places]
            limit = ROOM * max(LEAST, *(abs(test["mean_difference"]) for test in tests))
            row[0].set_xlim(-limit, limit)
            row[len(row) // 2].set_xlabel(f"gain in {title(metric)}")
            row[0].tick_params(axis="y", labelcolor=INK)
        in_lines(every[0], [*map(_words, names)])
        handles, labels = every[0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower center", ncols=3, fontsize=8)
        alt = f"Gains of {', '.join(names)}, in {len(places)} places, n = {said['runs']} runs."
        return svg(figure, "ablation", alt)


def _gains(axes: Axes, gains: Verdict, where: tuple[str, str], names: list[str]) -> None:
    place, metric = where
    axes.axvline(0, color=INK, linewidth=0.8)
    for kind, by_name in gains.items():
        tests = [(names.index(name) + OFFSET[kind], by[place][metric]) for name, by in by_name.items()]
        for line, test in tests:
            if test["lo"] is not None:
                axes.plot([test["lo"], test["hi"]], [line] * 2, color=LOOKS[kind]["color"], linewidth=1.2)
        lines, means = [line for line, _ in tests], [test["mean_difference"] for _, test in tests]
        axes.plot(means, lines, linestyle="none", markersize=3.5, **LOOKS[kind])
    axes.xaxis.set_major_locator(MaxNLocator(2, symmetric=True))
    axes.tick_params(labelsize=7.5)
