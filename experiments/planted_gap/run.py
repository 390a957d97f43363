"""One seed of one experiment of the planted gap: a base network, and from it the rounds of each sampler.

A base network is the same to the last bit only on the same kind of processor, and a sampler's gain is what its rounds
add to it: runs that went on from networks trained on two kinds are no pair. Their records begin with the base's scores,
by which it is seen.
"""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from itertools import groupby
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import numpy as np

from experiments.planted_gap.plan import CONTROL, EXPERIMENTS, Cell, PlantedGap
from experiments.runs import Rendered, Table, tell, told, train
from micromime.datasets.rehearsal import Rehearsed
from micromime.inference.networks import predictor
from micromime.judging.metrics import SEGMENTATION, boundary_f1, mean_iou
from micromime.sampling.sampler import Scored
from micromime.scenario.arrays import Reals
from micromime.scenario.streams import stream

TOLERANCE_PX = 1
"""Of the boundary F1: at the metric's usual 3 px, of grains as small as these even wrong lines are near a true one."""

THRESHOLD = 0.5
"""Probability from which a pixel counts as boundary."""

PURPOSE = "rounds"
"""Under which a record keeps what came out: a row for the base, and one for each round."""


@dataclass(frozen=True)
class Seed:
    """What all samplers of a seed and an experiment have in common: the sets, drawn here, and the base network."""

    asked: PlantedGap
    experiment: str
    number: int
    folder: Path

    @cached_property
    def sets(self) -> dict[str, Rendered]:
        """The images to begin with, to score, and the two to test on."""
        (training, test), images = EXPERIMENTS[self.experiment].scenarios, self.asked.images
        drawn_from = {"base": training, "scoring": training, "training": training, "test": test}
        return {
            name: Rendered([each.draw_one(self.number, n, f"gap {name}") for n in range(getattr(images, name))])
            for name, each in drawn_from.items()
        }

    @cached_property
    def base(self) -> tuple[dict[str, Any], Reals, dict[str, float | None]]:
        """How the base network was trained, and what it scores: see `judged`."""
        said = train(self.number, self.asked.training(self.asked.base), self.sets["base"], self.folder / "base")
        return said, *self.judged(self.folder / "base")

    def judged(self, network: Path) -> tuple[Reals, dict[str, float | None]]:
        """Return a network's score of each image of the scoring set, and its means over the sets."""
        find, sets = predictor(network), {name: self.sets[name] for name in ("test", "training", "scoring")}
        masks = {name: [find(each) >= THRESHOLD for each in rendered.images] for name, rendered in sets.items()}

        def scores(name: str, metric: Any) -> Reals:
            return np.array([metric(*pair) for pair in zip(masks[name], sets[name].masks, strict=True)])

        mode = np.array([EXPERIMENTS[self.experiment].of_mode(each) for each in sets["test"].instances])
        f1, iou = scores("test", partial(boundary_f1, tolerance_px=TOLERANCE_PX)), scores("test", mean_iou)
        tested = {"mode_f1": f1[mode], "rest_f1": f1[~mode], "all_f1": f1}
        tested |= {"mode_iou": iou[mode], "rest_iou": iou[~mode], "all_iou": iou}
        tested |= {"training_iou": scores("training", mean_iou)}
        tested |= {"scoring": scores("scoring", SEGMENTATION[self.asked.score])}
        means = {name: float(each.mean()) if len(each) else None for name, each in tested.items()}
        return tested["scoring"], means

    def rounds(self, name: str) -> list[dict[str, Any]]:
        """Return a row for the base network and one for each round of a sampler."""
        sampler, scoring = self.asked.sampler(self.experiment, name), self.sets["scoring"]
        settings, share = self.asked.training(self.asked.finetune), self.asked.rehearsal_share
        (_, now, means), before, earlier, start = self.base, None, [self.sets["base"]], self.folder / "base"
        rows = [{"round": 0, "images": 0, "asked_of_mode": None, "asked_hopeless": None, **means}]
        scenario, _ = EXPERIMENTS[self.experiment].scenarios
        for number in range(1, self.asked.rounds + 1):
            scored = Scored(scoring.samples["id"].tolist(), scoring.instances, now, before)
            rng = stream(self.number, "gap round", number)
            new = Rendered([each.instance for each in sampler.propose(scenario, scored, self.asked.images.round, rng)])
            picked = stream(self.number, "gap rehearsal", number)
            seen: Any = Rehearsed(new, earlier, share, picked) if share > 0 else new  # type: ignore[arg-type]
            before, network = now, self.folder / name / str(number)
            train(self.number, settings, seen, network, start)
            (now, means), earlier, start = self.judged(network), [*earlier, new], network
            of_mode = float(np.mean([EXPERIMENTS[self.experiment].of_mode(each) for each in new.instances]))
            hopeless = float(np.mean([each.style == "hopeless" for each in new.instances]))
            shares = {"asked_of_mode": of_mode, "asked_hopeless": hopeless}
            rows.append({"round": number, "images": number * len(new.images), **shares, **means})
        return rows


class Task(NamedTuple):
    """Runs of one seed and experiment, as they are handed to a worker process."""

    asked: PlantedGap
    wanted: Mapping[Cell, str]
    """Every run that is wanted of them -> hash of all that decides it."""
    missing: Sequence[Cell]
    records: Path


def tasks(asked: PlantedGap, wanted: Mapping[Cell, str], records: Path) -> list[Task]:
    """Return a task for each seed and experiment of which something is missing: its samplers share a base network."""
    parts = [dict(part) for _, part in groupby(wanted.items(), lambda item: (item[0].experiment, item[0].run))]
    every = [Task(asked, part, missing(records, part), records) for part in parts]
    return [task for task in every if task.missing]


def missing(records: Path, wanted: Mapping[Cell, str]) -> list[Cell]:
    """Return the runs that no record tells, or tells of another base network than that of its seed's random one."""
    known = known_of(records, wanted)
    controls = {cell: known.get(cell._replace(sampler=CONTROL), known[cell]) for cell in known}
    return [cell for cell in wanted if cell not in known or base_of(controls[cell]) != base_of(known[cell])]


def known_of(records: Path, wanted: Mapping[Cell, str]) -> dict[Cell, Table]:
    """Return what came out of the runs that records tell; `wanted` gives the hash of what decides each."""
    found = {cell: told(records, cell.record, inputs) for cell, inputs in wanted.items()}
    return {cell: table for cell, table in found.items() if table}


def base_of(table: Table) -> dict[str, Any]:
    """Return what the base network scored, from which a run went on."""
    return {name: column[0] for name, column in table.items()}


def run(task: Task) -> None:
    """Train what is missing, then anew what older records tell of another base network, so that all are pairs."""
    _run(task, task.missing)
    known = known_of(task.records, task.wanted)
    unlike = [cell for cell in known if base_of(known[cell]) != base_of(known[task.missing[0]])]
    if unlike:
        names = ", ".join(cell.sampler for cell in unlike)
        said = f"planted gap: {unlike[0].experiment}, run {unlike[0].run}: records of {names} go on from the base"
        print(f"{said} network of another kind of processor; they are trained anew", flush=True)
        _run(task, unlike)


def _run(task: Task, cells: Sequence[Cell]) -> None:
    """Train the base network and go on from it with each sampler; a run's record appears when it is whole."""
    with TemporaryDirectory() as folder:
        seed = Seed(task.asked, cells[0].experiment, cells[0].run, Path(folder))
        trained_on, *_ = seed.base
        for cell in cells:
            began = time.process_time()
            rows = seed.rounds(cell.sampler)
            training = {"run": cell.run, "cpu_seconds": round(time.process_time() - began, 1)}
            training |= {key: trained_on[key] for key in ("device", "processor", "torch")}
            tell(task.records, cell.record, (task.wanted[cell], training), {PURPOSE: rows})
