"""Write the report of a use case with tiles: one page and its pictures, of all that came out."""

from pathlib import Path
from typing import Annotated

import pandas as pd
from typer import Option

from micromime.arms.comparisons import arm_name, pools_of
from micromime.datasets.store import Dataset
from micromime.judging.tiles import COMPARED
from micromime.project.work import sole_maker
from micromime.reporting.judged import JudgedTiles, beside
from micromime.reporting.pages.page import write_page
from micromime.reporting.pages.tiles import Sources, page, report_of
from micromime.scenario.parameters import read_tree
from micromime.stages import command
from micromime.judging.tiles import TEST


def main(  # noqa: PLR0913 - one argument an option
    use_case: str,
    models: Annotated[Path, Option(help="Folder of the models' arms.")],
    tiles: Annotated[Path, Option(help="Folder of the divided real tiles.")],
    synthetic: Annotated[Path, Option(help="Folder of the pools.")],
    exemplars: Annotated[Path, Option(help="Folder of what was measured on each subset.")],
    verdict: Annotated[Path, Option(help="The verdict; answers and learning curves lie in the folder of its name.")],
    out: Annotated[Path, Option(help="The page, HTML; its pictures lie beside it.")],
    params: Annotated[Path, Option(help="The file with <use case>.tiles and .ablation.")] = Path("params.yaml"),
) -> None:
    """Write the page and its pictures."""
    with sole_maker(out):
        tree = read_tree(params)
        both = [(model, pool) for model in COMPARED for pool in pools_of(model, tree, use_case)]
        made_of = {models / model / arm_name(model, pool): (model, pool) for model, pool in both}
        judged = JudgedTiles(*beside(verdict), pd.DataFrame(), list(made_of), made_of, Dataset(tiles / TEST))
        report = report_of(judged, Sources(tiles, synthetic, exemplars))
        write_page(out, page(report), report.pictures)


if __name__ == "__main__":
    command(main)
