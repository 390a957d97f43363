"""How scores depend on parameters, as a random forest has it: what it explains of samples that it has not seen."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.compose import make_column_transformer
from sklearn.ensemble import RandomForestRegressor
from sklearn.inspection import partial_dependence
from sklearn.model_selection import KFold
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OneHotEncoder

from micromime.scenario.arrays import Reals

LEAST_SAMPLES = 20
"""A forest is grown from; fewer would be left out four at a time, to be explained by a handful."""

FOLDS, TREES, SHUFFLES = 5, 100, 10
LEAST_LEAF = 3
BOOTSTRAPS, BOOTSTRAP_TREES = 20, 25
MOST_STEPS = 20
"""Values of a parameter that its curve goes through."""


@dataclass(frozen=True)
class Forest:
    """What forests explain of the scores of samples that they have not seen."""

    r2: float
    """1 - squared error / squared deviation from the mean, over all samples, each asked of the forest without its
    fifth; 1 at best, 0 for a forest that does as well as the mean, below 0 for one that does worse."""
    n: int
    by_fold: pd.DataFrame
    """Importance: a row a parameter, a column for each fifth."""
    importance: "pd.Series[float]"
    """By parameter: by how much R2 falls when the values of the samples left out are shuffled, see `held_out`."""

    def always_counts(self, name: str) -> bool:
        """Return whether shuffling a parameter does harm in every fifth of the samples."""
        return bool((self.by_fold.loc[name] > 0).all())


@dataclass(frozen=True)
class Dependence:
    """Partial dependence on one parameter (Friedman 2001, doi 10.1214/aos/1013203451).

    It is the mean prediction, were all samples alike in that parameter and all else as it is.
    """

    parameter: str
    at: list[Any]
    """Values of the parameter from its 5th to its 95th percentile; all of them where there are few."""
    mean: Reals
    low: Reals
    high: Reals
    """5th and 95th percentile over forests of resampled samples."""


def held_out(inputs: pd.DataFrame, scores: Reals, styles: "pd.Series[str] | None" = None) -> Forest | None:
    """Return what forests explain of each fifth of the samples that have learnt from the other four.

    Importance is by permutation (Breiman 2001, doi 10.1023/A:1010933404324), of a column as it is: words are encoded
    within the forest. It is the mean over 10 shuffles, of all samples. Numbers are shuffled among samples of the same
    style if `styles` are given (Strobl et al. 2008, doi 10.1186/1471-2105-9-307): a parameter that differs between
    styles would else be as important as the style that it tells of. None for fewer than 20 samples, for no parameters,
    and where all scores are the same.
    """
    if len(inputs) < LEAST_SAMPLES or inputs.empty or np.ptp(scores) == 0:
        return None
    inputs, rng = plain(inputs), np.random.default_rng(0)
    whole = [np.arange(len(inputs))]
    alike = whole if styles is None else [np.flatnonzero(styles == each) for each in styles.unique()]
    among = {str(name): alike if pd.api.types.is_numeric_dtype(inputs[name]) else whole for name in inputs}
    wrong, harm, sizes = np.zeros(len(scores)), list[Reals](), list[int]()
    for learn, ask in KFold(FOLDS, shuffle=True, random_state=0).split(inputs):
        forest = grown(inputs.iloc[learn], scores[learn], TREES, 0)
        wrong[ask] = (forest.predict(inputs.iloc[ask]) - scores[ask]) ** 2
        again = inputs.iloc[np.tile(ask, len(among) * SHUFFLES)].reset_index(drop=True)
        for place, name in enumerate(among):
            values = [_shuffled(inputs[name].to_numpy(), among[name], rng)[ask] for _ in range(SHUFFLES)]
            block = slice(place * SHUFFLES * len(ask), (place + 1) * SHUFFLES * len(ask))
            again.iloc[block, place] = np.concatenate(values)
        errors = (forest.predict(again).reshape(len(among), SHUFFLES, len(ask)) - scores[ask]) ** 2
        harm.append(errors.mean(axis=(1, 2)) - wrong[ask].mean())
        sizes.append(len(ask))
    by_fold = pd.DataFrame(np.array(harm).T / scores.var(), index=inputs.columns)
    importance = pd.Series(np.average(by_fold, axis=1, weights=sizes), index=inputs.columns)
    return Forest(float(1 - wrong.mean() / scores.var()), len(scores), by_fold, importance)


def dependence(inputs: pd.DataFrame, scores: Reals, names: Sequence[str]) -> list[Dependence]:
    """Return the partial dependence of the scores on each named parameter, with a band over 20 forests.

    Each forest is grown from as many samples as there are, taken with replacement (a bootstrap).
    """
    inputs, rng = plain(inputs), np.random.default_rng(0)
    steps = {name: _steps(inputs[name]) for name in names}
    curves: dict[str, list[Reals]] = {name: [] for name in names}
    for number in range(BOOTSTRAPS if names else 0):
        taken = rng.integers(len(inputs), size=len(inputs))
        forest = grown(inputs.iloc[taken], scores[taken], BOOTSTRAP_TREES, number)
        for name in names:
            curves[name].append(_curve(forest, inputs, name, steps[name]))
    found = []
    for name in names:
        low, high = np.percentile(curves[name], (5, 95), axis=0)
        found.append(Dependence(name, list(steps[name]), np.mean(curves[name], axis=0), low, high))
    return found


def plain(inputs: pd.DataFrame) -> pd.DataFrame:
    """Return the same with all numbers as floats, all words as they are."""
    numbers = inputs.select_dtypes(["number", "bool"]).columns
    return inputs.astype(dict.fromkeys(numbers, np.float64))


def grown(inputs: pd.DataFrame, scores: Reals, trees: int, seed: int) -> Pipeline:
    """Return a forest that has learnt the scores; each word is a column of its own within it."""
    words = inputs.select_dtypes(exclude="number").columns.tolist()
    encoder = OneHotEncoder(handle_unknown="ignore", sparse_output=False)
    columns = make_column_transformer(
        (encoder, words), remainder="passthrough", verbose_feature_names_out=False
    ).set_output(transform="pandas")
    forest = RandomForestRegressor(trees, min_samples_leaf=LEAST_LEAF, random_state=seed, n_jobs=1)
    return make_pipeline(columns, forest).fit(inputs, scores)


def _shuffled(values: NDArray[Any], groups: Sequence[NDArray[np.intp]], rng: np.random.Generator) -> NDArray[Any]:
    """Return (n,) values shuffled among the samples of each group."""
    shuffled = values.copy()
    for group in groups:
        shuffled[group] = values[rng.permutation(group)]
    return shuffled


def _steps(values: "pd.Series[Any]") -> NDArray[Any]:
    different = np.sort(values.unique())
    if len(different) <= MOST_STEPS:
        return different
    low, high = np.percentile(values, (5, 95))
    return np.unique(np.linspace(low, high, MOST_STEPS))


def _curve(forest: Pipeline, inputs: pd.DataFrame, name: str, steps: NDArray[Any]) -> Reals:
    words = not pd.api.types.is_numeric_dtype(inputs[name])
    # A forest without its encoder goes down each tree once for all steps; with it, it is asked at each.
    model, given = (forest, inputs) if words else (forest[-1], forest[:-1].transform(inputs))
    more = {"categorical_features": [name]} if words else {}
    told = partial_dependence(model, given, [name], custom_values={name: steps}, kind="average", **more)
    curve: Reals = told["average"][0]
    return curve
