"""An arm whose networks have scored the scoring set, and what its files tell of why they fail."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any, Self

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from micromime.datasets.store import Dataset, identity
from micromime.mistakes import Mistake
from micromime.reporting.explanation.page import WORST, Told
from micromime.reporting.explanation.rounds import Round, beside
from micromime.reporting.explanation.scores import BEFORE, explained, factors, scoring_set
from micromime.reporting.failures import SCORE, lowest, score_title
from micromime.sampling.scores import ORIGIN
from micromime.scenario.arrays import Image, Mask
from micromime.use_cases import instance_kind, use_cases


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
    asked: str = field(default="", compare=False)
    """What a person gave to choose it."""

    @classmethod
    def of(cls, said: Mapping[str, Any], run: int | None, asked: str) -> Self:
        """Return the arm that arm.json describes, or a run of it; Mistake where that is damaged."""
        try:
            data = (said["data"][0]["path"], said["data"][0]["digest"])
            known = said["use_case"], said["arm"], said["fingerprint"]
            return cls(*known, data, run, start=start_of(said), asked=asked)
        except (LookupError, TypeError):
            raise Mistake(f"The arm.json of {asked} is damaged, or of another version; train the arm anew.") from None

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
        own = (re.fullmatch(r"score\.\w+\.run-(\d+)", str(name)) for name in self.rows)
        return sorted({int(each[1]) for each in own if each})

    @property
    def metrics(self) -> list[str]:
        """The metrics that there are scores by."""
        means = (re.fullmatch(r"score\.(\w+)", str(name)) for name in self.rows)
        return [each[1] for each in means if each]


def start_of(said: Mapping[str, Any]) -> tuple[str, str] | None:
    """Return name and fingerprint of the arm that an arm goes on with, by its arm.json."""
    return (PurePosixPath(said["start"]).name, said["base"]) if said.get("start") else None


def read(file: Path, place: str) -> Scores:
    """Return the table in a file; Mistake where it is none."""
    try:
        table = pq.read_table(file)
        origin = json.loads(table.schema.metadata[ORIGIN])
    except (pa.ArrowInvalid, KeyError, TypeError, ValueError):
        raise Mistake(f"{place} is no table of scores; make it anew with `make run`.") from None
    return Scores(table.to_pandas(), origin, place)


def told_of(
    chosen: Chosen, scores: Scores, metric: str, earlier: Scores | None, trained_on: tuple[Path | None, str]
) -> Told:
    """Return all that is told of an arm (the means over its runs) or of one run, by the scores of a metric.

    `earlier` is the table of the arm gone on from, `trained_on` the folder of what the networks were trained on, or why
    it cannot be looked at. Raises Mistake where there are no such scores.
    """
    _refuse_missing(scores, metric, chosen.run)
    scoring = scoring_of(chosen, scores, metric, earlier)
    folder, remark = trained_on
    round_, remark = round_of(folder, scores.origin, scoring) if folder else (None, remark)
    number, scored = len(scores.runs), scores.origin["scored"]
    mean = "of its one run" if number == 1 else f"mean over {number} runs"
    return Told(
        subject=chosen.name,
        score=score_title(metric),
        whose=mean if chosen.run is None else f"of run {chosen.run} alone",
        scoring=scoring,
        explanation=explained(scoring),
        asked=beside(scoring, round_) if round_ else None,
        meanings=meanings(chosen.use_case),
        pictures=pictures(scored, lowest(scoring, WORST)["id"].tolist()),
        remarks=[remark] if remark else [],
        origin={
            "Table of scores": scores.place,
            "Networks": f"{chosen.name}, fingerprint {chosen.fingerprint}",
            "Trained on": " ".join(chosen.data) if chosen.data else "not known",
            "Scoring set": f"{scored['path']}, SHA-256 of dataset.json {scored['sha256']}",
            "Command": f"micromime explain {chosen.asked} --score {metric}",
        },
    )


def _refuse_missing(scores: Scores, metric: str, run: int | None) -> None:
    place = scores.place
    if metric not in scores.metrics:
        has = ", ".join(scores.metrics) or "none"
        raise Mistake(f"{place} has no scores by {metric!r}; it has those by: {has}. Give one of these as --score.")
    if run is not None and run not in scores.runs:
        has = ", ".join(map(str, scores.runs)) or "none"
        raise Mistake(
            f"{place} has no scores of run {run}; it has those of the runs: {has} (resample.runs says of how many)."
        )


def scoring_of(chosen: Chosen, scores: Scores, metric: str, earlier: Scores | None) -> pd.DataFrame:
    """Return what is to be explained, see `explanation.scoring_set`; of a run, `before` is by its own predecessor.

    Where the table has no scores from before, they come from `earlier`, the table of the arm gone on from.
    """
    scoring = scoring_set(scores.rows, metric, chosen.run)
    if BEFORE in scoring or earlier is None:
        return scoring
    same_set = earlier.origin["scored"]["sha256"] == scores.origin["scored"]["sha256"]
    fits = same_set and metric in earlier.metrics
    if not fits or (chosen.run is not None and chosen.run not in earlier.runs):
        return scoring
    known = scoring_set(earlier.rows, metric, chosen.run).set_index("id")[SCORE]
    return scoring.assign(**{BEFORE: known.loc[scoring["id"]].to_numpy()})


def round_of(folder: Path, origin: Mapping[str, Any], scoring: pd.DataFrame) -> tuple[Round | None, str]:
    """Return the round in a folder, if a sampler asked for it by scores of the same set; or why it is left out."""
    dataset = Dataset(folder)
    said = dataset.description
    if not said.get("sampler"):
        return None, ""
    if said["scored"]["sha256"] != origin["scored"]["sha256"]:
        return None, f"What a sampler asked for is left out: {folder} was asked for by scores of another scoring set."
    if missing := [name for name in factors(scoring) if name not in dataset.samples]:
        return None, f"What a sampler asked for is left out: {folder} has no {', '.join(missing)}."
    return Round(folder.name, said["sampler"], said["arm"], said["score"], dataset.samples), ""


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
