"""The report on classifiers of tiles: one page, complete in itself, of the verdict, the tiles and the training."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from micromime.reporting.charts.base import learning_curves
from micromime.reporting.charts.tiles import error_chart, learning_chart
from micromime.reporting.figures.panels import Colours
from micromime.reporting.pages.page import Reported, page_of

TEMPLATE = Path(__file__).with_name("tile_report.html.j2")


@dataclass(frozen=True, kw_only=True)
class TileReport(Reported):
    """What the report on classifiers of tiles tells."""

    figure_3: Colours
    made_after: str
    """The subset of the training tiles that the pictures show, with its pool and its models."""
    counts: Mapping[str, int]
    """How many there are of what figure 3 and the contact sheet show some of: real, synthetic, patches and seeds."""
    contact_sheet: Colours
    fitted: str
    """The chart of what was measured and what was fitted to it, SVG."""
    fitted_to: str
    """The subset that it is about."""
    wrong: Colours
    """The test tiles that median runs classify wrongly."""
    curves_of: Sequence[str]
    """The arms whose learning curves are shown; there may be many."""


def write_tile_report(path: Path, report: TileReport) -> None:
    """Write the report as one HTML file that loads nothing from elsewhere; the same report gives the same bytes."""
    path.write_text(tile_report_page(report), encoding="utf-8")


def tile_report_page(report: TileReport) -> str:
    """Return the report as HTML: pictures as PNG data URIs, charts as inline SVG, no scripts."""
    values = {
        "scores": error_chart(report.verdict),
        "learning": learning_chart(report.verdict),
        "curves": {arm: learning_curves(report.epochs, arm) for arm in report.curves_of},
    }
    return page_of(TEMPLATE, report, values, sunk=0)
