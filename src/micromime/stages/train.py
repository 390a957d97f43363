"""Train an arm: its runs differ in nothing but their seed, go side by side, and go on where they were stopped."""

import json
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Annotated

from typer import Option

from micromime.datasets.store import Dataset
from micromime.mistakes import Mistake
from micromime.parameters import read_tree
from micromime.stages import command
from micromime.stages.arms import FIRST, Arm, describe, planned_arm, profile_of
from micromime.stages.fit import Tracked, facts
from micromime.stages.networks import bring, fit_runs, put_back
from micromime.stages.run_records import RunRecord, record_file
from micromime.stages.work import sole_maker
from micromime.training.mlflow_arm import RunDescription
from micromime.training.tracking import prepare_store, tracked_arm, tracked_run


def main(  # noqa: PLR0913 - one argument an option
    use_case: str,
    data: Annotated[Path, Option(help="The synthetic data set.")],
    out: Annotated[Path, Option(help="Folder to make: run-001/ and so on, and arm.json.")],
    records: Annotated[Path, Option(help="Folder of the finished runs' records, kept in git.")],
    start: Annotated[Path | None, Option(help="Folder of the arm whose networks this one goes on with.")] = None,
    params: Annotated[Path, Option(help="The file with the sections <use case>.train and .finetune.")] = Path(
        "params.yaml"
    ),
) -> None:
    """Train the runs of one arm, named as its folder, and write their networks.

    A run whose record fits is taken from it, with its network where DVC's cache has that.
    """
    if out.exists():
        raise Mistake(f"{out} is there already; remove it or give another folder.")
    Dataset(data)  # says so if it is none
    arm = planned_arm(read_tree(params), use_case, data, out, start)
    with sole_maker(out):
        train_arm(arm, out, records, describe(arm, profile_of(params)))


def train_arm(arm: Arm, out: Path, records: Path, described: RunDescription) -> None:
    """Train the runs of an arm, but for those whose record fits, and write their networks to a folder, whole or not."""
    prepare_store(arm.use_case)
    with tracked_arm(described) as arm_id:
        tracked = Tracked(arm_id, described)
        if not arm.settings.rates:
            arm = replace(arm, rates=obtain(arm, [FIRST], records, tracked)[FIRST].rates)
        found = obtain(arm, arm.runs, records, tracked)
        unfinished = out.with_name(f".{out.name}")
        put_back(unfinished)
        for run, record in found.items():
            bring(unfinished, run, record.training)
        (unfinished / "arm.json").write_text(json.dumps(arm.written(described), indent=1) + "\n")
        unfinished.rename(out)


def obtain(arm: Arm, runs: Iterable[int], records: Path, tracked: Tracked) -> dict[int, RunRecord]:
    """Return the record of every run: those that fit as they are, the others after training."""
    files = {run: record_file(records, arm.name, run) for run in runs}
    found = {run: record for run, file in files.items() if (record := fitting_record(file, arm.inputs(run)))}
    for record in found.values():
        tell_taken(record, tracked)
    missing = {run: file for run, file in files.items() if run not in found}
    for run, place in fit_runs(arm, missing, tracked).items():
        found[run] = RunRecord.of_run(place)
        found[run].write(files[run])
    return {run: found[run] for run in files}


def fitting_record(file: Path, inputs: str) -> RunRecord | None:
    """Return the record in a file if it is that of a run with these inputs."""
    record = RunRecord.read(file)
    return record if record and record.inputs == inputs else None


def tell_taken(record: RunRecord, tracked: Tracked) -> None:
    """Tell MLflow of a run that was taken from its record, unless it knows of it."""
    with tracked_run(tracked.arm_id, record.training["run"], tracked.described, taken=True) as log:
        for number, epoch in enumerate(record.training["epochs"], 1):
            log.metrics({key: value for key, value in epoch.items() if key != "phase"}, number)
        log.metrics(facts(record.training))


if __name__ == "__main__":
    command(main)
