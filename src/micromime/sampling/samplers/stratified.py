"""As many images of every kind, however rare it is: what a sampler must beat that goes by scores."""

from collections.abc import Sequence

import numpy as np

from micromime.sampling.sampler import Clustered, Scored
from micromime.scenario.arrays import Indices, Reals


class Stratified(Clustered):
    """Shares the images out evenly over the clusters, and pays no heed to the scores (but for `stop_below`)."""

    def shares(self, scored: Scored, members: Sequence[Indices]) -> Reals:  # noqa: ARG002 - blind on purpose
        """Return the same share for each cluster."""
        return np.full(len(members), 1 / len(members))
