"""Write the report of a use case with tiles: one page and its pictures, of all that came out."""

from pathlib import Path

import pandas as pd

from micromime.arms.comparisons import arms_of_models
from micromime.datasets.store import Dataset
from micromime.judging.tiles import TEST
from micromime.judging.verdict import SCORES
from micromime.project.places import PARAMS
from micromime.project.work import sole_maker
from micromime.reporting.judged import JudgedTiles, beside
from micromime.reporting.pages.page import write_page
from micromime.reporting.pages.tiles import Sources, page, report_of
from micromime.scenario.parameters import read_tree
from micromime.stages.publish import publish_judged
from micromime.tracking.store import best_effort


def main(  # noqa: PLR0913 - a path an argument
    use_case: str,
    models: Path,
    tiles: Path,
    synthetic: Path,
    exemplars: Path,
    verdict: Path,
    out: Path,
    params: Path = PARAMS,
) -> None:
    """Write the page and its pictures."""
    with sole_maker(out):
        tree = read_tree(params)
        made_of = arms_of_models(models, tree, use_case)
        judged = JudgedTiles(*beside(verdict), pd.DataFrame(), list(made_of), made_of, Dataset(tiles / TEST))
        report = report_of(judged, Sources(tiles, synthetic, exemplars))
        pictures = write_page(out, page(report), report.pictures)
        files = [file for file in (verdict.with_suffix(".md"), out, verdict.with_suffix("") / SCORES) if file.is_file()]
        with best_effort():
            publish_judged(judged, tiles / TEST, files, pictures)
