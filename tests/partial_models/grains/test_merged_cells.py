import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from micromime.partial_models.grains.grain_structure import GrainStructure, tessellate
from micromime.partial_models.grains.merged_cells import MergedCells, merge
from micromime.scenario.arrays import Edges
from micromime.scenario.streams import stream

models = st.builds(MergedCells, share=st.floats(0, 1), most_cells=st.integers(2, 12))


def between(left, right):
    """Edges of which only the cells on both sides are known."""
    nowhere = np.zeros((len(left), 2))
    return Edges(nowhere, nowhere, np.array(left, np.int32), np.array(right, np.int32))


def merged(model, edges, cells, seed=0):
    return merge(model, edges, cells, stream(seed, "x"))


@given(models, st.integers(0, 10**9))
def test_a_grain_is_at_most_so_many_cells_that_hang_together(model, seed):
    cells = tessellate(GrainStructure(diameter_px=12, relaxation_steps=0), 40, 60, stream(seed, "cells"))
    count, edges = len(cells.nuclei), cells.edges
    before = [each.copy() for each in edges]
    grain = merged(model, edges, count, seed)
    assert (grain.shape, grain.dtype) == ((count,), np.int32)
    assert np.bincount(grain).max() <= model.most_cells
    assert np.array_equal(grain[grain], grain)  # a grain has the number of one of its cells
    lifted = grain[edges.left] == grain[edges.right]
    graph = coo_array((np.ones(lifted.sum()), (edges.left[lifted], edges.right[lifted])), shape=(count, count))
    assert connected_components(graph, directed=False)[0] == np.unique(grain).size
    assert all(np.array_equal(*pair) for pair in zip(before, edges, strict=True))
    assert np.array_equal(grain, merged(model, edges, count, seed))


def test_all_edges_lifted_make_one_grain_named_after_its_first_cell():
    edges = between([4, 1, 3, 0], [3, 2, 2, 1])  # the chain 0-1-2-3-4, and 5 by itself
    assert merged(MergedCells(share=1, most_cells=5), edges, 6).tolist() == [0, 0, 0, 0, 0, 5]


def test_two_cells_at_most_make_pairs():
    chain = [
        merged(MergedCells(share=1, most_cells=2), between([0, 1], [1, 2]), 3, seed).tolist() for seed in range(20)
    ]
    assert {tuple(each) for each in chain} == {(0, 0, 2), (0, 1, 1)}  # whichever edge comes first


def test_grains_too_large_together_stay_apart():
    # Two pairs, and an edge between them: three cells would fit, four do not.
    edges = between([0, 2, 1], [1, 3, 2])
    sizes = {tuple(np.bincount(merged(MergedCells(share=1, most_cells=3), edges, 4, seed))) for seed in range(40)}
    assert sizes == {(2, 0, 2), (3, 0, 0, 1), (1, 3)}


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
def test_the_share_of_edges_is_lifted(share):
    left = np.arange(0, 8000, 2)
    grain = merged(MergedCells(share=share), between(left, left + 1), 8000, 1)
    assert (grain[left] == grain[left + 1]).mean() == pytest.approx(share, abs=0.03)
