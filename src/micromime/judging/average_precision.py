"""How well probabilities tell boundary from grain, whatever the threshold."""

import numpy as np
from sklearn.metrics import average_precision_score

from micromime.scenario.arrays import Mask, Probability


def average_precision(probability: Probability, truth: Mask) -> float:
    """Return the area under the precision-recall curve over all pixels, 0 to 1: the higher, the better they are told.

    Summed in steps, as scikit-learn does: sum of (R_n - R_n-1) P_n over all thresholds, not interpolated. Probabilities
    without any information score the share of boundary, so compare within one picture. 1 where the truth has no
    boundary: nothing can be missed there, and no network is better than another. Raises ValueError unless both have one
    shape, the truth is a mask and the probabilities are numbers.
    """
    if probability.shape != truth.shape or truth.ndim != 2 or truth.size == 0:
        raise ValueError(f"cannot compare probabilities of shape {probability.shape} with a truth of {truth.shape}")
    if truth.dtype != np.bool_ or not np.isfinite(probability).all():
        raise ValueError(f"a truth is boolean, not {truth.dtype}, and probabilities must be finite")
    return float(average_precision_score(truth.ravel(), probability.ravel())) if truth.any() else 1.0
