"""The grey of every grain, with a given contrast between neighbours."""

import numpy as np
from pydantic import Field

from micromime.scenario.arrays import Edges, Reals
from micromime.scenario.partial_model import PartialModel


class GrainShades(PartialModel):
    """Grey shades of the grains (Trampert et al. 2021, sections 3.2 and 3.3)."""

    mean_grey: float = Field(ge=0, le=255, description="Mean grey over the grains, grey levels 0 to 255.")
    contrast_grey: float = Field(ge=0, le=120, description="Mean difference between two neighbours, grey levels.")


def shade(model: GrainShades, edges: Edges, cells: int, rng: np.random.Generator) -> Reals:
    """Return one grey for each of `cells` cells, not clipped.

    Gaussian shades, scaled so that the mean absolute difference over the edges is `contrast_grey` exactly.
    """
    shades = rng.standard_normal(cells)
    difference = np.abs(shades[edges.left] - shades[edges.right])
    # An image with no edge in it has no contrast to set: there, as if neighbours were independent.
    typical = difference.mean() if difference.size else 2 / np.sqrt(np.pi)
    return model.mean_grey + shades * (model.contrast_grey / typical)
