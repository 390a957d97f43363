"""Charts of the planted gap, as SVG text: scores against images used, each sampler beside random."""

from typing import Any

import numpy as np
from matplotlib import style
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from experiments.planted_gap.verdict import CONTROL, PRIMARY, Verdict
from micromime.reporting.charts.base import BLUE, FAINT_INK, STYLE, WIDTH_IN, svg

SHOWN = PRIMARY | {"rest_f1": "rest F1", "training_iou": "IoU on the\ntraining distribution"}
"""A row of panels for each."""

ROW_IN = 1.7


def gap_chart(name: str, part: Verdict | None) -> str:
    """Return an experiment's panels: below one another the scores, beside one another the samplers.

    In each, the sampler (blue, dots) stands beside random (grey, dashed): means over the runs against the new images
    used, with 95 % bands of the means (Student's; none for one run). Without runs, these words stand there alone.
    """
    if part is None:
        return _without_runs(name)
    others = [each for each in part["samplers"] if each != CONTROL] or [CONTROL]
    with style.context(["default", STYLE]):
        figure = Figure(figsize=(WIDTH_IN, ROW_IN * len(SHOWN)), layout="constrained")
        every = figure.subplots(len(SHOWN), len(others), sharex=True, sharey="row", squeeze=False)
        for row, (endpoint, label) in zip(every, SHOWN.items(), strict=True):
            for axes, sampler in zip(row, others, strict=True):
                _curve(axes, part["samplers"][CONTROL], endpoint, (FAINT_INK, "--"))
                _curve(axes, part["samplers"][sampler], endpoint, (BLUE, "o-"))
                _mark_rounds(axes, part)
            row[0].set_ylabel(label)
        for axes, sampler in zip(every[0], others, strict=True):
            axes.set_title(sampler.replace("_", "\n"), fontsize=8)
        figure.supxlabel(f"new images (dashed: {CONTROL}; bands: 95 %, runs: {part['runs']})", fontsize=9)
        alt = (
            f"{name}: {', '.join(PRIMARY.values())} and more against new images, for {', '.join(others)} beside random."
        )
        return svg(figure, f"gap-{name}", alt)


def _without_runs(name: str) -> str:
    """Return what stands in for a chart: DVC makes a folder anew in every clone if git has no file of it."""
    figure = Figure(figsize=(WIDTH_IN, ROW_IN / 4))
    with style.context(["default", STYLE]):
        figure.text(0.01, 0.3, f"{name}: no runs", color=FAINT_INK)
        return svg(figure, f"gap-{name}", f"{name}: no runs")


def _mark_rounds(axes: Axes, part: Verdict) -> None:
    """Draw a line at each round, and write the images used at the first and the last: more would not fit."""
    images = [each["images"] for each in part["samplers"][CONTROL]["rounds"]]
    axes.set_xticks(images, [str(n) if n in (images[0], images[-1]) else "" for n in images])


def _curve(axes: Axes, sampler: Verdict, endpoint: str, look: tuple[str, str]) -> None:
    points: list[Any] = [(each["images"], each[endpoint]) for each in sampler["rounds"] if each[endpoint]]
    if not points:
        return
    images, scores = zip(*points, strict=True)
    colour, line = look
    axes.plot(images, [each["mean"] for each in scores], line, color=colour, linewidth=1.4, markersize=3)
    if scores[0]["lo"] is not None:
        low, high = (np.array([each[key] for each in scores]) for key in ("lo", "hi"))
        axes.fill_between(images, low, high, color=colour, alpha=0.25, linewidth=0)
