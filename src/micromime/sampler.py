"""Sampler: asks for the next instances, given instances and how well the networks did on them.

It never renders, trains or scores; whoever does, never chooses.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from micromime.arrays import Reals
from micromime.parameters import Section
from micromime.scenario import Instance, Scenario


class Scored(NamedTuple):
    """Instances that were rendered, and the score of each: the mean over the runs; less is worse."""

    ids: Sequence[str]
    instances: Sequence[Instance]
    scores: Reals


class Asked(NamedTuple):
    """An instance to render next."""

    instance: Instance
    parent: str = ""
    """Id of the scored instance that it varies; empty where it varies none."""


class Sampler(Section):
    """A rule by which the next instances are chosen; a file of samplers/ has one, its settings as fields."""

    def ask(self, scenario: Scenario[Any], scored: Scored, count: int, rng: np.random.Generator) -> list[Asked]:
        """Return `count` instances: the same for the same scores, settings and state of `rng`."""
        raise NotImplementedError

    def check(self, kind: type[Instance], where: str) -> None:
        """Raise Mistake where a setting does not fit the use case's partial models."""
