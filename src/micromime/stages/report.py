"""Write the report of a use case with micrographs: one page and its pictures, of all that came out."""

from pathlib import Path
from typing import Annotated

import pandas as pd
from typer import Option

from micromime.arms.queue import network_of
from micromime.arms.rounds import arms_of, score_of
from micromime.datasets.store import Dataset
from micromime.inference.views import in_views
from micromime.pictures.micrographs import read_micrographs
from micromime.project.work import sole_maker
from micromime.reporting.judged import Judged, beside
from micromime.reporting.pages.micrographs import page, report_of
from micromime.reporting.pages.page import write_page
from micromime.scenario.parameters import read_tree
from micromime.stages import command


def main(  # noqa: PLR0913 - one argument an option
    use_case: str,
    models: Annotated[Path, Option(help="Folder of arms.")],
    verdict: Annotated[Path, Option(help="The verdict; scores and learning curves lie in the folder of its name.")],
    scores: Annotated[Path, Option(help="The table of scores of the scoring set.")],
    scoring: Annotated[Path, Option(help="The scoring set.")],
    test_set: Annotated[Path, Option(help="Folder of the test set.")],
    out: Annotated[Path, Option(help="The page, HTML; its pictures lie beside it.")],
    params: Annotated[Path, Option(help="The file with the section <use case>.rounds.")] = Path("params.yaml"),
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
        write_page(out, page(report), report.pictures)


if __name__ == "__main__":
    command(main)
