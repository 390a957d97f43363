"""The ablation: what each unit of a scenario, and each setting of training, earns on the test pictures."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import pandas as pd
from typer import Option

from experiments.ablation.plan import USE_CASE, Plan, ablation
from experiments.ablation.run import Task, inputs_of, run
from experiments.ablation.tables import ablation_chart, ablation_tables
from experiments.ablation.verdict import ablation_verdict
from experiments.runs import Table, told, write_results
from micromime.arms.records import machines, read_record
from micromime.cli import command
from micromime.datasets.store import Dataset, identity
from micromime.engines.local import Progress, run_tasks, trainings
from micromime.mistakes import Mistake
from micromime.pictures.micrographs import listed_files, read_micrographs
from micromime.pictures.test_set import ORIGIN_FILE, Origin
from micromime.project import places
from micromime.project.work import fingerprint, sole_maker
from micromime.scenario.parameters import read_tree

HERE = Path("experiments/ablation")


def main(
    out: Annotated[Path, Option(help="Folder of the results and of the records of runs.")] = HERE,
    params: Annotated[Path, Option(help="The settings.")] = HERE / "params.yaml",
    project: Annotated[Path, Option(help="The file with scenario and training.")] = places.PARAMS,
    test_set: Annotated[Path, Option(help="Folder of the test set.")] = places.test_set(USE_CASE),
    scoring: Annotated[Path, Option(help="The synthetic set that thresholds are chosen on.")] = places.synthetic(
        USE_CASE, "scoring"
    ),
) -> None:
    """Run what no record tells, and write what all runs say. Stopped, it goes on with the runs that are left."""
    tree = read_tree(project)
    plan = ablation(read_tree(params), tree)
    with sole_maker(out):
        known = obtained(plan, (scoring, test_set), out / "records")
        origin = Origin.read(test_set / ORIGIN_FILE)
        tested_on = {"kind": origin.kind, "name": USE_CASE, "reason": origin.reason}
        said = ablation_verdict(tested_on, rows_of(known, test_set), plan.gains)
        command_line = f"micromime profile {tree.get('profile')} && python -m experiments.ablation"
        trained = [read_record(out / "records", *key) for key in known]
        said["made"] = {"Command": command_line, **plan.made, "Trained on": machines(trained)}
        (out / "results.svg").write_text(ablation_chart(said) + "\n")
        write_results(out, said, ablation_tables(said))


def obtained(plan: Plan, pictures: tuple[Path, Path], records: Path) -> dict[tuple[str, int], Table]:
    """Return what came out of every run: from its record where that fits, else after the run.

    They come number by number, so that what is stopped has something of all variants.
    """
    images, (scoring, test_set), tasks = plan.asked.images, pictures, {}
    if images.scoring > (count := len(Dataset(scoring).samples)):
        raise Mistake(f"ablation.images.scoring: {scoring} has {count} images; give that or less.")
    asked_about = fingerprint(listed_files(test_set), identity(scoring))
    for number in range(1, plan.asked.runs + 1):
        for name, variant in plan.variants.items():
            inputs = inputs_of(variant, number, images, asked_about)
            tasks[name, number] = Task(variant, number, images, pictures, inputs, records)

    def known() -> dict[tuple[str, int], Table]:
        found = {key: told(records, key, task.inputs) for key, task in tasks.items()}
        return {key: table for key, table in found.items() if table}

    there = known()
    if left := [task for key, task in tasks.items() if key not in there]:
        print(f"ablation: {len(left)} of {len(tasks)} runs to train", flush=True)
        shown = Progress("ablation", "runs", len(tasks), lambda: len(known()))
        run_tasks(run, left, trainings(len(left), plan.usual.threads), shown)
    return known()


def rows_of(known: Mapping[tuple[str, int], Table], test_set: Path) -> pd.DataFrame:
    """Return a row for every variant, run and picture, with the picture's source."""
    sources = {each.name: each.source for each in read_micrographs(test_set)}
    tables = [pd.DataFrame(table).assign(variant=name, run=number) for (name, number), table in known.items()]
    rows = pd.concat(tables, ignore_index=True)
    return rows.assign(source=rows["picture"].map(sources))


if __name__ == "__main__":
    command(main)
