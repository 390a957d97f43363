"""Samplers have instances to ask about, and scores of them that a test makes up."""

from collections.abc import Callable, Sequence

import numpy as np
import pytest

from micromime.datasets.store import sample_id
from micromime.sampler import Scored
from micromime.scenario import Instance, Scenario


@pytest.fixture(scope="session")
def pool(grains: Scenario[Instance]) -> Callable[[Sequence[float]], Scored]:
    """Make one instance for each score; nothing of it is rendered."""
    drawn = [grains.draw_one(1, index, "scoring") for index in range(160)]

    def scored(scores: Sequence[float]) -> Scored:
        count = len(scores)
        return Scored([sample_id(n) for n in range(count)], drawn[:count], np.array(scores, dtype=np.float64))

    return scored
