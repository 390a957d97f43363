"""Instances as points of a space whose axes are what they differ in, and clusters of such points."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import scipy
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from micromime.scenario.arrays import Indices, Reals
from micromime.scenario.scenario import Instance

Coordinates = NDArray[np.float64]
"""(n, f): a point for each of n instances."""

MOST_LINKED = 4000
"""Ward's method compares every pair: of more points it takes so many at random."""


class Axis(NamedTuple):
    """One way to differ: a number, its logarithm, or whether a word stands there; standardised."""

    column: str
    mean: float
    sd: float
    floor: float | None = None
    """Where it is the logarithm: the least value there was, which stands for every smaller one."""
    word: str | None = None
    """Where it is 1 for this word and 0 for others."""

    def raw(self, row: Mapping[str, Any]) -> float:
        """Return the number that is standardised."""
        if self.word is not None:
            return float(_word(row, self.column) == self.word)
        return float(row[self.column] if self.floor is None else np.log(max(row[self.column], self.floor)))


def coordinates(axes: Sequence[Axis], instances: Sequence[Instance]) -> Coordinates:
    """Return (n, f) float64; over the instances that the axes were made of, each axis has mean 0 and variance 1."""
    rows = [each.row() for each in instances]
    places = [(axis.raw(row) - axis.mean) / axis.sd for row in rows for axis in axes]
    return np.array(places).reshape(len(rows), len(axes))


def numeric_parameters(kind: type[Instance]) -> list[str]:
    """Return `partial_model.parameter` of every parameter of a use case that is a number."""
    return [
        f"{name}.{key}"
        for name, model in kind.partial_models().items()
        for key, field in model.model_fields.items()
        if field.annotation in (int, float)
    ]


def columns(kind: type[Instance]) -> list[str]:
    """Return what instances of a use case can differ in: their style, their class and every parameter."""
    models = kind.partial_models().items()
    own = ["style", "label"] if kind.classes else ["style"]
    return own + [f"{name}.{key}" for name, model in models for key in model.model_fields]


def parameter_space(instances: Sequence[Instance], by: Sequence[str] = ()) -> tuple[Axis, ...]:
    """Return the axes of all that differs between these instances, of these columns only where there are some.

    A number enters by its logarithm where all are positive and that is less skewed. Of a word (a parameter that is no
    number, the style, the class where there are classes) each value is an axis, 1 where it is the word. All are
    standardised, not ranked: what few have, far from all others or under another word, lies the further off the fewer
    they are, and so does a rare mode. Angles count as any number.
    """
    kind, rows = type(instances[0]), [each.row() for each in instances]
    numeric, axes = numeric_parameters(kind), []
    for column in by or columns(kind):
        if column in numeric:
            axes += _number(column, np.array([row[column] for row in rows], dtype=np.float64))
        else:
            axes += _words(column, [_word(row, column) for row in rows])
    return tuple(axes)


def _number(column: str, values: Reals) -> list[Axis]:
    """Return the axis of a number; none where all values are the same but for rounding."""
    if np.ptp(values) <= 1e-9 * np.abs(values).max():
        return []
    logs = np.log(values) if values.min() > 0 else values
    if np.ptp(logs) > 0 and abs(_skewness(logs)) < abs(_skewness(values)):
        return [Axis(column, float(logs.mean()), float(logs.std()), floor=float(values.min()))]
    return [Axis(column, float(values.mean()), float(values.std()))]


def _skewness(values: Reals) -> float:
    return float((((values - values.mean()) / values.std()) ** 3).mean())


def _words(column: str, values: Sequence[str]) -> list[Axis]:
    """Return the axes of a word: one for each value where there are several."""
    shares = {word: values.count(word) / len(values) for word in sorted(set(values))}
    return [Axis(column, p, float(np.sqrt(p * (1 - p))), word=word) for word, p in shares.items() if p < 1]


def _word(row: Mapping[str, Any], column: str) -> str:
    return str(row.get(column, ""))


class Clusters(NamedTuple):
    """Instances in groups of such as are alike; others can be assigned to them."""

    axes: tuple[Axis, ...]
    centres: Coordinates
    members: tuple[Indices, ...]
    """For each cluster, the places of its instances; at least one, in order."""

    def assigned(self, instances: Sequence[Instance]) -> Indices:
        """Return for each instance the number of the cluster whose centre is nearest, from 0."""
        apart = coordinates(self.axes, instances)[:, None] - self.centres
        return np.argmin((apart**2).sum(axis=2), axis=1).astype(np.int32)


def clusters(instances: Sequence[Instance], count: int, rng: np.random.Generator, by: Sequence[str] = ()) -> Clusters:
    """Return at most `count` clusters of instances in their `parameter_space`; fewer where fewer instances differ.

    k-means (scikit-learn) on one thread, so that any number of cores gives the same. It starts once (n_init 1), from
    the clusters of Ward's method (1963, doi:10.1080/01621459.1963.10500845): a rare mode that lies far off in one of
    many numbers then gets a cluster of its own more often than from the best of ten random starts, which may all miss
    it (test_a_rare_mode_gets_a_cluster_of_its_own). One that lies nearer needs more clusters, or fewer things to go by.
    """
    from sklearn.cluster import KMeans  # takes seconds, and most that import this file never cluster

    axes, seed = parameter_space(instances, by), int(rng.integers(2**32))
    points = np.round(coordinates(axes, instances), 6)  # k-means takes points that are closer for one and the same
    start = _start(points, count, rng)
    labels = np.zeros(len(points), dtype=np.int32)
    if len(start) > 1:
        with threadpool_limits(1):
            labels = KMeans(len(start), init=start, n_init=1, random_state=seed).fit(points).labels_
    members = tuple(np.flatnonzero(labels == label).astype(np.int32) for label in np.unique(labels))
    return Clusters(axes, np.array([points[each].mean(axis=0) for each in members]), members)


def _start(points: Coordinates, count: int, rng: np.random.Generator) -> Coordinates:
    """Return the centres of at most `count` clusters by Ward's method, none of them twice."""
    some = points if len(points) <= MOST_LINKED else points[rng.choice(len(points), MOST_LINKED, replace=False)]
    if points.shape[1] == 0 or len(some) == 1:
        return some[:1]
    tree = scipy.cluster.hierarchy.ward(some)
    labels = scipy.cluster.hierarchy.fcluster(tree, min(count, len(np.unique(some, axis=0))), "maxclust")
    return np.unique([some[labels == label].mean(axis=0) for label in np.unique(labels)], axis=0)
