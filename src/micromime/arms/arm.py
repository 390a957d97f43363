"""An arm: runs that differ in nothing but their seed, and all that decides what their networks become."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from micromime.datasets.rehearsal import EARLIER, Rehearsed, earlier_names
from micromime.datasets.store import Dataset, identity
from micromime.mistakes import Mistake
from micromime.project.results import LEARNER
from micromime.project.versions import data_version
from micromime.project.work import fingerprint
from micromime.scenario.streams import stream
from micromime.training.settings import FinetuneParameters, TrainParameters

FIRST = 1
"""The run that finds the learning rates for all others."""


@dataclass(frozen=True)
class Arm:
    """The runs of one arm, before or after they were trained."""

    use_case: str
    name: str
    settings: TrainParameters
    data: Path
    start: Path | None = None
    """Folder of the arm whose networks it goes on with, run by run."""
    rates: tuple[float, ...] | None = None
    """The peak rates that the first run has found, once it has."""
    beside: Path | None = None
    """Folder of an arm that it is compared with though it does not go on with it."""

    @classmethod
    def read(cls, folder: Path) -> Self:
        """Return the arm that was trained to a folder; Mistake if none was."""
        written = said_of(folder)
        try:
            settings = TrainParameters.model_validate(written["params"]["train"])
            start, beside = (Path(written[key]) if written[key] else None for key in ("start", "beside"))
            rates = tuple(written["rates"]) if written["rates"] else None
            data = Path(written["data"][0]["path"])
            return cls(written["use_case"], written["arm"], settings, data, start, rates, beside)
        except (ValueError, LookupError, TypeError):
            raise Mistake(f"{folder / 'arm.json'} is damaged, or of another version; train the arm anew.") from None

    @property
    def runs(self) -> range:
        """The numbers of its runs."""
        return range(FIRST, self.settings.runs + 1)

    @property
    def fingerprint(self) -> str:
        """Hash of all that its runs have in common and that decides their networks; their number is no part of it."""
        settings = self.settings.model_dump(exclude={"runs"}, exclude_defaults=True)
        before = said_of(self.start)["fingerprint"] if self.start else None
        return fingerprint(settings, identity(self.data), before, LEARNER)

    def inputs(self, run: int) -> str:
        """Return the hash of all that decides the network of one run; rates that were found are part of it."""
        before = trained(self.start, run)["inputs"] if self.start else None
        return fingerprint(self.fingerprint, run, before, None if run == FIRST else self.rates)

    def settings_of(self, run: int) -> TrainParameters:
        """Return the settings of one run: where the first run has found the rates, the others are given them."""
        return self.settings if run == FIRST or self.rates is None else self.settings.with_rates(self.rates)

    def dataset(self, run: int) -> Dataset | Rehearsed:
        """Return what a run trains on: the arm's data set, and what the run rehearses of those before."""
        share = self.settings.rehearsal_share
        if share == 0:
            return Dataset(self.data)
        earlier = [Dataset(self.data / EARLIER / name) for name in earlier_names(self.data)]
        return Rehearsed(Dataset(self.data), earlier, share, stream(run, "rehearsal"))

    def written(self, profile: str) -> dict[str, Any]:
        """Return arm.json: what `read` needs, what MLflow is told of the arm, and what it was made from."""
        drawn = Dataset(self.data).description
        kept = ("scenario", "count", "seed", "parent", "sampler", "part", "specimens")
        compared = self.start or self.beside
        return {
            "use_case": self.use_case,
            "arm": self.name,
            "profile": profile,
            "fingerprint": self.fingerprint,
            "base": said_of(compared)["fingerprint"] if compared else "",
            "params": {
                "data": {key: drawn[key] for key in kept if key in drawn},
                "train": self.settings.model_dump(mode="json"),
            },
            "data": [data_version(self.data.name, self.data) | {"identity": identity(self.data)}],
            "start": self.start.as_posix() if self.start else None,
            "beside": self.beside.as_posix() if self.beside else None,
            "rates": self.rates,
        }


def planned_arm(tree: dict[str, Any], use_case: str, data: Path, out: Path, start: Path | None) -> Arm:
    """Return the arm that params.yaml describes; where `start` is given, one that goes on with that arm's networks."""
    settings = TrainParameters.of(tree, use_case, "train")
    if start:
        settings = settings.finetuning(FinetuneParameters.of(tree, use_case, "finetune"))
        trained_runs = Arm.read(start).settings.runs
        if settings.runs > trained_runs:
            raise Mistake(
                f"{use_case}.finetune.runs is {settings.runs}, but {start} has {trained_runs} networks to go on with; "
                "lower it, or raise train.runs."
            )
    return Arm(use_case, out.name, settings, data, start)


def said_of(folder: Path) -> dict[str, Any]:
    """Return what arm.json says of the arm that was trained to a folder; Mistake if none was."""
    file = folder / "arm.json"
    try:
        return json.loads(file.read_text())
    except (FileNotFoundError, NotADirectoryError):
        advice = "name the folder of an arm that was trained, bring this one with `micromime pull`, or train it"
        raise Mistake(f"{folder} holds no arm.json; {advice} with `make run`.") from None
    except ValueError:
        raise Mistake(f"{file} is damaged, or of another version; train the arm anew.") from None


def run_folder(arm: Path, run: int) -> Path:
    """Return where a run of an arm lies: run.json, and the network unless it was taken from its record."""
    return arm / f"run-{run:03d}"


def trained(arm: Path, run: int) -> dict[str, Any]:
    """Return what run.json says of a run; Mistake where there is none."""
    file = run_folder(arm, run) / "run.json"
    try:
        return json.loads(file.read_text())
    except FileNotFoundError:
        raise Mistake(f"{file} is not there; the runs of {arm} are 1 to {Arm.read(arm).settings.runs}.") from None
