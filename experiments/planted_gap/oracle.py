"""Draws from a scenario that is given: in an experiment, that of the test itself."""

from typing import Any

import numpy as np
from pydantic import Field

from micromime.sampling.sampler import Proposal, Sampler, Scored, fresh
from micromime.scenario.scenario import Instance, Scenario


class Oracle(Sampler):
    """Knows what the test is drawn from, as no sampler can: for experiments, what there is to be gained at most."""

    scenario: dict[str, Any] = Field(
        min_length=1, description="As under <use case>.scenario; without rows and cols, those of that scenario."
    )

    def propose(self, scenario: Scenario[Any], scored: Scored, count: int, rng: np.random.Generator) -> list[Proposal]:  # noqa: ARG002 - blind on purpose
        """Return `count` fresh draws from the given scenario."""
        content = {"rows": scenario.rows, "cols": scenario.cols, **self.scenario}
        return fresh(Scenario.read(scenario.kind, content, "oracle.scenario"), count, rng)

    def check(self, kind: type[Instance], where: str) -> None:
        """Raise Mistake unless the given scenario is one of the use case."""
        Scenario.read(kind, {"rows": 8, "cols": 8, **self.scenario}, f"{where}.scenario")
