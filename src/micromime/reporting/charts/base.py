"""Charts of the report, as SVG text to stand in a page: same numbers, same bytes."""

import io
import math
from collections.abc import Mapping, Sequence
from typing import Any
from xml.etree import ElementTree
from zlib import crc32

import pandas as pd
from matplotlib import style
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from micromime.judging.metrics import LOWER_IS_BETTER
from micromime.reporting.failures import SCORE, in_common, worst
from micromime.reporting.words import capital
from micromime.scenario.arrays import Mask

INK, FAINT_INK, GRID = "#222222", "#666666", "#dddddd"
BLUE, ORANGE, GREEN, PURPLE, VERMILION = "#0072b2", "#e69f00", "#009e73", "#cc79a7", "#d55e00"
"""Okabe and Ito's palette: told apart by people with any kind of colour vision."""

STYLE: dict[str, Any] = {
    "svg.hashsalt": "micromime",
    "svg.fonttype": "none",  # letters stay letters: they can be searched, and read aloud
    "text.parse_math": False,  # a name with dollars in it is a name
    "font.size": 9,
    "axes.edgecolor": FAINT_INK,
    "axes.labelcolor": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlesize": 9,
    "axes.titlelocation": "left",
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": GRID,
    "grid.linewidth": 0.6,
    "xtick.color": FAINT_INK,
    "ytick.color": FAINT_INK,
    "legend.edgecolor": "none",
    "legend.framealpha": 0.85,
}
WIDTH_IN = 10.0

MOST_PARAMETERS = 16
"""Charts of parameters that a page shows; a scenario with styles has some 60."""

VALIDATED = {"mean_iou": "mean IoU", "error_rate": "error rate"}
"""What learning curves show of the validation, as their axis writes it."""


MOST_WIDE = 4
"""Panels beside one another over which there is room for titles of the usual size."""


def scores_chart(verdict: Mapping[str, Any], titles: Mapping[str, str]) -> str:
    """Return one panel a metric of `titles`: every baseline's mean, every arm's mean with its 99 % interval over runs.

    Metrics that the verdict lacks are left out; the interval is Student's, cut at 0 and 1, and missing for one run.
    """
    baselines, arms = verdict["baselines"], verdict["arms"]
    metrics = [name for name in titles if all(name in part for part in (*baselines.values(), *arms.values()))]
    names = [*baselines, *arms]
    panels = {
        f"{titles[metric]}\n({'less' if metric in LOWER_IS_BETTER else 'more'} is better)": [
            each[metric] for each in (*baselines.values(), *arms.values())
        ]
        for metric in metrics
    }
    return panels_of_scores(names, panels, (1, len(metrics)), f"Mean scores of {', '.join(names)}, by metric.")


def panels_of_scores(names: Sequence[str], panels: Mapping[str, Sequence[Any]], grid: tuple[int, int], alt: str) -> str:
    """Return a panel for each title: the scores of `names`, numbers of baselines and summaries of arms.

    `grid` says how many panels stand below one another and beside one another. Those in a column share their axis.
    """
    with style.context(["default", STYLE]):
        figure = Figure(figsize=(WIDTH_IN, (0.7 + 0.32 * len(names)) * grid[0]), layout="constrained")
        every = figure.subplots(*grid, sharex="col", sharey=True, squeeze=False)
        for axes, (title, scores) in zip(every.ravel(), panels.items(), strict=True):
            _scores(axes, scores)
            axes.set_title(title, fontsize="medium" if grid[1] <= MOST_WIDE else "small")
        every[0, 0].set_yticks(range(len(names)), names, color=INK)
        every[0, 0].set_ylim(len(names) - 0.5, -0.5)
        for axes in every[1:, 0]:
            axes.tick_params(axis="y", labelcolor=INK)
        return svg(figure, "scores", alt)


def learning_curves(epochs: pd.DataFrame, arm: str) -> str:
    """Return one arm's losses and validation scores by epoch: a thin line a run, a thick one their median.

    `epochs` has a row for every arm, run and epoch (columns arm, run, epoch, phase, train_loss, valid_loss, and the
    first metric of VALIDATED that there is). Dashed lines stand where one phase ends and the next begins.
    """
    rows = epochs[epochs["arm"] == arm]
    metric = next(name for name in VALIDATED if name in rows)
    curves = (
        ("loss", {"train_loss": ("training", BLUE), "valid_loss": ("validation", ORANGE)}),
        (VALIDATED[metric], {metric: ("validation", ORANGE)}),
    )
    with style.context(["default", STYLE]):
        figure = Figure(figsize=(WIDTH_IN, 2.9), layout="constrained")
        for axes, (label, columns) in zip(figure.subplots(1, 2), curves, strict=True):
            for column, (name, colour) in columns.items():
                _runs(axes, rows, column, (name, colour))
            axes.set_ylabel(label)
            axes.set_xlabel("epoch")
            axes.xaxis.set_major_locator(MaxNLocator(integer=True))
            _phases(axes, rows)
        figure.axes[0].legend(loc="best")
        runs = rows["run"].nunique()
        return svg(
            figure,
            f"curves-{crc32(arm.encode()):08x}",
            f"Learning curves of arm {arm}: losses and {VALIDATED[metric]} by epoch, runs: {runs}.",
        )


def charted(scoring: pd.DataFrame) -> str:
    """Return in words which numeric parameters `score_by_parameter` shows."""
    count = len(in_common(scoring))
    if count <= MOST_PARAMETERS:
        return "each parameter"
    return f"the {MOST_PARAMETERS} of {count} parameters in which the worst tenth differ most,"


def score_by_parameter(scoring: pd.DataFrame, score: str) -> str:
    """Return small charts of numeric parameters: every sample's score against the value, the worst marked.

    `score` says what that is, such as `mean IoU`. Of at most `MOST_PARAMETERS`; those in which the worst tenth differ
    most come first (see `failures.in_common`). A dark line joins the medians of tenths of the samples in the order of
    the parameter.
    """
    table, chosen = in_common(scoring).head(MOST_PARAMETERS), worst(scoring)
    across = 4
    down = max(math.ceil(len(table) / across), 1)
    with style.context(["default", STYLE]):
        figure = Figure(figsize=(WIDTH_IN, 0.3 + 1.75 * down), layout="constrained")
        every = figure.subplots(down, across, sharey=True, squeeze=False).ravel()
        for axes in every[len(table) :]:
            axes.set_axis_off()
        for axes, row in zip(every, table.itertuples(), strict=False):
            _scatter(axes, scoring[str(row.parameter)], scoring[SCORE], chosen)
            axes.set_title(f"{row.parameter}", fontsize=8)
            _corner(axes, f"r = {row.rank_correlation:+.2f}")
        figure.supylabel(score, fontsize=9)
        return svg(figure, "parameters", f"{capital(score)} of {len(scoring)} samples against {len(table)} parameters.")


def _scores(axes: Axes, scores: Sequence[Any]) -> None:
    """Draw baselines (numbers) as open diamonds, arms (summaries) as dots with their interval."""
    colours = iter((BLUE, ORANGE, GREEN, PURPLE) * len(scores))
    for place, score in enumerate(scores):
        arm = isinstance(score, Mapping)
        mean, colour = (score["mean"], next(colours)) if arm else (score, FAINT_INK)
        interval = score["ci99_student"] if arm else None
        if interval is not None:
            axes.plot([max(interval["lo"], 0), min(interval["hi"], 1)], [place] * 2, color=colour, linewidth=2)
        axes.plot(
            mean,
            place,
            "o" if arm else "D",
            color=colour,
            markersize=7 if arm else 5,
            fillstyle="full" if arm else "none",
        )
        axes.annotate(f"{mean:.3f}", (mean, place), (0, 5), textcoords="offset points", ha="center", fontsize=7.5)
    axes.margins(x=0.12)


def _runs(axes: Axes, rows: pd.DataFrame, column: str, named: tuple[str, str]) -> None:
    name, colour = named
    for _, run in rows.groupby("run"):
        axes.plot(run["epoch"], run[column], color=colour, linewidth=0.7, alpha=0.45)
    median = rows.groupby("epoch")[column].median()
    axes.plot(median.index, median, color=colour, linewidth=2.2, label=name)


def _phases(axes: Axes, rows: pd.DataFrame) -> None:
    """Mark where a phase begins, and name it if there are several."""
    starts = rows.groupby("phase", sort=False)["epoch"].min()
    for phase, start in starts.items() if len(starts) > 1 else ():
        if start > starts.min():
            axes.axvline(start - 0.5, color=FAINT_INK, linewidth=0.9, linestyle=(0, (4, 3)))
        axes.text(
            start - 0.4, 1.01, f"phase {phase}", transform=axes.get_xaxis_transform(), color=FAINT_INK, fontsize=8
        )


def _scatter(axes: Axes, values: "pd.Series[float]", scores: "pd.Series[float]", chosen: Mask) -> None:
    # As pixels: thousands of points would make a page of megabytes.
    axes.plot(
        values[~chosen], scores[~chosen], ".", color=BLUE, alpha=0.4, markersize=3, markeredgewidth=0, rasterized=True
    )
    axes.plot(values[chosen], scores[chosen], ".", color=VERMILION, markersize=5, markeredgewidth=0, rasterized=True)
    tenths = pd.qcut(values, 10, labels=False, duplicates="drop")
    axes.plot(values.groupby(tenths).median(), scores.groupby(tenths).median(), color=INK, linewidth=1.3)
    axes.xaxis.set_major_locator(MaxNLocator(4))


def _corner(axes: Axes, text: str) -> None:
    paper = {"facecolor": "white", "edgecolor": "none", "alpha": 0.85, "pad": 1.5}
    axes.text(0.98, 0.97, text, ha="right", va="top", transform=axes.transAxes, fontsize=8, bbox=paper)


def svg(figure: Figure, name: str, alt: str) -> str:
    """Return the figure as an SVG element that gets along with others in one page.

    Ids are preceded by the chart's name; there is no style sheet (it would hold for the whole page) and no metadata.
    """
    file = io.StringIO()
    figure.savefig(file, format="svg", dpi=200, metadata={"Date": None})
    root = ElementTree.fromstring(file.getvalue())
    for element in list(root.iter()):
        for child in list(element):
            if _local(child.tag) in {"metadata", "style"}:
                element.remove(child)
        element.tag = _local(element.tag)
        element.attrib = {_local(key): _owned(value, key, name) for key, value in element.attrib.items()}
        if element.tag == "image":
            element.attrib.pop("id", None)  # a hash of its pixels: two that look alike would share it
    root.attrib = {
        "xmlns": "http://www.w3.org/2000/svg",
        "viewBox": root.attrib["viewBox"],
        "role": "img",
        "aria-label": alt,
        "stroke-linejoin": "round",
        "stroke-linecap": "butt",
    }
    return ElementTree.tostring(root, encoding="unicode")


def _local(name: str) -> str:
    """Return `href` for `{http://www.w3.org/1999/xlink}href`."""
    return name.rpartition("}")[2]


def _owned(value: str, key: str, owner: str) -> str:
    """Return an attribute's value with the owner before every id that it gives or refers to."""
    if key == "id":
        return f"{owner}-{value}"
    if _local(key) == "href" and value.startswith("#"):
        return f"#{owner}-{value[1:]}"
    return value.replace("url(#", f"url(#{owner}-")
