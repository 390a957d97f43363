"""Write the report of a use case with micrographs: one page and its pictures, of all that came out."""

from pathlib import Path

import pandas as pd

from micromime.arms.queue import network_of
from micromime.arms.rounds import arms_of, score_of
from micromime.datasets.store import Dataset
from micromime.inference.views import in_views
from micromime.judging.verdict import SCORES
from micromime.pictures.micrographs import read_micrographs
from micromime.project.places import PARAMS
from micromime.project.work import sole_maker
from micromime.reporting.judged import Judged, beside
from micromime.reporting.pages.micrographs import page, report_of
from micromime.reporting.pages.page import write_page
from micromime.scenario.parameters import read_tree
from micromime.stages.publish import publish_judged
from micromime.tracking.store import best_effort


def main(  # noqa: PLR0913 - a path an argument
    use_case: str,
    models: Path,
    verdict: Path,
    scores: Path,
    scoring: Path,
    test_set: Path,
    out: Path,
    params: Path = PARAMS,
) -> None:
    """Write the page and its pictures, from the network that stands for the first arm."""
    from micromime.inference.networks import predictor  # torch takes seconds

    with sole_maker(out):
        tree = read_tree(params)
        arms = [models / name for name in arms_of(tree, use_case)]
        judged = Judged(*beside(verdict), pd.read_parquet(scores), arms)
        network = network_of(*next(iter(judged.representative.items())))
        ask = in_views(predictor(network), judged.verdict["views"])
        scored = Dataset(scoring), score_of(tree, use_case)
        report = report_of(judged, scored, read_micrographs(test_set), ask)
        pictures = write_page(out, page(report), report.pictures)
        files = [file for file in (verdict.with_suffix(".md"), out, verdict.with_suffix("") / SCORES) if file.is_file()]
        with best_effort():
            publish_judged(judged, test_set, files, pictures)
