"""Why the networks of each arm fail: a page for each, as `micromime explain` writes it."""

from pathlib import Path
from tempfile import TemporaryDirectory

from micromime.arms.rounds import arms_of, score_of
from micromime.mistakes import Mistake
from micromime.project import places
from micromime.project.versions import data_version
from micromime.project.work import sole_maker
from micromime.reporting.explanation.page import Told, write_explanation
from micromime.reporting.explanation.scored_arm import ScoredArm, told_of
from micromime.sampling.scores import ScoreTable
from micromime.scenario.parameters import read_tree
from micromime.tracking.logged import fetch_logged


def explain(use_case: str) -> None:
    """Write a page for every arm: what its scores go with, its worst samples, what a sampler requested and got.

    The scores are those that samplers go by, `resample.score`.
    """
    tree = read_tree(places.PARAMS)
    out = places.metrics(places.profile(tree), use_case) / "explanations"
    with sole_maker(out):
        for name in arms_of(tree, use_case):
            arm = ScoredArm.read(places.models(use_case, name))
            write_explanation(out / f"{name}.html", told_by(arm, score_of(tree, use_case)))


def told_by(arm: ScoredArm, metric: str) -> Told:
    """Return all that is told of an arm or a run by a metric; Mistake where there is no table of its scores."""
    return told_of(arm, scores_of(arm), metric, earlier_than(arm), trained_on(arm))


def scores_of(arm: ScoredArm) -> ScoreTable:
    """Return the table of an arm's scores: the one here, or else the one logged; Mistake where there is none."""
    here = ScoreTable.read(arm.table) if arm.table.is_file() or not arm.logged else None
    if here and here.origin["fingerprint"] == arm.fingerprint:
        return here
    if arm.logged:
        with TemporaryDirectory() as folder:
            file = fetch_logged(arm.logged, arm.table.name, Path(folder))
            return ScoreTable.read(file, f"{arm.table.name}, logged to MLflow's run {arm.logged}")
    raise Mistake(f"{arm.table} has the scores of other networks than the {arm.title}; make it anew with `make run`.")


def earlier_than(arm: ScoredArm) -> ScoreTable | None:
    """Return the scores of the arm that an arm goes on with, where they are here."""
    try:
        return scores_of(ScoredArm(arm.use_case, *arm.start)) if arm.start else None
    except Mistake:
        return None


def trained_on(arm: ScoredArm) -> tuple[Path | None, str]:
    """Return the folder of what the networks were trained on, if it is here as it was; or that it is left out."""
    path, digest = arm.data or ("what these networks were trained on", "")
    if Path(path, "dataset.json").is_file() and data_version("", Path(path))["digest"] == digest:
        return Path(path), ""
    version = f" in the version {digest}" if digest else ""
    return None, f"What a sampler requested is left out: {path} is not here{version}; `micromime pull` brings it."
