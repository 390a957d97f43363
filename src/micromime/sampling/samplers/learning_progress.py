"""More of the kinds of samples that the networks are just getting better at."""

from collections.abc import Sequence

import numpy as np
from pydantic import Field

from micromime.sampling.sampler import Clustered, Scored
from micromime.scenario.arrays import Indices, Reals


class LearningProgress(Clustered):
    """Shares the images out by how much each cluster's mean score has gained since the last round.

    What is mastered gains nothing more, what is hopeless gains nothing either (Oudeyer, Kaplan and Hafner 2007,
    doi:10.1109/TEVC.2006.890271; Graves et al. 2017, arXiv:1704.03003). An even share keeps every cluster in sight, and
    no cluster gets more than the largest. In the first round, and where none has gained, all get the same.
    """

    even_share: float = Field(ge=0, le=1, description="Share of the images that is divided evenly over the clusters.")
    largest_share: float = Field(
        gt=0, le=1, description="Largest share of one cluster; with fewer clusters than 1 over it, each gets the same."
    )

    def shares(self, scored: Scored, members: Sequence[Indices]) -> Reals:
        """Return the share of the images for each cluster."""
        even = super().shares(scored, members)
        if scored.before is None:
            return even
        gains = scored.scores - scored.before
        progress = np.array([max(float(gains[each].mean()), 0.0) for each in members])
        if progress.sum() <= 0:
            return even
        return capped(self.even_share * even + (1 - self.even_share) * progress / progress.sum(), self.largest_share)


def capped(shares: Reals, largest: float) -> Reals:
    """Return the shares with none above `largest`, or above an even share where that is more.

    What is cut off goes to the others in proportion to what they have (evenly where they have nothing), and is cut off
    again where it lifts one above the largest.
    """
    largest, full = max(largest, 1 / len(shares)), np.zeros(len(shares), dtype=np.bool_)
    while (above := ~full & (shares > largest + 1e-12)).any():
        full |= above
        others = np.where(full, 0.0, shares)
        others = others if others.sum() > 0 else (~full).astype(np.float64)
        shares = np.where(full, largest, (1 - largest * full.sum()) * others / others.sum())
    return shares
