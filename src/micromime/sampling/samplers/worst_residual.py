"""Variations of the samples that are worse than their nuisances explain: the hopeless are left alone."""

from typing import Any

import numpy as np
from pydantic import Field

from micromime.sampling.parameter_space import Coordinates, numeric_parameters
from micromime.sampling.sampler import Proposal, Scored
from micromime.sampling.samplers.worst_fraction import WorstFraction
from micromime.scenario.arrays import Reals
from micromime.scenario.parameters import one_of
from micromime.scenario.scenario import Instance, Scenario


class WorstResidual(WorstFraction):
    """The worst samples by their residuals: the score less what a quadratic regression on the nuisances predicts.

    Much noise or thin lines make a picture hard whatever a network has learnt. The worst fraction of all samples is
    then mostly of such; the worst fraction of the residuals is of what is hard for another reason.
    """

    nuisance: list[str] = Field(
        min_length=1, description="Parameters that make samples hard whatever is learnt, as partial_model.parameter."
    )
    logs: bool = Field(True, description="Whether a nuisance that is positive in all samples enters by its logarithm.")

    def adapted(self, scenario: Scenario[Any], scored: Scored, count: int, rng: np.random.Generator) -> list[Proposal]:
        """Return `count` variations of the worst residuals, as `WorstFraction` does of the worst scores."""
        left = unexplained(scored.scores, nuisances(scored, self.nuisance, self.logs))
        return super().adapted(scenario, scored._replace(scores=left), count, rng)

    def check(self, kind: type[Instance], where: str) -> None:
        """Raise Mistake unless `within` names parameters of the use case, and `nuisance` such as are numbers."""
        super().check(kind, where)
        for name in self.nuisance:
            one_of(name, numeric_parameters(kind), f"{where}.nuisance")


def nuisances(scored: Scored, names: list[str], logs: bool) -> Coordinates:
    """Return (n, f) float64: the named parameters of the scored instances, by their logarithm if `logs` and > 0."""
    rows = [each.row() for each in scored.instances]
    columns = [np.array([row[name] for row in rows], dtype=np.float64) for name in names]
    return np.column_stack([np.log(each) if logs and each.min() > 0 else each for each in columns])


def unexplained(scores: Reals, points: Coordinates) -> Reals:
    """Return (n,) the scores less what a quadratic of the standardised columns predicts; less is worse.

    Ridge regression with a penalty of 1, which weighs as much as one sample, so that few samples are not explained by
    as many terms. Rounded to 1e-9: what is the same but for that stays in its order.
    """
    from sklearn.linear_model import Ridge  # takes seconds, and a check of the settings needs none of it
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import PolynomialFeatures, StandardScaler

    spread = points.std(axis=0) > 1e-9 * np.abs(points).max(axis=0)
    if not spread.any():
        return scores
    quadratic = make_pipeline(StandardScaler(), PolynomialFeatures(2, include_bias=False), Ridge(1.0))
    return np.round(scores - quadratic.fit(points[:, spread], scores).predict(points[:, spread]), 9)
