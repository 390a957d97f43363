"""Judge networks on the test set: every run of every arm, beside what anybody could apply."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from micromime.arms.answers import CHOOSING, SCORING, TEST, TILES, Question, answers
from micromime.arms.comparisons import COMPARED, ON_EVERY_POOL, arm_name, arms_of_models, pools
from micromime.arms.rounds import arms_of, compared, main_comparison, rounds_of
from micromime.datasets.store import Dataset
from micromime.inference.views import JudgeParameters
from micromime.judging import tiles as judging
from micromime.judging.main_scores import write_numbers
from micromime.judging.micrographs import said_of
from micromime.judging.tiles import EVERY, Compared, texture_test
from micromime.judging.verdict import Verdict, write_verdict
from micromime.pictures.micrographs import read_micrographs
from micromime.pictures.test_set import tested_on
from micromime.project import places
from micromime.project.work import sole_maker
from micromime.reporting.judged import epochs, origin
from micromime.reporting.plots import BY_SOURCE, BY_TILES, by_source, by_tiles
from micromime.reporting.tables.summary import summary
from micromime.reporting.tables.tiles import tile_tables
from micromime.reporting.tables.verdict import verdict_table
from micromime.scenario.parameters import read_tree
from micromime.use_cases import instance_kind


def judge(use_case: str) -> None:
    """Write the verdict, its first page and all tables, what every picture or tile scored, and the plots' tables."""
    tree = read_tree(places.PARAMS)
    profile, classes = places.profile(tree), bool(instance_kind(use_case).classes)
    out, records = places.verdict(profile, use_case), places.records(profile, use_case)
    models = places.models(use_case)
    arms = [*arms_of_models(models, tree, use_case)] if classes else [models / arm for arm in arms_of(tree, use_case)]
    with sole_maker(out):
        said, scores = (on_tiles if classes else on_micrographs)(tree, use_case, arms, records)
        write_verdict(out, said, (tile_tables if classes else verdict_table)(said), scores, epochs(arms))
        numbers = places.metrics(profile, use_case).with_suffix(".json")
        write_numbers(numbers, said)
        numbers.with_suffix(".md").write_text(summary(said))
        by_source(said).to_csv(out.with_name(BY_SOURCE), index=False)
        if classes:
            by_tiles(said).to_csv(out.with_name(BY_TILES), index=False)


def on_micrographs(
    tree: Mapping[str, Any], use_case: str, arms: list[Path], records: Path
) -> tuple[Verdict, pd.DataFrame]:
    """Return the verdict on networks that find masks, and what every run scored on every micrograph."""
    rounds, views = rounds_of(tree, use_case), JudgeParameters.of(tree, use_case, "judge").views
    test_set = places.test_set(use_case)
    pictures = read_micrographs(test_set)
    given = answers(arms, records, Question(TEST, test_set, views))
    given = given.assign(source=given["picture"].map({each.name: each.source for each in pictures}))
    purpose = SCORING if views == 1 else CHOOSING  # in one view they have been asked all of it for the samplers
    chosen_on = answers(arms, records, Question(purpose, places.synthetic(use_case, "scoring"), views))
    about = tested_on(test_set, use_case) | {"changes": {each.name: each.changes for each in pictures if each.changes}}
    said = said_of(about, (given, chosen_on), pictures, compared(rounds))
    return said | {"main_comparison": main_comparison(rounds), "views": views, "made": origin(arms)}, given


def on_tiles(tree: Mapping[str, Any], use_case: str, arms: list[Path], records: Path) -> tuple[Verdict, pd.DataFrame]:
    """Return the verdict on classifiers and on textures, and the answer of every run to every tile."""
    tiles = places.tiles(use_case)
    every = Dataset(tiles / EVERY).samples.set_index("id")
    given = answers(arms, records, Question(TILES, tiles / EVERY))
    given = given.assign(source=given["picture"].map(every["specimen"]))
    textures = {
        pool.name: texture_test(
            *map(Dataset, (places.synthetic(use_case, pool.name), tiles / pool.subset, tiles / judging.TEST))
        )
        for pool in pools(tree, use_case)
    }
    return judged(tree, use_case, given) | {"textures": textures}, given


def judged(tree: Mapping[str, Any], use_case: str, given: pd.DataFrame) -> Verdict:
    """Return what `judging.tiles.judged` says of the arms of params.yaml."""
    plain, others = ([p for p in pools(tree, use_case) if (p.name == p.subset) == same] for same in (True, False))
    models = [Compared(pool.subset, {arm_name(model, pool): str(model) for model in COMPARED}) for pool in plain]
    textures = None
    if others:
        ways = [*(pool for pool in plain if pool.subset == others[0].subset), *others]
        names = {arm_name(model, p): f"{model}, {p.way}" for model in COMPARED if model in ON_EVERY_POOL for p in ways}
        textures = Compared(others[0].subset, names), [p.way for p in ways]
    tiles = places.tiles(use_case)
    about = tested_on(tiles, use_case) | {"changes": Dataset(tiles / EVERY).description.get("changes", {})}
    return judging.judged(about, given, tiles, models, textures)
