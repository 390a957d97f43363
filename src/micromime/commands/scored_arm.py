"""An arm whose networks have scored the scoring set, and all that is at hand of it: its table, its round, pictures."""

import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from micromime.arrays import Image, Mask
from micromime.commands.chain import WEIGHTS
from micromime.commands.contents import at_hand, read_json
from micromime.commands.history import kept_whole, lock_at, version_at
from micromime.commands.logged import Logged
from micromime.datasets.store import Dataset, identity
from micromime.evaluation.asked import Round
from micromime.evaluation.explanation import BEFORE, factors, scoring_set
from micromime.evaluation.failures import SCORE
from micromime.mistakes import Mistake
from micromime.parameters import read_tree
from micromime.scenarios import instance_kind, use_cases
from micromime.stages.score_table import ORIGIN
from micromime.training.logged_files import fetch_logged
from micromime.training.versions import data_version

GIVE = (
    "give the folder of an arm such as models/grain_boundaries/adaptive, of a run within it such as "
    "models/grain_boundaries/adaptive/run-002, or the id of a run in MLflow"
)


@dataclass(frozen=True)
class Chosen:
    """An arm, or one run of it."""

    use_case: str
    arm: str
    fingerprint: str
    data: tuple[str, str] | None
    """Path and DVC's hash of what it was trained on."""
    run: int | None = None
    logged: str = ""
    """Id of the arm's run in MLflow, where it was chosen by an id."""
    start: tuple[str, str] | None = None
    """Name and fingerprint of the arm that it goes on with, where its folder says so."""

    @property
    def table(self) -> Path:
        """Where the arm's table of scores lies."""
        return Path("data/scores", self.use_case, f"{self.arm}.parquet")

    @property
    def name(self) -> str:
        """The arm and the run, as a title has it."""
        return f"arm {self.arm} of {self.use_case}" + ("" if self.run is None else f", run {self.run}")


@dataclass(frozen=True)
class Scores:
    """A table of scores."""

    rows: pd.DataFrame
    origin: Mapping[str, Any]
    """What the file says of what was scored, and by which networks."""
    place: str
    """Where it was found, in a few words."""

    @property
    def runs(self) -> list[int]:
        """The numbers of the runs that have scores of their own."""
        own = (re.fullmatch(rf"{re.escape(SCORE)}\.run-(\d+)", str(name)) for name in self.rows)
        return sorted(int(each[1]) for each in own if each)


def chosen_by(asked: str) -> Chosen:
    """Return the arm or run that a path or an id of MLflow names; Mistake where there is none."""
    if re.fullmatch(r"[0-9a-f]{32}", asked) and not Path(asked).exists():
        return _in_mlflow(asked)
    path = PurePosixPath(Path(os.path.relpath(asked)).as_posix())
    path = path.parent if path.name == WEIGHTS else path
    run = re.fullmatch(r"run-(\d+)", path.name)
    said = _arm_json(path.parent if run else path)
    if said is None:
        raise Mistake(f"{asked} is no arm that was trained: there is no arm.json; {GIVE}.")
    try:
        data = (said["data"][0]["path"], said["data"][0]["digest"])
        number = int(run[1]) if run else None
        return Chosen(said["use_case"], said["arm"], said["fingerprint"], data, number, start=_start(said))
    except (LookupError, TypeError):
        raise Mistake(f"The arm.json of {asked} is damaged, or of another version; train the arm anew.") from None


def _start(said: Mapping[str, Any]) -> tuple[str, str] | None:
    return (PurePosixPath(said["start"]).name, said["base"]) if said.get("start") else None


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
    start = _start(here) if here.get("fingerprint") == fingerprint else None
    return Chosen(use_case, arm, fingerprint, next(iter(data), None), int(seed) if seed else None, parent, start)


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
    params = Path("params.yaml")
    if params.is_file() and "scoring" not in (read_tree(params).get(chosen.use_case) or {}):
        nothing = f"params.yaml has no {chosen.use_case}.scoring"
        return (
            f"Arms of {chosen.use_case} are not scored sample by sample ({nothing}); explain one of another use case."
        )
    there = ", ".join(sorted(file.stem for file in chosen.table.parent.glob("*.parquet")))
    others = f" (there are tables of: {there})" if there else ""
    return f"{chosen.table} is not there: no stage has scored the arm {chosen.arm}{others}; make it with `make run`."


def read(file: Path, place: str) -> Scores:
    """Return the table in a file; Mistake where it is none, or has no mean IoU."""
    try:
        table = pq.read_table(file)
        origin = json.loads(table.schema.metadata[ORIGIN])
    except (pa.ArrowInvalid, KeyError, TypeError, ValueError):
        raise Mistake(f"{place} is no table of scores; make it anew with `make run`.") from None
    if SCORE not in table.column_names:
        raise Mistake(f"{place} has no column {SCORE}; make it anew with `make run`.")
    return Scores(table.to_pandas(), origin, place)


def scoring_of(chosen: Chosen, scores: Scores) -> pd.DataFrame:
    """Return what is to be explained, see `explanation.scoring_set`; of a run, `before` is by its own predecessor.

    Where the table has no scores from before, they come from that of the arm gone on from, if it is at hand.
    """
    scoring = scoring_set(scores.rows, chosen.run)
    if BEFORE in scoring or chosen.start is None:
        return scoring
    name, fingerprint = chosen.start
    try:
        earlier = scores_of(Chosen(chosen.use_case, name, fingerprint, None))
    except Mistake:
        return scoring
    fits = earlier.origin["scored"]["sha256"] == scores.origin["scored"]["sha256"]
    if not fits or (chosen.run is not None and chosen.run not in earlier.runs):
        return scoring
    known = scoring_set(earlier.rows, chosen.run).set_index("id")[SCORE]
    return scoring.assign(**{BEFORE: known.loc[scoring["id"]].to_numpy()})


def round_of(chosen: Chosen, origin: Mapping[str, Any], scoring: pd.DataFrame) -> tuple[Round | None, str]:
    """Return the round that the networks were trained on, if a sampler asked for it; or why it is left out."""
    if chosen.data is None:
        return None, "MLflow does not say what these networks were trained on, so what a sampler asked for is left out."
    path, digest = Path(chosen.data[0]), chosen.data[1]
    if not (path / "dataset.json").is_file():
        return None, f"What a sampler asked for is left out: {path} is not here; `micromime pull` brings it."
    recorded = kept_whole(lock_at().outs, chosen.data[0])
    here = recorded[1] if recorded else data_version("", path).digest
    if here != digest:
        return None, f"What a sampler asked for is left out: {path} has the hash {here} here, and had {digest}."
    dataset = Dataset(path)
    said = dataset.description
    if not said.get("sampler"):
        return None, ""
    if said["scored"]["sha256"] != origin["scored"]["sha256"]:
        return None, f"What a sampler asked for is left out: {path} was asked for by scores of another scoring set."
    if missing := [name for name in factors(scoring) if name not in dataset.samples]:
        return None, f"What a sampler asked for is left out: {path} has no {', '.join(missing)}."
    return Round(path.name, said["sampler"], said["arm"], said["score"], dataset.samples), ""


def pictures(scored: Mapping[str, str], ids: list[str]) -> dict[str, tuple[Image, Mask]]:
    """Return image and truth of some samples of the scoring set by id; nothing unless that very set is here."""
    folder = Path(scored["path"])
    if not (folder / "dataset.json").is_file() or identity(folder) != scored["sha256"]:
        return {}
    dataset = Dataset(folder)
    places = {sample: dataset.index(sample) for sample in ids}
    return {sample: (np.array(dataset.images[n]), np.array(dataset.masks[n])) for sample, n in places.items()}


def meanings(use_case: str) -> dict[str, str]:
    """Return what each parameter of a use case means, as its partial model says it, by its column."""
    models = instance_kind(use_case).partial_models() if use_case in use_cases() else {}
    return {
        f"{name}.{key}": field.description or ""
        for name, model in models.items()
        for key, field in model.model_fields.items()
    }
