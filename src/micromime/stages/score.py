"""Score samples: how well the networks of an arm find the boundaries of each sample of a fixed synthetic set."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from micromime.arms.answers import SCORING, Question, answers
from micromime.arms.arm import Arm, said_of
from micromime.datasets.store import Dataset, identity
from micromime.mistakes import Mistake
from micromime.project import places
from micromime.project.work import sole_maker
from micromime.sampling.scores import joined, scores_before, write_scores
from micromime.scenario.parameters import read_tree, section
from micromime.tracking.publish import publish_file
from micromime.tracking.store import best_effort


def score(use_case: str, arm: str) -> None:
    """Write the scores of an arm's runs and their means beside every parameter of the samples; log the same file.

    Of a round, the scores of the arm that it goes on with stand beside them.
    """
    tree = read_tree(places.PARAMS)
    asked = section(tree, use_case, "resample").get("runs", "all")
    folder, out = places.models(use_case, arm), places.scores(use_case, arm)
    scoring = places.synthetic(use_case, "scoring")
    with sole_maker(out):
        trained = Arm.read(folder)
        runs = scoring_runs(trained, asked, f"{use_case}.resample.runs")
        kept = places.records(places.profile(tree), use_case)
        given = answers([folder], kept, Question(SCORING, scoring, views=1), runs)
        rows = joined(Dataset(scoring).samples, given)
        if trained.start:
            before = places.scores(use_case, trained.start.name)
            rows = pd.concat([rows, scores_before(before, rows["id"].tolist())], axis=1)
        write_scores(out, rows, origin(said_of(folder), scoring) | {"runs": len(runs)})
        with best_effort():
            publish_file(said_of(folder), out)


def scoring_runs(arm: Arm, asked: str | int, where: str) -> range:
    """Return the runs of an arm that score: all, or as many as asked, the first ones.

    Where these are fewer than all, runs that are added to the arm leave the table, and all that is made from it, as
    they are.
    """
    if asked == "all":
        return arm.runs
    if asked not in arm.runs:
        raise Mistake(f"{where} is {asked!r}, but {arm.name} has {len(arm.runs)} runs; write 1 to that, or all.")
    return arm.runs[: int(asked)]


def origin(said: Mapping[str, Any], scoring: Path) -> dict[str, Any]:
    """Return what was scored, by which networks (`said`: their arm.json): the table keeps it."""
    (trained_on,) = said["data"]
    return {
        **{key: said[key] for key in ("use_case", "arm", "fingerprint")},
        "parent": {"path": trained_on["path"], "sha256": trained_on["identity"]},
        "scored": {"path": scoring.as_posix(), "sha256": identity(scoring)},
    }
