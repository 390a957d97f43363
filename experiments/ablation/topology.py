"""A run of the ablation on the whole scenario: its network is asked for topology and closed grains as well.

What a setting of training earns may lie in lines that hang together, which neither mean IoU nor boundary F1 shows.
"""

import shutil
from typing import Any

from experiments.ablation import run as ablation_run
from experiments.ablation.plan import AblationImages, Variant
from experiments.ablation.run import Task, draw, scores
from micromime.arms.arm import Arm
from micromime.arms.fit import fit
from micromime.fitting.laws import Fit
from micromime.arms.records import Answers, RunRecord
from micromime.inference.ask import TEST
from micromime.inference.networks import predictor
from micromime.judging.grains import ClosedGrains, close_grains, grains_of_mask, match_grains
from micromime.judging.micrographs import Picture, pictures_in
from micromime.judging.topology import betti_error, cl_dice
from micromime.project.work import code_of, fingerprint, work_folder
from micromime.scenario.arrays import Probability

MEASURING = (
    "evaluation/closed_grains",
    "evaluation/matched_grains",
    "evaluation/topology",
    "stages/ablation_topology",
)
"""Code that decides what is measured here besides what every run is scored by."""


def inputs_of(use_case: str, variant: Variant, run: int, given: tuple[AblationImages, str]) -> str:
    """Return the hash of all that decides what a run's record says, see `ablation_run.inputs_of`."""
    return fingerprint(ablation_run.inputs_of(use_case, variant, run, given), code_of(*MEASURING))


def run(task: Task) -> None:
    """Draw, train and ask, as `ablation_run.run` does; the record has `topology` of every test picture besides."""
    folder = work_folder("ablation", task.variant.name, task.inputs)
    shutil.rmtree(folder, ignore_errors=True)  # of a run that was killed
    data, network = folder / "data", folder / "network"
    draw(task, data)
    fit(Fit(Arm(task.use_case, task.variant.name, task.variant.settings, data), task.run, task.inputs, network, None))
    find = predictor(network)
    rows = scores(find, task.pictures, task.images.scoring)
    for row, picture in zip(rows, pictures_in(task.pictures.test_set), strict=True):
        row |= topology(picture, find(picture.image), row["threshold"])
    RunRecord.of_run(network).with_answers(TEST, Answers.of(task.inputs, rows)).write(task.record)
    shutil.rmtree(folder)


def topology(picture: Picture, probability: Probability, threshold: float) -> dict[str, Any]:
    """Return clDice and Betti error of the mask above the run's own threshold, and matched grains, which need none."""
    found, truth = probability > threshold, picture.truth
    return {
        "cl_dice": cl_dice(found, truth),
        "betti_error": betti_error(found, truth),
        "matched_grains": match_grains(close_grains(ClosedGrains(), probability), grains_of_mask(truth))["f1"],
    }
