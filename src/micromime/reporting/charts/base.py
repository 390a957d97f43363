"""Charts of the report, as SVG text to stand in a page: their style, what all share, and those of micrographs.

Same numbers, same bytes.
"""

import io
import math
import re
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import cycle
from textwrap import wrap
from typing import Any
from xml.etree import ElementTree
from zlib import crc32

import numpy as np
import pandas as pd
import scipy  # its stats, which take half a second, where they are asked for
from matplotlib import style
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, MaxNLocator, NullLocator, StrMethodFormatter

from micromime.judging.metrics import LOWER_IS_BETTER
from micromime.reporting.failures import SCORE, in_common, worst
from micromime.reporting.words import capital
from micromime.scenario.arrays import Mask, Reals

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

COLOURS, MARKERS = (BLUE, ORANGE, GREEN, PURPLE, VERMILION), "osD^vP"
"""Of models; of sources, both going round: no colour has to be told from another, as the marker differs too."""

LEGEND_LETTERS = 130
"""That a line of a legend has room for, 6 of them beside each name."""

ACROSS = 3
"""Charts of diameters beside one another."""

DRAWN_AS: dict[str, dict[str, Any]] = {
    "true": {"color": INK, "linestyle": "-"},
    "found": {"color": BLUE, "linestyle": "--"},
}
"""Kinds of grains, and how their diameters are drawn."""

Looks = dict[str, tuple[str, str]]
"""Colour and marker by source."""


@contextmanager
def chart(
    line_in: float, count: int = 1, across: int = 1, above_in: float = 0, **shared: Any
) -> Iterator[tuple[Figure, list[Axes]]]:
    """Give a figure in the charts' style with `count` panels in lines of `across`, to be drawn on and made to `svg`.

    A line of panels is `line_in` high, what stands above or below all of them `above_in`; `shared` says which axes
    panels have in common.
    """
    rows = max(math.ceil(count / across), 1)
    with style.context(["default", STYLE]):
        figure = Figure(figsize=(WIDTH_IN, above_in + line_in * rows), layout="constrained")
        every = figure.subplots(rows, across, squeeze=False, **shared).ravel()
        for axes in every[count:]:
            axes.set_axis_off()
        yield figure, list(every[:count])


def svg(figure: Figure, name: str, alt: str) -> str:
    """Return the figure as an SVG element that gets along with others in one page.

    Ids are preceded by the chart's name; there is no style sheet (it would hold for the whole page) and no metadata.
    """
    file = io.StringIO()
    with warnings.catch_warnings():
        # A letter that matplotlib's font lacks stays a letter, and the browser's fonts have it.
        warnings.filterwarnings("ignore", r"Glyph \d+ .* missing from font", UserWarning)
        figure.savefig(file, format="svg", dpi=200, metadata={"Date": None})
    root = ElementTree.fromstring(file.getvalue())
    for element in list(root.iter()):
        for child in list(element):
            if _local(child.tag) in {"metadata", "style"}:
                element.remove(child)
        element.tag = _local(element.tag)
        own = {_local(key): re.sub(r"^#|url\(#", rf"\g<0>{name}-", value) for key, value in element.attrib.items()}
        known = own.pop("id", None)
        if known and element.tag != "image":  # its id is a hash of its pixels: two that look alike would share it
            own["id"] = f"{name}-{known}"
        element.attrib = own
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


def named(name: str, whose: str) -> str:
    """Return a chart's name for `svg` where a page has one for each arm: letters and digits, whatever the arm's are."""
    return f"{name}-{crc32(whose.encode()):08x}"


def broken(name: str, letters: int) -> str:
    """Return a name in lines of no more letters than that: what a person has named may be long."""
    return "\n".join(wrap(name, letters, break_on_hyphens=False))


def note(axes: Axes, text: str, top: bool = True) -> None:
    """Write on white, in the right corner at the top or the bottom."""
    paper = {"facecolor": "white", "edgecolor": "none", "alpha": 0.85, "pad": 1.5}
    height, va = (0.97, "top") if top else (0.05, "bottom")
    axes.text(0.98, height, text, ha="right", va=va, transform=axes.transAxes, fontsize=8, bbox=paper)


def plain_logarithmic(axis: Axis) -> None:
    """Mark a logarithmic axis at 1, 2, 5, 10 and so on, written as plain numbers."""
    axis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axis.set_major_formatter(StrMethodFormatter("{x:g}"))
    axis.set_minor_locator(NullLocator())


def in_lines(axes: Axes, names: Sequence[str]) -> None:
    """Give each name a line of its own, the first at the top."""
    axes.set_yticks(range(len(names)), [broken(name, 40) for name in names], color=INK)
    axes.set_ylim(len(names) - 0.5, -0.5)


def distance(one: Reals, other: Reals) -> str:
    """Return the Kolmogorov-Smirnov distance of two distributions in words, nothing where one of them is empty."""
    return f"KS = {float(scipy.stats.ks_2samp(one, other).statistic):.2f}" if len(one) and len(other) else ""


def scores_chart(verdict: Mapping[str, Any], titles: Mapping[str, str]) -> str:
    """Return one panel a metric of `titles`: every baseline's mean, every arm's mean with its 99 % interval over runs.

    Metrics that the verdict lacks are left out; the interval is `ci99`, within 0 to 1, and missing for one run.
    """
    every = {**verdict["baselines"], **verdict["arms"]}
    panels = {
        f"{title}\n({'less' if metric in LOWER_IS_BETTER else 'more'} is better)": [
            each[metric] for each in every.values()
        ]
        for metric, title in titles.items()
        if all(metric in each for each in every.values())
    }
    return panels_of_scores(list(every), panels, len(panels), f"Mean scores of {', '.join(every)}, by metric.")


def panels_of_scores(names: Sequence[str], panels: Mapping[str, Sequence[Any]], across: int, alt: str) -> str:
    """Return a panel for each title: the scores of `names`, numbers of baselines and summaries of arms.

    In lines of `across`. Panels in a column share their axis.
    """
    with chart(0.7 + 0.32 * len(names), len(panels), across, sharex="col", sharey=True) as (figure, every):
        for axes, (title, scores) in zip(every, panels.items(), strict=True):
            _scores(axes, scores)
            axes.set_title(title, fontsize="medium" if across <= 4 else "small")  # there is room for four
        in_lines(every[0], names)
        for axes in every[across::across]:
            axes.tick_params(axis="y", labelcolor=INK)
        return svg(figure, "scores", alt)


def _scores(axes: Axes, scores: Sequence[Any]) -> None:
    """Draw baselines (numbers) as open diamonds, arms (summaries) as dots with their interval."""
    colours = iter((BLUE, ORANGE, GREEN, PURPLE) * len(scores))
    for place, score in enumerate(scores):
        if isinstance(score, Mapping):
            mean, colour = score["mean"], next(colours)
            if interval := score["ci99"]:
                axes.plot([interval["lo"], interval["hi"]], [place] * 2, color=colour, linewidth=2)
            axes.plot(mean, place, "o", color=colour, markersize=7)
        else:
            mean = score
            axes.plot(mean, place, "D", color=FAINT_INK, markersize=5, fillstyle="none")
        axes.annotate(f"{mean:.3f}", (mean, place), (0, 5), textcoords="offset points", ha="center", fontsize=7.5)
    axes.margins(x=0.12)


def learning_curves(epochs: pd.DataFrame, arm: str) -> str:
    """Return one arm's losses and validation scores by epoch: a thin line a run, a thick one their median.

    `epochs` has a row for every arm, run and epoch (columns arm, run, epoch, phase, train_loss, valid_loss, and the
    first metric of VALIDATED that there is). Dashed lines stand where one phase ends and the next begins.
    """
    rows = epochs[epochs["arm"] == arm]
    metric = next(name for name in VALIDATED if name in rows)
    training, validation = ("training", BLUE), ("validation", ORANGE)
    curves = {"loss": {"train_loss": training, "valid_loss": validation}, VALIDATED[metric]: {metric: validation}}
    with chart(2.9, 2, 2) as (figure, every):
        for axes, (label, columns) in zip(every, curves.items(), strict=True):
            for column, (name, colour) in columns.items():
                for _, run in rows.groupby("run"):
                    axes.plot(run["epoch"], run[column], color=colour, linewidth=0.7, alpha=0.45)
                median = rows.groupby("epoch")[column].median()
                axes.plot(median.index, median, color=colour, linewidth=2.2, label=name)
            axes.set_ylabel(label)
            axes.set_xlabel("epoch")
            axes.xaxis.set_major_locator(MaxNLocator(integer=True))
            _phases(axes, rows)
        every[0].legend(loc="best")
        runs = rows["run"].nunique()
        alt = f"Learning curves of arm {arm}: losses and {VALIDATED[metric]} by epoch, runs: {runs}."
        return svg(figure, named("curves", arm), alt)


def _phases(axes: Axes, rows: pd.DataFrame) -> None:
    """Mark where a phase begins, and name it if there are several."""
    starts = rows.groupby("phase", sort=False)["epoch"].min()
    for phase, start in starts.items() if len(starts) > 1 else ():
        if start > starts.min():
            axes.axvline(start - 0.5, color=FAINT_INK, linewidth=0.9, linestyle=(0, (4, 3)))
        above = axes.get_xaxis_transform()
        axes.text(start - 0.4, 1.01, f"phase {phase}", transform=above, color=FAINT_INK, fontsize=8)


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
    with chart(1.75, len(table), 4, above_in=0.3, sharey=True) as (figure, every):
        for axes, row in zip(every, table.itertuples(), strict=True):
            _scatter(axes, scoring[str(row.parameter)], scoring[SCORE], chosen)
            axes.set_title(f"{row.parameter}", fontsize=8)
            note(axes, f"r = {row.rank_correlation:+.2f}")
        figure.supylabel(score, fontsize=9)
        return svg(figure, "parameters", f"{capital(score)} of {len(scoring)} samples against {len(table)} parameters.")


def _scatter(axes: Axes, values: "pd.Series[float]", scores: "pd.Series[float]", chosen: Mask) -> None:
    # As pixels: thousands of points would make a page of megabytes.
    dots: dict[str, Any] = {"markeredgewidth": 0, "rasterized": True}
    axes.plot(values[~chosen], scores[~chosen], ".", color=BLUE, alpha=0.4, markersize=3, **dots)
    axes.plot(values[chosen], scores[chosen], ".", color=VERMILION, markersize=5, **dots)
    tenths = pd.qcut(values, 10, labels=False, duplicates="drop")
    axes.plot(values.groupby(tenths).median(), scores.groupby(tenths).median(), color=INK, linewidth=1.3)
    axes.xaxis.set_major_locator(MaxNLocator(4))


def grains_chart(sizes: pd.DataFrame, name: str) -> str:
    """Return three panels about what `name`, an arm or a baseline, has found, a dot for each row.

    Number of grains and mean intercept against the true ones (equal on the diagonal), and the difference of ASTM
    numbers, found - true, by source, with its mean (a dark stroke). `sizes` has the columns source, grains,
    true_grains, intercept_px, true_intercept_px and astm_difference, NaN or None where there is none; 95 % intervals
    are drawn where it has astm_lo and astm_hi. What has no place on an axis is counted in the panel's title.
    """
    looks = dict(
        zip(map(str, sizes["source"].unique()), zip(cycle(COLOURS), cycle(MARKERS), strict=False), strict=False)
    )
    names = [broken(source, 40) for source in looks]
    columns = min(6, LEGEND_LETTERS // (6 + max(map(len, "\n".join(names).split("\n")))))
    lines = [sum(name.count("\n") + 1 for name in part) for part in (names, names[::columns])]
    with chart(max(3.6, 0.2 * lines[0] + 1), 3, 3, above_in=0.2 * (lines[1] - 1)) as (figure, axes):
        counts, intercepts, differences = axes
        counts.set_title(f"number of grains ({_against(counts, sizes, 'grains', looks)})")
        intercepts.set_title(f"mean linear intercept, px ({_against(intercepts, sizes, 'intercept_px', looks)})")
        differences.set_title(f"ASTM number ({_by_source(differences, sizes, looks)})")
        # Given line by line: of those that it collects, matplotlib hides what is named with an underscore first.
        figure.legend(counts.lines[: len(looks)], names, loc="outside upper left", ncols=columns)
        alt = f"Grains found by {name} against the true ones, for {len(sizes)} rows of {len(looks)} sources."
        return svg(figure, named("grains", name), alt)


def _against(axes: Axes, sizes: pd.DataFrame, what: str, looks: Looks) -> str:
    """Draw what was found against what is true, on axes that double alike; return how many there are."""
    found, true = (sizes[column].astype(float) for column in (what, f"true_{what}"))
    there = (found > 0) & (true > 0)
    for source, (colour, marker) in looks.items():
        mine = there & (sizes["source"] == source)
        axes.plot(true[mine], found[mine], marker, color=colour, markersize=6, alpha=0.8)
    both = np.concatenate([found[there], true[there], [] if there.any() else [1.0, 10.0]])
    reach = both.min() / 1.25, both.max() * 1.25
    axes.plot(reach, reach, color=FAINT_INK, linewidth=0.9, zorder=0)
    axes.set(xscale="log", yscale="log", xlim=reach, ylim=reach, aspect="equal", xlabel="true", ylabel="found")
    for axis in (axes.xaxis, axes.yaxis):
        plain_logarithmic(axis)
    return _counted(there)


def _by_source(axes: Axes, sizes: pd.DataFrame, looks: Looks) -> str:
    """Draw the ASTM difference of each row, a line for each source; return how many there are."""
    number = sizes["astm_difference"].astype(float)
    for place, (source, (colour, marker)) in enumerate(looks.items()):
        mine = number[(sizes["source"] == source) & number.notna()]
        aside = place + (np.linspace(-0.2, 0.2, len(mine)) if len(mine) > 1 else np.zeros(len(mine)))
        if {"astm_lo", "astm_hi"} <= set(sizes):
            low, high = (sizes.loc[mine.index, column].astype(float) for column in ("astm_lo", "astm_hi"))
            axes.hlines(aside, low, high, color=colour, linewidth=1.2)
        axes.plot(mine, aside, marker, color=colour, markersize=6, alpha=0.8)
        if len(mine):
            axes.plot([mine.mean()] * 2, [place - 0.35, place + 0.35], color=INK, linewidth=1.6)
    axes.axvline(0, color=FAINT_INK, linewidth=0.9, zorder=0)
    in_lines(axes, list(looks))
    axes.set_xlabel("found - true (above 0: finer)")
    return _counted(number.notna())


def _counted(there: "pd.Series[bool]") -> str:
    return f"n = {there.sum()}" + ("" if there.all() else f", none: {(~there).sum()}")


def diameters_chart(diameters: pd.DataFrame, name: str) -> str:
    """Return a panel for each source: shares of its grains below each equivalent diameter, true and found by `name`.

    With how many grains there are, and KS, the Kolmogorov-Smirnov distance of both distributions. `diameters` has a
    row for every grain: source, kind (`true` or `found`) and diameter_px.
    """
    sources = dict(list(diameters.groupby("source", sort=False)))
    with chart(2.6, len(sources), ACROSS, sharey=True) as (figure, every):
        for axes, (source, grains) in zip(every, sources.items(), strict=True):
            _diameters(axes, grains, str(source))
        for axes in every[::ACROSS]:
            axes.set_ylabel("share of grains below")
        alt = f"Equivalent diameters of grains found by {name} and of true ones, for {len(sources)} sources."
        return svg(figure, named("diameters", name), alt)


def _diameters(axes: Axes, diameters: pd.DataFrame, source: str) -> None:
    parts = {kind: diameters.loc[diameters["kind"] == kind, "diameter_px"].to_numpy(np.float64) for kind in DRAWN_AS}
    for kind, look in DRAWN_AS.items():
        if len(parts[kind]):
            axes.ecdf(parts[kind], label=f"{kind} ({len(parts[kind])})", linewidth=1.6, **look)
    axes.set_title(broken(", ".join(filter(None, [source, distance(parts["true"], parts["found"])])), 44))
    axes.set(xscale="log", xlabel="equivalent diameter, px", ylim=(0, 1.02))
    plain_logarithmic(axes.xaxis)
    axes.legend(loc="upper left", fontsize=8)
