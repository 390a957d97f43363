"""Tell MLflow, from the records, of every arm that was trained and of all that has come out."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from micromime.arms.arm import Arm, said_of, trained
from micromime.arms.comparisons import arms_of_models
from micromime.arms.queue import network_of
from micromime.datasets.store import Dataset
from micromime.judging.tiles import TEST
from micromime.judging.verdict import DETAILS, SCORES
from micromime.mistakes import Mistake
from micromime.project import places
from micromime.project.versions import data_version
from micromime.reporting.judged import Judged, JudgedTiles, Part, beside, epochs
from micromime.reporting.pages.page import PICTURES
from micromime.sampling.scores import ScoreTable
from micromime.scenario.parameters import one_of, read_tree
from micromime.tracking.publish import publish_arm, publish_file, publish_model, publish_verdict
from micromime.use_cases import instance_kind

PAGE = "report.html"


def publish(use_case: str = "") -> None:
    """Tell MLflow of a use case's arms, their tables of scores and what the verdict says; of every use case if unnamed.

    Told again it changes nothing. Raises Mistake where the store does not answer, or where there is no such use case.
    """
    tree = read_tree(places.PARAMS)
    known = [key for key in tree if key != "profile"]
    if use_case:
        one_of(use_case, known, "use case")
    for each in [use_case] if use_case else sorted(known):
        arms = arms_of(each)
        for arm in arms:
            said, table = said_of(arm), places.scores(each, arm.name)
            publish_arm(said, runs_of(arm))
            if table.is_file() and ScoreTable.read(table).origin["fingerprint"] == said["fingerprint"]:
                publish_file(said, table)
        print(f"{each}: MLflow knows {len(arms)} arms.", flush=True)
        publish_judged(tree, each)


def publish_judged(tree: dict[str, Any], use_case: str) -> None:
    """Tell of each run's means over the pictures, of each arm's statistics with the files, and of the median runs.

    The pictures go to the first arm, whose network has predicted what they show. A median run that was taken from its
    record has no network here, and is not registered. Nothing is told where there is no verdict on the networks here.
    """
    folder = places.metrics(places.profile(tree), use_case)
    verdict = places.verdict(places.profile(tree), use_case)
    if not (verdict.is_file() and (folder / SCORES).is_file()):
        return
    judged, test_set = what_was_judged(tree, use_case, verdict)
    if not (set(judged.arms) <= set(arms_of(use_case)) and of_these_runs(judged)):
        print(f"{verdict} is of other networks than are here, and is not told; `make run` judges these.", flush=True)
        return
    told = folder.with_suffix(".md"), folder / DETAILS, folder / PAGE, folder / SCORES
    files = [file for file in told if file.is_file()]
    named = judged.verdict["test_set"]
    data = data_version("test_set", test_set, "testing")
    tested_on = {"kind": named["kind"], "reason": named["reason"], "data": data}
    for arm, run in judged.representative.items():
        said, parts = said_of(arm), judged.parts(arm)
        of_arm = {part.prefix: statistics_of(part.name, part.verdict) for part in parts}  # no prefix leaves no trace
        publish_arm(said, runs_of(arm))
        shown = {file.stem: file for file in sorted((folder / PICTURES).glob("*.png"))} if arm == judged.arms[0] else {}
        publish_verdict(said, tested_on, means_of(parts, judged.metrics), of_arm, files, shown)
        try:
            network = network_of(arm, run)
        except Mistake:
            print(f"{arm.name}: run {run} was taken from its record; there is no network to register", flush=True)
            continue
        made = publish_model(said, tested_on, network)
        print(f"{arm.name}: run {run} is registered as {made.uri}", flush=True)


def what_was_judged(tree: dict[str, Any], use_case: str, verdict: Path) -> tuple[Judged, Path]:
    """Return what stands in a verdict and beside it, and the folder of the test set."""
    if instance_kind(use_case).classes:
        return judged_tiles(tree, use_case, verdict), places.tiles(use_case) / TEST
    said, scores, curves = beside(verdict)
    arms = [places.models(use_case, arm) for arm in said["arms"]]
    return Judged(said, scores, curves, arms), places.test_set(use_case)


def arms_of(use_case: str) -> list[Path]:
    """Return the folders of the arms that were trained for a use case."""
    found = places.models(use_case).rglob("arm.json")
    return sorted(file.parent for file in found if not any(part.startswith(".") for part in file.parts))


def runs_of(arm: Path) -> dict[int, dict[str, Any]]:
    """Return number -> what run.json says, for every run of an arm."""
    return {run: trained(arm, run) for run in Arm.read(arm).runs}


def judged_tiles(tree: dict[str, Any], use_case: str, verdict: Path) -> JudgedTiles:
    """Return what stands in a verdict on tiles and beside it, of the arms of params.yaml."""
    made_of = arms_of_models(places.models(use_case), tree, use_case)
    return JudgedTiles(*beside(verdict), list(made_of), made_of, Dataset(places.tiles(use_case) / TEST))


def of_these_runs(judged: Judged) -> bool:
    """Return whether the learning curves beside a verdict are those of the runs that are here."""
    columns = ["arm", "run", "epoch", "train_loss"]
    beside, here = (sorted(each[columns].values.tolist()) for each in (judged.epochs, epochs(judged.arms)))
    return beside == here


def means_of(parts: Sequence[Part], metrics: Sequence[str]) -> dict[int, dict[str, Any]]:
    """Return each run's means over the pictures, those of each part under its prefix."""
    found: dict[int, dict[str, Any]] = {}
    for part in parts:
        for run, means in part.scores.groupby("run")[list(metrics)].mean().to_dict("index").items():
            found.setdefault(int(str(run)), {})[part.prefix] = means
    return found


def statistics_of(arm: str, verdict: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the verdict says of an arm alone, and of its comparison with each earlier one."""
    tests = [test for test in verdict["paired"].values() if test["a"] == arm]
    kept = ("mean_difference", "p_value", "p_holm", "effect_size", "n_pairs")
    against = {f"{test['metric']}.minus_{test['b']}": {key: test[key] for key in kept if key in test} for test in tests}
    return {**verdict["arms"][arm], **against}
