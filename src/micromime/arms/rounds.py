"""The rounds of a use case: each a new data version, and the arm that goes on with its parent's networks on it."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Field

from micromime.mistakes import Mistake
from micromime.scenario.parameters import Section, section, typed
from micromime.scenario.streams import LARGEST_SEED

BASE = "base"
"""The arm that all rounds descend from."""

CONTROL = "random_draws"
"""The sampler of the rounds that others are compared with."""


class ResampleParameters(Section):
    """What all rounds have in common."""

    count: int = Field(ge=1, le=10_000_000, description="New images of each round.")
    score: str = Field(description="The metric that the samplers go by.")
    runs: Literal["all"] | Annotated[int, Field(ge=1)] = Field(
        description="Networks of an arm whose mean score it is, the first ones; runs added to them change no round."
    )


class RoundParameters(Section):
    """One round: a new data version, and the arm that is trained on it."""

    parent: str = Field(description="The arm whose networks score, and are gone on with: base, or another round.")
    seed: int = Field(ge=0, le=LARGEST_SEED, description="Seed of all that the sampler draws.")
    sampler: dict[str, Any] = Field(description="One key, the sampler's name, with its settings.")


def score_of(tree: Mapping[str, Any], use_case: str) -> str:
    """Return the metric that the samplers go by, in all rounds; of the section, no other key need be there."""
    asked = section(dict(tree), use_case, "resample")
    if "score" not in asked:
        raise Mistake(f"{use_case}.resample.score: is missing; add it.")
    return str(asked["score"])


def rounds_of(tree: Mapping[str, Any], use_case: str) -> dict[str, RoundParameters]:
    """Return the rounds by name, in the order of params.yaml; Mistake where one of them descends from no base arm."""
    written = section(dict(tree), use_case, "rounds")
    rounds = {str(key): typed(RoundParameters, each, f"{use_case}.rounds.{key}") for key, each in written.items()}
    for name in rounds:
        generation(rounds, name, f"{use_case}.rounds")
    return rounds


def arms_of(tree: Mapping[str, Any], use_case: str) -> list[str]:
    """Return the names of all arms, the base arm first."""
    return [BASE, *rounds_of(tree, use_case)]


def generation(rounds: Mapping[str, RoundParameters], name: str, where: str = "rounds") -> int:
    """Return how many rounds lie between the base arm and the networks of an arm: 0 for the base arm itself."""
    way = [name]
    while way[-1] != BASE:
        parent = rounds[way[-1]].parent
        if parent not in (BASE, *rounds):
            raise Mistake(f"{where}.{way[-1]}.parent: {parent!r} is no arm; use one of: {', '.join((BASE, *rounds))}.")
        if parent in way:
            raise Mistake(f"{where}.{parent} descends from itself; give one of its ancestors the parent {BASE}.")
        way.append(parent)
    return len(way) - 1


def without_control(rounds: Mapping[str, RoundParameters]) -> list[str]:
    """Return the rounds without a control: one of `random_draws`, as far from the base arm by such rounds alone."""
    random = {name for name in rounds if _random_throughout(rounds, name)}
    controlled = {generation(rounds, name) for name in random}
    return [name for name in rounds if name not in random and generation(rounds, name) not in controlled]


def _random_throughout(rounds: Mapping[str, RoundParameters], name: str) -> bool:
    return name == BASE or (CONTROL in rounds[name].sampler and _random_throughout(rounds, rounds[name].parent))


def compared(rounds: Mapping[str, RoundParameters]) -> list[tuple[str, str]]:
    """Return which arms are compared, (later, earlier): each round with the base arm, and with those of its generation.

    Arms of one generation have had as many images and as much training; of others, a difference may be of that alone.
    """
    names = list(rounds)
    alike = [
        (later, earlier)
        for place, later in enumerate(names)
        for earlier in names[:place]
        if generation(rounds, later) == generation(rounds, earlier)
    ]
    return [(name, BASE) for name in names] + alike


def main_comparison(rounds: Mapping[str, RoundParameters]) -> list[str]:
    """Return the last round that goes by scores, and its control; nothing where there is none."""
    control = {generation(rounds, name): name for name in reversed([*rounds]) if _random_throughout(rounds, name)}
    others = [name for name in rounds if not _random_throughout(rounds, name)]
    return [others[-1], control[generation(rounds, others[-1])]] if others else []
