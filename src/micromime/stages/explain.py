"""Why the networks of each arm fail: a page for each, as `micromime explain` writes it."""

from pathlib import Path

from micromime.arms.rounds import arms_of, score_of
from micromime.project import places
from micromime.project.work import sole_maker
from micromime.reporting.explanation.page import write_explanation
from micromime.reporting.explanation.scored_arm import ScoredArm, ScoreTable, told_of
from micromime.scenario.parameters import read_tree


def explain(use_case: str, params: Path = places.PARAMS) -> None:
    """Write a page for every arm: what its scores go with, its worst samples, what a sampler requested and got.

    The scores are those that samplers go by, `resample.score`.
    """
    tree = read_tree(params)
    out = places.verdict(places.profile(tree), use_case).with_suffix("") / "explanations"
    with sole_maker(out):
        known: dict[str, ScoreTable] = {}
        for name in arms_of(tree, use_case):
            arm = ScoredArm.read(places.models(use_case, name))
            known[name] = ScoreTable.read(arm.table)
            earlier = known.get(arm.start[0]) if arm.start else None
            trained_on = (Path(arm.data[0]), "") if arm.data else (None, "")
            told = told_of(arm, known[name], score_of(tree, use_case), earlier, trained_on)
            write_explanation(out / f"{name}.html", told)
