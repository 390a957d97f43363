"""A chart that shows whether fitted laws say what was measured: same numbers, same bytes."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from micromime.reporting.charts.base import ACROSS, BLUE, ORANGE, VERMILION, chart, distance, note, svg
from micromime.scenario.arrays import Reals
from micromime.scenario.distributions import distribution

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
    with chart(2.0, len(titles), ACROSS, above_in=0.6, sharey=True) as (figure, every):
        for axes, (key, title) in zip(every, titles.items(), strict=True):
            seen, again = (table[key].dropna().to_numpy(dtype=np.float64) for table in (measured, simulated))
            _panel(axes, parameters[key], seen, again)
            axes.set_title(title)
        figure.legend(*every[0].get_legend_handles_labels(), loc="outside upper left", ncols=3)
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
    name = next(iter(written)).replace("_", " ") if isinstance(written, dict) else f"{written:g}"
    note(axes, f"n = {len(measured)}\n{name}\n{distance(measured, simulated) or 'not seen'}", top=False)


def _room(values: Reals) -> tuple[float, float]:
    """Return where an axis begins and ends that shows all values but the outermost hundredths of them."""
    low, high = np.quantile(values, (0.005, 0.995))
    room = 0.05 * (high - low) + 1e-3 * max(abs(high), 1)
    return float(low - room), float(high + room)
