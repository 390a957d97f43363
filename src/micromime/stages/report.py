"""Write the report of a use case with micrographs: one page and its pictures, of all that came out."""

import pandas as pd

from micromime.arms.queue import network_of
from micromime.arms.rounds import BASE, arms_of, score_of
from micromime.datasets.store import Dataset
from micromime.inference.views import in_views
from micromime.pictures.micrographs import read_micrographs
from micromime.project import places
from micromime.project.work import sole_maker
from micromime.reporting.judged import Judged, beside
from micromime.reporting.pages.micrographs import page, report_of
from micromime.reporting.pages.page import write_page
from micromime.scenario.parameters import read_tree
from micromime.stages.publish import PAGE, publish_judged
from micromime.tracking.store import best_effort


def report(use_case: str) -> None:
    """Write the page and its pictures, from the network that stands for the first arm."""
    from micromime.inference.networks import predictor  # torch takes seconds

    tree = read_tree(places.PARAMS)
    verdict = places.verdict(places.profile(tree), use_case)
    out = verdict.with_suffix("") / PAGE
    with sole_maker(out):
        arms = [places.models(use_case, name) for name in arms_of(tree, use_case)]
        judged = Judged(*beside(verdict), arms)
        network = network_of(*next(iter(judged.representative.items())))
        ask = in_views(predictor(network), judged.verdict["views"])
        scored = Dataset(places.synthetic(use_case, "scoring")), pd.read_parquet(places.scores(use_case, BASE))
        told = report_of(judged, (*scored, score_of(tree, use_case)), read_micrographs(places.test_set(use_case)), ask)
        write_page(out, page(told), told.pictures)
        with best_effort():
            publish_judged(tree, use_case)
