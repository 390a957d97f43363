"""What tests of partial models share: one thing in the place of many random ones, and noise at given points."""

from itertools import cycle

import numpy as np
import pytest

from micromime.partial_models.surface.perlin_texture import noise


class Middle:
    """In the place of a generator: the middle of every interval, a Poisson law's mean, normal values in turn."""

    def __init__(self, *normals):
        self.normals = cycle(normals or [0.0])

    def poisson(self, mean):
        return round(mean)

    def random(self, size=None):
        return np.full(size, 0.5)

    def uniform(self, low, high, size=None):
        return np.full(size, (low + high) / 2)

    def standard_normal(self, size):
        return np.full(size, next(self.normals))


@pytest.fixture(scope="session")
def middle():
    """What makes a `Middle`; without normal values, all of them are 0."""
    return Middle


@pytest.fixture(scope="session")
def perlin():
    """Perlin's noise at points x, y, of any shape."""
    return lambda x, y: noise(np.ravel(x), np.ravel(y)).reshape(np.shape(x))
