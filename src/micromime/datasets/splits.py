"""Which samples a run trains on, and which it only checks itself on."""

import numpy as np

from micromime.arrays import Indices


def split(count: int, validation_share: float, rng: np.random.Generator) -> tuple[Indices, Indices]:
    """Return the indices of a random training and validation set, each in order; from two on, neither is empty."""
    validation = min(max(1, round(count * validation_share)), count - 1)
    order = rng.permutation(count).astype(np.int32)
    return np.sort(order[validation:]), np.sort(order[:validation])
