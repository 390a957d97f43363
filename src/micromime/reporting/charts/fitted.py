"""A chart that shows whether fitted laws say what was measured: same numbers, same bytes."""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from matplotlib import style
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from scipy.stats import ks_2samp

from micromime.reporting.charts.base import BLUE, ORANGE, STYLE, VERMILION, WIDTH_IN, svg
from micromime.scenario.arrays import Reals
from micromime.scenario.distributions import distribution

ACROSS = 3
QUANTILES = 400


def fitted_chart(
    parameters: Mapping[str, Any], measured: pd.DataFrame, simulated: pd.DataFrame, titles: Mapping[str, str]
) -> str:
    """Return one panel a key of `titles` as SVG text: shares of cracks below each value, measured and as fitted.

    Steps are the measured values (blue) and the simulated ones measured by the same code (orange): these two must
    agree. The dashed line is the law in `parameters`, corrected for what measuring does to a value: it need not lie on
    the others. A parameter that is one value is an upright dashed line. In the corner: how many were measured, the
    law's name and the Kolmogorov-Smirnov distance between measured and simulated values. NaN does not count.
    """
    down = math.ceil(len(titles) / ACROSS)
    with style.context(["default", STYLE]):
        figure = Figure(figsize=(WIDTH_IN, 0.6 + 2.0 * down), layout="constrained")
        every = figure.subplots(down, ACROSS, sharey=True, squeeze=False).ravel()
        for axes in every[len(titles) :]:
            axes.set_axis_off()
        for axes, (key, title) in zip(every, titles.items(), strict=False):
            _panel(axes, parameters[key], _seen(measured, key), _seen(simulated, key))
            axes.set_title(title)
        handles, names = every[0].get_legend_handles_labels()
        figure.legend(handles, names, loc="outside upper left", ncols=3)
        figure.supylabel("share of cracks below", fontsize=9)
        alt = f"Measured, simulated and fitted values of {len(titles)} parameters; cracks measured: {len(measured)}."
        return svg(figure, "fitted", alt)


def _panel(axes: Axes, written: Any, measured: Reals, simulated: Reals) -> None:
    for values, name, colour in ((measured, "measured", BLUE), (simulated, "simulated, measured alike", ORANGE)):
        if len(values):
            axes.ecdf(values, color=colour, label=name, linewidth=1.6)
    law = distribution(written)
    shares = (np.arange(QUANTILES) + 0.5) / QUANTILES
    drawn = [float(law.at(share)) for share in shares]
    axes.plot(drawn, shares, color=VERMILION, linestyle=(0, (4, 2)), linewidth=1.2, label="fitted law, corrected")
    axes.set_ylim(0, 1.02)
    if len(measured) and len(simulated):
        axes.set_xlim(*_room(np.concatenate([measured, simulated, drawn])))
    said = f"n = {len(measured)}\n{_name(written)}\n{_distance(measured, simulated)}"
    paper = {"facecolor": "white", "edgecolor": "none", "alpha": 0.85, "pad": 1.5}
    axes.text(0.98, 0.05, said, ha="right", va="bottom", transform=axes.transAxes, fontsize=8, bbox=paper)


def _seen(cracks: pd.DataFrame, key: str) -> Reals:
    values: Reals = cracks[key].dropna().to_numpy(dtype=np.float64)
    return values


def _room(values: Reals) -> tuple[float, float]:
    """Return where an axis begins and ends that shows all values but the outermost hundredths of them."""
    low, high = np.quantile(values, (0.005, 0.995))
    room = 0.05 * (high - low) + 1e-3 * max(abs(high), 1)
    return float(low - room), float(high + room)


def _name(written: Any) -> str:
    return str(next(iter(written))).replace("_", " ") if isinstance(written, dict) else f"{written:g}"


def _distance(measured: Reals, simulated: Reals) -> str:
    if len(measured) == 0 or len(simulated) == 0:
        return "not seen"
    return f"KS = {float(ks_2samp(measured, simulated).statistic):.2f}"
