"""Write the report: one page and its pictures, of all that came out."""

from pathlib import Path

import pandas as pd

from micromime.arms.queue import network_of
from micromime.arms.rounds import BASE, score_of
from micromime.datasets.store import Dataset
from micromime.inference.views import in_views
from micromime.pictures.micrographs import read_micrographs
from micromime.project import places
from micromime.project.work import sole_maker
from micromime.reporting.judged import Judged, JudgedTiles
from micromime.reporting.pages import micrographs, tiles
from micromime.reporting.pages.page import write_page
from micromime.reporting.plots import BY_PARAMETER, by_parameter
from micromime.scenario.parameters import read_tree
from micromime.stages.publish import PAGE, publish_judged, what_was_judged
from micromime.tracking.store import best_effort


def report(use_case: str) -> None:
    """Write the page and its pictures; of networks that find masks, with what the first arm's has found."""
    tree = read_tree(places.PARAMS)
    verdict = places.verdict(places.profile(tree), use_case)
    out = verdict.with_name(PAGE)
    with sole_maker(out):
        judged, test_set = what_was_judged(tree, use_case, verdict)
        if isinstance(judged, JudgedTiles):
            shown = tiles.Sources(*(each(use_case) for each in (places.tiles, places.synthetic, places.exemplars)))
            on_tiles = tiles.report_of(judged, shown)
            write_page(out, tiles.page(on_tiles), on_tiles.pictures)
        else:
            scored = places.synthetic(use_case, "scoring"), places.scores(use_case, BASE), score_of(tree, use_case)
            told = on_micrographs(judged, test_set, *scored)
            write_page(out, micrographs.page(told), told.pictures)
            by_parameter(told.scoring).to_csv(out.with_name(BY_PARAMETER), index=False)
        with best_effort():
            publish_judged(tree, use_case)


def on_micrographs(judged: Judged, test_set: Path, scoring: Path, scores: Path, score: str) -> micrographs.Report:
    """Return all that is told of a verdict on micrographs."""
    from micromime.inference.networks import predictor  # torch takes seconds

    ask = in_views(predictor(network_of(*next(iter(judged.representative.items())))), judged.verdict["views"])
    scored = Dataset(scoring), pd.read_parquet(scores), score
    return micrographs.report_of(judged, scored, read_micrographs(test_set), ask)
