"""Adversarial domain randomisation, as a reference: a policy that moves to where the scores are low."""

from collections.abc import Sequence

import numpy as np
from pydantic import Field

from micromime.sampling.sampler import Clustered, Scored
from micromime.scenario.arrays import Indices, Reals


class AdversarialDraws(Clustered):
    """Draws more of a cluster the worse the networks do on it.

    As in the source (Khirodkar and Kitani 2018, "Adversarial Domain Randomization", arXiv:1812.00491, by its abstract):
    a policy over a quantised parameter space says what is rendered next, the learner's loss is its reward, and the two
    take turns. Ours: the space is quantised into clusters of the scored instances, not into steps of the simulator's
    parameters; the policy is a table that starts from the scenario's own shares and is moved by exponentiated gradient
    (Kivinen and Warmuth 1997, doi:10.1006/inco.1996.2612); it is rewarded on the scoring set, of which every cluster
    has members, not on what it had rendered itself, and in standard deviations of the scores; and it remembers two
    rounds, which is as many as a sampler is told of.
    """

    rate: float = Field(
        ge=0, le=100, description="How fast it moves: e^rate as often for a mean score one standard deviation worse."
    )

    def shares(self, scored: Scored, members: Sequence[Indices]) -> Reals:
        """Return the policy: each cluster's share of the scored instances, moved by the rewards of the rounds."""
        logits = np.log([len(each) for each in members])
        for scores in (scored.scores,) if scored.before is None else (scored.before, scored.scores):
            logits = logits - self.rate * np.array([standardised(scores)[each].mean() for each in members])
        policy = np.exp(logits - logits.max())
        return policy / policy.sum()


def standardised(scores: Reals) -> Reals:
    """Return the scores with mean 0 and standard deviation 1; zeros where all are the same."""
    middle, spread = scores.mean(), scores.std()
    return (scores - middle) / spread if spread > 1e-12 else np.zeros_like(scores)
