"""Draws that fill the scenario evenly: a better spread than chance gives, and blind to the scores."""

from typing import Any

import numpy as np
import scipy

from micromime.sampling.parameter_space import Coordinates
from micromime.sampling.sampler import Proposal, Sampler, Scored
from micromime.scenario.partial_model import Quantiles, quantiles
from micromime.scenario.scenario import Scenario
from micromime.scenario.streams import LARGEST_SEED


class LowDiscrepancy(Sampler):
    """Quantiles of a scrambled Sobol sequence in place of random ones.

    Sobol' 1967, doi:10.1016/0041-5553(67)90144-9; scrambled as in Matousek 1998, doi:10.1006/jcom.1998.0489, so that
    every draw by itself is one from the scenario. Of 2^m draws, each parameter has one in each of its 2^m equally
    likely intervals. Where there are classes they alternate, each with a sequence of its own: of a common one, every
    second point would lie in the same half of some parameters. What the sequence has no dimension for is drawn at
    random.
    """

    def propose(self, scenario: Scenario[Any], scored: Scored, count: int, rng: np.random.Generator) -> list[Proposal]:  # noqa: ARG002 - blind on purpose
        """Return `count` draws; the first of them are spread evenly too, best where their number is a power of 2."""
        names, classes = scenario.dimensions[: scipy.stats.qmc.Sobol.MAXDIM], scenario.kind.classes or ("",)
        each = -(-count // len(classes))
        points = [spread(each, len(names), rng) for _ in classes]
        proposed = []
        for n in range(count):
            turn, place = n % len(classes), n // len(classes)
            seed = int(rng.integers(LARGEST_SEED, endpoint=True))
            drawn = scenario.at(seed, _placed(names, points[turn][place], quantiles(seed)))
            proposed.append(Proposal(drawn.model_copy(update={"label": classes[turn]}) if classes[turn] else drawn))
        return proposed


def spread(count: int, dimensions: int, rng: np.random.Generator) -> Coordinates:
    """Return (count, dimensions) float64 in [0, 1): the first points of a scrambled Sobol sequence."""
    if count == 0 or dimensions == 0:
        return np.empty((count, dimensions))
    return scipy.stats.qmc.Sobol(dimensions, rng=rng).random_base2((count - 1).bit_length())[:count]


def _placed(names: list[str], point: Any, other: Quantiles) -> Quantiles:
    """Return the quantiles of a point, whose coordinates have these names, and all others at random."""
    at = dict(zip(names, point.tolist(), strict=True))
    return lambda name: at[name] if name in at else other(name)
