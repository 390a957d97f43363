"""Tell MLflow, from the records, of every arm that was trained and of all that has come out."""

from pathlib import Path
from typing import Any

from micromime.arms.arm import Arm, said_of, trained
from micromime.arms.comparisons import arms_of_models
from micromime.arms.queue import network_of
from micromime.datasets.store import Dataset
from micromime.judging.metrics import LOWER_IS_BETTER
from micromime.judging.tiles import TEST
from micromime.judging.verdict import DETAILS, SCORES
from micromime.mistakes import Mistake
from micromime.project import places
from micromime.project.versions import data_version
from micromime.reporting.judged import Judged, JudgedTiles, beside, epochs, tables_of
from micromime.reporting.pages.page import PICTURES
from micromime.sampling.scores import ScoreTable
from micromime.scenario.parameters import one_of, read_tree
from micromime.tracking.publish import Kept, ScoredOn, publish_arm, publish_file, publish_model, publish_verdict
from micromime.tracking.views import View, publish_view
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
        if arms:
            print(f"{each}: MLflow knows {len(arms)} arms.", flush=True)
            publish_judged(tree, each)
        else:
            print(
                f"{each}: no arm is trained here; `make run` trains them, `micromime pull` brings a team's.", flush=True
            )


def publish_judged(tree: dict[str, Any], use_case: str) -> None:
    """Tell of a verdict on the networks here, and of the page that shows all arms side by side.

    Of a verdict on other networks, or where there is none, nothing is told.
    """
    verdict, materials = places.verdict(places.profile(tree), use_case), dict[str, str]()
    if verdict.is_file() and verdict.with_name(SCORES).is_file():
        judged, test_set = what_was_judged(tree, use_case, verdict)
        if set(judged.arms) <= set(arms_of(use_case)) and of_these_runs(judged):
            materials = tell(judged, test_set, verdict)
        else:
            print(
                f"{verdict} is of other networks than are here, and is not told; `make run` judges these.", flush=True
            )
    else:
        print(f"{verdict} is not there, so MLflow is told no scores; `make run` judges.", flush=True)
    kind = JudgedTiles if instance_kind(use_case).classes else Judged
    view = View(kind.shown, kind.shown[0] in LOWER_IS_BETTER, kind.about)
    publish_view(use_case, places.profile(tree), view, materials)


def tell(judged: Judged, test_set: Path, verdict: Path) -> dict[str, str]:
    """Tell the scores of each arm and its runs with the files, and of the median runs those on each source, too.

    Return the digest of the test set and of each source in it, by the names of these in MLflow. The pictures go to the
    first arm, whose network has predicted what they show. A median run that was taken from its record has no network
    here, and is not registered.
    """
    named, folder = judged.verdict["test_set"], verdict.parent
    data = data_version(f"{named['kind']}_test_set", test_set, "testing")
    tested_on = {"kind": named["kind"], "reason": named["reason"], "data": data}
    told = folder.with_suffix(".md"), folder / DETAILS, folder / PAGE, folder / SCORES
    files = [file for file in told if file.is_file()]
    digests = judged.digests(test_set)
    for arm, run in judged.representative.items():
        said, by_run = said_of(arm), judged.by_run(arm)
        publish_arm(said, runs_of(arm))
        pictures = sorted((folder / PICTURES).glob("*.png")) if arm == judged.arms[0] else []
        kept = Kept(files, tables_of(judged.parts(arm)), pictures)
        publish_verdict(said, tested_on, by_run, judged.of_arm(arm), kept)
        try:
            network = network_of(arm, run)
        except Mistake:
            print(f"{arm.name}: run {run} was taken from its record; there is no network to register", flush=True)
            continue
        whole = {key: by_run[run][key] for key in judged.metrics}
        by_source = {source: scores for source, scores in judged.by_source(arm, run).items() if source in digests}
        scored = [ScoredOn(name_of(each, named["kind"]), digests[each], by_source[each]) for each in by_source]
        made = publish_model(said, tested_on, network, [*scored, ScoredOn(data["name"], data["digest"], whole)])
        print(f"{arm.name}: run {run} is registered as {made.uri}", flush=True)
    return {name_of(each, named["kind"]): digest for each, digest in digests.items()} | {data["name"]: data["digest"]}


def name_of(source: str, kind: str) -> str:
    """Return what a source of test pictures is called in MLflow, which says of surrogates that they are."""
    return source if kind == "real" or source.startswith(kind) else f"{kind}_{source}"


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
