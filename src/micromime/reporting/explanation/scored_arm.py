"""An arm whose networks have scored the scoring set, and what its files tell of why they fail."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import numpy as np
import pandas as pd

from micromime.arms.arm import run_folder, said_of
from micromime.datasets.store import Dataset, identity
from micromime.mistakes import Mistake
from micromime.reporting.explanation.page import WORST, Told
from micromime.reporting.explanation.scores import beside, column_of, explained, factors, scoring_set
from micromime.reporting.failures import SCORE, lowest, score_title
from micromime.sampling.scores import ScoreTable
from micromime.scenario.arrays import Image, Mask
from micromime.use_cases import instance_kind, use_cases


@dataclass(frozen=True)
class ScoredArm:
    """An arm, or one run of it."""

    use_case: str
    name: str
    fingerprint: str
    data: tuple[str, str] | None = None
    """Path and DVC's hash of what it was trained on."""
    run: int | None = None
    start: tuple[str, str] | None = None
    """Name and fingerprint of the arm that it goes on with, where its folder says so."""
    logged: str = ""
    """Id of the arm's run in MLflow, where it was named by an id."""
    named: str = field(default="", compare=False)
    """What a person gave to name it."""

    @classmethod
    def read(cls, folder: Path, run: int | None = None) -> Self:
        """Return the arm in a folder, or a run of it; Mistake where there is no arm.json, or a damaged one."""
        said = said_of(folder)
        try:
            start = (Path(said["start"]).name, said["base"]) if said.get("start") else None
            data = (said["data"][0]["path"], said["data"][0]["digest"])
            named = folder if run is None else run_folder(folder, run)
            known = said["use_case"], said["arm"], said["fingerprint"]
            return cls(*known, data, run, start, named=named.as_posix())
        except (LookupError, TypeError, AttributeError):
            raise Mistake(f"{folder / 'arm.json'} is damaged, or of another version; train the arm anew.") from None

    @property
    def table(self) -> Path:
        """Where the arm's table of scores lies."""
        return Path("data/scores", self.use_case, f"{self.name}.parquet")

    @property
    def title(self) -> str:
        """The arm and the run, as a heading has it."""
        return f"arm {self.name} of {self.use_case}" + ("" if self.run is None else f", run {self.run}")


def told_of(
    arm: ScoredArm, table: ScoreTable, metric: str, earlier: ScoreTable | None, trained_on: tuple[Path | None, str]
) -> Told:
    """Return all that is told of an arm (the means over its runs) or of one run, by the scores of a metric.

    `earlier` is the table of the arm gone on from, `trained_on` the folder of what the networks were trained on, or why
    it cannot be looked at. Raises Mistake where there are no such scores.
    """
    metrics, runs = table.known(r"(\w+)"), table.known(r"\w+\.run-0*(\d+)")
    if SCORE + column_of(metric, arm.run) not in table.rows:
        asked = f"by {metric!r}" + ("" if arm.run is None else f" of run {arm.run}")
        has = f"by {', '.join(metrics) or 'none'} (--score), of the runs {', '.join(runs) or 'none'}"
        raise Mistake(f"{table.place} has no scores {asked}; it has those {has}.")
    same_set = earlier and earlier.origin["scored"]["sha256"] == table.origin["scored"]["sha256"]
    scoring = scoring_set(table.rows, metric, arm.run, earlier.rows if earlier and same_set else None)
    folder, remark = trained_on
    requests, remark = requests_in(folder, table.origin, scoring) if folder else (None, remark)
    scored = table.origin["scored"]
    mean = "of its one run" if len(runs) == 1 else f"mean over {len(runs)} runs"
    return Told(
        subject=arm.title,
        score=score_title(metric),
        whose=mean if arm.run is None else f"of run {arm.run} alone",
        scoring=scoring,
        explanation=explained(scoring),
        round_=beside(scoring, requests) if requests else None,
        meanings=meanings(arm.use_case),
        pictures=pictures(scored, lowest(scoring, WORST)["id"].tolist()),
        remark=remark,
        origin={
            "Table of scores": table.place,
            "Networks": f"{arm.title}, fingerprint {arm.fingerprint}",
            "Trained on": " ".join(arm.data) if arm.data else "not known",
            "Scoring set": f"{scored['path']}, SHA-256 of dataset.json {scored['sha256']}",
            "Command": f"micromime explain {arm.named} --score {metric}",
        },
    )


def requests_in(folder: Path, origin: Mapping[str, Any], scoring: pd.DataFrame) -> tuple[Dataset | None, str]:
    """Return the requests in a data set, if a sampler made them by scores of the same set; or why they are left out."""
    dataset = Dataset(folder)
    said = dataset.description
    if not said.get("sampler"):
        return None, ""
    if said["scored"]["sha256"] != origin["scored"]["sha256"]:
        return None, f"What a sampler requested is left out: {folder} was requested by scores of another scoring set."
    if missing := [name for name in factors(scoring) if name not in dataset.samples]:
        return None, f"What a sampler requested is left out: {folder} has no {', '.join(missing)}."
    return dataset, ""


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
