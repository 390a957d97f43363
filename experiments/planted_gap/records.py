"""Records of the planted gap: which of its runs they tell, and that those of a seed go on from one base network.

A base network is the same to the last bit only on the same kind of processor, and a sampler's gain is what its rounds
add to it: runs that went on from networks trained on two kinds are no pair. Their records begin with the base's scores,
by which it is seen.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from experiments.planted_gap.plan import CONTROL, Cell, PlantedGapParameters
from experiments.planted_gap.run import PURPOSE, Task, file_of, run
from micromime.arms.records import Answers, RunRecord


@dataclass(frozen=True)
class SeedTask:
    """What is missing of a seed and an experiment, and what belongs beside it."""

    task: Task
    whole: Mapping[Cell, str]
    """Every run that is wanted of them -> hash of all that decides it."""


def run_paired(wanted: SeedTask) -> None:
    """Train what is missing, then anew what older records tell of another base network, so that all are pairs."""
    task = wanted.task
    run(task)
    bases = {cell: base_of(each) for cell, each in known_of(task.records, wanted.whole).items()}
    new = next(base for cell, base in bases.items() if cell.sampler in task.missing)
    others = {cell.sampler: wanted.whole[cell] for cell, base in bases.items() if base != new}
    if others:
        print(f"planted gap: {task.experiment}, run {task.seed}: {_anew(others)}", flush=True)
        run(replace(task, missing=others))


def known_of(records: Path, wanted: Mapping[Cell, str]) -> dict[Cell, Answers]:
    """Return what came out of the runs that records tell; `wanted` gives the hash of what decides each."""
    read = {cell: RunRecord.read(file_of(records, cell)) for cell in wanted}
    found = {cell: each.fitting(PURPOSE, wanted[cell]) for cell, each in read.items() if each}
    return {cell: each for cell, each in found.items() if each}


def missing(records: Path, wanted: Mapping[Cell, str]) -> list[Cell]:
    """Return the runs that no record tells, or tells of another base network than that of its seed's random one."""
    known = known_of(records, wanted)
    controls = {cell: known.get(cell._replace(sampler=CONTROL)) for cell in known}
    unlike = {cell for cell, each in controls.items() if each and base_of(each) != base_of(known[cell])}
    return [cell for cell in wanted if cell not in known or cell in unlike]


def seed_tasks(
    asked: PlantedGapParameters, left: Iterable[Cell], wanted: Mapping[Cell, str], records: Path
) -> Iterator[SeedTask]:
    """Yield a task for each seed and experiment of which something is left: its samplers share a base network."""
    lacking = set(left)
    seeds = dict.fromkeys((cell.experiment, cell.seed) for cell in wanted if cell in lacking)
    for experiment, seed in seeds:
        whole = {cell: each for cell, each in wanted.items() if (cell.experiment, cell.seed) == (experiment, seed)}
        todo = {cell.sampler: each for cell, each in whole.items() if cell in lacking}
        yield SeedTask(Task(asked, experiment, seed, todo, records), whole)


def base_of(answers: Answers) -> dict[str, Any]:
    """Return what the base network scored, from which a run went on."""
    return {name: column[0] for name, column in answers.table.items()}


def _anew(names: Iterable[str]) -> str:
    said = ", ".join(names)
    return f"records of {said} go on from the base network of another kind of processor; they are trained anew"
