"""One run of the ablation: images of one variant, a network trained on them, and what it finds in test pictures.

What a setting of training earns may lie in lines that hang together, which neither mean IoU nor boundary F1 shows: the
networks of whole scenarios, among which settings are compared, are asked for topology and closed grains as well.
"""

from collections.abc import Callable
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import pandas as pd

from experiments.ablation.plan import KIND, Images, Variant
from experiments.runs import VERSIONS, Rendered, tell, train
from micromime.inference.networks import predictor
from micromime.judging.grains import ClosedGrains, close_grains, grains_of_mask, match_grains
from micromime.judging.metrics import AVERAGE_PRECISION, SEGMENTATION, average_precision, betti_error, cl_dice
from micromime.judging.micrographs import CHOSEN_BY, Picture, at_thresholds, operating_points, pictures_in
from micromime.project.work import fingerprint
from micromime.scenario.arrays import Image, Probability
from micromime.scenario.scenario import Scenario

PURPOSE = "test"
"""Under which a record keeps what came out: a row for each test picture."""


class Task(NamedTuple):
    """One run, as it is handed to a worker process."""

    variant: Variant
    run: int
    images: Images
    pictures: tuple[Path, Path]
    """What every network is asked about: the synthetic set that its threshold is chosen on, and the test set."""
    inputs: str
    """Hash of all that decides its record, taken before it begins: files may be edited meanwhile."""
    records: Path


def inputs_of(variant: Variant, run: int, images: Images, pictures: str) -> str:
    """Return the hash of all that decides what a run's record says, but for the machine's kind.

    `pictures` is the identity of those that its network is asked about.
    """
    settings = variant.settings.model_dump(exclude={"runs"}, exclude_defaults=True)
    drawn = [images.model_dump(), variant.content, list(variant.content.get("styles", ()))]
    return fingerprint(settings, drawn, run, pictures, VERSIONS)


def run(task: Task) -> None:
    """Draw, train and ask; the record appears when all is done. Images of one number have the same seeds everywhere."""
    variant, (scoring, test_set) = task.variant, task.pictures
    scenario = Scenario.read(KIND, variant.content, f"ablation, {variant.name}")
    images = Rendered([scenario.draw_one(task.run, index, "ablation") for index in range(task.images.count)])
    with TemporaryDirectory() as folder:
        training = train(task.run, variant.settings, images, Path(folder, "network"))
        find = predictor(Path(folder, "network"))
    threshold = threshold_of(find, scoring, task.images.scoring)
    rows = [row(each, find(each.image), threshold, variant.whole) for each in pictures_in(test_set)]
    tell(task.records, (variant.name, task.run), (task.inputs, training), {PURPOSE: rows})


def threshold_of(find: Callable[[Image], Probability], scoring: Path, count: int) -> float:
    """Return the network's own threshold: chosen on the first `count` samples of the scoring set."""
    seen = [at_thresholds(each, find(each.image), (CHOSEN_BY,)) for each in islice(pictures_in(scoring), count)]
    return float(operating_points(pd.DataFrame(seen).assign(arm="", run=0))["threshold"].iloc[0])


def row(picture: Picture, probability: Probability, threshold: float, whole: bool) -> dict[str, Any]:
    """Return how what was found in a test picture, above a threshold, compares with the truth.

    Of whole scenarios also clDice and Betti error, and matched grains, which need no threshold.
    """
    found, truth = probability > threshold, picture.truth
    said = {"picture": picture.name, "threshold": threshold}
    said |= {name: metric(found, truth) for name, metric in SEGMENTATION.items()}
    said |= {AVERAGE_PRECISION: average_precision(probability, truth)}
    if whole:
        said |= {"cl_dice": cl_dice(found, truth), "betti_error": betti_error(found, truth)}
        said |= {"matched_grains": match_grains(close_grains(ClosedGrains(), probability), grains_of_mask(truth))["f1"]}
    return said
