"""The planted gap: whether samplers find what training lacks and the test is full of, where this is known to be so."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

from typer import Option

from experiments.planted_gap.plan import Cell, PlantedGap, planted_gap
from experiments.planted_gap.run import TOLERANCE_PX, known_of, missing, run, tasks
from experiments.planted_gap.tables import gap_chart, planted_gap_tables
from experiments.planted_gap.verdict import gap_verdict, rows_of, statements
from experiments.runs import Table, write_results
from micromime.arms.records import machines, read_record
from micromime.cli import command
from micromime.engines.local import Progress, run_tasks, trainings
from micromime.project.work import sole_maker
from micromime.scenario.parameters import read_tree

HERE = Path("experiments/planted_gap")
MODE_F1 = f"boundary F1, tolerance {TOLERANCE_PX} px, on the test pictures of the mode"


def main(
    out: Annotated[Path, Option(help="Folder of the results and of the records of runs.")] = HERE,
    params: Annotated[Path, Option(help="The settings.")] = HERE / "params.yaml",
) -> None:
    """Run what no record tells, and write what all runs say. Stopped, it goes on with the runs that are left."""
    asked, records = planted_gap(read_tree(params)), out / "records"
    with sole_maker(out):
        known = obtained(asked, {cell: asked.inputs_of(cell) for cell in asked.cells()}, records)
        said = gap_verdict(rows_of(known))
        made = {"Command": "python -m experiments.planted_gap", **asked.made, "Mode F1": MODE_F1}
        for name, part in said.items():
            (out / f"{name}.svg").write_text(gap_chart(name, part))
            trained = [read_record(records, *cell.record) for cell in known if cell.experiment == name]
            made[f"Trained on ({name})"] = machines(trained)
        found = statements(said, asked.stopping)
        whole = {"experiments": said, "statements": [each._asdict() for each in found], "made": made}
        write_results(out, whole, planted_gap_tables(said, found, made))


def obtained(asked: PlantedGap, wanted: Mapping[Cell, str], records: Path) -> dict[Cell, Table]:
    """Return what came out of every run: from its record where that fits, else after the run."""
    if left := tasks(asked, wanted, records):
        to_run = {cell: wanted[cell] for task in left for cell in task.missing}
        print(f"planted gap: {len(to_run)} of {len(wanted)} runs to train", flush=True)
        shown = Progress("planted gap", "runs", len(wanted), lambda: len(wanted) - len(missing(records, to_run)))
        run_tasks(run, left, trainings(len(left)), shown)
    return known_of(records, wanted)


if __name__ == "__main__":
    command(main)
