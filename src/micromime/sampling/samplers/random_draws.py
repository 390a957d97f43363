"""Fresh draws from the scenario: the control beside which every other sampler stands."""

from micromime.sampling.sampler import Sampler


class RandomDraws(Sampler):
    """Pays no heed to the scores (Trampert et al. 2021, section 3.3: additional random images)."""
