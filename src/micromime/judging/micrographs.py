"""Networks judged on micrographs: how an answer to one is measured, each run's own threshold, the verdict on all.

A network that finds too much or too little at one threshold may be as good as another at its own. Test pictures have
no say in it: a run's threshold is the one of highest mean IoU on synthetic pictures.
"""

import itertools
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from micromime.datasets.store import Dataset
from micromime.judging.baselines import BASELINES
from micromime.judging.grain_size import astm_by_picture, astm_difference_of, grain_size, true_size
from micromime.judging.grains import ClosedGrains, close_grains, grains_of_mask, match_grains
from micromime.judging.metrics import AVERAGE_PRECISION, SEGMENTATION, TESTED, TOPOLOGY, average_precision, error_rate
from micromime.judging.verdict import Pairs, Verdict, verdict
from micromime.pictures.micrographs import LIST_NAME, Micrograph, read_micrographs
from micromime.scenario.arrays import Image, Mask, Probability

THRESHOLD = 0.5
"""Probability from which a pixel counts as boundary, a picture as one of the second class."""

THRESHOLDS = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)
"""Those among which each run's own is chosen."""

CHOSEN_BY, CHOSEN_ON = "mean_iou", 60
"""The metric that a run's threshold is chosen by, and on how many synthetic pictures: enough to choose among tenths."""


class Picture(NamedTuple):
    """What a network is asked about, and what is right."""

    name: str
    image: Image
    truth: Mask
    class_number: int = -1
    """Of the picture's class; none where there are no classes."""


def pictures_in(folder: Path) -> Iterator[Picture]:
    """Yield what a folder of micrographs or a synthetic data set holds."""
    if (folder / LIST_NAME).is_file():
        yield from (Picture(each.name, each.image, each.mask) for each in read_micrographs(folder))
        return
    dataset = Dataset(folder)
    numbers = dataset.class_numbers if "classes" in dataset.description else itertools.repeat(-1)
    for n, (name, number) in enumerate(zip(dataset.samples["id"], numbers, strict=False)):
        image, mask = np.array(dataset.images[n]), np.array(dataset.masks[n])  # not read-only: skeletons
        yield Picture(str(name), image, mask, int(number))


def scored(picture: Picture, probability: Probability) -> dict[str, Any]:
    """Return one row: how what was found, a probability for each pixel, compares with the truth.

    `<metric>` is that of the mask at `THRESHOLD`, `mean_iou.at_0.3` that at another threshold.
    """
    scores = {name: metric(probability > THRESHOLD, picture.truth) for name, metric in SEGMENTATION.items()}
    scores[AVERAGE_PRECISION] = average_precision(probability, picture.truth)
    return {"picture": picture.name, **scores, **at_thresholds(picture, probability, [CHOSEN_BY])}


def tested(picture: Picture, probability: Probability) -> dict[str, Any]:
    """Return one row of a test picture: besides `scored`, all metrics at all thresholds, topology and grains."""
    found, truth = probability > THRESHOLD, picture.truth
    grains, true_grains = close_grains(ClosedGrains(), probability), grains_of_mask(truth)
    difference = astm_difference_of(grains, true_grains)
    return {
        **scored(picture, probability),
        **at_thresholds(picture, probability, [*SEGMENTATION]),
        **{name: metric(found, truth) for name, metric in TOPOLOGY.items()},
        "matched_grains": match_grains(grains, true_grains)["f1"],
        **grain_size(grains),
        **{f"astm_{end}": None if difference is None else difference[end] for end in ("lo", "hi")},
    }


def to_choose_by(picture: Picture, probability: Probability) -> dict[str, Any]:
    """Return one row of a synthetic picture that a run's threshold is chosen on."""
    return {"picture": picture.name, **at_thresholds(picture, probability, [CHOSEN_BY])}


def classified(picture: Picture, probability: float) -> dict[str, Any]:
    """Return one row: whether a picture's class was wrong, 0 or 1, and how probable the second class was."""
    wrong = error_rate(np.array([int(probability > THRESHOLD)]), np.array([picture.class_number]))
    return {"picture": picture.name, "error_rate": wrong, "probability": probability}


def at_thresholds(picture: Picture, probability: Probability, metrics: Sequence[str]) -> dict[str, float]:
    """Return metrics of the masks at each of `THRESHOLDS`, as `<metric>.at_<threshold>`."""
    masks = {threshold: probability > threshold for threshold in THRESHOLDS}
    return {
        f"{name}.at_{threshold}": SEGMENTATION[name](mask, picture.truth)
        for name in metrics
        for threshold, mask in masks.items()
    }


def operating_points(scoring: pd.DataFrame) -> pd.DataFrame:
    """Return `threshold` for each arm and run (the index), of their answers to the scoring set.

    Of thresholds that do equally well, the lowest.
    """
    means = scoring.groupby(["arm", "run"], sort=False)[[f"{CHOSEN_BY}.at_{each}" for each in THRESHOLDS]].mean()
    best = [THRESHOLDS[int(place)] for place in means.to_numpy().argmax(axis=1)]
    return pd.DataFrame({"threshold": best}, index=means.index)


def at_operating_points(answers: pd.DataFrame, points: pd.DataFrame) -> pd.DataFrame:
    """Return arm, run, picture, source and the metrics of answers to the test set, each run's at its own threshold."""
    rows = answers.join(points, on=["arm", "run"])
    scores = {name: [row[f"{name}.at_{row['threshold']}"] for row in rows.to_dict("records")] for name in SEGMENTATION}
    return rows[["arm", "run", "picture", "source"]].assign(**scores)


def said_of(
    tested_on: Mapping[str, Any],
    answered: tuple[pd.DataFrame, pd.DataFrame],
    pictures: Sequence[Micrograph],
    pairs: Pairs,
) -> Verdict:
    """Return the verdict on what networks answered, and the same with each run at its own threshold.

    `answered` has the answers to the test set, with sources, and those to the scoring set.
    """
    answers, points = answered[0], operating_points(answered[1])
    by_rule = baseline_rows(pictures)
    keys = ["picture", "source"]
    said = verdict(
        tested_on,
        answers[["arm", "run", *keys, *TESTED]],
        by_rule[["baseline", *keys, *TESTED]],
        sizes(pictures, answers, by_rule),
        pairs,
    )
    own = verdict(
        tested_on, at_operating_points(answers, points), by_rule[["baseline", *keys, *SEGMENTATION]], pairs=pairs
    )
    thresholds = {str(arm): rows["threshold"].tolist() for arm, rows in points.groupby("arm", sort=False)}
    said["at_operating_points"] = {"thresholds": thresholds, "tried": list(THRESHOLDS)}
    said["at_operating_points"] |= {key: own[key] for key in ("arms", "by_source", "paired")}
    true_sizes = {each.name: true_size(grains_of_mask(each.mask), each.um_per_px) for each in pictures}
    return said | {"astm_by_picture": astm_by_picture(answers, true_sizes), "true_sizes": true_sizes}


def baseline_rows(pictures: Sequence[Micrograph]) -> pd.DataFrame:
    """Return a row for every baseline and picture, with what `tested` measures."""
    rows = []
    for name, find in BASELINES.items():
        for each in pictures:
            row = tested(Picture(each.name, each.image, each.mask), find(each.image).astype(np.float32))
            rows.append({"baseline": name, **row, "source": each.source})
    return pd.DataFrame(rows)


def sizes(pictures: Sequence[Micrograph], answers: pd.DataFrame, baselines: pd.DataFrame) -> pd.DataFrame:
    """Return a row for the grains of every picture's truth, and of all that was found in it."""
    measures = ["picture", "source", "grains", "diameter_px", "intercept_px"]
    truths = [{"picture": p.name, "source": p.source, **grain_size(grains_of_mask(p.mask))} for p in pictures]
    parts = [
        pd.DataFrame(truths).assign(kind="truth", name="truth", run=0),
        baselines[measures].assign(kind="baseline", name=baselines["baseline"], run=0),
        answers[measures].assign(kind="arm", name=answers["arm"], run=answers["run"]),
    ]
    typed = [part.astype({"diameter_px": float, "intercept_px": float}) for part in parts]
    rows = pd.concat(typed, ignore_index=True)
    return rows.assign(um_per_px=rows["picture"].map({each.name: each.um_per_px for each in pictures}).astype(float))
