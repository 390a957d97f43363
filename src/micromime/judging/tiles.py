"""Classifiers judged on real tiles, beside a line filter; and whether synthetic surfaces can be told from real ones."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from micromime.datasets.store import Dataset
from micromime.judging.baselines import fitted_threshold, line_response
from micromime.judging.two_sample import Pictures, TwoSample, two_sample
from micromime.judging.verdict import Verdict, verdict

TEST, EVERY = "test", "every"
"""Folders of the test tiles, and of all real tiles together (the paper's "all data")."""

METRIC, LINE_FILTER = "error_rate", "line_filter"


class Compared(NamedTuple):
    """Arms that are judged together."""

    subset: str
    """Of the training tiles: on these the line filter's threshold is fitted."""
    names: Mapping[str, str]
    """By the name of an arm that of its model, as the verdict writes it."""


def judged(
    tested_on: Mapping[str, Any],
    answers: pd.DataFrame,
    tiles: Path,
    models: Sequence[Compared],
    textures: tuple[Compared, Sequence[str]] | None,
) -> Verdict:
    """Return the verdicts on test data and on all data for every subset, and on test data for the ablation.

    `answers` has a row for every arm, run and tile: arm, run, picture, source (its specimen), error_rate. `textures`
    has what the ablation compares, of one of these subsets, and its ways to make a surface.
    """
    baselines = {each.subset: line_filter_rows(tiles, each.subset) for each in models}
    said: Verdict = {"subsets": {}, "ablation": None}

    def on(part: str, compared: Compared) -> Verdict:
        kept = set(Dataset(tiles / part).samples["id"])
        rows, beside = (table[table["picture"].isin(kept)] for table in (answers, baselines[compared.subset]))
        rows = rows[rows["arm"].isin(compared.names)]
        scores = rows.assign(arm=rows["arm"].map(compared.names))[["arm", "run", "picture", "source", METRIC]]
        return verdict(tested_on, scores, beside)

    for each in models:
        count = len(Dataset(tiles / each.subset).images)
        said["subsets"][each.subset] = {"tiles": count, TEST: on(TEST, each), EVERY: on(EVERY, each)}
    if textures:
        compared, ways = textures
        count = said["subsets"][compared.subset]["tiles"]
        said["ablation"] = {"tiles": count, "ways": list(ways), TEST: on(TEST, compared)}
    said["test_set"] = said["subsets"][models[0].subset][TEST]["test_set"]
    return said


def line_filter_rows(tiles: Path, subset: str) -> pd.DataFrame:
    """Return what a line filter says of every tile, its threshold fitted on the training tiles of a subset."""
    trained_on, asked = Dataset(tiles / subset), Dataset(tiles / EVERY)
    threshold = fitted_threshold(_responses(trained_on), (trained_on.class_numbers == 1).tolist())
    found = np.array(_responses(asked)) > threshold
    wrong = (found != (asked.class_numbers == 1)).astype(float)
    names = {"picture": asked.samples["id"], "source": asked.samples["specimen"]}
    return pd.DataFrame({"baseline": LINE_FILTER, **names, METRIC: wrong})


def texture_test(made: Dataset, real: Dataset, held_out: Dataset) -> TwoSample:
    """Return how well intact tiles of a pool are told from real ones, on specimens that nothing was learnt from.

    It learns from one half of the pool's intact tiles and from the real ones, and is asked about the others.
    """
    synthetic = _intact(made)
    return two_sample((_intact(real), synthetic[::2]), (_intact(held_out), synthetic[1::2]))


def _responses(dataset: Dataset) -> list[float]:
    return [line_response(np.array(dataset.images[n])) for n in range(len(dataset.images))]


def _intact(dataset: Dataset) -> Pictures:
    """Return (n, rows, cols): the images of the first class."""
    return np.stack([dataset.images[int(n)] for n in np.flatnonzero(dataset.class_numbers == 0)])
