"""The page that says why networks fail: complete in itself, of one table of scores and the round before it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from micromime.reporting.charts.base import charted, score_by_parameter
from micromime.reporting.explanation.charts import asked_chart, change_chart, dependence_chart, importance_chart
from micromime.reporting.explanation.rounds import LIKE, REST, VARIED, Asked
from micromime.reporting.explanation.scores import BEFORE, Explanation, factors
from micromime.reporting.explanation.words import (
    about_parameters,
    about_round,
    about_scores,
    about_together,
    correlation,
    interval,
    p_value,
    written,
)
from micromime.reporting.failures import SCORE, lowest, percentile
from micromime.reporting.failures import parameters as numeric
from micromime.reporting.figures.panels import Colours, agreement, in_colours, reduced
from micromime.reporting.pages.page import LARGEST_SIDE_PX, data_uri, number
from micromime.reporting.words import capital
from micromime.scenario.arrays import Image, Mask

TEMPLATE = Path(__file__).parents[1] / "pages" / "explanation.html.j2"
WORST, MOST_PARENTS, MOST_PAIRS = 6, 12, 12
"""Samples that are shown one by one, lines of the table of those varied, and pairs that are named, at most."""

KINDS = {
    VARIED: "varied by the sampler",
    LIKE: "like what was asked for, not varied",
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
    """See `explanation.scoring_set`."""
    explanation: Explanation
    asked: Asked | None = None
    """None where the networks were trained on draws that no sampler asked for."""
    meanings: Mapping[str, str] = field(default_factory=dict)
    """What a parameter means, in a few words, by its column."""
    pictures: Mapping[str, tuple[Image, Mask]] = field(default_factory=dict)
    """Image and truth by a sample's id; those that are not at hand are left out."""
    remarks: Sequence[str] = ()
    """What could not be told, and why."""
    origin: Mapping[str, str] = field(default_factory=dict)


def write_explanation(path: Path, told: Told) -> None:
    """Write the page as one HTML file that loads nothing from elsewhere; the same content gives the same bytes."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(explanation_page(told), encoding="utf-8")


def explanation_page(told: Told) -> str:
    """Return the page as HTML: pictures as PNG data URIs, charts as inline SVG, no scripts."""
    pages = Environment(loader=FileSystemLoader(TEMPLATE.parent), autoescape=True, undefined=StrictUndefined)
    pages.trim_blocks = pages.lstrip_blocks = True
    pages.filters |= {
        "picture": data_uri,
        "p": p_value,
        "correlation": correlation,
        "interval": interval,
        "value": number,
        "capital": capital,
    }
    explanation, scoring = told.explanation, told.scoring
    values = {
        "told": told,
        "about_scores": about_scores(scoring, told.score, told.whose),
        "in_short": list(about_parameters(explanation, scoring)),
        "together": about_together(explanation, MOST_PAIRS) if explanation.together else None,
        "by_parameter": score_by_parameter(scoring, told.score) if numeric(scoring) else None,
        "charted": charted(scoring),
        "importance": _importance(explanation),
        "dependence": dependence_chart(explanation.curves, scoring, told.score) if explanation.curves else None,
        "table": explanation.table.to_dict("records"),
        "words": _words(told),
        "worst": [_worst(told, row) for _, row in lowest(scoring, WORST).iterrows()],
        "asked": told.asked and _asked(told, told.asked),
    }
    return pages.get_template(TEMPLATE.name).render(**values)


def _importance(explanation: Explanation) -> str | None:
    if explanation.forest is None or not explanation.explains:
        return None
    return importance_chart(explanation.forest, explanation.table["parameter"].tolist())


def _words(told: Told) -> list[dict[str, Any]]:
    """Return a row for each style (or other word): how many samples, their scores, and the share asked for."""
    scoring, rows = told.scoring, []
    for name in factors(scoring):
        if pd.api.types.is_numeric_dtype(scoring[name]):
            continue
        for word, scores in scoring.groupby(name)[SCORE]:
            row: dict[str, Any] = {
                "parameter": name,
                "word": word,
                "n": len(scores),
                "share": len(scores) / len(scoring),
            }
            row |= {"mean": scores.mean(), "sd": scores.std() if len(scores) > 1 else None}
            asked = told.asked.round_.samples[name] if told.asked else None
            rows.append(row | {"asked": None if asked is None else float((asked == word).mean())})
    return rows


def _worst(told: Told, row: "pd.Series[Any]") -> dict[str, Any]:
    """Return what the page shows of a sample: its score, its pictures, its parameters and where they lie."""
    names = [str(name) for name in row.index if name not in ("id", SCORE, BEFORE)]
    varying = [name for name in names if told.scoring[name].nunique() > 1]
    return {
        "id": row["id"],
        "score": row[SCORE],
        "pictures": _pictures(*told.pictures[row["id"]]) if row["id"] in told.pictures else {},
        "parameters": [
            {"name": name, "value": number(row[name]), "percentile": percentile(told.scoring, name, row[name])}
            for name in varying
        ],
    }


def _pictures(image: Image, truth: Mask) -> dict[str, Colours]:
    shown = {"image": in_colours(image), "truth": agreement(truth, truth)}
    return {title: reduced(each, LARGEST_SIDE_PX) for title, each in shown.items()}


def _asked(told: Told, asked: Asked) -> dict[str, Any]:
    """Return what the page tells of a round."""
    far = asked.distances.groupby(asked.kinds).median()
    groups = asked.outcome.groups if asked.outcome else {}
    return {
        "round_": asked.round_,
        "sentences": list(about_round(asked, told.score)),
        "sampler": written(dict(asked.round_.sampler)),
        "chart": asked_chart(asked.shifts) if asked.shifts["place_50"].notna().any() else None,
        "shifts": asked.shifts.to_dict("records"),
        "n": len(asked.round_.samples),
        "units": asked.n_fresh + len(asked.varied),
        "others": asked.n_others,
        "parents": asked.varied.head(MOST_PARENTS).to_dict("records"),
        "n_parents": len(asked.varied),
        "groups": [{"title": KINDS[name], "distance": far[name], **each._asdict()} for name, each in groups.items()],
        "p_holm": list(asked.outcome.p_holm.values()) if asked.outcome else [],
        "change": change_chart(told.scoring, asked, told.score) if asked.outcome else None,
    }
