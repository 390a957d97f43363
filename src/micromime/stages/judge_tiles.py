"""Judge classifiers on real tiles: every run of every model and pool, beside a line filter; and the textures."""

from collections.abc import Mapping
from typing import Any

import pandas as pd

from micromime.arms.answers import TILES, Question, answers
from micromime.arms.comparisons import COMPARED, ON_EVERY_POOL, arm_name, arms_of_models, pools
from micromime.datasets.store import Dataset
from micromime.judging import tiles as judging
from micromime.judging.tiles import EVERY, TEST, Compared, texture_test
from micromime.judging.verdict import Verdict, write_verdict
from micromime.pictures.test_set import tested_on
from micromime.project import places
from micromime.project.work import sole_maker
from micromime.reporting.judged import epochs
from micromime.reporting.tables.tiles import tile_tables
from micromime.scenario.parameters import read_tree


def judge_tiles(use_case: str) -> None:
    """Write the verdict, its tables, the answer to every tile and the learning curves."""
    tree = read_tree(places.PARAMS)
    profile, tiles = places.profile(tree), places.tiles(use_case)
    out, records = places.verdict(profile, use_case), places.records(profile, use_case)
    with sole_maker(out):
        arms = list(arms_of_models(places.models(use_case), tree, use_case))
        every = Dataset(tiles / EVERY).samples.set_index("id")
        given = answers(arms, records, Question(TILES, tiles / EVERY))
        given = given.assign(source=given["picture"].map(every["specimen"]))
        said = judged(tree, use_case, given)
        said["textures"] = {
            pool.name: texture_test(
                *map(Dataset, (places.synthetic(use_case, pool.name), tiles / pool.subset, tiles / TEST))
            )
            for pool in pools(tree, use_case)
        }
        write_verdict(out, said, tile_tables(said), given, epochs(arms))


def judged(tree: Mapping[str, Any], use_case: str, given: pd.DataFrame) -> Verdict:
    """Return what `judging.tiles.judged` says of the arms of params.yaml."""
    plain, others = ([p for p in pools(tree, use_case) if (p.name == p.subset) == same] for same in (True, False))
    models = [Compared(pool.subset, {arm_name(model, pool): str(model) for model in COMPARED}) for pool in plain]
    textures = None
    if others:
        compared = [*(pool for pool in plain if pool.subset == others[0].subset), *others]
        names = {
            arm_name(model, p): f"{model}, {p.way}" for model in COMPARED if model in ON_EVERY_POOL for p in compared
        }
        textures = Compared(others[0].subset, names), [p.way for p in compared]
    tiles = places.tiles(use_case)
    return judging.judged(tested_on(tiles, use_case), given, tiles, models, textures)
