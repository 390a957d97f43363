"""From photographs with cracks to the laws of a rendered crack's parameters, corrected for what measuring does to them.

The correction is indirect inference: cracks are drawn from the laws, rendered, measured by the same code, and the laws
moved until simulated cracks measure as the real ones do. At first each parameter is moved by itself, then all together,
and held near where they were then, because few cracks cannot tell all of them apart.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from micromime.fitting.cracks.laws import Laws, clipped, laws_of
from micromime.fitting.cracks.simulation import Picture, Scene, measured_table, simulate
from micromime.fitting.cracks.summary import (
    FITTED,
    LEAST,
    MOVED,
    POOLED,
    STATISTICS,
    Summary,
    covariance,
    summary,
    vector,
    with_vector,
)
from micromime.fitting.indirect_inference import Sensitivity, step
from micromime.mistakes import Mistake
from micromime.scenario.arrays import Reals

GAINS = (1.0, 1.0, 1.0, 1.0, 1 / 2, 1 / 3, 1 / 4, 1 / 5, 1 / 6)
"""Share of a step that each round takes: at the end what is found is the mean of what the last rounds ask for."""
PLAIN = 2
"""Rounds at first that correct each parameter by itself."""
AVERAGED = GAINS[::-1].index(1.0) + 1
"""Rounds that are averaged in it: all from the last whole step on."""
SENSED = (2, 3)
"""Rounds in which it is found out anew how what is measured answers to the parameters."""
SENSED_STEP = 0.3
"""By how much a parameter is moved for that."""
MOST_CORRECTED = 0.7
"""Most, as a logarithm, by which what measuring does to a parameter by itself is corrected: a factor of two."""
LEAST_SPREAD = 0.1
"""Share of the spread over cracks that is kept, even where measuring alone spreads them more than that."""


@dataclass(frozen=True)
class CrackStatistics:
    """What was found, and what shows whether it is right."""

    parameters: dict[str, Any]
    """For every parameter of `Crack` a value or a distribution as params.yaml has it."""
    empirical: dict[str, Any]
    """For those that differ from crack to crack the corrected values themselves, or quantiles of them."""
    cracks: pd.DataFrame
    """One row a measured crack, uncorrected (see `crack_simulation.measured_table`)."""
    fits: pd.DataFrame
    """One row a law that was tried: parameter, law, parameters, aic, ks, chosen."""
    simulated: pd.DataFrame
    """Cracks drawn from the parameters, rendered and measured: what `cracks` must look like."""


@dataclass(frozen=True)
class _Search:
    """The measured cracks whose laws are sought, and how the simulated ones are made."""

    cracks: pd.DataFrame
    seen: Summary
    """What they say."""
    whole: bool
    seed: int
    simulated: int
    """Cracks of a simulation."""
    middle_deg: float

    def laws(self, truth: Summary) -> Laws:
        """Return the laws with these centres, spreads and pooled values."""
        return laws_of(self.cracks, self.seen, truth, self.whole)

    def simulate(self, truth: Summary, scene: Scene, number: int) -> pd.DataFrame:
        """Return measured simulated cracks of these laws; with one number, cracks of other laws are much the same."""
        found = simulate(self.laws(truth).parameters, scene, self.simulated, (self.seed, number))
        return _unfolded(found, self.middle_deg)

    def sensitivity(self, truth: Summary, scene: Scene, number: int, found: pd.DataFrame) -> Sensitivity:
        """Return how statistics answer to each parameter by itself, from the same cracks with that one moved.

        Of more segments more are seen, and nothing else: simulated, that would drown in chance, since the cracks would
        not be the same ones.
        """
        here, before = vector(truth, MOVED), vector(summary(found, self.whole), STATISTICS)
        answers = np.zeros((len(STATISTICS), len(MOVED)))
        answers[:, MOVED.index("segments")] = [key.startswith("segments") for key in STATISTICS]  # and nothing else
        for place, key in enumerate(MOVED):
            if key == "segments":
                continue
            there = here.copy()
            there[place] += SENSED_STEP if key in FITTED or here[place] < _highest(key) - SENSED_STEP else -SENSED_STEP
            moved = self.simulate(with_vector(truth, MOVED, there), scene, number)
            after = before if moved.empty else vector(summary(moved, self.whole), STATISTICS)
            answers[:, place] = (after - before) / (there[place] - here[place])
        # Of the real cracks as they are; of the simulated ones, of which the last rounds are averaged, so much less.
        certain = covariance(found, self.whole) * (len(found) / len(self.cracks) + 1 / AVERAGED)
        return Sensitivity(answers, certain)

    def change(self, truth: Summary, found: Summary, answers: Sensitivity, expected: Summary) -> Reals:
        """Return the step of the parameters (MOVED) that makes up for all of seen less found at once."""
        difference = vector(self.seen, STATISTICS) - vector(found, STATISTICS)
        return step(answers, difference, vector(truth, MOVED) - vector(expected, MOVED))


def crack_statistics(pictures: Sequence[Picture], whole: bool, seed: int, simulated: int = 150) -> CrackStatistics:
    """Return the laws of all parameters of `Crack` for cracks as in these pictures (image, mask), corrected.

    `whole` says that the pictures show cracks from end to end; else they are frames through larger cracks, and the
    number of segments is one value for all: segments seen / (ends seen / 2), at most 400. The parameters are drawn
    independently when cracks are rendered; in reality width and depth belong together (wide cracks are deep ones),
    which is ignored. From 6,000 cracks, with 400 `simulated` each time, known parameters are found again within 5 %,
    the number of segments within 10 % (test_known_parameters_are_found_again). Raises Mistake if no picture shows
    a crack.
    """
    cracks = measured_table(pictures)
    if cracks.empty:
        raise Mistake("No crack of 20 px or more is marked in these pictures; give some whose masks show cracks.")
    middle = _axis(cracks["direction_deg"].to_numpy())
    turned = _unfolded(cracks, middle)
    search = _Search(turned, summary(turned, whole), whole, seed, simulated, middle)
    scene = Scene(cracks, () if whole else [image.shape for image, _ in pictures])
    truth = expected = search.seen
    answers = None
    for number, gain in enumerate(GAINS):
        found = search.simulate(truth, scene, number)
        if found.empty:
            continue
        said = summary(found, whole)
        if number < PLAIN:
            truth = expected = _moved(truth, _plain_change(search.seen, said), search.seen, said, gain)
        else:
            if answers is None or number in SENSED:
                answers = search.sensitivity(truth, scene, number, found)
            truth = _moved(truth, gain * search.change(truth, said, answers, expected), search.seen, said, gain)
        scene = _as_seen(scene, cracks, found)
    laws = search.laws(truth)
    last = simulate(laws.parameters, scene, simulated, (seed, len(GAINS)))
    return CrackStatistics(laws.parameters, laws.empirical, cracks, laws.fits, last)


def _axis(directions_deg: Reals) -> float:
    """Return the mean direction of lines without an arrow, from -90 to 90 degrees."""
    return float(np.rad2deg(np.angle(np.exp(2j * np.deg2rad(directions_deg)).mean())) / 2)


def _unfolded(cracks: pd.DataFrame, middle_deg: float) -> pd.DataFrame:
    """Return the table with every direction given by the one of its two names nearest to the middle."""
    if cracks.empty:
        return cracks
    away = (cracks["direction_deg"] - middle_deg + 90) % 180 - 90
    return cracks.assign(direction_deg=middle_deg + away)


def _highest(key: str) -> float:
    """Return the highest that `vector` says of a pooled parameter."""
    bounded = Summary({}, {}, {key: clipped(key, math.inf)})
    return float(vector(bounded, [key])[0])


def _as_seen(scene: Scene, cracks: pd.DataFrame, found: pd.DataFrame) -> Scene:
    """Return the scene with its noise, and the width of its drawn masks, moved as real and simulated ones differ."""
    ratios = {key: np.clip(cracks[key].mean() / max(found[key].mean(), LEAST), 0.5, 2) for key in ("noise", "noise_px")}
    moved = {key: scene.cracks[key] * ratio for key, ratio in ratios.items()}
    moved["drawn_px"] = scene.cracks["drawn_px"] + cracks["drawn_px"].mean() - found["drawn_px"].mean()
    return scene._replace(cracks=scene.cracks.assign(**moved))


def _plain_change(seen: Summary, found: Summary) -> Reals:
    """Return by how much each parameter is moved for what measuring does to it, each by itself: few cracks go not far.

    `found` is what cracks with the parameters measure.
    """
    change: Reals = np.clip(vector(seen, MOVED) - vector(found, MOVED), -MOST_CORRECTED, MOST_CORRECTED)
    return change


def _moved(truth: Summary, change: Reals, seen: Summary, found: Summary, gain: float) -> Summary:
    """Return the truth with parameters (MOVED) moved by the change, and direction and spreads by seen less found.

    The direction's centre moves by the difference. Variances over cracks move by their difference, because measuring
    adds its own to them, to a quarter at least and never below a tenth of the seen spread; that of the segments is a
    Poisson law's at least, the narrowest law of counts there is (`fits.fit_counts`).
    """
    moved = with_vector(truth, MOVED, vector(truth, MOVED) + change)
    turned = moved.centre["direction_deg"] + gain * (seen.centre["direction_deg"] - found.centre["direction_deg"])
    spread = dict(truth.spread)
    for key in FITTED:
        variance = truth.spread[key] ** 2
        other = variance + gain * (seen.spread[key] ** 2 - found.spread[key] ** 2)
        spread[key] = math.sqrt(max(other, variance / 4, (LEAST_SPREAD * seen.spread[key]) ** 2))
    spread["segments"] = max(spread["segments"], math.exp(-moved.centre["segments"] / 2))
    pooled = moved.pooled | {key: clipped(key, moved.pooled[key]) for key in POOLED}
    return Summary(moved.centre | {"direction_deg": turned}, spread, pooled)
