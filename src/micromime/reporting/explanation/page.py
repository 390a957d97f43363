"""The page that says why networks fail: complete in itself, of one table of scores and the round before it."""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from sklearn.inspection import PartialDependenceDisplay

from micromime.reporting.charts.base import BLUE, INK, chart, charted, score_by_parameter, svg
from micromime.reporting.explanation.scores import LIKE, REST, VARIED, Explanation, Round, factors, grown, worded
from micromime.reporting.failures import SCORE, in_common, lowest, percentile
from micromime.reporting.failures import parameters as numeric
from micromime.reporting.figures import agreement, in_colours, reduced
from micromime.reporting.pages.page import LARGEST_SIDE_PX, number, write_page
from micromime.reporting.words import capital, p_text, rendered
from micromime.scenario.arrays import Image, Mask

WORST = 6
"""Samples that are shown one by one, at most."""

MOST_CURVES = 4

KINDS = {
    VARIED: "those varied by the sampler",
    LIKE: "those like what was requested",
    REST: "the rest",
}


@dataclass(frozen=True, kw_only=True)
class Told:
    """What the page tells."""

    subject: str
    """The arm, or the run of it, as it follows "why networks fail:"."""
    score: str
    """What the scores are: see `failures.score_title`."""
    whose: str
    """Whose scores these are: `run 2`, `mean over 3 runs`."""
    scoring: pd.DataFrame
    """See `scores.scoring_set`."""
    explanation: Explanation
    round_: Round | None = None
    """None where the networks were trained on draws that no sampler requested."""
    meanings: Mapping[str, str] = field(default_factory=dict)
    """What a parameter means, in a few words, by its column."""
    pictures: Mapping[str, tuple[Image, Mask]] = field(default_factory=dict)
    """Image and truth by a sample's id; those that are not at hand are left out."""
    remark: str = ""
    """What could not be told, and why."""
    origin: Mapping[str, str] = field(default_factory=dict)


def write_explanation(path: Path, told: Told) -> None:
    """Write the page as one HTML file that loads nothing from elsewhere; the same content gives the same bytes."""
    write_page(path, explanation_page(told), {})


def explanation_page(told: Told) -> str:
    """Return the page as HTML: pictures as PNG data URIs, charts as inline SVG, no scripts."""
    scoring, explanation, round_ = told.scoring, told.explanation, told.round_
    table = explanation.table[explanation.table["parameter"].isin(numeric(scoring))]
    curves = table["parameter"][table["always"]].tolist()[:MOST_CURVES] if explanation.explains else []
    numbers, worst = in_common(scoring)["parameter"].tolist(), lowest(scoring, WORST)
    return rendered(
        "explanation.html.j2",
        told=told,
        about_scores=about_scores(told),
        about_round=about_round(told),
        table=explanation.table.to_dict("records"),
        words=by_word(told),
        by_parameter=score_by_parameter(scoring, told.score) if numbers else None,
        charted=charted(scoring),
        dependence=dependence_chart(scoring, curves, told.score) if curves else None,
        worst=[_shown(told, row) for _, row in worst.iterrows()],
        worst_values={
            name: [(number(value), percentile(scoring, name, value)) for value in worst[name]]
            for name in worded(scoring) + numbers
        },
        round=round_,
        sampler=json.dumps(round_.requests.description["sampler"]) if round_ else "",
        shifts=round_.shifts.to_dict("records") if round_ else [],
        changes=round_.changes.to_dict("records") if round_ else [],
        kinds=KINDS,
        p_value=p_value,
        correlation=correlation,
    )


def by_word(told: Told) -> list[dict[str, Any]]:
    """Return a row for each style (or other word), lowest scores first: its samples and scores, the share requested."""
    rows = list[dict[str, Any]]()
    for name in worded(told.scoring):
        requested = told.round_.requests.samples[name] if told.round_ else pd.Series(dtype=object)
        for word, of in told.scoring.groupby(name)[SCORE]:
            row = {"parameter": name, "word": word, "n": len(of), "mean": of.mean(), "sd": of.std()}
            rows.append(row | {"requested": (requested == word).mean()})
    return sorted(rows, key=lambda row: (row["parameter"], row["mean"]))


def _shown(told: Told, row: "pd.Series[Any]") -> dict[str, Any]:
    """Return what the page shows of one of the worst: its score, its pictures, how often the sampler varied it."""
    image, truth = told.pictures.get(row["id"], (None, None))
    colours = {} if image is None or truth is None else {"image": in_colours(image), "truth": agreement(truth, truth)}
    return {
        "id": row["id"],
        "score": row[SCORE],
        "pictures": {title: reduced(each, LARGEST_SIDE_PX) for title, each in colours.items()},
        "times": int((told.round_.requests.samples["parent"] == row["id"]).sum()) if told.round_ else 0,
    }


def dependence_chart(scoring: pd.DataFrame, names: Sequence[str], score: str) -> str:
    """Return a panel for each number of `names`: its partial dependence (Friedman 2001, doi 10.1214/aos/1013203451).

    Thin lines are single samples (Goldstein et al. 2015, doi 10.1080/10618600.2014.907095).
    """
    inputs = pd.get_dummies(scoring[factors(scoring)], dtype=np.float64).astype(np.float64)
    at = {name: np.unique(np.percentile(inputs[name], range(5, 100, 5))) for name in names}
    with chart(2.7, len(names), len(names)) as (figure, every):
        PartialDependenceDisplay.from_estimator(
            grown(inputs, scoring[SCORE]),
            inputs,
            list(names),
            **{"kind": "both", "centered": True, "subsample": 50, "random_state": 0, "custom_values": at, "ax": every},
            ice_lines_kw={"color": BLUE, "linewidth": 0.5},
            pd_line_kw={"color": INK, "linewidth": 2.5, "linestyle": "-"},
        )
        for axes in every:
            axes.get_legend().remove()  # type: ignore[union-attr]
            axes.set_ylabel("" if axes is not every[0] else f"change of {score}")
        return svg(figure, "dependence", f"Partial dependence of the {score} on {', '.join(names)}.")


def about_scores(told: Told) -> str:
    """Return what the scores are, whose, of how many samples, and how they spread."""
    scores, n = told.scoring[SCORE], len(told.scoring)
    spread = f" ± {scores.std():.3f} (sd between samples)" if n > 1 else ""
    reach = f"{scores.mean():.3f}{spread}, from {scores.min():.3f} to {scores.max():.3f}"
    return f"{capital(told.score)}, {told.whose}, of the n = {n} samples of the scoring set: {reach}."


def about_round(told: Told) -> str:
    """Return what a sampler requested and how the scores changed on samples like those; nothing without a sampler."""
    round_ = told.round_
    if round_ is None:
        return ""
    parents = round_.requests.samples["parent"]
    varied = parents[parents != ""]
    of = f", {len(varied)} of them variations of {varied.nunique()} scored samples" if len(varied) else ""
    rows = round_.changes.to_dict("records")
    said = [f"{row['after'] - row['before']:+.3f} on {KINDS[row['kind']]} (n = {row['n']})" for row in rows]
    changed = f". {capital(told.score)} changed by {', '.join(said)}" if said else ""
    return f"For the round {round_.requests.folder.name} the sampler requested {len(parents)} samples{of}{changed}."


def p_value(p: float) -> str:
    """Return a p value as a table has it."""
    return "none" if math.isnan(p) else "< 0.0001" if p < 1e-4 else p_text(p)


def correlation(row: Mapping[Any, Any]) -> str:
    """Return the rank correlation in a row of an explanation's table, that of numbers with its sign."""
    r, words = float(row["rank_correlation"]), math.isnan(row["worst_percentile"])
    return "none" if math.isnan(r) else f"{r:.2f}" if words else f"{r:+.2f}"
