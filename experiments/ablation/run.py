"""One run of the ablation: images of one variant, a network trained on them, and what it finds in test pictures."""

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version
from itertools import islice
from pathlib import Path
from typing import Any

import pandas as pd

from experiments.ablation.plan import AblationImages, Variant
from micromime.arms.arm import DECIDING, DECIDING_MASKS, Arm
from micromime.arms.fit import fit
from micromime.fitting.laws import Fit
from micromime.arms.records import Answers, RunRecord
from micromime.datasets.store import write_description, write_shard
from micromime.inference.ask import TEST
from micromime.inference.networks import predictor
from micromime.judging.metrics import AVERAGE_PRECISION, SEGMENTATION, average_precision
from micromime.judging.micrographs import CHOSEN_BY, Picture, at_thresholds, operating_points, pictures_in
from micromime.pictures.micrographs import listed_files
from micromime.project.work import code_of, fingerprint, work_folder
from micromime.scenario.arrays import Image, Probability
from micromime.scenario.scenario import Scenario
from micromime.use_cases import instance_kind

PURPOSE = "ablation"
"""Name of the streams that images are drawn from: none of them is one of another set."""

DRAWING = ("boundary_lines", "distributions", "partial_model", "perlin", "scenario", "streams")
ANSWERING = (
    "evaluation/average_precision",
    "evaluation/metrics",
    "stages/operating_point",
    "stages/picture_scores",
    "training/networks",
)
"""Code that decides a run's images and its scores; what decides its training is that of every arm."""


@dataclass(frozen=True)
class Pictures:
    """What every network is asked about."""

    test_set: Path
    """A folder of micrographs."""
    scoring: Path
    """The synthetic set that its threshold is chosen on, drawn from the whole scenario."""

    @property
    def identity(self) -> str:
        """What stands for them in a hash."""
        return fingerprint(listed_files(self.test_set), self.scoring / "dataset.json")


@dataclass(frozen=True)
class Task:
    """One run, as it is handed to a worker process."""

    use_case: str
    variant: Variant
    run: int
    images: AblationImages
    pictures: Pictures
    inputs: str
    """Hash of all that decides its record, taken before it begins: files may be edited meanwhile."""
    record: Path


def inputs_of(use_case: str, variant: Variant, run: int, given: tuple[AblationImages, str]) -> str:
    """Return the hash of all that decides what a run's record says, but for the machine's kind.

    `given` has the images asked for, and the identity of the pictures that its network is asked about.
    """
    images, identity = given
    settings = variant.settings.model_dump(exclude={"runs"}, exclude_defaults=True)
    drawn = [images.model_dump(), variant.content, list(variant.content.get("styles", ()))]
    versions = {name: version(name) for name in ("numpy", "scipy", "numba")}
    code = code_of(*_deciding(use_case, variant.settings.architecture))
    return fingerprint(settings, drawn, run, identity, code, versions)


def _deciding(use_case: str, architecture: str) -> set[str]:
    own = {"stages/ablation_run", f"scenarios/{use_case}", f"training/architectures/{architecture}"}
    models = {f"partial_models/{name}" for name in instance_kind(use_case).partial_models()}
    return {*DRAWING, *DECIDING, *DECIDING_MASKS, *ANSWERING} | own | models


def run(task: Task) -> None:
    """Draw, train and ask; the record appears when all is done, and nothing else is left."""
    folder = work_folder("ablation", task.variant.name, task.inputs)  # two variants may have the same content
    shutil.rmtree(folder, ignore_errors=True)  # of a run that was killed
    data, network = folder / "data", folder / "network"
    draw(task, data)
    arm = Arm(task.use_case, task.variant.name, task.variant.settings, data)
    fit(Fit(arm, task.run, task.inputs, network, None))
    rows = scores(predictor(network), task.pictures, task.images.scoring)
    RunRecord.of_run(network).with_answers(TEST, Answers.of(task.inputs, rows)).write(task.record)
    shutil.rmtree(folder)


def draw(task: Task, folder: Path) -> None:
    """Render the images of a run: those of one number have the same seeds in all variants."""
    kind, content = instance_kind(task.use_case), task.variant.content
    scenario = Scenario.read(kind, content, f"{task.use_case}.ablation, {task.variant.name}")
    instances = [scenario.draw_one(task.run, index, PURPOSE) for index in range(task.images.count)]
    write_shard(folder / "shard-00000", 0, instances, kind.render_all(instances))
    write_description(folder, {"use_case": task.use_case, "scenario": content, "count": len(instances)})


def scores(find: Callable[[Image], Probability], pictures: Pictures, scoring: int) -> list[dict[str, Any]]:
    """Return a row for each test picture: every metric at the network's own threshold, and that threshold.

    It is chosen on the first `scoring` samples of the scoring set.
    """
    chosen_on = islice(pictures_in(pictures.scoring), scoring)
    seen = [at_thresholds(each, find(each.image), (CHOSEN_BY,)) for each in chosen_on]
    threshold = float(operating_points(pd.DataFrame(seen).assign(arm="", run=0))["threshold"].iloc[0])
    return [row(each, find(each.image), threshold) for each in pictures_in(pictures.test_set)]


def row(picture: Picture, probability: Probability, threshold: float) -> dict[str, Any]:
    """Return how what was found in a picture compares with the truth."""
    measured = {name: metric(probability > threshold, picture.truth) for name, metric in SEGMENTATION.items()}
    measured[AVERAGE_PRECISION] = average_precision(probability, picture.truth)
    return {"picture": picture.name, "threshold": threshold, **measured}
