"""Which samples are kept for testing, which a run trains on, and which it only checks itself on."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from micromime.scenario.arrays import Indices


def split(count: int, validation_share: float, rng: np.random.Generator) -> tuple[Indices, Indices]:
    """Return the indices of a random training and validation set, each in order; from two on, neither is empty."""
    validation = min(max(1, round(count * validation_share)), count - 1)
    order = rng.permutation(count).astype(np.int32)
    return np.sort(order[validation:]), np.sort(order[:validation])


def split_specimens(
    specimens: Sequence[str], validation_share: float, rng: np.random.Generator
) -> tuple[Indices, Indices]:
    """Return the indices of a random training and validation set that have no specimen in common.

    Specimens are taken whole: tiles of one specimen are alike, and a network would only remember them.
    """
    names = np.unique(np.asarray(specimens))
    training, _ = split(len(names), validation_share, rng)
    trained_on = np.isin(specimens, names[training])
    return np.flatnonzero(trained_on).astype(np.int32), np.flatnonzero(~trained_on).astype(np.int32)


def farthest_specimens(features: NDArray[np.float64], specimens: Sequence[str], tiles: int) -> list[str]:
    """Return specimens that differ as much as they can, as many as have `tiles` tiles together, in order of choice.

    `features` is (n, f), a row a tile. A specimen lies at the mean of its tiles, features in units of their standard
    deviation over specimens. First comes the one farthest from the middle of all, then always the one farthest from
    the nearest of those chosen (farthest-point sampling, Gonzalez 1985, doi 10.1016/0304-3975(85)90224-5).
    """
    names, place = np.unique(np.asarray(specimens), return_inverse=True)
    means = np.stack([features[place == n].mean(axis=0) for n in range(len(names))])
    means = (means - means.mean(axis=0)) / (means.std(axis=0) + 1e-12)
    distance = np.linalg.norm(means, axis=1)
    chosen: list[int] = []
    while np.isin(place, chosen).sum() < tiles and len(chosen) < len(names) - 2:  # two to train and to validate
        chosen.append(int(np.argmax(distance)))
        away = np.linalg.norm(means - means[chosen[-1]], axis=1)
        distance = away if len(chosen) == 1 else np.minimum(distance, away)
        distance[chosen] = -1
    return [str(names[n]) for n in chosen]


def nested_order(labels: Sequence[str], rng: np.random.Generator) -> Indices:
    """Return indices such that the first n, for any n, are a random choice with classes as even as they can be."""
    shuffled = rng.permutation(len(labels))
    turn = np.empty(len(labels))
    for label in np.unique(np.asarray(labels)):
        mine = shuffled[np.asarray(labels)[shuffled] == label]
        turn[mine] = np.arange(len(mine))
    place = np.argsort(shuffled)
    return np.lexsort((place, turn)).astype(np.int32)
