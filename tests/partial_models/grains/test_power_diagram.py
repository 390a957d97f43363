import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial import ConvexHull

from micromime.partial_models.grains.power_diagram import edges_between

PLANE = np.array([60.0, 90.0])


def drawn(seed, count, spread):
    """Nuclei in the plane, and weights whose radii are log-normal."""
    rng = np.random.default_rng(seed)
    radii = 0.35 * np.sqrt(PLANE.prod() / count) * np.exp(spread * rng.standard_normal(count))
    return rng.uniform(0, PLANE, (count, 2)), radii**2


def by_hull(nuclei, weights):
    """Two cells -> both ends, sorted: from the lower convex hull of the lifted nuclei."""
    middle = nuclei.mean(axis=0)
    flat = nuclei - middle
    hull = ConvexHull(np.column_stack([flat, (flat**2).sum(axis=1) - weights]))
    corners = hull.equations[:, :2] / (-2 * hull.equations[:, 2:3]) + middle
    lower, found = hull.equations[:, 2] < -1e-9, {}
    for one, neighbours in enumerate(hull.neighbors):
        for corner, two in enumerate(neighbours):
            if two > one and lower[one] and lower[two]:
                cells = frozenset(np.delete(hull.simplices[one], corner).tolist())
                found[cells] = sorted([corners[one].tolist(), corners[two].tolist()])
    return found


def within(ends):
    return all(((end > [0, 0]) & (end < PLANE)).all() for end in ends)


@given(st.integers(4, 120), st.sampled_from([0.0, 0.3, 0.8]), st.integers(0, 10**9))
def test_edges_within_the_plane_are_those_of_the_hull_of_the_lifted_nuclei(count, spread, seed):
    nuclei, weights = drawn(seed, count, spread)
    edges = edges_between(nuclei, weights)
    found = {
        frozenset([left, right]): sorted([start, end])
        for start, end, left, right in zip(*(each.tolist() for each in edges), strict=True)
    }
    assert len(found) == len(edges.left)
    hull = {cells: ends for cells, ends in by_hull(nuclei, weights).items() if within(ends)}
    assert {cells for cells, ends in found.items() if within(ends)} == hull.keys()
    assert all(np.allclose(found[cells], ends, atol=1e-6) for cells, ends in hull.items())


def test_the_corners_of_a_kite_by_hand():
    # They lie at the middles of the circles through three nuclei each: 41 / 8 and 359 / 32 down.
    nuclei = np.array([[0.0, 5.0], [4.0, 0.0], [4.0, 10.0], [20.0, 5.0]])
    edges = edges_between(nuclei, np.zeros(4))
    assert {edges.left.item(), edges.right.item()} == {1, 2}
    assert sorted([*edges.start[:, 0], *edges.end[:, 0]]) == pytest.approx([41 / 8, 359 / 32])
    assert [*edges.start[:, 1], *edges.end[:, 1]] == pytest.approx([5, 5])


def test_a_heavy_nucleus_hides_a_light_one_beside_it():
    nuclei, weights = drawn(1, 60, 0.0)
    nuclei[7] = nuclei[30] + 0.5
    weights[30] += 40
    edges = edges_between(nuclei, weights)
    assert 7 not in {*edges.left.tolist(), *edges.right.tolist()}
    assert 30 in {*edges.left.tolist(), *edges.right.tolist()}


def test_the_same_nuclei_give_the_same_edges_again_and_stay_as_they_are():
    nuclei, weights = drawn(3, 80, 0.4)
    before = nuclei.copy(), weights.copy()
    one, two = edges_between(nuclei, weights), edges_between(nuclei, weights)
    assert all(np.array_equal(*pair) for pair in zip(one, two, strict=True))
    assert np.array_equal(nuclei, before[0])
    assert np.array_equal(weights, before[1])
