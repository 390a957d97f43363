"""From photographs with cracks to the laws of a rendered crack's parameters, corrected for what measuring does to them.

The correction is indirect inference (Gourieroux, Monfort and Renault 1993, doi 10.1002/jae.3950080507): cracks are
drawn from the laws, rendered, measured by the same code, and the laws moved until simulated cracks measure as the real
ones do, though what measuring does is known from simulations alone. At first each parameter is moved by itself, then
all together, and held near where they were then, because few cracks cannot tell all of them apart.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from micromime.engines.local import Mapped
from micromime.fitting.cracks.simulation import FURTHER_COURSES, Picture, Scene, measured_table, simulate
from micromime.fitting.laws import empirical, fit_counts, fit_reals
from micromime.mistakes import Mistake
from micromime.partial_models.cracks.crack import Crack
from micromime.scenario.arrays import Reals
from micromime.scenario.partial_model import bounds

FITTED = ("segments", "segment_px", "bend_deg", "direction_deg", "width_px", "depth")
"""Parameters that differ from crack to crack: each gets a law."""
POOLED = ("segment_spread", "bend_spread", "return_share", "depth_spread", "depth_correlation_px", "taper_px")
"""Parameters of how things differ within a crack: each gets one value for all cracks."""
UNSEEN = {"bend_deg": 1.0, "segment_spread": 0.3, "bend_spread": 0.3, "return_share": 0.5, "taper_px": 0.0}
"""What a parameter is taken to be where no crack shows it: none has a bend, or an end inside its picture."""
MOVED = (*(key for key in FITTED if key != "direction_deg"), *POOLED)
"""Parameters that are told apart only together: what measuring does to one depends on the others."""
STATISTICS = (*MOVED, "depth_likeness", *FURTHER_COURSES)
"""What tells them apart. At one tolerance many short segments with small bends look like few long ones; at several
they do not."""
LEAST = 1e-3
"""Pooled values below this count as this: they are compared by their logarithms."""
LEAST_SHARE = 0.02
"""Shares stay this far from 0 and 1, and likeness from -1 and 1, where log odds and z end."""
SHRUNK = 0.05
"""Share of a covariance that is taken from its diagonal alone, because few cracks say little of the rest."""
WITHIN = (1e-3, 0.98)
"""Corrected values stay within these shares of what lies between the ends of their bounds."""

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
PRIOR_SD = 0.2
"""Parameters are thought to lie within about a factor exp(0.2) of those expected beforehand, where they stay if
measurements say little."""
MOST_MOVED = 0.4
"""Most that a step moves any parameter: a factor of 1.5."""


class Summary(NamedTuple):
    """Centre and spread over cracks of each fitted parameter (of logarithms, but for the direction), and the pooled."""

    centre: dict[str, float]
    spread: dict[str, float]
    pooled: dict[str, float]


@dataclass(frozen=True)
class Laws:
    """What is drawn, the values it was fitted to, and all laws that were tried."""

    parameters: dict[str, Any]
    """For every parameter of `Crack` a value or a distribution as params.yaml has it."""
    empirical: dict[str, Any]
    """For those that differ from crack to crack the corrected values themselves, or quantiles of them."""
    fits: pd.DataFrame
    """One row a law that was tried: parameter, law, parameters, aic, ks, chosen."""


@dataclass(frozen=True)
class CrackStatistics(Laws):
    """What was found, and what shows whether it is right."""

    cracks: pd.DataFrame
    """One row a measured crack, uncorrected (see `simulation.measured_table`)."""
    simulated: pd.DataFrame
    """Cracks drawn from the parameters, rendered and measured: what `cracks` must look like."""


class _Search(NamedTuple):
    """The measured cracks whose laws are sought, and how the simulated ones are made."""

    cracks: pd.DataFrame
    seen: Summary
    """What they say."""
    whole: bool
    seed: int
    simulated: int
    """Cracks of a simulation."""
    mapped: Mapped
    """What calls for several of them, here or in other processes."""
    middle_deg: float

    def simulate(self, truth: Summary, scene: Scene, number: int) -> pd.DataFrame:
        """Return measured simulated cracks of these laws; with one number, cracks of other laws are much the same."""
        laws = laws_of(self.cracks, self.seen, truth, self.whole)
        found = simulate(laws.parameters, scene, self.simulated, (self.seed, number), self.mapped)
        return _unfolded(found, self.middle_deg)

    def sensitivity(self, truth: Summary, scene: Scene, number: int, found: pd.DataFrame) -> tuple[Reals, Reals]:
        """Return how statistics answer to each parameter, of the same cracks with that one moved, and their covariance.

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
            there[place] += (
                SENSED_STEP
                if key in FITTED or here[place] < _raised(key, clipped(key, math.inf)) - SENSED_STEP
                else -SENSED_STEP
            )
            moved = self.simulate(with_vector(truth, MOVED, there), scene, number)
            after = before if moved.empty else vector(summary(moved, self.whole), STATISTICS)
            answers[:, place] = (after - before) / (there[place] - here[place])
        # Of the real cracks as they are; of the simulated ones, of which the last rounds are averaged, so much less.
        certain = covariance(found, self.whole) * (len(found) / len(self.cracks) + 1 / AVERAGED)
        return answers, certain

    def change(self, truth: Summary, found: Summary, answers: tuple[Reals, Reals], expected: Summary) -> Reals:
        """Return the step of the parameters (MOVED) that makes up for all of seen less found at once."""
        difference = vector(self.seen, STATISTICS) - vector(found, STATISTICS)
        return step(*answers, difference, vector(truth, MOVED) - vector(expected, MOVED))


def crack_statistics(
    pictures: Sequence[Picture], whole: bool, seed: int, simulated: int = 150, mapped: Mapped = map
) -> CrackStatistics:
    """Return the laws of all parameters of `Crack` for cracks as in these pictures (image, mask), corrected.

    `whole` says that the pictures show cracks from end to end; else they are frames through larger cracks, and the
    number of segments is one value for all: segments seen / (ends seen / 2), at most 400. The parameters are drawn
    independently when cracks are rendered; in reality width and depth belong together (wide cracks are deep ones),
    which is ignored. From 6,000 cracks, with 400 `simulated` each time, known parameters are found again within 5 %,
    the number of segments within 10 % (test_known_parameters_are_found_again).

    `mapped` calls for several simulated cracks. Raises Mistake if no picture shows a crack.
    """
    cracks = measured_table(pictures)
    if cracks.empty:
        raise Mistake("No crack of 20 px or more is marked in these pictures; give some whose masks show cracks.")
    middle = _axis(cracks["direction_deg"].to_numpy())
    turned = _unfolded(cracks, middle)
    search = _Search(turned, summary(turned, whole), whole, seed, simulated, mapped, middle)
    scene = Scene(cracks, () if whole else [image.shape for image, _ in pictures])
    truth = expected = search.seen
    answers = None
    for number, gain in enumerate(GAINS):
        found = search.simulate(truth, scene, number)
        if found.empty:
            continue
        said = summary(found, whole)
        if number < PLAIN:
            # Each parameter by itself, for what measuring does to it: few cracks go not far.
            change = np.clip(vector(search.seen, MOVED) - vector(said, MOVED), -MOST_CORRECTED, MOST_CORRECTED)
            truth = expected = _moved(truth, change, search.seen, said, gain)
        else:
            if answers is None or number in SENSED:
                answers = search.sensitivity(truth, scene, number, found)
            truth = _moved(truth, gain * search.change(truth, said, answers, expected), search.seen, said, gain)
        scene = _as_seen(scene, cracks, found)
    laws = laws_of(turned, search.seen, truth, whole)
    last = simulate(laws.parameters, scene, simulated, (seed, len(GAINS)), mapped)
    return CrackStatistics(laws.parameters, laws.empirical, laws.fits, cracks, last)


def laws_of(cracks: pd.DataFrame, seen: Summary, truth: Summary, whole: bool) -> Laws:
    """Return the laws of cracks whose measured values are moved from seen to true."""
    parameters: dict[str, Any] = {}
    by_value: dict[str, Any] = {}
    fits = []
    for key in FITTED:
        values = straight(key, cracks[key].dropna().to_numpy(dtype=np.float64))
        if len(values) == 0 or (key == "segments" and not whole):
            values = np.array([seen.centre[key]])
        scale = truth.spread[key] / seen.spread[key] if seen.spread[key] > 0 else 0.0
        moved = truth.centre[key] + (values - seen.centre[key]) * scale
        corrected = moved if key == "direction_deg" else np.exp(np.minimum(moved, 20))
        within, signed = bounds_of(key, truth.centre["direction_deg"]), key == "direction_deg"
        counted = key == "segments"
        fit = fit_counts(corrected, (1, 400)) if counted else fit_reals(corrected, within, signed=signed)
        parameters[key], by_value[key] = fit.written, empirical(corrected, within, whole=counted)
        fits.append(fit.candidates.assign(parameter=key))
    parameters |= {key: clipped(key, truth.pooled[key]) for key in POOLED}
    # Most cracks of a whole picture end in it once where they begin at an edge of the specimen. A frame cannot say.
    parameters["tips"] = 1 if whole and cracks["ends"].mean() < 1.5 else 2
    table = pd.concat([each for each in fits if not each.empty] or fits[:1], ignore_index=True)
    ordered = {key: parameters[key] for key in Crack.model_fields}
    return Laws(ordered, by_value, table[["parameter", *table.columns.drop("parameter")]])


def bounds_of(key: str, middle_deg: float = 0.0) -> tuple[float, float]:
    """Return between which values a parameter may be, a little within the bounds of its field."""
    if key == "direction_deg":
        return (max(middle_deg - 90, -180), min(middle_deg + 90, 180))
    low, high = bounds(Crack.model_fields[key])
    return (low, high) if key == "segments" else (max(low, WITHIN[0] * min(high, 1)), WITHIN[1] * high)


def clipped(key: str, value: float) -> float:
    """Return the value, or the bound that it lies beyond, with five digits."""
    return float(f"{np.clip(value, *bounds_of(key)):.5g}")


def summary(cracks: pd.DataFrame, whole: bool) -> Summary:
    """Return what a table of measured cracks says of all parameters.

    Where the pictures do not show the cracks `whole`, the number of segments is segments seen / (ends seen / 2).
    """
    centre, spread = {}, {}
    for key in [*FITTED, *(each for each in FURTHER_COURSES if _course(each) in FITTED)]:
        values = straight(key, cracks[key].dropna().to_numpy(dtype=np.float64))
        centre[key] = float(values.mean()) if len(values) else math.log(UNSEEN[_course(key)])
        spread[key] = float(values.std(ddof=1)) if len(values) > 1 else 0.0
        if not whole and _course(key) == "segments":
            ends = max(float(cracks["ends"].sum()), 0.5)  # none seen: longer than all that was seen
            centre[key] = math.log(cracks[key].sum() / (ends / 2))
    pooled = [*POOLED, "depth_likeness", *(each for each in FURTHER_COURSES if _course(each) in POOLED)]
    return Summary(centre, spread, {key: _pooled(cracks, key) for key in pooled})


def straight(key: str, values: Any) -> Any:
    """Return values on the scale on which they are moved: logarithms, but for the direction."""
    return values if key == "direction_deg" else np.log(np.maximum(values, 1e-6))


def vector(said: Summary, keys: Sequence[str]) -> Reals:
    """Return the centres and pooled values by these names as logarithms, shares as log odds, likeness as Fisher's z."""
    return np.array([said.centre[key] if key in said.centre else _raised(key, said.pooled[key]) for key in keys])


def with_vector(said: Summary, keys: Sequence[str], values: Reals) -> Summary:
    """Return the summary with other centres and pooled values by these names, given as `vector` returns them."""
    new = dict(zip(keys, values.tolist(), strict=True))
    centre = {key: new.get(key, value) for key, value in said.centre.items()}
    pooled = {key: _lowered(key, new[key]) if key in new else value for key, value in said.pooled.items()}
    return said._replace(centre=centre, pooled=pooled)


def covariance(cracks: pd.DataFrame, whole: bool) -> Reals:
    """Return (statistics, statistics): the covariance of `vector`, by what each crack does to it (the delta method).

    A little is added to the diagonal, so that it can be inverted whatever the cracks are.
    """
    by_crack = np.stack([_influence(cracks, key, whole) for key in STATISTICS], axis=1)
    seen: Reals = by_crack.T @ by_crack / len(cracks) ** 2
    return (1 - SHRUNK) * seen + np.diag(SHRUNK * np.diag(seen) + LEAST**2)


def step(jacobian: Reals, covariance: Reals, difference: Reals, moved: Reals) -> Reals:
    """Return the change of the parameters, all as logarithms or log odds, that makes simulations alike.

    A Gauss-Newton step of generalised least squares: `jacobian` (statistics, parameters) says how statistics answer to
    parameters, `difference` (statistics,) is measured minus simulated, `covariance` (statistics, statistics) is that of
    such differences, and `moved` (parameters,) how far the parameters are from those expected, about which a weak prior
    holds them.
    """
    root = np.linalg.cholesky(covariance)
    count = len(moved)
    rows = np.vstack([np.linalg.solve(root, jacobian), np.eye(count) / PRIOR_SD])
    wanted = np.concatenate([np.linalg.solve(root, difference), -moved / PRIOR_SD])
    change: Reals = np.linalg.lstsq(rows, wanted, rcond=None)[0]
    return change * min(1.0, MOST_MOVED / max(float(np.abs(change).max()), 1e-12))


def _axis(directions_deg: Reals) -> float:
    """Return the mean direction of lines without an arrow, from -90 to 90 degrees."""
    return float(np.rad2deg(np.angle(np.exp(2j * np.deg2rad(directions_deg)).mean())) / 2)


def _unfolded(cracks: pd.DataFrame, middle_deg: float) -> pd.DataFrame:
    """Return the table with every direction given by the one of its two names nearest to the middle."""
    if cracks.empty:
        return cracks
    away = (cracks["direction_deg"] - middle_deg + 90) % 180 - 90
    return cracks.assign(direction_deg=middle_deg + away)


def _as_seen(scene: Scene, cracks: pd.DataFrame, found: pd.DataFrame) -> Scene:
    """Return the scene with its noise, and the width of its drawn masks, moved as real and simulated ones differ."""
    ratios = {key: np.clip(cracks[key].mean() / max(found[key].mean(), LEAST), 0.5, 2) for key in ("noise", "noise_px")}
    moved = {key: scene.cracks[key] * ratio for key, ratio in ratios.items()}
    moved["drawn_px"] = scene.cracks["drawn_px"] + cracks["drawn_px"].mean() - found["drawn_px"].mean()
    return scene._replace(cracks=scene.cracks.assign(**moved))


def _moved(truth: Summary, change: Reals, seen: Summary, found: Summary, gain: float) -> Summary:
    """Return the truth with parameters (MOVED) moved by the change, and direction and spreads by seen less found.

    The direction's centre moves by the difference. Variances over cracks move by their difference, because measuring
    adds its own to them, to a quarter at least and never below a tenth of the seen spread; that of the segments is a
    Poisson law's at least, the narrowest law of counts there is (`laws.fit_counts`).
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


def _influence(cracks: pd.DataFrame, key: str, whole: bool) -> Reals:
    """Return (cracks,): by how much, times their number, each crack moves a statistic."""
    values = cracks[key].to_numpy(dtype=np.float64)
    if _course(key) == "segments" and not whole:
        ends = cracks["ends"].to_numpy(dtype=np.float64)
        return values / values.mean() - ends / max(ends.mean(), 0.5 / len(ends))
    fitted = _course(key) in FITTED
    values = straight(key, values) if fitted else values
    weights = np.isfinite(values) * (1.0 if fitted else cracks["segments"].to_numpy(dtype=np.float64))
    values = np.nan_to_num(values)
    middle = float(weights @ values / max(weights.sum(), LEAST))
    moves = len(cracks) * weights * (values - middle) / max(weights.sum(), LEAST)
    return moves if fitted else moves / _slope(key, middle)


def _slope(key: str, value: float) -> float:
    """Return what a small change of a pooled value is divided by on the scale on which it is compared."""
    if key == "depth_likeness":
        return max(1 - value**2, LEAST_SHARE)
    return max(value * (1 - value), LEAST_SHARE) if _course(key) == "return_share" else max(value, LEAST)


def _course(key: str) -> str:
    """Return the parameter that a statistic belongs to, at whatever tolerance it was measured."""
    return key.partition("_at_")[0]


def _pooled(cracks: pd.DataFrame, key: str) -> float:
    """Return the mean over cracks, each with the weight of its segments."""
    seen = cracks[key].notna().to_numpy()
    values, weights = (cracks[each].to_numpy()[seen] for each in (key, "segments"))
    return float(np.average(values, weights=weights)) if seen.any() else UNSEEN[_course(key)]


def _raised(key: str, value: float) -> float:
    """Return a pooled value on the scale on which it is compared."""
    if key == "depth_likeness":
        return math.atanh(min(max(value, LEAST_SHARE - 1), 1 - LEAST_SHARE))
    if _course(key) != "return_share":
        return math.log(max(value, LEAST))
    share = min(max(value, LEAST_SHARE), 1 - LEAST_SHARE)
    return math.log(share / (1 - share))


def _lowered(key: str, value: float) -> float:
    return 1 / (1 + math.exp(-value)) if _course(key) == "return_share" else math.exp(value)
