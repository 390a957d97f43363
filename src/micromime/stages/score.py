"""Score the fixed synthetic set by the runs of an arm: what a sampler is given to choose by."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import pandas as pd
from typer import Option

from micromime.arms.arm import Arm, described
from micromime.datasets.store import Dataset, identity
from micromime.inference.ask import Asked, answers
from micromime.judging.metrics import SCORED
from micromime.mistakes import Mistake
from micromime.project.work import sole_maker
from micromime.sampling.scores import write_scores
from micromime.stages import command
from micromime.tracking.delivery import open_store
from micromime.tracking.letters import tell_file


def main(  # noqa: PLR0913 - one argument an option
    use_case: str,
    arm: Annotated[Path, Option(help="Folder of the arm whose networks score.")],
    scoring: Annotated[Path, Option(help="The synthetic data set that is scored; no run has trained on it.")],
    out: Annotated[Path, Option(help="The table, Parquet: a row a sample.")],
    records: Annotated[Path, Option(help="Folder of the finished runs' records, kept in git.")],
    runs: Annotated[str, Option(help="How many of its networks score, the first ones: a number, or all.")] = "all",
    before: Annotated[Path | None, Option(help="The same table of the arm that this one goes on with.")] = None,
) -> None:
    """Write the scores of these runs and their means beside every parameter of the samples; log the same file."""
    with sole_maker(out):
        numbers = scoring_runs(Arm.read(arm), runs)
        given = answers([arm], records, Asked("scoring", scoring), numbers)
        rows = joined(Dataset(scoring).samples, given)
        if before:
            rows = pd.concat([rows, scores_before(before, rows["id"].tolist())], axis=1)
        write_scores(out, rows, _origin(use_case, arm, scoring) | {"runs": len(numbers)})
        open_store(use_case)
        tell_file(described(arm), out)


def scoring_runs(arm: Arm, asked: str) -> range:
    """Return the runs of an arm that score: all, or as many as asked, the first ones.

    Where these are fewer than all, runs that are added to the arm leave the table, and all that is made from it, as
    they are.
    """
    if asked == "all":
        return arm.runs
    if not asked.isdecimal() or not 1 <= int(asked) <= len(arm.runs):
        raise Mistake(f"--runs: {asked!r} is not allowed; give all, or a number from 1 to {len(arm.runs)}.")
    return arm.runs[: int(asked)]


def scores_before(table: Path, ids: Sequence[str]) -> pd.DataFrame:
    """Return the scores in another arm's table of the same samples, as `before.<metric>`."""
    rows = pd.read_parquet(table).set_index("id").loc[list(ids)].reset_index()
    return pd.DataFrame({f"before.{metric}": rows[f"score.{metric}"] for metric in SCORED})


def joined(samples: pd.DataFrame, given: pd.DataFrame) -> pd.DataFrame:
    """Return the samples' rows with `score.<metric>`, a mean over runs, and `score.<metric>.run-001` and so on."""
    columns: dict[str, Any] = {}
    for metric in SCORED:
        by_run = given.pivot(index="picture", columns="run", values=metric).loc[samples["id"]]
        columns[f"score.{metric}"] = by_run.mean(axis=1).to_numpy()
        columns |= {f"score.{metric}.run-{run:03d}": by_run[run].to_numpy() for run in by_run}
    return pd.concat([samples, pd.DataFrame(columns, index=samples.index)], axis=1)


def _origin(use_case: str, arm: Path, scoring: Path) -> dict[str, Any]:
    trained = Arm.read(arm)
    return {
        "use_case": use_case,
        "arm": arm.name,
        "fingerprint": trained.fingerprint,
        "parent": {"path": trained.data.as_posix(), "sha256": identity(trained.data)},
        "scored": {"path": scoring.as_posix(), "sha256": identity(scoring)},
    }


if __name__ == "__main__":
    command(main)
