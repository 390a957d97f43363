"""The figure of the ablation, as SVG text: what each unit earns, everywhere and at each source."""

from typing import Any

from matplotlib import style
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from experiments.ablation.verdict import COMPARED, Verdict
from micromime.reporting.charts.base import BLUE, FAINT_INK, INK, ORANGE, PURPLE, STYLE, WIDTH_IN, svg
from micromime.reporting.words import title

LOOKS: dict[str, dict[str, Any]] = {
    "leave_one_out": {"color": BLUE, "marker": "o", "label": "unit left out: whole scenario - without it"},
    "add_one_in": {"color": ORANGE, "marker": "D", "label": "unit added alone: with it - none"},
    "settings": {"color": PURPLE, "marker": "s", "label": "setting tried: with it - as usual"},
}
OFFSET = {"leave_one_out": -0.17, "add_one_in": 0.17, "settings": 0.0}
"""By how much a line's mark lies below its middle: two of one unit stand below one another."""

ROOM, LEAST = 1.6, 0.005
"""The axes reach so many times as far as the largest gain, but at least this one: intervals beyond are cut."""


def ablation_chart(said: Verdict) -> str:
    """Return a panel for each metric and place: every unit's and setting's gains, with 95 % intervals over runs.

    All panels of a metric have the same scale. Where nothing was compared, the figure says so.
    """
    with style.context(["default", STYLE]):
        if not said or not said["gains"]:
            figure = Figure(figsize=(WIDTH_IN, 0.4))
            figure.text(0.01, 0.3, "ablation: nothing was compared", color=FAINT_INK)
            return svg(figure, "ablation", "Ablation: nothing was compared.")
        names = list(dict.fromkeys(name for of_kind in said["gains"].values() for name in of_kind))
        figure = Figure(figsize=(WIDTH_IN, (1.0 + 0.26 * len(names)) * len(COMPARED)), layout="constrained")
        every = figure.subplots(len(COMPARED), len(said["places"]), sharex="row", sharey=True, squeeze=False)
        for row, metric in zip(every, COMPARED, strict=True):
            for axes, (place, n) in zip(row, said["places"].items(), strict=True):
                _gains(axes, said["gains"], (place, metric), names)
                axes.set_title("\n".join([*place.split("_", 1), f"({n})"]), fontsize=8)
            limit = ROOM * max(LEAST, *(abs(test["mean_difference"]) for test in _tests(said["gains"], metric)))
            row[0].set_xlim(-limit, limit)
            row[len(row) // 2].set_xlabel(f"gain in {title(metric)}")
            row[0].tick_params(axis="y", labelcolor=INK)
        every[0, 0].set_yticks(range(len(names)), [name.replace("_", " ") for name in names])
        every[0, 0].set_ylim(len(names) - 0.5, -0.5)
        handles, labels = every[0, 0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower center", ncols=3, fontsize=8)
        runs = f"n = {said['runs']} runs"
        return svg(figure, "ablation", f"Gains of {', '.join(names)}, in {len(said['places'])} places, {runs}.")


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


def _tests(gains: Verdict, metric: str) -> list[Any]:
    return [by[place][metric] for by_name in gains.values() for by in by_name.values() for place in by]
