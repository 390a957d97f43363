"""The report: one page, complete in itself, of the verdict, the pictures, the failures and the training.

That of the grains, and what the pages of all use cases share: `Reported`, `page_of` and what it needs.
"""

import base64
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markdown_it import MarkdownIt

from micromime.judging.verdict import Verdict
from micromime.reporting.charts.base import charted, learning_curves, score_by_parameter, scores_chart
from micromime.reporting.charts.grains import diameters_chart, grains_chart
from micromime.reporting.failures import WorstSample, in_common, percentile
from micromime.reporting.figures.figure_4 import figure_4
from micromime.reporting.figures.panels import LEGEND, Colours, Shown, png, reduced, triple
from micromime.reporting.tables.verdict import headline
from micromime.reporting.words import TITLES, capital

TEMPLATE = Path(__file__).with_name("report.html.j2")
LARGEST_SIDE_PX = 256
"""Of the pictures of the worst samples."""

PAPER_DOI = "10.3390/cryst11030258"


@dataclass(frozen=True, kw_only=True)
class Reported:
    """What the report of any use case tells; tables may be empty, their part of the page is then left out."""

    verdict: Verdict
    tables_markdown: str
    """The verdict's tables; HTML in it is shown as text, and of links only those to a DOI are kept."""
    epochs: pd.DataFrame
    """Columns arm, run, epoch (from 1 within a run), phase, train_loss, valid_loss, the metrics, images_per_second."""
    rates: pd.DataFrame
    """Columns arm, phase, size_px, trainable, epochs, peak_rate and how (`found` or `given`)."""
    origin: Mapping[str, str]
    """How the report was made: what, in a word or two -> the answer. No dates: they would change its bytes."""


@dataclass(frozen=True, kw_only=True)
class Report(Reported):
    """What the report of the grains tells; sequences, too, may be empty."""

    predicted_by: str
    """The network whose predictions are shown, in words that follow "predictions of"."""
    synthetic: Sequence[Shown]
    real: Sequence[Shown]
    """Test pictures, also where they are a surrogate."""
    worst: Sequence[WorstSample]
    scoring: pd.DataFrame
    """A row for every sample of the scoring set: a column for each parameter, and `failures.SCORE`."""
    scored_by: str
    """What that score is: see `failures.score_title`."""
    grains: pd.DataFrame
    """A row for every test picture, of the grains that the network above has found: see `grains_chart`."""
    diameters: pd.DataFrame
    """A row for every grain, found or true: see `diameters_chart`."""
    panel: Colours
    """Every test picture beside its truth and its prediction."""


def write_report(path: Path, report: Report) -> None:
    """Write the report as one HTML file that loads nothing from elsewhere; the same report gives the same bytes."""
    path.write_text(report_page(report), encoding="utf-8")


def report_page(report: Report) -> str:
    """Return the report as HTML: pictures as PNG data URIs, charts as inline SVG, no scripts."""
    both = bool(report.synthetic and report.real)
    differing = pd.DataFrame() if report.scoring.empty else in_common(report.scoring)
    arms = [] if report.epochs.empty else [str(arm) for arm in report.epochs["arm"].unique()]
    values = {
        "scores": scores_chart(report.verdict, TITLES),
        "figure_4": figure_4(report.synthetic, report.real, report.verdict["test_set"]["kind"]) if both else None,
        "legend": LEGEND,
        "grains": None if report.grains.empty else grains_chart(report.grains, report.predicted_by),
        "diameters": None if report.diameters.empty else diameters_chart(report.diameters, report.predicted_by),
        "by_parameter": None if differing.empty else score_by_parameter(report.scoring, report.scored_by),
        "charted": "" if differing.empty else charted(report.scoring),
        "in_common": differing.to_dict("records"),
        "worst": [_worst(sample, report.scoring) for sample in report.worst],
        "curves": {arm: learning_curves(report.epochs, arm) for arm in arms},
    }
    return page_of(TEMPLATE, report, values)


def page_of(template: Path, report: Reported, values: Mapping[str, Any], sunk: int = 2) -> str:
    """Return the page that a template, which extends page.html.j2, makes of a report and of further values.

    The headings of the report's tables sink by `sunk` levels. A name that is not given is an error.
    """
    pages = Environment(loader=FileSystemLoader(template.parent), autoescape=True, undefined=StrictUndefined)
    pages.trim_blocks = pages.lstrip_blocks = True
    pages.filters |= {"picture": data_uri, "capital": capital}
    test_set = report.verdict["test_set"]
    title = headline(test_set)
    return pages.get_template(template.name).render(
        report=report,
        test_set=test_set,
        headline=title,
        tables=html_of(report.tables_markdown.removeprefix(f"**{title}**"), sunk),
        phases=list(_phases(report.rates, report.epochs)),
        doi=PAPER_DOI,
        **values,
    )


def data_uri(colours: Colours) -> str:
    """Return the picture as the address of an image that holds it."""
    return f"data:image/png;base64,{base64.b64encode(png(colours)).decode()}"


class _Markdown(MarkdownIt):
    def validateLink(self, url: str) -> bool:
        """Return whether a link may be one: a page that is sent around leads nowhere but to the literature."""
        return url.startswith("https://doi.org/")


def html_of(markdown: str, sunk: int = 2) -> str:
    """Return Markdown as HTML, every table in a box of its own that scrolls, its heads marked for screen readers.

    Headings sink by `sunk` levels, below those of the page.
    """
    parser = _Markdown("commonmark", {"html": False}).enable("table").disable("image")
    tokens = parser.parse(markdown)
    for i, token in enumerate(tokens):
        if token.type in {"heading_open", "heading_close"}:
            token.tag = f"h{min(int(token.tag[1]) + sunk, 6)}"
        elif token.type == "th_open":
            token.attrSet("scope", "col")
        elif token.type == "td_open" and tokens[i - 1].type == "tr_open" and tokens[i + 1].content:
            token.tag = tokens[i + 2].tag = "th"
            token.attrSet("scope", "row")
    html: str = parser.renderer.render(tokens, parser.options, {})
    return html.replace("<table>", '<div class="scroll" tabindex="0"><table>').replace("</table>", "</table></div>")


def _worst(sample: WorstSample, scoring: pd.DataFrame) -> dict[str, Any]:
    """Return what the page shows of a sample: its pictures, its scores in words, its parameters and where they lie."""
    titles = ("image", "truth", "prediction")
    pictures = [reduced(each, LARGEST_SIDE_PX) for each in triple(sample.shown)]
    return {
        "id": sample.id,
        "name": sample.shown.name,
        "pictures": dict(zip(titles, pictures, strict=True)),
        "scores": {
            TITLES.get(name, name.replace("_", " ")): f"{mean:.3f}" if sd is None else f"{mean:.3f} ± {sd:.3f}"
            for name, (mean, sd) in sample.scores.items()
        },
        "parameters": [
            {"name": name, "value": number(value), "percentile": percentile(scoring, name, value)}
            for name, value in sample.parameters.items()
        ],
    }


def number(value: Any) -> str:
    """Return a number in at most four significant digits; anything else as it is written."""
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _phases(rates: pd.DataFrame, epochs: pd.DataFrame) -> Iterator[dict[str, Any]]:
    """Yield the rows of the table of phases, with the median speed over a phase's epochs and runs, if it is known."""
    for row in rates.to_dict("records"):
        speed = None
        if not epochs.empty:
            same = epochs[(epochs["arm"] == row["arm"]) & (epochs["phase"] == row["phase"])]
            speed = same["images_per_second"].median() if len(same) else None
        yield {**{str(key): value for key, value in row.items()}, "images_per_second": speed}
