"""Judge networks on the test set: every run of every arm, beside the trivial baselines."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import pandas as pd
from typer import Option

from micromime.arms.arm import Arm, trained
from micromime.arms.rounds import BASE, compared, rounds_of
from micromime.inference.ask import CHOOSING, TEST, Asked, answers
from micromime.inference.judge_views import views_of
from micromime.judging.baselines import BASELINES
from micromime.judging.closed_grains import grains_of_mask
from micromime.judging.metrics import SEGMENTATION, TESTED
from micromime.judging.operating_point import at_operating_points, operating_points
from micromime.judging.picture_scores import THRESHOLDS, Picture
from micromime.judging.tested_pictures import grain_size, tested
from micromime.judging.verdict import Pairs, verdict
from micromime.pictures.micrographs import Micrograph, read_micrographs
from micromime.pictures.test_set import SOURCE_NAME, Source
from micromime.project.work import sole_maker
from micromime.reporting.judged import CURVES, SCORES
from micromime.reporting.tables.verdict import astm_by_picture, true_size, verdict_table
from micromime.reporting.trained_arms import origin
from micromime.scenario.arrays import Mask
from micromime.scenario.parameters import read_tree
from micromime.stages import command

KEYS = ("arm", "run", "picture", "source")


def main(  # noqa: PLR0913 - one argument an option
    use_case: str,
    models: Annotated[Path, Option(help="Folder of arms.")],
    test_set: Annotated[Path, Option(help="Folder of the test set.")],
    scoring: Annotated[Path, Option(help="The synthetic set that each run's threshold is chosen on.")],
    out: Annotated[Path, Option(help="The verdict, JSON; its table (.md) and a folder of its name lie beside it.")],
    records: Annotated[Path, Option(help="Folder of the finished runs' records, kept in git.")],
    params: Annotated[Path, Option(help="The file with the section <use case>.rounds, .judge.")] = Path("params.yaml"),
) -> None:
    """Write the verdict, its tables, the scores of every picture and the learning curves."""
    with sole_maker(out):
        tree = read_tree(params)
        rounds, views = rounds_of(tree, use_case), views_of(tree, use_case)
        arms = [models / name for name in (BASE, *rounds)]
        pictures = read_micrographs(test_set)
        asked = with_sources(answers(arms, records, Asked(TEST, test_set, views)), pictures)
        points = operating_points(answers(arms, records, Asked(CHOOSING, scoring, views)))
        source = Source.read(test_set / SOURCE_NAME)
        tested_on = {"kind": source.kind, "name": use_case, "reason": source.reason}
        said = said_of(tested_on, (asked, points), pictures, compared(rounds)) | {"views": views}
        said["made"] = origin(arms)
        folder = out.with_suffix("")
        folder.mkdir(parents=True, exist_ok=True)
        out.write_text(json.dumps(said, indent=1) + "\n")
        out.with_suffix(".md").write_text(verdict_table(said))
        asked.to_parquet(folder / SCORES, index=False)
        epochs(arms).to_csv(folder / CURVES, index=False)


def said_of(
    tested_on: Mapping[str, Any],
    given: tuple[pd.DataFrame, pd.DataFrame],
    pictures: Sequence[Micrograph],
    pairs: Pairs,
) -> dict[str, Any]:
    """Return the verdict on what networks answered, and the same with each run at its own threshold.

    `given` has the answers, and the runs' thresholds.
    """
    asked, points = given
    baselines = pd.DataFrame([row for name in BASELINES for row in _baseline_rows(name, pictures)])
    scores = asked[[*KEYS, *TESTED]]
    by_rule = baselines[["baseline", *KEYS[2:], *TESTED]]
    said = verdict(tested_on, scores, by_rule, sizes(pictures, asked, baselines), pairs)
    at_points = verdict(
        tested_on, at_operating_points(asked, points), by_rule[["baseline", *KEYS[2:], *SEGMENTATION]], pairs=pairs
    )
    thresholds = {str(arm): rows["threshold"].tolist() for arm, rows in points.groupby("arm", sort=False)}
    own = {key: at_points[key] for key in ("arms", "by_source", "paired")}
    said["at_operating_points"] = {"thresholds": thresholds, "tried": list(THRESHOLDS), **own}
    true_sizes = {each.name: true_size(grains_of_mask(each.mask), each.um_per_px) for each in pictures}
    return said | {"astm_by_picture": astm_by_picture(asked, true_sizes), "true_sizes": true_sizes}


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
    measures = ["picture", "source", "grains", "diameter_px", "intercept_px"]
    scale = {each.name: each.um_per_px for each in pictures}
    truths = [
        {"picture": each.name, "source": each.source, **grain_size(grains_of_mask(each.mask))} for each in pictures
    ]
    parts = [
        pd.DataFrame(truths).assign(kind="truth", name="truth", run=0),
        baselines[measures].assign(kind="baseline", name=baselines["baseline"], run=0),
        given[measures].assign(kind="arm", name=given["arm"], run=given["run"]),
    ]
    typed = [part.astype({"diameter_px": float, "intercept_px": float}) for part in parts]
    rows = pd.concat(typed, ignore_index=True)
    return rows.assign(um_per_px=rows["picture"].map(scale).astype(float))


def _baseline_rows(name: str, pictures: Sequence[Micrograph]) -> list[dict[str, Any]]:
    return [{"baseline": name, **_row(each, BASELINES[name](each.image))} for each in pictures]


def _row(picture: Micrograph, found: Mask) -> dict[str, Any]:
    return tested(Picture(picture.name, picture.image, picture.mask), found.astype(np.float32)) | {
        "source": picture.source
    }


if __name__ == "__main__":
    command(main)
