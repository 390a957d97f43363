"""Charts of the page that explains scores, as SVG text: same numbers, same bytes."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib import style
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from micromime.reporting.charts.base import BLUE, FAINT_INK, INK, ORANGE, STYLE, VERMILION, WIDTH_IN, svg
from micromime.reporting.explanation.forest import Dependence, Forest
from micromime.reporting.explanation.rounds import LIKE, QUARTILES, REST, VARIED, Asked
from micromime.reporting.explanation.scores import BEFORE
from micromime.reporting.failures import SCORE

UNITS = {"px": "px", "grey": "grey levels", "deg": "°"}
"""How the last word of a parameter's name is written as a unit."""

ROW_IN = 0.25
"""Height of a line of a chart with a line a parameter."""

LOOKS = {
    REST: ("o", BLUE, 3.5, "the rest"),
    LIKE: ("s", ORANGE, 5.0, "like what was asked for, not varied"),
    VARIED: ("D", VERMILION, 5.5, "varied by the sampler"),
}
"""Mark, colour, size and title of each kind of sample; shapes differ too, for whom colours do not."""


def axis_label(parameter: str) -> str:
    """Return `thickness, px` for `grain_boundaries.thickness_px`; without a unit, the name alone."""
    name = parameter.rpartition(".")[2]
    base, _, unit = name.rpartition("_")
    return f"{base.replace('_', ' ')}, {UNITS[unit]}" if base and unit in UNITS else name.replace("_", " ")


def importance_chart(forest: Forest, order: Sequence[str]) -> str:
    """Return a line for each parameter: by how much R2 falls when it is shuffled; a small ring for each fifth."""
    with style.context(["default", STYLE]):
        figure = Figure(figsize=(WIDTH_IN, 0.6 + ROW_IN * len(order)), layout="constrained")
        axes = figure.subplots()
        for row, name in enumerate(order):
            axes.plot([0, forest.importance[name]], [row, row], color=BLUE, linewidth=2)
            folds = forest.by_fold.loc[name]
            axes.plot(folds, [row] * len(folds), "o", color=FAINT_INK, fillstyle="none", markersize=4, alpha=0.8)
            axes.plot(forest.importance[name], row, "o", color=BLUE, markersize=7)
        axes.axvline(0, color=FAINT_INK, linewidth=0.9)
        _lines(axes, order)
        axes.set_xlabel("importance: fall of R² on samples left out, when the parameter is shuffled")
        return svg(figure, "importance", f"Importance of {len(order)} parameters for the score.")


def dependence_chart(curves: Sequence[Dependence], scoring: pd.DataFrame, score: str) -> str:
    """Return a panel for each curve, all with one axis of scores: mean and band of the partial dependence.

    Marks below a curve are the tenths of the samples; words are dots with a bar each.
    """
    with style.context(["default", STYLE]):
        figure = Figure(figsize=(WIDTH_IN, 2.7), layout="constrained")
        every = figure.subplots(1, max(len(curves), 3), sharey=True, squeeze=False).ravel()
        for axes in every[len(curves) :]:
            axes.set_axis_off()
        for axes, curve in zip(every, curves, strict=False):
            _curve(axes, curve, scoring[curve.parameter])
        every[0].set_ylabel(f"{score} by the forest")
        names = ", ".join(each.parameter for each in curves)
        return svg(figure, "dependence", f"Partial dependence of the {score} on {names}.")


def asked_chart(shifted: pd.DataFrame) -> str:
    """Return a line for each parameter that is a number: where the asked values lie among those of the scoring set.

    Thick from the 25th to the 75th percentile of the asked values' places, thin from the 10th to the 90th, a dot at
    the median; grey on top what it would be without any shift.
    """
    known = shifted[shifted["place_50"].notna()]
    rows = [QUARTILES, *known[[f"place_{q}" for q in QUARTILES]].itertuples(index=False)]
    with style.context(["default", STYLE]):
        figure = Figure(figsize=(WIDTH_IN, 0.6 + ROW_IN * len(rows)), layout="constrained")
        axes = figure.subplots()
        for row, (p10, p25, p50, p75, p90) in enumerate(rows):
            colour = ORANGE if row else FAINT_INK
            axes.plot([p10, p90], [row, row], color=colour, linewidth=1.2)
            axes.plot([p25, p75], [row, row], color=colour, linewidth=5, solid_capstyle="butt")
            axes.plot(p50, row, "o", color=INK if row else FAINT_INK, markersize=5)
        axes.axvline(50, color=FAINT_INK, linewidth=0.9)
        axes.set_xlim(0, 100)
        axes.set_xticks(range(0, 101, 10))
        _lines(axes, ["(without any shift)", *known["parameter"]])
        axes.set_xlabel("place of the asked values among those of the scoring set, percentile")
        return svg(figure, "asked", f"Places of the asked values of {len(known)} parameters in the scoring set.")


def change_chart(scoring: pd.DataFrame, asked: Asked, score: str) -> str:
    """Return every scored sample: the change of its score against how far it is from what was asked for."""
    gained = scoring[SCORE] - scoring[BEFORE]
    with style.context(["default", STYLE]):
        figure = Figure(figsize=(WIDTH_IN, 3.4), layout="constrained")
        axes = figure.subplots()
        for name, (mark, colour, size, title) in LOOKS.items():
            chosen = asked.kinds == name
            label = f"{title} (n = {chosen.sum()})"
            if chosen.any():
                place, height = asked.distances[chosen], gained[chosen]
                axes.plot(place, height, mark, color=colour, markersize=size, alpha=0.8, label=label)
        axes.axhline(0, color=FAINT_INK, linewidth=0.9)
        axes.set_xlabel("distance from the nearest sample that was asked for, percentile points (root mean square)")
        axes.set_ylabel(f"change of {score}")
        figure.legend(loc="outside upper left", ncols=3)
        return svg(figure, "change", f"Change of the {score} of {len(scoring)} samples by their distance.")


def _lines(axes: Axes, names: Sequence[str]) -> None:
    axes.set_yticks(range(len(names)), names, color=INK)
    axes.set_ylim(len(names) - 0.4, -0.6)


def _curve(axes: Axes, curve: Dependence, values: "pd.Series[Any]") -> None:
    axes.set_title(curve.parameter, fontsize=8)
    axes.set_xlabel(axis_label(curve.parameter))
    if not pd.api.types.is_numeric_dtype(values):
        middle = range(len(curve.at))
        axes.vlines(middle, curve.low, curve.high, color=BLUE, linewidth=4, alpha=0.35)
        axes.plot(middle, curve.mean, "o", color=BLUE)
        axes.set_xticks(middle, [str(each) for each in curve.at])
        axes.set_xlim(-0.5, len(curve.at) - 0.5)
        return
    axes.fill_between(curve.at, curve.low, curve.high, color=BLUE, alpha=0.25, linewidth=0)
    axes.plot(curve.at, curve.mean, color=BLUE, linewidth=2)
    tenths = np.unique(np.percentile(values, range(10, 100, 10)))
    shown = tenths[(tenths >= curve.at[0]) & (tenths <= curve.at[-1])]
    axes.plot(shown, [0.03] * len(shown), "|", color=INK, markersize=6, transform=axes.get_xaxis_transform())
    axes.xaxis.set_major_locator(MaxNLocator(4))
