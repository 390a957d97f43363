"""A sampler that knows what the test is drawn from, as none can: what there is to be gained at most."""

from typing import Any

import numpy as np

from micromime.sampling.sampler import Proposal, Sampler, Scored, fresh
from micromime.scenario.scenario import Scenario


class Oracle(Sampler):
    """Draws from a scenario that is given: that of the test itself."""

    scenario: dict[str, Any]
    """As in params.yaml."""

    def propose(self, scenario: Scenario[Any], scored: Scored, count: int, rng: np.random.Generator) -> list[Proposal]:  # noqa: ARG002 - blind on purpose
        """Return `count` fresh draws from the given scenario."""
        return fresh(Scenario.read(scenario.kind, self.scenario, "oracle"), count, rng)
