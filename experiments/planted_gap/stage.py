"""The planted gap: whether samplers find what training lacks and the test is full of, where this is known to be so.

A controlled demonstration with synthetic pictures alone (experiments: `scenarios.py`). Every run is
one seed: a base network, and from it three rounds of each sampler with the same number of new images, steps, and
rehearsed images. All samplers of a seed share the base, the scoring set and the test.

Fixed before the runs that count (seeds 1 to 20; learning rates, steps and settings were chosen on seeds from 1000 on):

- Primary endpoints, after the last round: boundary F1 (1 px) on the test pictures of the mode, the mean over pictures,
  which differs much between seeds; and mean IoU over the whole test. Others, also tested: F1 on the rest of the test,
  IoU on fresh pictures of the training distribution.
- Pairs: all runs of a seed go on from one base network; records that tell of another, trained on another kind of
  processor, are made anew (`experiments/planted_gap/records.py`).
- Tests: paired two-tailed t-tests over runs, each sampler against random; corrected after Holm over the samplers of an
  experiment, for each endpoint by itself. Images needed: where the mean curve reaches what random has at last, with the
  bootstrap's 95 % interval over runs.
- Expected: `progress` and `residual` beat random in both primary endpoints at p < 0.001 and need at most half of its
  images, in `gap`; the same is asked of `trap` and `hidden`, of `oracle` wherever it is tried (where it fails, nobody
  can win), and in `gap` of a sampler with a stop rule: one that finds nothing does no harm either. In `no_gap`, no
  sampler gains at p < 0.05, and a sampler with a stop rule loses less than 0.005 of the whole test's IoU, the whole
  95 % interval of the difference.

Whether each holds is computed (`experiments/planted_gap/statements.py`).
"""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated

from typer import Option

from experiments.planted_gap.chart import gap_chart
from experiments.planted_gap.plan import Cell, PlantedGapParameters, cells, inputs_of, planted_gap
from experiments.planted_gap.records import known_of, missing, run_paired, seed_tasks
from experiments.planted_gap.run import TOLERANCE_PX, file_of
from experiments.planted_gap.scenarios import EXPERIMENTS
from experiments.planted_gap.statements import statements
from experiments.planted_gap.tables import planted_gap_tables
from experiments.planted_gap.verdict import gap_verdict, rows_of
from micromime.arms.records import Answers, machines
from micromime.engines.local import Progress, run_tasks, trainings
from micromime.project.work import sole_maker
from micromime.scenario.parameters import read_tree
from micromime.stages import command

MODE_F1 = f"boundary F1, tolerance {TOLERANCE_PX} px, on the test pictures of the mode"


def main(
    use_case: str,
    out: Annotated[Path, Option(help="What came out, JSON; its tables (.md) and a folder of charts lie beside it.")],
    records: Annotated[Path, Option(help="Folder of the finished runs' records, kept in git.")],
    params: Annotated[Path, Option(help="The file with the section <use case>.planted_gap.")] = Path("params.yaml"),
) -> None:
    """Run what no record tells, and write what all runs say. Stopped, it goes on with the runs that are left."""
    tree = read_tree(params)
    asked = planted_gap(tree, use_case)
    with sole_maker(out):
        known = obtained(asked, cells(asked), records)
        said = gap_verdict(rows_of({cell: each.table for cell, each in known.items()}))
        found = statements(said, asked.stopping)
        charts = out.with_suffix("")
        charts.mkdir(parents=True, exist_ok=True)
        for name in EXPERIMENTS:
            (charts / f"{name}.svg").write_text(gap_chart(name, said.get(name)))
        command_line = f"micromime profile {tree.get('profile')} && dvc repro planted_gap_{use_case}"
        made = (
            {"Command": command_line, **asked.made, "Mode F1": MODE_F1, **trained_on(records, known)} if known else {}
        )
        whole = {"experiments": said, "statements": [each._asdict() for each in found], "made": made}
        out.write_text(json.dumps(whole, indent=1) + "\n")
        out.with_suffix(".md").write_text(planted_gap_tables(said, found, made))


def trained_on(records: Path, known: Iterable[Cell]) -> dict[str, str]:
    """Return what machines the runs of each experiment were trained on, in words."""
    files: dict[str, list[Path]] = {}
    for cell in known:
        files.setdefault(cell.experiment, []).append(file_of(records, cell))
    return {f"Trained on ({name})": machines(each) for name, each in files.items()}


def obtained(asked: PlantedGapParameters, runs: Iterable[Cell], records: Path) -> dict[Cell, Answers]:
    """Return what came out of every run: from its record where that fits, else after the run."""
    wanted = {cell: inputs_of(asked, cell) for cell in runs}
    left = missing(records, wanted)
    if left:
        print(f"planted gap: {len(left)} of {len(wanted)} runs to train", flush=True)
        tasks = list(seed_tasks(asked, left, wanted, records))
        to_run = {cell: wanted[cell] for cell in left}
        shown = Progress("planted gap", "runs", len(wanted), lambda: len(wanted) - len(missing(records, to_run)))
        run_tasks(run_paired, tasks, trainings(), shown)
    return known_of(records, wanted)


if __name__ == "__main__":
    command(main)
