"""Train arms: the runs of one differ in nothing but their seed, go side by side, and go on where they were stopped."""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated, NamedTuple

from typer import Option

from micromime.arms.arm import FIRST, Arm, describe, planned_arm, profile_of
from micromime.arms.fit import Tracked, facts
from micromime.arms.networks import Wanted, bring, fit_runs, put_back
from micromime.arms.records import RunRecord, record_file
from micromime.datasets.store import Dataset
from micromime.mistakes import Mistake
from micromime.project.work import sole_maker
from micromime.scenario.parameters import read_tree
from micromime.stages import command
from micromime.tracking.delivery import open_store
from micromime.tracking.mlflow_arm import RunDescription
from micromime.tracking.tracking import tracked_arm, tracked_run


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
        train_arms([Plan(arm, out, describe(arm, profile_of(params)))], records)


class Plan(NamedTuple):
    """An arm that is to be trained."""

    arm: Arm
    out: Path
    """Folder to make."""
    described: RunDescription


def train_arms(plans: Sequence[Plan], records: Path) -> None:
    """Train the runs of arms, but for those whose record fits, and write their networks.

    The runs of all arms stand in one queue. The first runs of arms whose learning rates are to be found go before.
    """
    open_store(plans[0].arm.use_case)
    with ExitStack() as open_in_mlflow:
        begun = [
            Begun(plan.arm, records, Tracked(open_in_mlflow.enter_context(tracked_arm(plan.described)), plan.described))
            for plan in plans
        ]
        finding = [each for each in begun if not each.arm.settings.rates]
        obtain(finding, lambda _: [FIRST])
        for each in finding:
            each.arm = replace(each.arm, rates=each.found[FIRST].rates)
        obtain(begun, lambda arm: arm.runs)
        for plan, each in zip(plans, begun, strict=True):
            each.write(plan.out)


def obtain(begun: Sequence["Begun"], runs: Callable[[Arm], Iterable[int]]) -> None:
    """Find the records of these runs of each arm: those that fit as they are, the others after training."""
    left = [each.take_fitting(runs(each.arm)) for each in begun]
    for each, places in zip(begun, fit_runs(left), strict=True):
        each.take_trained(places)


@dataclass
class Begun:
    """An arm that is being trained."""

    arm: Arm
    records: Path
    tracked: Tracked
    found: dict[int, RunRecord] = field(default_factory=dict)
    """The records of its finished runs."""

    def take_fitting(self, runs: Iterable[int]) -> Wanted:
        """Take the records that fit, and return the runs that are left to train."""
        missing: dict[int, Path | None] = {}
        for run in runs:
            file = record_file(self.records, self.arm.name, run)
            if record := fitting_record(file, self.arm.inputs(run)):
                tell_taken(record, self.tracked)
                self.found[run] = record
            else:
                missing[run] = file
        return Wanted(self.arm, missing, self.tracked)

    def take_trained(self, places: Mapping[int, Path]) -> None:
        """Take the records of runs that have been trained, each to a folder."""
        for run, place in places.items():
            self.found[run] = RunRecord.of_run(place)
            self.found[run].write(record_file(self.records, self.arm.name, run))

    def write(self, out: Path) -> None:
        """Write the folder of an arm of which every run has been found."""
        unfinished = out.with_name(f".{out.name}")
        put_back(unfinished)
        for run in self.arm.runs:
            bring(unfinished, run, self.found[run].training)
        (unfinished / "arm.json").write_text(json.dumps(self.arm.written(self.tracked.described), indent=1) + "\n")
        unfinished.rename(out)


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
