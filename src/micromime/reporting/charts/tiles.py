"""Charts of the verdict on classifiers of tiles, as SVG text: error rates, and how they fall with more real tiles."""

from typing import Any

import numpy as np
from matplotlib import style
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, NullLocator

from micromime.judging.tiles import LINE_FILTER, METRIC
from micromime.judging.verdict import Verdict
from micromime.reporting.charts.base import (
    BLUE,
    FAINT_INK,
    GREEN,
    ORANGE,
    PURPLE,
    STYLE,
    WIDTH_IN,
    panels_of_scores,
    svg,
)
from micromime.reporting.tables.tiles import MODELS, ON, in_order

COLOURS = (BLUE, ORANGE, GREEN, PURPLE)
"""Of the models, in the order of the tables."""

STEP_ASIDE = 0.04
"""By how many doublings of the number of tiles the models stand beside one another, so that no interval hides."""


def error_chart(said: Verdict) -> str:
    """Return a line of panels for each subset, most tiles first: error rates on test data, and on all data.

    The line filter's is a diamond; a model's mean is a dot with its 99 % interval over runs (Student's, cut at 0 and
    1; missing for one run).
    """
    parts = by_tiles(said)[::-1]
    names = ["line filter", *(MODELS.get(name, name) for name in in_order(parts[0]["test"]["arms"]))]
    panels = {
        f"{title.partition(' (')[0]}; {part['tiles']} training tiles": [
            part[on]["baselines"][LINE_FILTER][METRIC],
            *(arm[METRIC] for arm in in_order(part[on]["arms"]).values()),
        ]
        for part in parts
        for on, title in ON.items()
    }
    alt = f"Error rates of {', '.join(names)}, by number of training tiles."
    return panels_of_scores(names, panels, (len(parts), len(ON)), alt)


def learning_chart(said: Verdict) -> str:
    """Return the error on test data against the number of real training tiles: a line a model, the line filter dashed.

    Bars are 99 % intervals of the mean over runs (Student's, cut at 0 and 1; missing for one run).
    """
    parts = by_tiles(said)
    counts = np.array([part["tiles"] for part in parts], dtype=np.float64)
    with style.context(["default", STYLE]):
        figure = Figure(figsize=(WIDTH_IN, 4.2), layout="constrained")
        axes = figure.subplots()
        names = list(in_order(parts[0]["test"]["arms"]))
        for n, name in enumerate(names):
            aside = 2 ** (STEP_ASIDE * (n - (len(names) - 1) / 2))
            scores = [part["test"]["arms"][name][METRIC] for part in parts]
            _line(axes, counts * aside, scores, MODELS.get(name, name), COLOURS[n % len(COLOURS)])
        filtered = [part["test"]["baselines"][LINE_FILTER][METRIC] for part in parts]
        dashes = (0, (5, 3))
        axes.plot(counts, filtered, "D", linestyle=dashes, color=FAINT_INK, fillstyle="none", label="line filter")
        _counted(axes, counts)
        axes.set_ylabel("error rate on test data")
        axes.set_ylim(bottom=0)
        figure.legend(loc="outside right upper")
        alt = f"Error rate on test data against the number of real training tiles, for {', '.join(names)}."
        return svg(figure, "learning", alt)


def by_tiles(said: Verdict) -> list[Verdict]:
    """Return what is said of each subset, the fewest training tiles first."""
    return sorted(said["subsets"].values(), key=lambda part: int(part["tiles"]))


def _line(axes: Axes, places: Any, scores: list[Verdict], name: str, colour: str) -> None:
    for place, score in zip(places, scores, strict=True):
        if interval := score["ci99_student"]:
            axes.plot([place] * 2, [max(interval["lo"], 0), min(interval["hi"], 1)], color=colour, linewidth=1.6)
    axes.plot(places, [score["mean"] for score in scores], "o-", color=colour, linewidth=1.4, markersize=6, label=name)


def _counted(axes: Axes, counts: Any) -> None:
    """Make the axis one of doublings, with a mark at each number of tiles that there is."""
    axes.set_xscale("log", base=2)
    axes.xaxis.set_major_locator(FixedLocator(counts.tolist()))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set_xticks(counts.tolist(), [f"{count:.0f}" for count in counts])
    axes.set_xlim(counts.min() / 1.25, counts.max() * 1.25)
    axes.set_xlabel("real training tiles")
