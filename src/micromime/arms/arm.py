"""An arm: runs that differ in nothing but their seed, and all that decides what their networks become."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from micromime.datasets.rehearsal import Rehearsed
from micromime.datasets.store import Dataset
from micromime.mistakes import Mistake
from micromime.project.versions import DataVersion, data_version, revision
from micromime.project.work import code_of, fingerprint
from micromime.scenario.parameters import read_tree, section, typed
from micromime.scenario.streams import stream
from micromime.tracking.mlflow_arm import RunDescription
from micromime.training.architectures import finds
from micromime.training.settings import FinetuneParameters, TrainParameters

FIRST = 1
"""The run that finds the learning rates for all others."""

DECIDING = (
    "datasets/splits",
    "datasets/store",
    "streams",
    "training/augmentation",
    "training/callbacks",
    "training/learner",
    "training/loaders",
    "training/resizing",
)
"""Code that decides what a network becomes; what else a run imports (tracking, say) leaves its weights as they are."""

DECIDING_MASKS = ("training/losses", "training/targets")
"""The same of networks that find masks."""

DECIDING_REHEARSAL = ("datasets/rehearsal",)
"""The same where samples seen before are rehearsed."""


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
        try:
            written = json.loads((folder / "arm.json").read_text())
            settings = TrainParameters.model_validate(written["params"]["train"])
            start = Path(written["start"]) if written["start"] else None
            rates = tuple(written["rates"]) if written["rates"] else None
            beside = Path(written["beside"]) if written["beside"] else None
            data = Path(written["data"][0]["path"])
            return cls(written["use_case"], written["arm"], settings, data, start, rates, beside)
        except FileNotFoundError:
            raise Mistake(
                f"{folder} holds no arm.json; train an arm to it first, for example with `make run`."
            ) from None
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
        before = Arm.read(self.start).fingerprint if self.start else None
        return fingerprint(settings, self.data / "dataset.json", before, code_of(*self._deciding))

    @property
    def _deciding(self) -> list[str]:
        """The code that its networks depend on."""
        masks = finds(self.settings.architecture) == "mask"
        code = [*DECIDING, f"training/architectures/{self.settings.architecture}"]
        code += DECIDING_MASKS if masks else ()
        return [*code, *DECIDING_REHEARSAL] if self.settings.rehearsal_share > 0 else code

    @property
    def earlier(self) -> list[Path]:
        """The data sets of all arms that it goes on with, the first of them first."""
        if self.start is None:
            return []
        before = Arm.read(self.start)
        return [*before.earlier, before.data]

    def dataset(self, run: int) -> Dataset | Rehearsed:
        """Return what a run trains on: the arm's data set, and what the run rehearses of those before."""
        share = self.settings.rehearsal_share
        if share == 0:
            return Dataset(self.data)
        earlier = [Dataset(each) for each in self.earlier]
        return Rehearsed(Dataset(self.data), earlier, share, stream(run, "rehearsal"))

    def inputs(self, run: int) -> str:
        """Return the hash of all that decides the network of one run; rates that were found are part of it."""
        before = trained(self.start, run)["inputs"] if self.start else None
        return fingerprint(self.fingerprint, run, before, None if run == FIRST else self.rates)

    def settings_of(self, run: int) -> TrainParameters:
        """Return the settings of one run: where the first run has found the rates, the others are given them."""
        return self.settings if run == FIRST or self.rates is None else self.settings.with_rates(self.rates)

    def written(self, described: RunDescription) -> dict[str, Any]:
        """Return arm.json: what `read` needs, and what finds the runs in MLflow or makes them there."""
        kept = ("use_case", "arm", "profile", "fingerprint", "base", "params")
        return {
            **{key: getattr(described, key) for key in kept},
            "data": [each._asdict() for each in described.data],
            "start": self.start.as_posix() if self.start else None,
            "beside": self.beside.as_posix() if self.beside else None,
            "rates": self.rates,
        }


def planned_arm(tree: dict[str, Any], use_case: str, data: Path, out: Path, start: Path | None) -> Arm:
    """Return the arm that params.yaml describes; where `start` is given, one that goes on with that arm's networks."""
    settings = typed(TrainParameters, section(tree, use_case, "train"), f"{use_case}.train")
    if start:
        asked = typed(FinetuneParameters, section(tree, use_case, "finetune"), f"{use_case}.finetune")
        settings = settings.finetuning(asked)
        trained_runs = Arm.read(start).settings.runs
        if settings.runs > trained_runs:
            raise Mistake(
                f"{use_case}.finetune.runs is {settings.runs}, but {start} has {trained_runs} networks to go on with; "
                "lower it, or raise train.runs."
            )
    return Arm(use_case, out.name, settings, data, start)


def describe(arm: Arm, profile: str) -> RunDescription:
    """Return what MLflow is told of an arm: settings of the data set and of the training, versions of both."""
    description = Dataset(arm.data).description
    origin = {key: description.get(key) for key in ("scenario", "count", "seed", "parent", "sampler")}
    origin |= {key: description[key] for key in ("part", "specimens") if key in description}
    return RunDescription(
        use_case=arm.use_case,
        arm=arm.name,
        profile=profile,
        fingerprint=arm.fingerprint,
        params={"data": origin, "train": arm.settings.model_dump()},
        data=(data_version(arm.data.name, arm.data),),
        revision=revision(),
        base=Arm.read(compared).fingerprint if (compared := arm.start or arm.beside) else "",
    )


def described(folder: Path) -> RunDescription:
    """Return what MLflow was told of the arm that was trained to a folder."""
    Arm.read(folder)  # says so if there is none
    written = json.loads((folder / "arm.json").read_text())
    kept = {key: written[key] for key in ("use_case", "arm", "profile", "fingerprint", "base", "params")}
    return RunDescription(**kept, data=tuple(DataVersion(**each) for each in written["data"]), revision=revision())


def run_folder(arm: Path, run: int) -> Path:
    """Return where a run of an arm lies: run.json, and the network unless it was taken from its record."""
    return arm / f"run-{run:03d}"


def trained(arm: Path, run: int) -> dict[str, Any]:
    """Return what run.json says of a run."""
    written: dict[str, Any] = json.loads((run_folder(arm, run) / "run.json").read_text())
    return written


def profile_of(params: Path) -> str:
    """Return the name of the profile in a parameter file."""
    return str(read_tree(params).get("profile", ""))
