"""Charts of grains, as SVG text to stand in a page: sizes found beside the true ones. Same numbers, same bytes."""

import math
from itertools import cycle
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from micromime.reporting.charts.base import (
    BLUE,
    FAINT_INK,
    GREEN,
    INK,
    ORANGE,
    PURPLE,
    VERMILION,
    chart,
    distance,
    in_lines,
    named,
    plain_logarithmic,
    svg,
)

COLOURS, MARKERS = (BLUE, ORANGE, GREEN, PURPLE, VERMILION), "osD^vP"
"""Of sources, both going round: no colour has to be told from another, as the marker differs too."""

ACROSS = 3
"""Charts of diameters beside one another."""

DRAWN_AS: dict[str, dict[str, Any]] = {
    "true": {"color": INK, "linestyle": "-"},
    "found": {"color": BLUE, "linestyle": "--"},
}
"""Kinds of grains, and how their diameters are drawn."""

Looks = dict[str, tuple[str, str]]
"""Colour and marker by source."""


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
    with chart(3.6, 3, 3) as (figure, (counts, intercepts, differences)):
        counts.set_title(f"number of grains ({_against(counts, sizes, 'grains', looks)})")
        intercepts.set_title(f"mean linear intercept, px ({_against(intercepts, sizes, 'intercept_px', looks)})")
        differences.set_title(f"ASTM number ({_by_source(differences, sizes, looks)})")
        figure.legend(*counts.get_legend_handles_labels(), loc="outside upper left", ncols=6)
        alt = f"Grains found by {name} against the true ones, for {len(sizes)} rows of {len(looks)} sources."
        return svg(figure, named("grains", name), alt)


def _against(axes: Axes, sizes: pd.DataFrame, what: str, looks: Looks) -> str:
    """Draw what was found against what is true, on axes that double alike; return how many there are."""
    found, true = (sizes[column].astype(float) for column in (what, f"true_{what}"))
    there = (found > 0) & (true > 0)
    for source, (colour, marker) in looks.items():
        mine = there & (sizes["source"] == source)
        axes.plot(true[mine], found[mine], marker, color=colour, markersize=6, alpha=0.8, label=source)
    both = np.concatenate([found[there], true[there], [] if there.any() else [1.0, 10.0]])
    ends = both.min() / 1.25, both.max() * 1.25
    axes.plot(ends, ends, color=FAINT_INK, linewidth=0.9, zorder=0)
    axes.set(xscale="log", yscale="log", xlim=ends, ylim=ends, aspect="equal", xlabel="true", ylabel="found")
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
    height_in = 2.6 * math.ceil(len(sources) / ACROSS)
    with chart(height_in, len(sources), ACROSS, sharey=True) as (figure, every):
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
    axes.set_title(", ".join(filter(None, [source, distance(parts["true"], parts["found"])])))
    axes.set(xscale="log", xlabel="equivalent diameter, px", ylim=(0, 1.02))
    plain_logarithmic(axes.xaxis)
    axes.legend(loc="upper left", fontsize=8)
