"""Samplers have instances to ask about, and scores of them that a test makes up."""

from collections.abc import Callable, Sequence

import numpy as np
import pytest

from micromime.datasets.store import sample_id
from micromime.sampling.sampler import Scored
from micromime.scenario.scenario import Instance, Scenario
from micromime.use_cases import instance_kind

Pool = Callable[..., Scored]

PLAIN = {
    **{"rows": 72, "cols": 96, "white_noise": {"sd_grey": {"uniform": [2, 25]}}},
    "grain_structure": {"diameter_px": {"uniform": [24, 72]}, "relaxation_steps": {"integers": [1, 4]}},
    "grain_boundaries": {
        "waviness": {"uniform": [0.02, 0.08]},
        "thickness_px": {"uniform": [2, 7]},
        "darkness": {"uniform": [0.3, 0.9]},
        "darkness_spread": {"uniform": [0, 0.2]},
    },
    "grain_shades": {"mean_grey": {"uniform": [110, 210]}, "contrast_grey": {"uniform": [3, 50]}},
    "perlin_texture": {"amplitude_grey": {"uniform": [5, 40]}, "wavelength": {"uniform": [0.2, 0.667]}},
    "illumination": {"gradient": {"uniform": [0, 0.12]}, "direction_deg": {"uniform": [0, 360]}},
    "gaussian_blur": {"kernel_px": {"choice": [1, 3, 5, 7]}},
}
"""A scenario without styles: 14 parameters that differ, none of them with another."""


@pytest.fixture(scope="session")
def plain() -> Scenario[Instance]:
    return Scenario.read(instance_kind("grain_boundaries"), PLAIN, "plain")


def pool_of(drawn: Sequence[Instance]) -> Pool:
    """What makes one of these instances for each score; nothing of it is rendered."""

    def scored(scores: Sequence[float], before: Sequence[float] | None = None) -> Scored:
        count = len(scores)
        earlier = None if before is None else np.array(before, dtype=np.float64)
        ids = [sample_id(n) for n in range(count)]
        return Scored(ids, drawn[:count], np.array(scores, dtype=np.float64), earlier)

    return scored


@pytest.fixture(scope="session")
def pool(grains: Scenario[Instance]) -> Pool:
    return pool_of([grains.draw_one(1, index, "scoring") for index in range(160)])


@pytest.fixture(scope="session")
def chip_pool(chips: Scenario[Instance]) -> Pool:
    return pool_of([chips.draw_one(1, index, "scoring") for index in range(20)])


@pytest.fixture(scope="session")
def made_of(plain: Scenario[Instance]) -> Callable[[Sequence[dict[str, float]]], list[Instance]]:
    """Make copies of one instance of grains with other shades, one for each mapping of parameters."""
    stored = plain.draw_one(0, 0)

    def made(shades: Sequence[dict[str, float]]) -> list[Instance]:
        changed = [stored.grain_shades.model_copy(update=each) for each in shades]
        return [stored.model_copy(update={"grain_shades": each, "seed": n}) for n, each in enumerate(changed)]

    return made
