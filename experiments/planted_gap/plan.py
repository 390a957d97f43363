"""What the planted gap runs: its settings, every run of every experiment and sampler, and what decides each."""

from collections.abc import Iterator, Mapping
from importlib.metadata import version
from typing import Any, Literal, NamedTuple

from pydantic import Field

from experiments.planted_gap.scenarios import EXPERIMENTS, SIDE_PX, USE_CASE
from micromime.judging.metrics import LOWER_IS_BETTER, SEGMENTATION
from micromime.mistakes import Mistake
from micromime.project.work import code_of, fingerprint
from micromime.sampling.sampler import Clustered, Sampler
from micromime.sampling.samplers import read_sampler
from micromime.scenario.parameters import Section, one_of, section, typed
from micromime.training.architectures import architectures
from micromime.training.settings import Augmentation, Phase, TrainParameters
from micromime.use_cases import instance_kind

CONTROL, ORACLE = "random", "oracle"
"""Samplers that are always there: what all are compared with, and what draws from the test's scenario."""

ExperimentName = Literal["gap", "no_gap", "trap", "hidden"]

DECIDING = (
    "boundary_lines",
    "datasets/rehearsal",
    "datasets/splits",
    "distributions",
    "evaluation/metrics",
    "partial_model",
    "perlin",
    "sampler",
    "scenario",
    f"scenarios/{USE_CASE}",
    "stages/planted_gap_run",
    "streams",
    "training/augmentation",
    "training/callbacks",
    "training/learner",
    "training/loaders",
    "training/losses",
    "training/networks",
    "training/resizing",
    "training/targets",
)
"""Code that decides what comes out of a run, besides partial models, architecture and sampler."""


class Images(Section):
    """How many images each set has."""

    base: int = Field(ge=16, le=100_000, description="What the common network of a seed begins with.")
    round: int = Field(ge=1, le=100_000, description="New images of each round.")
    scoring: int = Field(ge=2, le=100_000, description="What the samplers see the scores of; drawn as the base.")
    test: int = Field(ge=2, le=100_000, description="The test, of which the mode has its share.")
    training: int = Field(ge=2, le=100_000, description="Tested on besides: drawn as the base, seen by no sampler.")


class PlantedGapParameters(Section):
    """The controlled demonstration of samplers: `<use case>.planted_gap`."""

    runs: int = Field(ge=0, le=10_000, description="Runs of each sampler, each paired with one of random; 0: none.")
    rounds: int = Field(ge=1, le=20, description="Rounds of each run, one after the other.")
    images: Images
    architecture: str = Field(description="A file of training/architectures that finds masks.")
    base: Phase
    finetune: Phase
    rehearsal_share: float = Field(ge=0, le=0.9, description="Share of a round's images that earlier sets have.")
    score: str = Field(description="The metric that the samplers go by.")
    samplers: dict[str, dict[str, Any]] = Field(description="Name -> one key, a sampler, with its settings.")
    experiments: dict[ExperimentName, list[str]] = Field(
        description="Experiment -> which of the samplers it tries besides random; oracle is one, too."
    )

    @property
    def made(self) -> dict[str, str]:
        """How runs are made, in words."""
        images = self.images
        return {
            "Network": f"{self.architecture}, {SIDE_PX} px; {self.base.epochs} epochs, {self.finetune.epochs} a round",
            "Images of a run": f"{images.base} to begin with, {images.round} new ones a round",
            "Rehearsed": f"{100 * self.rehearsal_share:.0f} % of what a round trains on",
            "Scored and tested on": f"{images.scoring} that samplers see the scores of, {images.test} of the test, "
            f"{images.training} fresh ones of the training distribution",
            "Runs": f"{self.runs} of each sampler; run number = seed",
        }

    @property
    def training(self) -> TrainParameters:
        """How the common network of a seed is trained."""
        still = Augmentation(rotation_deg=0.0, zoom=1.0, lighting=0.0, stretch=1.0, jitter_px=0.0)
        return TrainParameters(
            architecture=self.architecture,
            runs=1,
            validation_share=0.05,
            precision="float32",
            channels_last=True,
            threads=1,
            finder_steps=20,
            augmentation=still,
            phases=(self.base,),
        )

    @property
    def finetuning(self) -> TrainParameters:
        """How it goes on in each round."""
        return self.training.model_copy(update={"phases": (self.finetune,)})

    def written(self, experiment: str, sampler: str) -> dict[str, Any]:
        """Return a sampler as params.yaml would have it; the oracle is given the test's scenario."""
        if sampler == ORACLE:
            return {"oracle": {"scenario": EXPERIMENTS[experiment].test}}
        return {"random_draws": {}} if sampler == CONTROL else self.samplers[sampler]

    def sampler(self, experiment: str, name: str) -> Sampler:
        """Return a sampler of an experiment."""
        return read_sampler(self.written(experiment, name), f"planted_gap.samplers.{name}")

    @property
    def stopping(self) -> list[str]:
        """Names of the samplers that have a stop rule."""
        settings = {name: next(iter(each.values())) or {} for name, each in self.samplers.items()}
        return [name for name, each in settings.items() if each.get("stop_below") is not None]


class Cell(NamedTuple):
    """One run: a base network of this seed, and what became of it."""

    experiment: str
    sampler: str
    seed: int


def planted_gap(tree: Mapping[str, Any], use_case: str) -> PlantedGapParameters:
    """Return the settings under a use case; Mistake for the first thing wrong with them."""
    where = f"{use_case}.planted_gap"
    asked = typed(PlantedGapParameters, section(dict(tree), use_case, "planted_gap"), where)
    one_of(asked.architecture, architectures("mask"), f"{where}.architecture")
    one_of(asked.score, set(SEGMENTATION) - LOWER_IS_BETTER, f"{where}.score")
    for phase in ("base", "finetune"):
        if getattr(asked, phase).size_px != SIDE_PX or getattr(asked, phase).peak_rate == "find":
            raise Mistake(f"{where}.{phase}: give size_px {SIDE_PX}, as the images have it, and peak_rate as a number.")
    for name, written in asked.samplers.items():
        if not name.isidentifier() or name in (CONTROL, ORACLE):
            raise Mistake(f"{where}.samplers: {name!r} cannot be the name of one; use another word.")
        place = f"{where}.samplers.{name}"
        read_sampler(written, place).check(instance_kind(USE_CASE), f"{place}.{next(iter(written))}")
    _check_experiments(asked, f"{where}.experiments")
    return asked


def _check_experiments(asked: PlantedGapParameters, where: str) -> None:
    if asked.runs and not any(asked.experiments.values()):
        raise Mistake(f"{where} tries no sampler; name one, or ask for 0 runs.")
    for experiment, names in asked.experiments.items():
        if experiment == "no_gap" and ORACLE in names:
            raise Mistake(f"{where}.no_gap: oracle draws what random draws there; leave it out.")
        for name in names:
            one_of(name, [*asked.samplers, ORACLE], f"{where}.{experiment}")


def cells(asked: PlantedGapParameters) -> Iterator[Cell]:
    """Yield every run there is to be: seed by seed, so that what is stopped has something of all."""
    for seed in range(1, asked.runs + 1):
        for experiment in EXPERIMENTS:
            tried = asked.experiments.get(experiment, ())  # type: ignore[call-overload]
            for name in (CONTROL, *tried) if tried else ():
                yield Cell(experiment, name, seed)


def inputs_of(asked: PlantedGapParameters, cell: Cell) -> str:
    """Return the hash of all that decides what comes out of a run, but for the machine's kind."""
    settings = asked.model_dump(exclude={"runs", "samplers", "experiments"})
    experiment, written = EXPERIMENTS[cell.experiment], asked.written(cell.experiment, cell.sampler)
    drawn = [experiment.training, experiment.test, experiment.mode]
    versions = {name: version(name) for name in ("numpy", "scipy", "numba", "scikit-learn")}
    return fingerprint(settings, drawn, written, cell.seed, code_of(*_deciding(asked, cell)), versions)


def _deciding(asked: PlantedGapParameters, cell: Cell) -> list[str]:
    sampler = asked.sampler(cell.experiment, cell.sampler)
    own = [each.__module__.removeprefix("micromime.").replace(".", "/") for each in type(sampler).__mro__]
    return [
        *DECIDING,
        f"training/architectures/{asked.architecture}",
        *(f"partial_models/{name}" for name in instance_kind(USE_CASE).partial_models()),
        *(name for name in own if name.startswith("samplers/")),
        *(["parameter_space"] if isinstance(sampler, Clustered) else []),
    ]
