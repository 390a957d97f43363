"""Judge classifiers on real tiles: every run of every model and pool, beside a line filter; and the textures."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import pandas as pd
from typer import Option

from micromime.arms.pools import Pool, pools
from micromime.datasets.store import Dataset
from micromime.inference.ask import Asked, answers
from micromime.judging.baselines import fitted_threshold, line_response
from micromime.judging.two_sample import Pictures, TwoSample, two_sample
from micromime.judging.verdict import Verdict, verdict
from micromime.pictures.test_set import SOURCE_NAME, Source
from micromime.project.work import sole_maker
from micromime.reporting.judged import CURVES, SCORES
from micromime.reporting.tables.tiles import LINE_FILTER, METRIC, MODELS_OF_POOLS, tile_tables
from micromime.scenario.parameters import read_tree
from micromime.stages import command
from micromime.stages.judge import epochs
from micromime.stages.tile import EVERY, TEST
from micromime.stages.train_pools import Model, arm_name, pools_of

COMPARED: tuple[Model, ...] = ("synthetic", "real", "longer", "mixed")
"""In this order: each is tested against all before it, so mixed against every other."""


def main(  # noqa: PLR0913 - one argument an option
    use_case: str,
    models: Annotated[Path, Option(help="Folder of the models' arms.")],
    tiles: Annotated[Path, Option(help="Folder of the divided real tiles.")],
    synthetic: Annotated[Path, Option(help="Folder of the pools.")],
    out: Annotated[Path, Option(help="The verdict, JSON; its tables (.md) and a folder of its name lie beside it.")],
    records: Annotated[Path, Option(help="Folder of the finished runs' records.")],
    params: Annotated[Path, Option(help="The file with <use case>.tiles and .ablation.")] = Path("params.yaml"),
) -> None:
    """Write the verdict, its tables, the answer to every tile and the learning curves."""
    tree = read_tree(params)
    with sole_maker(out):
        arms = arms_in(models, tree, use_case)
        every = Dataset(tiles / EVERY).samples
        given = answers(arms, records, Asked("tiles", tiles / EVERY))
        given = given.assign(source=given["picture"].map(dict(zip(every["id"], every["specimen"], strict=True))))
        said = judged(tree, use_case, given, tiles)
        said["textures"] = {pool.name: texture_test(pool, tiles, synthetic) for pool in pools(tree, use_case)}
        folder = out.with_suffix("")
        folder.mkdir(parents=True, exist_ok=True)
        out.write_text(json.dumps(said, indent=1) + "\n")
        out.with_suffix(".md").write_text(tile_tables(said))
        given.to_parquet(folder / SCORES, index=False)
        epochs(arms).to_csv(folder / CURVES, index=False)


def arms_in(models: Path, tree: Mapping[str, Any], use_case: str) -> list[Path]:
    """Return the folder of every arm."""
    return [
        models / model / arm_name(model, pool) for model in COMPARED for pool in pools_of(model, dict(tree), use_case)
    ]


def judged(tree: Mapping[str, Any], use_case: str, given: pd.DataFrame, tiles: Path) -> Verdict:
    """Return the verdicts on test data and on all data for every subset, and on test data for the ablation."""
    source = Source.read(tiles / SOURCE_NAME)
    tested_on = {"kind": source.kind, "name": use_case, "reason": source.reason}
    every = pools(tree, use_case)
    plain, others = ([p for p in every if (p.name == p.subset) == same] for same in (True, False))
    baselines = {pool.subset: line_filter_rows(tiles, pool.subset) for pool in plain}

    def on(part: str, names: Mapping[str, str], subset: str) -> Verdict:
        kept = set(Dataset(tiles / part).samples["id"])
        rows, beside = (table[table["picture"].isin(kept)] for table in (given, baselines[subset]))
        rows = rows[rows["arm"].isin(names)]
        scores = rows.assign(arm=rows["arm"].map(names))[["arm", "run", "picture", "source", METRIC]]
        return verdict(tested_on, scores, beside)

    said: Verdict = {"subsets": {}, "ablation": None}
    for pool in plain:
        names = {arm_name(model, pool): str(model) for model in COMPARED}
        count = len(Dataset(tiles / pool.subset).images)
        parts = {part: on(part, names, pool.subset) for part in (TEST, EVERY)}
        said["subsets"][pool.subset] = {"tiles": count, **parts}
    if others:
        compared = [next(pool for pool in plain if pool.subset == others[0].subset), *others]
        names = {arm_name(model, p): f"{model}, {p.way}" for model in MODELS_OF_POOLS for p in compared}  # type: ignore[arg-type]
        subset = others[0].subset
        count = said["subsets"][subset]["tiles"]
        said["ablation"] = {"tiles": count, "ways": [p.way for p in compared], TEST: on(TEST, names, subset)}
    said["test_set"] = said["subsets"][plain[0].subset][TEST]["test_set"]
    return said


def line_filter_rows(tiles: Path, subset: str) -> pd.DataFrame:
    """Return what a line filter says of every tile, its threshold fitted on the training tiles of a subset."""
    trained_on, asked = Dataset(tiles / subset), Dataset(tiles / EVERY)
    responses = [line_response(np.array(image)) for image in all_images(trained_on)]
    threshold = fitted_threshold(responses, (trained_on.class_numbers == 1).tolist())
    found = np.array([line_response(np.array(image)) > threshold for image in all_images(asked)])
    wrong = (found != (asked.class_numbers == 1)).astype(float)
    names = {"picture": asked.samples["id"], "source": asked.samples["specimen"]}
    return pd.DataFrame({"baseline": LINE_FILTER, **names, METRIC: wrong})


def texture_test(pool: Pool, tiles: Path, synthetic: Path) -> TwoSample:
    """Return how well intact tiles of a pool are told from real ones, on specimens that nothing was learnt from.

    It learns from one half of the pool's intact tiles and is asked about the other.
    """
    made = intact(Dataset(synthetic / pool.name))
    real, held_out = (intact(Dataset(tiles / part)) for part in (pool.subset, TEST))
    return two_sample((real, made[::2]), (held_out, made[1::2]))


def intact(dataset: Dataset) -> Pictures:
    """Return (n, rows, cols): the images of the first class."""
    return np.stack([dataset.images[int(n)] for n in np.flatnonzero(dataset.class_numbers == 0)])


def all_images(dataset: Dataset) -> Sequence[Any]:
    """Return every image."""
    return [dataset.images[n] for n in range(len(dataset.images))]


if __name__ == "__main__":
    command(main)
