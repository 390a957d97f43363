"""Fresh draws from the scenario: the control beside which every other sampler stands."""

from typing import Any

import numpy as np

from micromime.sampling.sampler import Proposal, Sampler, Scored, fresh
from micromime.scenario.scenario import Scenario


class RandomDraws(Sampler):
    """Pays no heed to the scores (Trampert et al. 2021, section 3.3: additional random images)."""

    def propose(self, scenario: Scenario[Any], scored: Scored, count: int, rng: np.random.Generator) -> list[Proposal]:  # noqa: ARG002 - blind on purpose
        """Return `count` fresh draws."""
        return fresh(scenario, count, rng)
