"""The classifier two-sample test: how well a simple classifier tells synthetic pictures from real ones.

After Lopez-Paz and Oquab 2017 (arXiv:1610.06545): a classifier learns from one half of the pictures and is asked about
the other; its accuracy is 0.5 where nothing tells the two kinds apart. Here the halves are specimens, so that what it
has learnt must hold for specimens that it has not seen.
"""

from typing import TypedDict

import numpy as np
import scipy
from numpy.typing import NDArray

BANDS = 8
"""Rings of spatial frequency, each an octave part of 0 to 0.5 cycles a pixel; of each its energy and its lean."""

Pictures = NDArray[np.uint8]
"""(n, rows, cols)."""


class TwoSample(TypedDict):
    """What the test has found; the accuracy is the mean of those on real and on synthetic pictures."""

    accuracy: float
    lo: float
    hi: float
    """95 % Wilson interval, n pictures taken as independent (several come from one specimen: it is too narrow)."""
    n_real: int
    n_synthetic: int
    real_taken_for_synthetic: float
    synthetic_taken_for_real: float


def two_sample(learn: tuple[Pictures, Pictures], ask: tuple[Pictures, Pictures]) -> TwoSample:
    """Return how well a logistic regression tells real from synthetic pictures; each pair is (real, synthetic).

    It sees `features` only, learns from one pair and is asked about the other. Raises ValueError where one is empty.
    """
    from sklearn.linear_model import LogisticRegression  # they take seconds, and `features` needs none of them
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler
    from statsmodels.stats.proportion import proportion_confint

    if not all(map(len, (*learn, *ask))):
        raise ValueError("the two-sample test needs real and synthetic pictures, to learn from and to be asked about")
    judge = make_pipeline(StandardScaler(), LogisticRegression(C=1.0, class_weight="balanced", max_iter=2000))
    judge.fit(np.concatenate([features(each) for each in learn]), np.repeat([0, 1], [len(each) for each in learn]))
    wrong_real = float(np.mean(judge.predict(features(ask[0])) == 1))
    wrong_synthetic = float(np.mean(judge.predict(features(ask[1])) == 0))
    accuracy, n = 1 - (wrong_real + wrong_synthetic) / 2, len(ask[0]) + len(ask[1])
    lo, hi = proportion_confint(accuracy * n, n, alpha=0.05, method="wilson")
    return TwoSample(
        accuracy=accuracy,
        lo=float(lo),
        hi=float(hi),
        n_real=len(ask[0]),
        n_synthetic=len(ask[1]),
        real_taken_for_synthetic=wrong_real,
        synthetic_taken_for_real=wrong_synthetic,
    )


def features(pictures: Pictures) -> NDArray[np.float64]:
    """Return (n, features): moments, gradients, and by frequency band the energy and its lean to rows or columns.

    None of them says how bright a picture is: light varies from photograph to photograph.
    """
    grey = pictures.astype(np.float64)
    flat = grey.reshape(len(grey), -1)
    steps = [np.abs(np.diff(grey, axis=axis)).mean(axis=(1, 2)) for axis in (1, 2)]
    moments = [np.log(flat.std(axis=1) + 1e-3), scipy.stats.skew(flat, axis=1), scipy.stats.kurtosis(flat, axis=1)]
    columns = [*moments, *(np.log(step + 1e-3) for step in steps), *_bands(grey)]
    return np.nan_to_num(np.stack(columns, axis=1))


def _bands(grey: NDArray[np.float64]) -> list[NDArray[np.float64]]:
    """Return for each band the logarithm of its energy, and how it leans to one axis (-1 to 1)."""
    windows = np.outer(np.hanning(grey.shape[1]), np.hanning(grey.shape[2]))
    energy = np.abs(np.fft.fft2((grey - grey.mean(axis=(1, 2), keepdims=True)) * windows)) ** 2
    down, across = np.meshgrid(*(np.fft.fftfreq(side) for side in grey.shape[1:]), indexing="ij")
    ring = np.floor(np.log2(np.hypot(down, across).clip(1e-9) / 0.5) * 2 + BANDS).astype(int)
    found = []
    for band in range(BANDS):
        mine, lean = ring == band, np.abs(down) > np.abs(across)
        sums = [energy[:, mine & part].sum(axis=1) + 1e-3 for part in (lean, ~lean)]
        found += [np.log(sums[0] + sums[1]), (sums[0] - sums[1]) / (sums[0] + sums[1])]
    return found
