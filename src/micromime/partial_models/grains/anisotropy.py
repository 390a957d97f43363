"""Grains that are longer one way than across it: rolled, drawn or grown."""

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from micromime.scenario.arrays import Edges, Points, Tessellation
from micromime.scenario.partial_model import PartialModel


class Anisotropy(PartialModel):
    """One direction in which all grains are drawn out; their areas stay."""

    stretch: float = Field(1.0, ge=1, le=4, description="Length of a grain along the direction / across it.")
    direction_deg: float = Field(0.0, ge=0, le=180, description="The direction: 0 along the rows, 90 down, degrees.")


def unstretched_sides(model: Anisotropy, rows: int, cols: int) -> tuple[int, int]:
    """Return rows and cols of the plane on which grains have to be laid, to be stretched over (rows, cols)."""
    if model.stretch == 1:
        return rows, cols
    corners = np.array([[rows, cols], [rows, -cols]]) @ np.linalg.inv(_stretching(model)).T
    reach = np.abs(corners).max(axis=0)
    return int(np.ceil(reach[0])), int(np.ceil(reach[1]))


def stretched(model: Anisotropy, cells: Tessellation, rows: int, cols: int) -> Tessellation:
    """Return cells of the plane of `unstretched_sides` stretched about its middle, which becomes that of (rows, cols).

    Every cell keeps its pixels, weights and area: what changes is how lengths are measured.
    """
    if model.stretch == 1:
        return cells
    before = np.array(unstretched_sides(model, rows, cols)) / 2
    after, turn = np.array([rows, cols]) / 2, _stretching(model)
    back = np.linalg.inv(turn)
    square = back.T @ back

    def moved(points: Points) -> Points:
        return (points - before) @ turn.T + after

    edges: Edges = cells.edges._replace(start=moved(cells.edges.start), end=moved(cells.edges.end))
    metric = (float(square[0, 0]), float(square[0, 1]), float(square[1, 1]))
    return cells._replace(nuclei=moved(cells.nuclei), edges=edges, metric=metric)


def _stretching(model: Anisotropy) -> NDArray[np.float64]:
    """Return the (2, 2) matrix on (row, col) that stretches along the direction; its determinant is 1."""
    angle = np.deg2rad(model.direction_deg)
    along, across = np.array([np.sin(angle), np.cos(angle)]), np.array([np.cos(angle), -np.sin(angle)])
    root = np.sqrt(model.stretch)
    return root * np.outer(along, along) + np.outer(across, across) / root
