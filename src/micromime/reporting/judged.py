"""What the stages before the report have found, the run that stands for each arm, and how arms were trained."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal, NamedTuple

import pandas as pd

from micromime.arms.arm import FIRST, Arm, said_of, trained
from micromime.arms.comparisons import Pool
from micromime.datasets.store import Dataset
from micromime.judging.metrics import TESTED
from micromime.judging.tiles import EVERY, METRIC, TEST
from micromime.judging.verdict import CURVES, SCORES


class Part(NamedTuple):
    """What one verdict says of an arm, and the scores of the arm that it says it by."""

    prefix: str
    """Where its numbers stand in MLflow: none for those that count, a word for further ones."""
    name: str
    """Of the arm in the verdict."""
    verdict: dict[str, Any]
    scores: pd.DataFrame
    """A row for every run and picture."""


@dataclass(frozen=True)
class Judged:
    """What the stages before have written."""

    metrics: ClassVar[Sequence[str]] = TESTED
    """Columns of the scores that MLflow is told of."""
    median_by: ClassVar[str] = "mean_iou"
    """The one whose median run stands for an arm."""

    verdict: dict[str, Any]
    scores: pd.DataFrame
    """A row for every arm, run and picture."""
    epochs: pd.DataFrame
    arms: Sequence[Path]

    def parts(self, arm: Path) -> list[Part]:
        """Return what is said of an arm, what counts first."""
        return [Part("", arm.name, self.verdict, self.scores[self.scores["arm"] == arm.name])]

    @property
    def representative(self) -> dict[Path, int]:
        """The median run of each arm (the lower one of two in the middle)."""
        return {arm: median_run(self.parts(arm)[0].scores, self.median_by) for arm in self.arms}


@dataclass(frozen=True)
class JudgedTiles(Judged):
    """As `Judged`, where there is a verdict for each subset, on test tiles and on all."""

    metrics: ClassVar = (METRIC,)
    median_by: ClassVar = METRIC

    made_of: Mapping[Path, tuple[str, Pool]]
    """The model and the pool of each arm."""
    test: Dataset
    """The test tiles."""

    def parts(self, arm: Path) -> list[Part]:
        """Return what is said of an arm on the test tiles; and, under "every", on all tiles, where that was judged."""
        model, pool = self.made_of[arm]
        rows = self.scores[self.scores["arm"] == arm.name]
        tested = rows[rows["picture"].isin(self.test.samples["id"])]
        if pool.name != pool.subset:
            return [Part("", f"{model}, {pool.way}", self.verdict["ablation"][TEST], tested)]
        said = self.verdict["subsets"][pool.subset]
        return [Part("", model, said[TEST], tested), Part(EVERY, model, said[EVERY], rows)]

    def arms_of(self, subset: str) -> dict[str, Path]:
        """Return the arms of a subset, those on textures as in the paper, by model."""
        return {model: arm for arm, (model, pool) in self.made_of.items() if pool.name == subset}


def beside(verdict: Path) -> tuple[dict[str, Any], pd.DataFrame, pd.DataFrame]:
    """Return a verdict and, from beside it, the scores of every picture and the learning curves."""
    scores, curves = pd.read_parquet(verdict.with_name(SCORES)), pd.read_csv(verdict.with_name(CURVES))
    return json.loads(verdict.read_text()), scores, curves


def median_run(scores: pd.DataFrame, metric: str = Judged.median_by) -> int:
    """Return the median run of one arm's rows by a metric over the pictures (the lower one of two in the middle)."""
    means = scores.groupby("run")[metric].mean().sort_values(kind="stable")
    return int(means.index[(len(means) - 1) // 2])


def phases(arms: Sequence[Path]) -> pd.DataFrame:
    """Return a row for each arm and phase, with the learning rate that was used and how it came about."""
    rows = [
        {"arm": arm.name, "phase": number, **phase.model_dump(), "peak_rate": rate}
        | {"how": "found" if phase.peak_rate == "find" else "given"}
        for arm in arms
        for number, (phase, rate) in enumerate(
            zip(Arm.read(arm).settings.phases, trained(arm, FIRST)["rates"], strict=True), 1
        )
    ]
    return pd.DataFrame(rows)


def origin(arms: Sequence[Path], data_by: Literal["name", "path"] = "name") -> dict[str, str]:
    """Return how all of it was made: profile, settings and machine of the trainings, data by name or by path."""
    read = [Arm.read(arm) for arm in arms]
    said, settings = [said_of(arm) for arm in arms], read[0].settings
    runs = [trained(folder, number) for folder, arm in zip(arms, read, strict=True) for number in arm.runs]
    machines = [f"{each['device']} ({each['processor']}), threads of a run: {each['threads']}" for each in runs]
    data = [f"{each[data_by]} {each['digest']}" for arm in said for each in arm["data"]]
    return {
        "Profile": f"{said[0]['profile']} (`micromime profile {said[0]['profile']} && make run`)",
        "Network": f"{settings.architecture}, {settings.precision}, channels last: {settings.channels_last}",
        "Runs": ", ".join(f"{a.name} {arm.settings.runs}" for a, arm in zip(arms, read, strict=True))
        + "; run number = seed",
        "Data": ", ".join(dict.fromkeys(data)),
        "Trained on": "; ".join(dict.fromkeys(machines)),
        "PyTorch": ", ".join(dict.fromkeys(each["torch"] for each in runs)),
    }


def epochs(arms: Sequence[Path]) -> pd.DataFrame:
    """Return a row for every arm, run and epoch: its phase, losses, metrics and speed, without the machine's load."""
    rows = [
        {"arm": arm.name, "run": run, "epoch": number}
        | {key: epoch[key] for key in epoch if not key.startswith("system/")}
        for arm in arms
        for run in Arm.read(arm).runs
        for number, epoch in enumerate(trained(arm, run)["epochs"], 1)
    ]
    return pd.DataFrame(rows)
