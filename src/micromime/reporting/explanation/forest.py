"""How scores depend on parameters, as a random forest has it: what it explains of samples that it has not seen."""

import math
from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.ensemble import RandomForestRegressor
from sklearn.model_selection import KFold

from micromime.scenario.arrays import Reals

LEAST_SAMPLES = 20
"""A forest is grown from; fewer would be left out four at a time, to be explained by a handful."""

FOLDS, TREES, SHUFFLES = 5, 100, 10
LEAST_LEAF = 3


def held_out(inputs: pd.DataFrame, scores: Reals, styles: "pd.Series[str]") -> tuple[float, pd.DataFrame]:
    """Return what forests explain of each fifth of the samples that have learnt from the other four.

    First R2: 1 - squared error / squared deviation from the mean, over all samples, each asked of the forest without
    its fifth; 1 at best, 0 for a forest that does as well as the mean, below 0 for one that does worse. Then a row for
    each parameter: `importance`, by how much R2 falls when its values are shuffled in the samples left out, the mean
    over 10 shuffles; and `always`, whether it falls in every fifth of the samples.

    Importance is by permutation (Breiman 2001, doi 10.1023/A:1010933404324). Numbers are shuffled among samples of the
    same style (Strobl et al. 2008, doi 10.1186/1471-2105-9-307): a parameter that differs between styles would else be
    as important as the style that it tells of. NaN and False for fewer than 20 samples, and where all scores are the
    same.
    """
    if len(inputs) < LEAST_SAMPLES or inputs.empty or np.ptp(scores) == 0:
        return math.nan, pd.DataFrame({"importance": math.nan, "always": False}, index=inputs.columns)
    parts, rng = columns(inputs), np.random.default_rng(0)
    x, ends = np.hstack(parts), np.cumsum([part.shape[1] for part in parts])
    among = {True: [np.flatnonzero(styles == each) for each in styles.unique()], False: [np.arange(len(x))]}
    wrong, harm, sizes = np.zeros(len(x)), list[Reals](), list[int]()
    for learn, ask in KFold(FOLDS, shuffle=True, random_state=0).split(x):
        forest = grown(x[learn], scores[learn])
        wrong[ask] = (forest.predict(x[ask]) - scores[ask]) ** 2
        again = np.tile(x[ask], (len(parts), SHUFFLES, 1, 1))
        for place, (name, end) in enumerate(zip(inputs, ends, strict=True)):
            own = slice(end - parts[place].shape[1], end)
            for shuffled in again[place]:
                shuffled[:, own] = x[_order(among[pd.api.types.is_numeric_dtype(inputs[name])], rng)[ask], own]
        errors = (forest.predict(again.reshape(-1, x.shape[1])).reshape(again.shape[:3]) - scores[ask]) ** 2
        harm.append(errors.mean(axis=(1, 2)) - wrong[ask].mean())
        sizes.append(len(ask))
    by_fold = np.array(harm).T / scores.var()
    told = {"importance": np.average(by_fold, axis=1, weights=sizes), "always": (by_fold > 0).all(axis=1)}
    return float(1 - wrong.mean() / scores.var()), pd.DataFrame(told, index=inputs.columns)


def grown(x: Reals | pd.DataFrame, scores: "Reals | pd.Series[float]") -> RandomForestRegressor:
    """Return a forest that has learnt the scores of (n, columns) samples."""
    return RandomForestRegressor(TREES, min_samples_leaf=LEAST_LEAF, random_state=0, n_jobs=1).fit(x, scores)


def columns(inputs: pd.DataFrame) -> list[Reals]:
    """Return (n, k) columns for each parameter: a number as it is, of words a column of 0 and 1 for each."""
    return [
        values.to_numpy(np.float64)[:, None]
        if pd.api.types.is_numeric_dtype(values)
        else pd.get_dummies(values, dtype=np.float64).to_numpy()
        for _, values in inputs.items()
    ]


def _order(groups: Sequence[NDArray[np.intp]], rng: np.random.Generator) -> NDArray[np.intp]:
    """Return (n,) places of samples, each group's shuffled among themselves."""
    order = np.empty(sum(map(len, groups)), dtype=np.intp)
    for group in groups:
        order[group] = rng.permutation(group)
    return order
