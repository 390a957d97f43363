"""Sampler: proposes the next instances, given instances and how well the networks did on them.

It never renders, trains or scores; whoever does, never chooses.
"""

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from pydantic import Field

from micromime.mistakes import Mistake
from micromime.sampling.parameter_space import Clusters, clusters, columns
from micromime.scenario.arrays import Indices, Reals
from micromime.scenario.parameters import Section, one_of, unknown_key
from micromime.scenario.partial_model import Step, check_within
from micromime.scenario.scenario import Instance, Scenario


class Scored(NamedTuple):
    """Instances that were rendered, and the score of each: the mean over the runs; less is worse."""

    ids: Sequence[str]
    instances: Sequence[Instance]
    scores: Reals
    before: Reals | None = None
    """Their scores by the networks that these went on from; None where these went on from none."""


class Proposal(NamedTuple):
    """An instance to render next, as a sampler wants it."""

    instance: Instance
    parent: str = ""
    """Id of the scored instance that it varies; empty where it varies none."""


class Sampler(Section):
    """A rule by which the next instances are chosen; a file of samplers/ has one, its settings as fields."""

    def propose(self, scenario: Scenario[Any], scored: Scored, count: int, rng: np.random.Generator) -> list[Proposal]:  # noqa: ARG002 - blind
        """Return `count` instances: the same for the same scores, settings and state of `rng`; fresh draws here."""
        return fresh(scenario, count, rng)

    def check(self, kind: type[Instance], where: str) -> None:
        """Raise Mistake where a setting does not fit the use case's partial models."""


class Varying(Sampler):
    """A sampler that varies scored instances, and may be told when to stop.

    What it gains where the test differs from the scenario, it may lose on the scenario's own distribution, and where
    they do not differ it only loses. The scoring set is drawn from that distribution: `stop_below` is the least that
    its mean score must have gained since the networks that these went on from, or else the round falls back to fresh
    draws. A bound below 0 allows a loss; one above 0 asks for some of what fresh draws would have gained. The rule
    looks at no other round than the last, so the first round always adapts, and the round after fresh draws may again.
    """

    keep_seed: bool = Field(description="Whether a variation keeps geometry, texture and noise of what it varies.")
    within: dict[str, dict[str, Step]] = Field(
        min_length=1,
        strict=False,
        description="Partial model -> parameter -> how far it may move, in its unit, or {share: 0.3} for 30 %.",
    )
    stop_below: float | None = Field(
        None,
        description="Mean gain of the scores since the last round, below which all draws are fresh; may be left out.",
    )

    def propose(self, scenario: Scenario[Any], scored: Scored, count: int, rng: np.random.Generator) -> list[Proposal]:
        """Return `count` instances as the sampler adapts them, or fresh draws where that has done harm."""
        gain = math.inf if scored.before is None else float(np.mean(scored.scores - scored.before))
        if self.stop_below is not None and gain < self.stop_below:
            return fresh(scenario, count, rng)
        return self.adapted(scenario, scored, count, rng)

    def adapted(self, scenario: Scenario[Any], scored: Scored, count: int, rng: np.random.Generator) -> list[Proposal]:
        """Return `count` instances: what `propose` returns as long as nothing stops it."""
        raise NotImplementedError

    def varied(self, scored: Scored, parents: Sequence[int], rng: np.random.Generator) -> list[Proposal]:
        """Return a variation of each parent, given by its place among the scored; a parent may come several times."""
        return [Proposal(scored.instances[n].varied(self.within, self.keep_seed, rng), scored.ids[n]) for n in parents]

    def check(self, kind: type[Instance], where: str) -> None:
        """Raise Mistake unless `within` names parameters of the use case."""
        models = kind.partial_models()
        for name, within in self.within.items():
            if name not in models:
                raise Mistake(unknown_key(f"{where}.within.{name}", models))
            check_within(models[name], within, f"{where}.within.{name}")


class Clustered(Varying):
    """A sampler that shares the images out over clusters of the scored instances.

    The images of a cluster are variations of its members, each as often as the others. With `tries`, fresh draws come
    first: as many as images are asked for, so many times over; those that fall into a cluster which still wants images
    are taken. They have all of what its instances can be, where variations of a few have little; but a rare cluster
    may get none. Where there are many parameters, a rare kind shows only if clusters go `by` those that may matter.
    """

    clusters: int = Field(ge=1, le=1000, description="Clusters of the scored instances, by their parameters.")
    by: list[str] = Field(
        [], description="What clusters go by: partial_model.parameter, style, label; all that differ if left out."
    )
    tries: int = Field(
        0, ge=0, le=1000, description="Fresh draws that are tried for each image; 0: all are variations."
    )

    def shares(self, scored: Scored, members: Sequence[Indices]) -> Reals:  # noqa: ARG002 - blind
        """Return each cluster's share, given by the places of its members, here the same for all; they add up to 1."""
        return np.full(len(members), 1 / len(members))

    def check(self, kind: type[Instance], where: str) -> None:
        """Raise Mistake unless `within` names parameters of the use case, and `by` what its instances can differ in."""
        super().check(kind, where)
        for name in self.by:
            one_of(name, columns(kind), f"{where}.by")

    def adapted(self, scenario: Scenario[Any], scored: Scored, count: int, rng: np.random.Generator) -> list[Proposal]:
        """Return `count` instances, in random order, so that any part of them is like the whole."""
        found = clusters(scored.instances, self.clusters, rng, self.by)
        wanted = whole_numbers(self.shares(scored, found.members), count)
        accepted = accepted_draws(scenario, found, wanted, self.tries, rng)
        proposed = [Proposal(each) for taken in accepted for each in taken]
        for members, most, taken in zip(found.members, wanted, accepted, strict=True):
            order = rng.permutation(members)
            proposed += self.varied(scored, [int(order[n % len(order)]) for n in range(most - len(taken))], rng)
        return [proposed[n] for n in rng.permutation(count)]


def fresh(scenario: Scenario[Any], count: int, rng: np.random.Generator) -> list[Proposal]:
    """Return `count` fresh draws from the scenario."""
    return [Proposal(scenario.draw(rng)) for _ in range(count)]


def whole_numbers(shares: Reals, count: int) -> Indices:
    """Return whole numbers with the sum `count`, in proportion to shares that add up to 1.

    What rounding down leaves goes to the largest remainders, of equal ones to the first.
    """
    exact = shares * count
    whole = np.floor(exact + 1e-9)
    largest = np.argsort(-(exact - whole).round(9), kind="stable")
    whole[largest[: count - int(whole.sum())]] += 1
    return whole.astype(np.int32)


def accepted_draws(
    scenario: Scenario[Any], found: Clusters, wanted: Indices, tries: int, rng: np.random.Generator
) -> list[list[Instance]]:
    """Return for each cluster the fresh draws that lie in it, at most as many as are wanted, and often fewer."""
    taken: list[list[Instance]] = [[] for _ in wanted]
    for _ in range(tries):
        if sum(len(each) for each in taken) == wanted.sum():
            break
        drawn = [scenario.draw(rng) for _ in range(int(wanted.sum()))]
        for cluster, each in zip(found.assigned(drawn), drawn, strict=True):
            if len(taken[cluster]) < wanted[cluster]:
                taken[cluster].append(each)
    return taken
