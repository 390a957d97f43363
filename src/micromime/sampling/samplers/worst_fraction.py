"""Variations of the samples that the networks did worst on: the paper's adaptive sampling."""

from typing import Any

import numpy as np
from pydantic import Field

from micromime.sampling.sampler import Proposal, Scored, Varying
from micromime.scenario.scenario import Scenario


class WorstFraction(Varying):
    """The worst samples, each varied within a fixed interval around its stored values.

    Trampert et al. 2021, section 3.3: 10 variations of the worst 10 % of 1,000, of boundary thickness and grain shades.
    """

    fraction: float = Field(gt=0, le=1, description="Share of the scored samples that is varied, the worst of them.")

    def adapted(self, scenario: Scenario[Any], scored: Scored, count: int, rng: np.random.Generator) -> list[Proposal]:  # noqa: ARG002 - varies what was drawn before
        """Return `count` variations, spread evenly over the worst; the very worst take what does not divide."""
        worst = worst_first(scored, self.fraction)
        return self.varied(scored, [worst[n % len(worst)] for n in range(count)], rng)


def worst_first(scored: Scored, fraction: float) -> list[int]:
    """Return the places of the worst share of the samples, at least one, the worst first; ties in their order."""
    count = max(1, round(fraction * len(scored.scores)))
    return [int(n) for n in np.argsort(scored.scores, kind="stable")[:count]]
