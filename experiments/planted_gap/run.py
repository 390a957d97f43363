"""One seed of one experiment of the planted gap: a base network, and from it the rounds of each sampler."""

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from experiments.planted_gap.plan import Cell, PlantedGapParameters
from experiments.planted_gap.scenarios import EXPERIMENTS, HOPELESS_STYLE
from micromime.arms.records import Answers, RunRecord, record_file
from micromime.datasets.rehearsal import Rehearsed
from micromime.datasets.store import sample_id
from micromime.judging.metrics import SEGMENTATION, boundary_f1, mean_iou
from micromime.sampling.sampler import Scored
from micromime.scenario.arrays import Mask, Reals
from micromime.scenario.scenario import Instance, Scenario
from micromime.scenario.streams import stream
from micromime.training.settings import TrainParameters

TOLERANCE_PX = 1
"""Of the boundary F1: at the metric's usual 3 px, of grains as small as these even wrong lines are near a true one."""

THRESHOLD = 0.5
"""Probability from which a pixel counts as boundary."""

TOGETHER = 20
"""Images that a network is asked about at once."""

PURPOSE = "rounds"
"""Under which a record keeps what came out: a row for the base, and one for each round."""


class Rendered:
    """Instances with their images, in memory; read like a data set."""

    description: Mapping[str, Any] = {}

    def __init__(self, instances: Sequence[Instance]) -> None:
        """Render them."""
        self.instances = list(instances)
        samples = [each.render() for each in instances]
        self.images = np.stack([each.image for each in samples])
        self.masks = np.stack([each.mask for each in samples])
        self.samples = pd.DataFrame({"id": [sample_id(n) for n in range(len(samples))]})


@dataclass(frozen=True)
class Seed:
    """What all samplers of a seed and an experiment have in common: the sets, drawn here, and the base network."""

    asked: PlantedGapParameters
    experiment: str
    number: int
    folder: Path

    @cached_property
    def scenario(self) -> Scenario[Any]:
        """What is trained on."""
        return EXPERIMENTS[self.experiment].scenarios[0]

    @cached_property
    def sets(self) -> dict[str, Rendered]:
        """The images to begin with, to score, and the two to test on."""
        images, test = self.asked.images, EXPERIMENTS[self.experiment].scenarios[1]
        drawn_from = {"base": self.scenario, "scoring": self.scenario, "training": self.scenario, "test": test}
        return {
            name: Rendered([each.draw_one(self.number, n, f"gap {name}") for n in range(getattr(images, name))])
            for name, each in drawn_from.items()
        }

    @cached_property
    def base(self) -> "Judged":
        """The base network, trained."""
        fit(self.number, self.asked.training, self.sets["base"], None, self.folder / "base")
        return self.judged(self.folder / "base")

    def judged(self, network: Path) -> "Judged":
        """Return what a network scores on each set."""
        test, training, scoring = (self.sets[name] for name in ("test", "training", "scoring"))
        masks = found(network, test.images)
        mode = np.array([EXPERIMENTS[self.experiment].of_mode(each) for each in test.instances])
        f1, iou = (np.array([m(*pair) for pair in zip(masks, test.masks, strict=True)]) for m in (near_f1, mean_iou))
        seen = [mean_iou(*pair) for pair in zip(found(network, training.images), training.masks, strict=True)]
        metric = SEGMENTATION[self.asked.score]
        scores = [metric(*pair) for pair in zip(found(network, scoring.images), scoring.masks, strict=True)]
        tested = {
            "mode_f1": f1[mode],
            "rest_f1": f1[~mode],
            "all_f1": f1,
            "mode_iou": iou[mode],
            "rest_iou": iou[~mode],
        }
        tested |= {"all_iou": iou, "training_iou": np.array(seen), "scoring": np.array(scores)}
        means = {name: float(each.mean()) if len(each) else None for name, each in tested.items()}
        return Judged(network, tested["scoring"], means)

    def rounds(self, name: str) -> list[dict[str, Any]]:
        """Return a row for the base network and one for each round of a sampler."""
        sampler, scoring = self.asked.sampler(self.experiment, name), self.sets["scoring"]
        now, before, earlier = self.base, None, [self.sets["base"]]
        rows = [{"round": 0, "images": 0, "asked_of_mode": None, "asked_hopeless": None, **now.means}]
        for number in range(1, self.asked.rounds + 1):
            scored = Scored(scoring.samples["id"].tolist(), scoring.instances, now.scores, before)
            rng = stream(self.number, "gap round", number)
            proposed = sampler.propose(self.scenario, scored, self.asked.images.round, rng)
            new = Rendered([each.instance for each in proposed])
            share, picked = self.asked.rehearsal_share, stream(self.number, "gap rehearsal", number)
            seen: Any = Rehearsed(new, earlier, share, picked) if share > 0 else new  # type: ignore[arg-type]
            folder = self.folder / name / str(number)
            fit(self.number, self.asked.finetuning, seen, now.network, folder)
            before, now, earlier = now.scores, self.judged(folder), [*earlier, new]
            rows.append({"round": number, "images": number * len(new.images), **self._shares(new), **now.means})
        return rows

    def _shares(self, new: Rendered) -> dict[str, float]:
        of_mode = [EXPERIMENTS[self.experiment].of_mode(each) for each in new.instances]
        hopeless = [each.style == HOPELESS_STYLE for each in new.instances]
        return {"asked_of_mode": float(np.mean(of_mode)), "asked_hopeless": float(np.mean(hopeless))}


@dataclass(frozen=True)
class Judged:
    """A network and its scores."""

    network: Path
    scores: Reals
    """Of each image of the scoring set."""
    means: Mapping[str, float | None]


@dataclass(frozen=True)
class Task:
    """Runs of one seed and experiment, as they are handed to a worker process."""

    asked: PlantedGapParameters
    experiment: str
    seed: int
    missing: Mapping[str, str]
    """Sampler -> hash of all that decides its run."""
    records: Path


def run(task: Task) -> None:
    """Train the base network and go on from it with each sampler; a run's record appears when it is whole."""
    with TemporaryDirectory() as folder:
        seed = Seed(task.asked, task.experiment, task.seed, Path(folder))
        machine = json.loads((seed.base.network / "run.json").read_text())
        for name, inputs in task.missing.items():
            began = time.process_time()
            rows = seed.rounds(name)
            training = {"run": task.seed, "cpu_seconds": round(time.process_time() - began, 1)}
            training |= {key: machine[key] for key in ("device", "processor", "torch")}
            record = RunRecord(inputs=inputs, training=training).with_answers(PURPOSE, Answers.of(inputs, rows))
            record.write(file_of(task.records, Cell(task.experiment, name, task.seed)))


def file_of(records: Path, cell: Cell) -> Path:
    """Return where the record of a run lies."""
    return record_file(records / cell.experiment, cell.sampler, cell.seed)


def fit(number: int, settings: TrainParameters, images: Any, start: Path | None, folder: Path) -> None:
    """Train a network to a folder, from the one in `start` on; on one thread, which decides the last digits."""
    import torch

    from micromime.training.learner import Run, fit_run

    torch.set_num_threads(1)
    folder.mkdir(parents=True)
    fit_run(Run(number, settings, images, start), {}, folder, lambda _values, _epoch: None)


def found(network: Path, images: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Return (n, rows, cols): what a network finds in (n, rows, cols) grey images, asked in batches."""
    import torch
    from fastai.vision.core import imagenet_stats

    from micromime.training.networks import load_network

    asked, (mean, sd) = load_network(network), (torch.tensor(each).view(1, 3, 1, 1) for each in imagenet_stats)
    masks = []
    for first in range(0, len(images), TOGETHER):
        grey = torch.from_numpy(images[first : first + TOGETHER])[:, None].float() / 255
        with torch.inference_mode():
            scores = asked(((grey - mean) / sd).contiguous(memory_format=torch.channels_last))
        masks.append(scores.softmax(dim=1)[:, 1].numpy() >= THRESHOLD)
    return np.concatenate(masks)


def near_f1(prediction: Mask, truth: Mask) -> float:
    """Return the boundary F1 at this experiment's tolerance."""
    return boundary_f1(prediction, truth, TOLERANCE_PX)
