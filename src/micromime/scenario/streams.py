"""Independent streams of random numbers, keyed by name and index instead of by the order of calls."""

from zlib import crc32

import numpy as np

LARGEST_SEED = 2**63 - 1
"""Seeds fit a signed 64-bit column."""


def stream(seed: int, name: str, index: int = 0) -> np.random.Generator:
    """Return the generator of one purpose (`name`) and one item (`index`) under one seed.

    The same three values give the same numbers in any process, in any order; another name or index
    gives numbers independent of them, so a new partial model does not move the pixels of the others.
    Seed 0 is a seed like any other.
    """
    key = np.random.SeedSequence(seed, spawn_key=(crc32(name.encode()), index))
    return np.random.Generator(np.random.PCG64(key))
