"""Where an arm's files are found, and its scores: here, in DVC's cache, or logged to MLflow."""

import json
import os
import re
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory
from typing import Any

from micromime.arms.rounds import score_of
from micromime.mistakes import Mistake
from micromime.project.versions import data_version
from micromime.reporting.explanation.scored_arm import Chosen, Scores, read, start_of
from micromime.scenario.parameters import read_tree
from micromime.team.chain import WEIGHTS
from micromime.team.contents import at_hand, read_json
from micromime.team.history import kept_whole, lock_at, version_at
from micromime.team.logged import Logged
from micromime.tracking.logged_files import fetch_logged

PARAMS = Path("params.yaml")

GIVE = (
    "give the folder of an arm such as models/grain_boundaries/adaptive, of a run within it such as "
    "models/grain_boundaries/adaptive/run-002, or the id of a run in MLflow"
)


def chosen_by(asked: str) -> Chosen:
    """Return the arm or run that a path or an id of MLflow names; Mistake where there is none."""
    if not asked:
        raise Mistake(f"No arm is named; {GIVE}.")
    if re.fullmatch(r"[0-9a-f]{32}", asked) and not Path(asked).exists():
        return _in_mlflow(asked)
    path = PurePosixPath(Path(os.path.relpath(asked)).as_posix())
    path = path.parent if path.name == WEIGHTS else path
    run = re.fullmatch(r"run-(\d+)", path.name)
    said = _arm_json(path.parent if run else path)
    if said is None:
        raise Mistake(f"{asked} is no arm that was trained: there is no arm.json; {GIVE}.")
    return Chosen.of(said, int(run[1]) if run else None, asked)


def _arm_json(folder: PurePosixPath) -> dict[str, Any] | None:
    """Return what an arm's file says: here, or else in DVC's cache or remote; None where it is in none of them."""
    file = Path(folder, "arm.json")
    if file.is_file():
        try:
            said: dict[str, Any] = json.loads(file.read_text())
        except ValueError:
            raise Mistake(f"{file} is damaged; bring it back with `micromime pull`, or train the arm anew.") from None
        return said
    version = version_at(str(folder))
    return read_json(version, "arm.json") if version else None


def _in_mlflow(run_id: str) -> Chosen:
    logged = Logged()
    run = logged.run(run_id)
    if run is None:
        raise Mistake(logged.why_not or f"MLflow has no run {run_id}; {GIVE}.")
    tags = run.data.tags
    if "micromime.arm" not in tags:
        raise Mistake(f"The run {run_id} in MLflow belongs to no arm: it has no tag micromime.arm; {GIVE}.")
    use_case, arm, fingerprint = (tags[f"micromime.{key}"] for key in ("use_case", "arm", "fingerprint"))
    data = [
        (json.loads(used.dataset.source)["path"], used.dataset.digest)
        for used in (run.inputs.dataset_inputs if run.inputs else [])
        if any(tag.value == "training" for tag in used.tags)
    ]
    seed, parent = tags.get("micromime.seed"), tags.get("mlflow.parentRunId", run_id)
    here = _arm_json(PurePosixPath("models", use_case, arm)) or {}
    start = start_of(here) if here.get("fingerprint") == fingerprint else None
    run_number = int(seed) if seed else None
    return Chosen(use_case, arm, fingerprint, next(iter(data), None), run_number, parent, start, run_id)


def usual_score(use_case: str) -> str:
    """Return the metric that samplers go by here; mean IoU where there is no params.yaml that says so."""
    tree = read_tree(PARAMS) if PARAMS.is_file() else {}
    return score_of(tree, use_case) if "resample" in (tree.get(use_case) or {}) else "mean_iou"


def scores_of(chosen: Chosen) -> Scores:
    """Return the table of an arm's scores: the one here, in DVC's cache, or logged; Mistake where there is none."""
    version = version_at(chosen.table.as_posix())
    found = chosen.table if chosen.table.is_file() else at_hand(version) if version else None
    scores = read(found, chosen.table.as_posix()) if found else None
    if scores and scores.origin["fingerprint"] == chosen.fingerprint:
        return scores
    if chosen.logged:
        with TemporaryDirectory() as folder:
            file = fetch_logged(chosen.logged, chosen.table.name, Path(folder))
            return read(file, f"{chosen.table.name}, logged to MLflow's run {chosen.logged}")
    if scores:
        raise Mistake(
            f"{chosen.table} has the scores of other networks than the {chosen.name}; make it anew with `make run`."
        )
    if version:
        raise Mistake(f"{chosen.table} is not here, but dvc.lock names it; bring it with `micromime pull`.")
    raise Mistake(_why_missing(chosen))


def _why_missing(chosen: Chosen) -> str:
    if PARAMS.is_file() and "scoring" not in (read_tree(PARAMS).get(chosen.use_case) or {}):
        nothing = f"params.yaml has no {chosen.use_case}.scoring"
        return (
            f"Arms of {chosen.use_case} are not scored sample by sample ({nothing}); explain one of another use case."
        )
    there = ", ".join(sorted(file.stem for file in chosen.table.parent.glob("*.parquet")))
    others = f" (there are tables of: {there})" if there else ""
    return f"{chosen.table} is not there: no stage has scored the arm {chosen.arm}{others}; make it with `make run`."


def earlier_than(chosen: Chosen) -> Scores | None:
    """Return the scores of the arm that an arm goes on with, where they are at hand."""
    if chosen.start is None:
        return None
    name, fingerprint = chosen.start
    try:
        return scores_of(Chosen(chosen.use_case, name, fingerprint, None))
    except Mistake:
        return None


def trained_on(chosen: Chosen) -> tuple[Path | None, str]:
    """Return the folder of what the networks were trained on, if it is here as it was; or why it is left out."""
    if chosen.data is None:
        return None, "MLflow does not say what these networks were trained on, so what a sampler asked for is left out."
    path, digest = Path(chosen.data[0]), chosen.data[1]
    if not (path / "dataset.json").is_file():
        return None, f"What a sampler asked for is left out: {path} is not here; `micromime pull` brings it."
    recorded = kept_whole(lock_at().outs, chosen.data[0])
    here = recorded[1] if recorded else data_version("", path).digest
    if here != digest:
        return None, f"What a sampler asked for is left out: {path} has the hash {here} here, and had {digest}."
    return path, ""
