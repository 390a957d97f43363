"""Judge networks on the test set: every run of every arm, beside the trivial baselines."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import pandas as pd
from typer import Option

from micromime.arrays import Mask
from micromime.datasets.real import Micrograph, read_micrographs
from micromime.datasets.sources import SOURCE_NAME, Source
from micromime.evaluation.baselines import BASELINES
from micromime.evaluation.metrics import SEGMENTATION
from micromime.evaluation.tables import verdict_table
from micromime.evaluation.verdict import verdict
from micromime.stages import command
from micromime.stages.arms import Arm, trained
from micromime.stages.ask import Picture, answers, grain_size, measured
from micromime.stages.work import sole_maker

SCORES, CURVES = "scores.parquet", "curves.csv"
"""In the folder beside the verdict: the scores of every picture, and the learning curves that `dvc plots` shows."""


def main(  # noqa: PLR0913 - one argument an option
    use_case: str,
    models: Annotated[Path, Option(help="Folder of arms.")],
    arm: Annotated[list[str], Option(help="An arm to judge, in the order of the tables; once for each.")],
    test_set: Annotated[Path, Option(help="Folder of the test set.")],
    out: Annotated[Path, Option(help="The verdict, JSON; its table (.md) and a folder of its name lie beside it.")],
    records: Annotated[Path, Option(help="Folder of the finished runs' records, kept in git.")],
) -> None:
    """Write the verdict, its tables, the scores of every picture and the learning curves."""
    with sole_maker(out):
        arms = [models / name for name in arm]
        pictures = read_micrographs(test_set)
        source = Source.read(test_set / SOURCE_NAME)
        given = with_sources(answers(arms, records, "test", test_set), pictures)
        baselines = pd.DataFrame([row for name in BASELINES for row in _baseline_rows(name, pictures)])
        keys = ["arm", "run", "picture", "source"]
        scores = given[[*keys, *SEGMENTATION]]
        tested_on = {"kind": source.kind, "name": use_case, "reason": source.reason}
        said = verdict(
            tested_on, scores, baselines[["baseline", *keys[2:], *SEGMENTATION]], sizes(pictures, given, baselines)
        )
        folder = out.with_suffix("")
        folder.mkdir(parents=True, exist_ok=True)
        out.write_text(json.dumps(said, indent=1) + "\n")
        out.with_suffix(".md").write_text(verdict_table(said))
        scores.to_parquet(folder / SCORES, index=False)
        epochs(arms).to_csv(folder / CURVES, index=False)


def with_sources(given: pd.DataFrame, pictures: Sequence[Micrograph]) -> pd.DataFrame:
    """Return the rows with the source of each picture."""
    return given.assign(source=given["picture"].map({each.name: each.source for each in pictures}))


def epochs(arms: Sequence[Path]) -> pd.DataFrame:
    """Return a row for every arm, run and epoch: its phase, losses, metrics and speed."""
    rows = [
        {"arm": arm.name, "run": run, "epoch": number, **epoch}
        for arm in arms
        for run in Arm.read(arm).runs
        for number, epoch in enumerate(trained(arm, run)["epochs"], 1)
    ]
    return pd.DataFrame(rows)


def sizes(pictures: Sequence[Micrograph], given: pd.DataFrame, baselines: pd.DataFrame) -> pd.DataFrame:
    """Return a row for the grains of every picture's truth, and of all that was found in it."""
    measures = ["picture", "source", "grains", "intercept_px"]
    scale = {each.name: each.um_per_px for each in pictures}
    truths = [{"picture": each.name, "source": each.source, **grain_size(each.mask)} for each in pictures]
    parts = [
        pd.DataFrame(truths).assign(kind="truth", name="truth", run=0),
        baselines[measures].assign(kind="baseline", name=baselines["baseline"], run=0),
        given[measures].assign(kind="arm", name=given["arm"], run=given["run"]),
    ]
    typed = [part.astype({"intercept_px": float}) for part in parts]
    rows = pd.concat(typed, ignore_index=True)
    return rows.assign(um_per_px=rows["picture"].map(scale).astype(float))


def _baseline_rows(name: str, pictures: Sequence[Micrograph]) -> list[dict[str, Any]]:
    return [{"baseline": name, **_row(each, BASELINES[name](each.image))} for each in pictures]


def _row(picture: Micrograph, found: Mask) -> dict[str, Any]:
    return measured(Picture(picture.name, picture.image, picture.mask), found) | {"source": picture.source}


if __name__ == "__main__":
    command(main)
