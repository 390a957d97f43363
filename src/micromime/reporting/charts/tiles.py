"""Charts of the verdict on classifiers of tiles, as SVG text: error rates, and how they fall with more real tiles."""

import numpy as np
from matplotlib.ticker import FixedLocator, NullLocator

from micromime.judging.tiles import LINE_FILTER, METRIC
from micromime.judging.verdict import Verdict
from micromime.reporting.charts.base import COLOURS, FAINT_INK, chart, panels_of_scores, svg
from micromime.reporting.tables.tiles import MODELS, ON, in_order

STEP_ASIDE = 0.04
"""By how many doublings of the number of tiles the models stand beside one another, so that no interval hides."""


def by_tiles(said: Verdict) -> list[Verdict]:
    """Return what is said of each subset, the fewest training tiles first."""
    return sorted(said["subsets"].values(), key=lambda part: int(part["tiles"]))


def error_chart(said: Verdict) -> str:
    """Return a line of panels for each subset, most tiles first: error rates on test data, and on all data.

    The line filter's is a diamond; a model's mean is a dot with its 99 % interval over runs (`ci99`, within 0 to 1;
    missing for one run).
    """
    parts = by_tiles(said)[::-1]
    names = ["line filter", *(MODELS[name] for name in in_order(parts[0]["test"]["arms"]))]
    panels = {
        f"{title.partition(' (')[0]}; {part['tiles']} training tiles": [
            part[on]["baselines"][LINE_FILTER][METRIC],
            *(arm[METRIC] for arm in in_order(part[on]["arms"]).values()),
        ]
        for part in parts
        for on, title in ON.items()
    }
    alt = f"Error rates of {', '.join(names)}, by number of training tiles."
    return panels_of_scores(names, panels, len(ON), alt)


def learning_chart(said: Verdict) -> str:
    """Return the error on test data against the number of real training tiles: a line a model, the line filter dashed.

    Bars are 99 % intervals of the mean over runs (`ci99`, within 0 to 1; missing for one run).
    """
    parts = by_tiles(said)
    counts = np.array([part["tiles"] for part in parts], dtype=np.float64)
    names = list(in_order(parts[0]["test"]["arms"]))
    with chart(4.2) as (figure, (axes,)):
        for n, name in enumerate(names):
            places, colour = counts * 2 ** (STEP_ASIDE * (n - (len(names) - 1) / 2)), COLOURS[n]
            scores = [part["test"]["arms"][name][METRIC] for part in parts]
            for place, score in zip(places, scores, strict=True):
                if interval := score["ci99"]:
                    axes.plot([place] * 2, [interval["lo"], interval["hi"]], color=colour, linewidth=1.6)
            means = [score["mean"] for score in scores]
            axes.plot(places, means, "o-", color=colour, linewidth=1.4, markersize=6, label=MODELS[name])
        filtered = [part["test"]["baselines"][LINE_FILTER][METRIC] for part in parts]
        dashes = (0, (5, 3))
        axes.plot(counts, filtered, "D", linestyle=dashes, color=FAINT_INK, fillstyle="none", label="line filter")
        axes.set_xscale("log", base=2)
        axes.xaxis.set_major_locator(FixedLocator(counts.tolist()))
        axes.xaxis.set_minor_locator(NullLocator())
        axes.set_xticks(counts.tolist(), [f"{count:.0f}" for count in counts])
        axes.set(xlim=(counts.min() / 1.25, counts.max() * 1.25), xlabel="real training tiles")
        axes.set_ylabel("error rate on test data")
        axes.set_ylim(bottom=0)
        figure.legend(loc="outside right upper")
        alt = f"Error rate on test data against the number of real training tiles, for {', '.join(names)}."
        return svg(figure, "learning", alt)
