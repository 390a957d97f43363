"""What the pages of all use cases share: a page is one HTML file, complete in itself, its charts and pictures in it."""

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
from markdown_it import MarkdownIt

from micromime.judging.verdict import Verdict
from micromime.reporting.figures import Colours, png
from micromime.reporting.tables.summary import opening
from micromime.reporting.words import TEMPLATES, headline, in_markdown, rendered

LARGEST_SIDE_PX = 256
"""Of the pictures of the worst samples."""

PICTURES = "pictures"
"""The folder of pictures beside a page."""

PAPER_DOI = "10.3390/cryst11030258"


@dataclass(frozen=True, kw_only=True)
class Reported:
    """What the page of any use case tells."""

    verdict: Verdict
    epochs: pd.DataFrame
    """Columns arm, run, epoch (from 1 within a run), phase, train_loss, valid_loss, the metrics, images_per_second."""
    rates: pd.DataFrame
    """See `judged.phases`."""
    origin: Mapping[str, str]
    """How the report was made: what, in a word or two -> the answer. No dates: they would change its bytes."""
    pictures: Mapping[str, Colours]
    """By name; they are written as files of their own, too."""


def page_of(template: str, report: Reported, tables: str, values: Mapping[str, Any]) -> str:
    """Return the page that a template, which extends page.html.j2, makes of a report, its tables and further values."""
    test_set, speeds = report.verdict["test_set"], report.epochs.groupby(["arm", "phase"])["images_per_second"].median()
    return rendered(
        template,
        report=report,
        test_set=test_set,
        headline=headline(test_set),
        opening=html_of(opening(report.verdict)),
        tables=html_of(tables.removeprefix(f"**{headline(in_markdown(test_set))}**")),
        phases=report.rates.join(speeds, on=["arm", "phase"]).to_dict("records"),
        doi=PAPER_DOI,
        **values,
    )


def write_page(path: Path, page: str, pictures: Mapping[str, Colours]) -> None:
    """Write a page, and beside it a folder of its pictures, `<name>.png`. The same gives the same bytes."""
    (path.with_name(PICTURES) if pictures else path.parent).mkdir(parents=True, exist_ok=True)
    path.write_text(page, encoding="utf-8")
    for name, picture in pictures.items():
        path.with_name(PICTURES).joinpath(f"{name}.png").write_bytes(png(picture))


def data_uri(colours: Colours) -> str:
    """Return the picture as the address of an image that holds it."""
    return f"data:image/png;base64,{base64.b64encode(png(colours)).decode()}"


TEMPLATES.filters["picture"] = data_uri


def number(value: Any) -> str:
    """Return a number in at most four significant digits; anything else as it is written."""
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def html_of(markdown: str) -> str:
    """Return Markdown as HTML, every table in a box of its own that scrolls, its heads marked for screen readers.

    HTML, links and images in it are shown as text: a page that is sent around leads nowhere.
    """
    parser = MarkdownIt("commonmark", {"html": False}).enable("table")
    parser.disable(["image", "link", "autolink", "reference"])
    tokens = parser.parse(markdown)
    for i, token in enumerate(tokens):
        if token.type == "th_open":
            token.attrSet("scope", "col")
        elif token.type == "td_open" and tokens[i - 1].type == "tr_open" and tokens[i + 1].content:
            token.tag = tokens[i + 2].tag = "th"
            token.attrSet("scope", "row")
    html: str = parser.renderer.render(tokens, parser.options, {})
    return html.replace("<table>", '<div class="scroll" tabindex="0"><table>').replace("</table>", "</table></div>")
