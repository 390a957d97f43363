"""Grains that are not convex: some are made of several cells."""

from typing import Any

import numpy as np
from numba import njit
from pydantic import Field

from micromime.scenario.arrays import Edges, Indices
from micromime.scenario.partial_model import PartialModel


class MergedCells(PartialModel):
    """How many neighbouring cells are one grain."""

    share: float = Field(0.0, ge=0, le=1, description="Share of the edges between cells that are offered to be lifted.")
    most_cells: int = Field(3, ge=2, le=12, description="Cells of a grain, at most.")


def merge(model: MergedCells, edges: Edges, cells: int, rng: np.random.Generator) -> Indices:
    """Return for each of `cells` cells the grain it belongs to: the number of one of the grain's cells.

    Edges are gone through in a random order; one that is offered is lifted unless the grain would become too large.
    """
    grain = np.arange(cells, dtype=np.int32)
    if model.share == 0:
        return grain
    order = rng.permutation(len(edges.left))
    offered = order[rng.random(len(order)) < model.share]
    _join(grain, edges.left[offered], edges.right[offered], model.most_cells)
    return grain


@njit(cache=True)
def _join(grain: Any, left: Any, right: Any, most: int) -> None:
    """Join the grains on both sides of each edge, while they are small enough."""
    size = np.ones(len(grain), dtype=np.int32)
    for e in range(len(left)):
        one, two = _root(grain, left[e]), _root(grain, right[e])
        if one != two and size[one] + size[two] <= most:
            grain[max(one, two)] = min(one, two)
            size[min(one, two)] += size[max(one, two)]
    for cell in range(len(grain)):
        grain[cell] = _root(grain, cell)


@njit(cache=True, inline="always")
def _root(grain: Any, cell: int) -> int:
    while grain[cell] != cell:
        cell = grain[cell]
    return cell
