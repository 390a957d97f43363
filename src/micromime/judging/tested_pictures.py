"""What is measured where networks are judged.

Of test pictures every metric at every threshold, topology, and closed grains; of synthetic ones what thresholds are
chosen by.
"""

from typing import Any

from micromime.judging.closed_grains import ClosedGrains, close_grains, grains_of_mask
from micromime.judging.grain_sizes import astm_difference_of, diameters_px, label_intercept_px
from micromime.judging.matched_grains import match_grains
from micromime.judging.metrics import SEGMENTATION
from micromime.judging.operating_point import CHOSEN_BY
from micromime.judging.picture_scores import THRESHOLD, Picture, at_thresholds, measured
from micromime.judging.topology import betti_error, cl_dice
from micromime.scenario.arrays import Labels, Probability

CHOSEN_ON = 60
"""Synthetic pictures that a run's threshold is chosen on: for a choice among tenths these are enough."""


def to_choose_by(picture: Picture, probability: Probability) -> dict[str, Any]:
    """Return one row of a synthetic picture that a run's threshold is chosen on."""
    return {"picture": picture.name, **at_thresholds(picture, probability, (CHOSEN_BY,))}


def tested(picture: Picture, probability: Probability) -> dict[str, Any]:
    """Return one row of a test picture: besides `measured`, all metrics at all thresholds, topology and grains."""
    found, truth = probability > THRESHOLD, picture.truth
    grains, true_grains = close_grains(ClosedGrains(), probability), grains_of_mask(truth)
    difference = astm_difference_of(grains, true_grains)
    return {
        **measured(picture, probability),
        **at_thresholds(picture, probability, tuple(SEGMENTATION)),
        "cl_dice": cl_dice(found, truth),
        "betti_error": betti_error(found, truth),
        "matched_grains": match_grains(grains, true_grains)["f1"],
        **grain_size(grains),
        **{f"astm_{end}": None if difference is None else difference[end] for end in ("lo", "hi")},
    }


def grain_size(grains: Labels) -> dict[str, Any]:
    """Return the number of grains, their mean diameter and mean linear intercept, None where there is none."""
    diameters = diameters_px(grains)
    return {
        "grains": len(diameters),
        "diameter_px": float(diameters.mean()) if len(diameters) else None,
        "intercept_px": label_intercept_px(grains),
    }
