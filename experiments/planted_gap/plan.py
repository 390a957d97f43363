"""What the planted gap runs: its experiments, its settings, every run, and what decides each."""

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
from pydantic import Field

from experiments.runs import VERSIONS
from micromime.mistakes import Mistake
from micromime.project.work import fingerprint
from micromime.sampling.sampler import Proposal, Sampler, Scored, fresh
from micromime.sampling.samplers import read_sampler
from micromime.scenario.distributions import Value
from micromime.scenario.parameters import Section, distributions, one_of, read_tree, typed
from micromime.scenario.scenario import Instance, Scenario
from micromime.training.settings import Augmentation, Phase, TrainParameters
from micromime.use_cases import instance_kind

KIND = instance_kind("grain_boundaries")

CONTROL, ORACLE = "random", "oracle"
"""Samplers that are always there: what all are compared with, and what draws from the test's scenario."""

SAMPLING = 1
"""Raised by hand when a sampler, or this experiment, comes to ask for other images or to measure otherwise."""


@dataclass(frozen=True)
class Experiment:
    """What one experiment trains on and tests on, and what makes an instance one of the mode: as in params.yaml."""

    training: dict[str, Any]
    test: dict[str, Any]
    mode: dict[str, Any]

    @cached_property
    def scenarios(self) -> tuple[Scenario[Any], Scenario[Any]]:
        """The scenario of training and that of the test."""
        training, test = (Scenario.read(KIND, each, "planted_gap") for each in (self.training, self.test))
        return training, test

    def of_mode(self, instance: Instance) -> bool:
        """Return whether an instance lies where the mode's style draws from, whichever style or sampler it is from."""
        row = instance.row()
        return all(min(limits) <= row[name] <= max(limits) for name, limits in self._limits.items())

    @cached_property
    def _limits(self) -> dict[str, tuple[Value, ...]]:
        read = {name: distributions(each, name) for name, each in self.mode.items()}
        return {f"{name}.{key}": law.limits() for name, laws in read.items() for key, law in laws.items()}


EXPERIMENTS = {
    name: Experiment(**written)
    for name, written in read_tree(Path(__file__).with_name("scenarios.yaml"))["experiments"].items()
}
"""By name, in the order of every table."""

SIDE_PX: int = EXPERIMENTS["gap"].test["rows"]


class Oracle(Sampler):
    """Knows what the test is drawn from, as no sampler can: what there is to be gained at most."""

    scenario: dict[str, Any]
    """That of the test itself, as in params.yaml."""

    def propose(self, scenario: Scenario[Any], scored: Scored, count: int, rng: np.random.Generator) -> list[Proposal]:  # noqa: ARG002 - blind on purpose
        """Return `count` fresh draws from the given scenario."""
        return fresh(Scenario.read(scenario.kind, self.scenario, "oracle"), count, rng)


class Images(Section):
    """How many images each set has."""

    base: int = Field(ge=16, le=100_000, description="What the common network of a seed begins with.")
    round: int = Field(ge=1, le=100_000, description="New images of each round.")
    scoring: int = Field(ge=2, le=100_000, description="What the samplers see the scores of; drawn as the base.")
    test: int = Field(ge=2, le=100_000, description="The test, of which the mode has its share.")
    training: int = Field(ge=2, le=100_000, description="Tested on besides: drawn as the base, seen by no sampler.")


class Cell(NamedTuple):
    """One run: a base network of this seed, and what became of it."""

    experiment: str
    sampler: str
    run: int
    """Its number, and its seed."""

    @property
    def record(self) -> tuple[str, int]:
        """Arm and number of its record."""
        return f"{self.experiment}-{self.sampler}", self.run


class PlantedGap(Section):
    """The settings of the experiments."""

    runs: int = Field(ge=1, le=10_000, description="Runs of each sampler, each paired with one of random.")
    rounds: int = Field(ge=1, le=20, description="Rounds of each run, one after the other.")
    images: Images
    architecture: str = Field(description="A file of training/architectures that finds masks.")
    base: Phase
    finetune: Phase
    rehearsal_share: float = Field(ge=0, le=0.9, description="Share of a round's images that earlier sets have.")
    score: Literal["mean_iou", "boundary_f1"] = Field(description="The metric that the samplers go by.")
    samplers: dict[str, dict[str, Any]] = Field(description="Name -> one key, a sampler, with its settings.")
    experiments: dict[Literal["gap", "no_gap", "trap", "hidden"], list[str]] = Field(
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

    def training(self, phase: Phase) -> TrainParameters:
        """Return how the common network of a seed is trained, or goes on in each round; on one thread."""
        still = Augmentation(rotation_deg=0.0, zoom=1.0, lighting=0.0, stretch=1.0, jitter_px=0.0)
        given: dict[str, Any] = {"architecture": self.architecture, "augmentation": still, "phases": (phase,)}
        plain = {"runs": 1, "validation_share": 0.05, "threads": 1, "finder_steps": 20}
        return TrainParameters(precision="float32", channels_last=True, **plain, **given)

    def sampler(self, experiment: str, name: str) -> Sampler:
        """Return a sampler of an experiment; the oracle is given the test's scenario."""
        if name == ORACLE:
            return Oracle(scenario=EXPERIMENTS[experiment].test)
        written = {"random_draws": {}} if name == CONTROL else self.samplers[name]
        return read_sampler(written, f"planted_gap.samplers.{name}")

    @property
    def stopping(self) -> list[str]:
        """Names of the samplers that have a stop rule."""
        return [name for name in self.samplers if getattr(self.sampler("gap", name), "stop_below", None) is not None]

    def cells(self) -> Iterator[Cell]:
        """Yield every run there is to be: seed by seed, so that what is stopped has something of all."""
        for run in range(1, self.runs + 1):
            for experiment, tried in self.experiments.items():
                yield from (Cell(experiment, name, run) for name in ([CONTROL, *tried] if tried else []))

    def inputs_of(self, cell: Cell) -> str:
        """Return the hash of all that decides what comes out of a run, but for the machine's kind."""
        settings = self.model_dump(exclude={"runs", "samplers", "experiments"})
        sampler = self.sampler(cell.experiment, cell.sampler)
        asked = [type(sampler).__name__, sampler.model_dump(exclude_defaults=True)]
        return fingerprint(settings, asdict(EXPERIMENTS[cell.experiment]), asked, cell.run, [*VERSIONS, SAMPLING])


def planted_gap(written: Mapping[str, Any]) -> PlantedGap:
    """Return the settings that params.yaml holds; Mistake for the first thing wrong with them."""
    asked = typed(PlantedGap, written, "planted_gap")
    for name in asked.samplers:
        asked.sampler("gap", name).check(KIND, f"planted_gap.samplers.{name}")
    if not any(asked.experiments.values()):
        raise Mistake("planted_gap.experiments tries no sampler; name one.")
    for experiment, names in asked.experiments.items():
        known = [*asked.samplers, *([] if experiment == "no_gap" else [ORACLE])]  # there it would be random
        for name in names:
            one_of(name, known, f"planted_gap.experiments.{experiment}")
    return asked
