"""Variations of the samples that the networks did worst on: the paper's adaptive sampling."""

from typing import Any

import numpy as np
from pydantic import Field

from micromime.mistakes import Mistake
from micromime.parameters import unknown_key
from micromime.partial_model import check_within
from micromime.sampler import Asked, Sampler, Scored
from micromime.scenario import Instance, Scenario


class WorstFraction(Sampler):
    """The worst samples, each varied within a fixed interval around its stored values.

    Trampert et al. 2021, section 3.3: 10 variations of the worst 10 % of 1,000, of boundary thickness and grain shades.
    """

    fraction: float = Field(gt=0, le=1, description="Share of the scored samples that is varied, the worst of them.")
    keep_seed: bool = Field(description="Whether a variation keeps geometry, texture and noise of what it varies.")
    within: dict[str, dict[str, float]] = Field(
        min_length=1, strict=False, description="Partial model -> parameter -> how far it may move, in its unit."
    )

    def ask(self, scenario: Scenario[Any], scored: Scored, count: int, rng: np.random.Generator) -> list[Asked]:  # noqa: ARG002 - varies what was drawn before
        """Return `count` variations, spread evenly over the worst; the very worst take what does not divide."""
        worst = worst_first(scored, self.fraction)
        parents = [worst[n % len(worst)] for n in range(count)]
        return [Asked(scored.instances[n].varied(self.within, self.keep_seed, rng), scored.ids[n]) for n in parents]

    def check(self, kind: type[Instance], where: str) -> None:
        """Raise Mistake unless `within` names parameters of the use case."""
        models = kind.partial_models()
        for name, within in self.within.items():
            if name not in models:
                raise Mistake(unknown_key(f"{where}.within.{name}", models))
            check_within(models[name], within, f"{where}.within.{name}")


def worst_first(scored: Scored, fraction: float) -> list[int]:
    """Return the places of the worst share of the samples, at least one, the worst first; ties in their order."""
    count = max(1, round(fraction * len(scored.scores)))
    return [int(n) for n in np.argsort(scored.scores, kind="stable")[:count]]
