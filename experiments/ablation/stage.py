"""The ablation: what each unit of a scenario, and each setting of training, earns on the test pictures.

without NAME   the whole scenario but for a unit (leave one out), beside the whole
only NAME      a unit alone (add one in), beside what is left of the scenario without any
with NAME      other settings of training, on the whole scenario

Runs of one number have the same seeds: of the images, of the training. So variants are compared run by run.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import Annotated, Any

import pandas as pd
from typer import Option

from experiments.ablation import run as ablation_run
from experiments.ablation import topology as ablation_topology
from experiments.ablation.chart import ablation_chart
from experiments.ablation.plan import USUAL, Plan, Variant, ablation
from experiments.ablation.run import Pictures, Task
from experiments.ablation.tables import ablation_tables
from experiments.ablation.verdict import Verdict, ablation_verdict
from micromime.arms.records import Answers, RunRecord, machines, record_file
from micromime.engines.local import Progress, run_tasks, trainings
from micromime.inference.ask import TEST
from micromime.pictures.micrographs import read_micrographs
from micromime.pictures.test_set import ORIGIN_FILE, Origin
from micromime.project.work import sole_maker
from micromime.scenario.parameters import read_tree
from micromime.stages import command


def main(  # noqa: PLR0913 - one argument an option
    use_case: str,
    test_set: Annotated[Path, Option(help="Folder of the test set.")],
    scoring: Annotated[Path, Option(help="The synthetic set that each run's threshold is chosen on.")],
    out: Annotated[Path, Option(help="The verdict, JSON; its tables (.md) and its figure (.svg) lie beside it.")],
    records: Annotated[Path, Option(help="Folder of the finished runs' records, kept in git.")],
    params: Annotated[Path, Option(help="The file with <use case>.ablation, .scenario and .train.")] = Path(
        "params.yaml"
    ),
) -> None:
    """Run what no record tells, and write what all runs say. Stopped, it goes on with the runs that are left."""
    tree = read_tree(params)
    plan = ablation(tree, use_case)
    with sole_maker(out):
        said: Verdict = {}
        if plan.asked.runs > 0:
            known = obtained(plan, use_case, Pictures(test_set, scoring), records)
            said = ablation_verdict(tested_on(test_set, use_case), rows_of(known, test_set), plan.gains)
            files = [record_file(records, variant.name, number) for variant, number in plan.cells]
            command_line = f"micromime profile {tree.get('profile')} && dvc repro ablation_{use_case}"
            said["made"] = {"Command": command_line, **plan.made, "Trained on": machines(files)}
        out.parent.mkdir(parents=True, exist_ok=True)
        out.write_text(json.dumps(said, indent=1) + "\n")
        out.with_suffix(".md").write_text(ablation_tables(said))
        out.with_suffix(".svg").write_text(ablation_chart(said) + "\n")


def obtained(plan: Plan, use_case: str, pictures: Pictures, records: Path) -> dict[tuple[str, int], Answers]:
    """Return what came out of every run: from its record where that fits, else after the run."""
    given = (plan.asked.images, pictures.identity)
    every = [
        Task(
            use_case,
            variant,
            number,
            plan.asked.images,
            pictures,
            _of(variant).inputs_of(use_case, variant, number, given),
            record_file(records, variant.name, number),
        )
        for variant, number in plan.cells
    ]
    left = [task for task in every if not fitting(task)]

    def done() -> int:
        left[:] = [task for task in left if not fitting(task)]
        return len(every) - len(left)

    if left:
        print(f"ablation: {len(left)} of {len(every)} runs to train", flush=True)
    workers = trainings(plan.settings[USUAL].threads)
    run_tasks(run, [*left], workers, Progress("ablation", "runs", len(every), done))
    found = {(task.variant.name, task.run): fitting(task) for task in every}
    return {key: answers for key, answers in found.items() if answers}


def run(task: Task) -> None:
    """Train a network and write its record; at the top level, so that worker processes find it."""
    _of(task.variant).run(task)


def _of(variant: Variant) -> ModuleType:
    return ablation_topology if variant.whole else ablation_run


def fitting(task: Task) -> Answers | None:
    """Return what the record of a run tells, if it is that of this very run."""
    record = RunRecord.read(task.record)
    return record.fitting(TEST, task.inputs) if record else None


def rows_of(known: Mapping[tuple[str, int], Answers], test_set: Path) -> pd.DataFrame:
    """Return a row for every variant, run and picture, with the picture's source."""
    sources = {each.name: each.source for each in read_micrographs(test_set)}
    tables = [pd.DataFrame(each.table).assign(variant=name, run=number) for (name, number), each in known.items()]
    rows = pd.concat(tables, ignore_index=True)
    return rows.assign(source=rows["picture"].map(sources))


def tested_on(test_set: Path, use_case: str) -> dict[str, Any]:
    """Return what the test set is, as a verdict says it."""
    origin = Origin.read(test_set / ORIGIN_FILE)
    return {"kind": origin.kind, "name": use_case, "reason": origin.reason}


if __name__ == "__main__":
    command(main)
