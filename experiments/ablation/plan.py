"""What the ablation of a scenario asks for: its settings, its variants, and which of them are compared."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, reduce
from operator import or_
from typing import Annotated, Any, NamedTuple

from pydantic import Field

from experiments.ablation.units import Content, Unit, units_of, without
from micromime.mistakes import Mistake
from micromime.scenario.parameters import Section, one_of, section, typed
from micromime.scenario.scenario import Scenario
from micromime.training.architectures import architectures
from micromime.training.settings import Phase, TrainParameters
from micromime.use_cases import instance_kind

ALL, NONE = "all", "none"
"""The variants that others are compared with: the whole scenario, and what is left of it without any unit."""

WITHOUT_EFFECT = frozenset({"runs", "rehearsal_share"})
"""Keys of train that no setting can try: runs are the ablation's, and there are no images before to rehearse."""

USUAL = ""
"""The settings that are those of train."""


class AblationImages(Section):
    """What each run draws; in runs of one number, images differ in nothing but what was taken out."""

    count: int = Field(ge=8, le=100_000, description="Images of each run, drawn anew for each number of a run.")
    side_px: int = Field(ge=32, le=2048, description="Their rows and columns, px.")
    scoring: int = Field(ge=1, le=100_000, description="Of the scoring set, those that a run's threshold is chosen on.")


class ScenarioAblation(Section):
    """What each unit of a scenario is worth: `<use case>.ablation`."""

    runs: int = Field(ge=0, le=1000, description="Runs of each variant, paired by their number; 0: none.")
    images: AblationImages
    phases: tuple[Phase, ...] = Field(strict=False, min_length=1, description="In the place of those of train.")
    units: dict[str, Annotated[list[str], Field(min_length=1)]] = Field(
        description="Name -> paths of what is taken out together."
    )
    settings: dict[str, dict[str, Any]] = Field(description="Name -> keys of train, tried on the whole scenario.")


class Variant(NamedTuple):
    """What runs of one number differ in."""

    name: str
    content: Content
    """The scenario, as in params.yaml."""
    settings: TrainParameters
    whole: bool = False
    """Whether nothing was taken out: among these variants settings are compared."""


class Gain(NamedTuple):
    """A comparison: what a unit or a setting earns is what variant `a` scores more than `b`."""

    kind: str
    name: str
    a: str
    b: str


@dataclass(frozen=True)
class Plan:
    """All that is trained and compared."""

    asked: ScenarioAblation
    content: Content
    """The whole scenario, as in params.yaml."""
    units: Mapping[str, Unit]
    settings: Mapping[str, TrainParameters]
    """As usual, and by name with what is tried."""

    @property
    def made(self) -> dict[str, str]:
        """How variants are trained, in words."""
        images, usual = self.asked.images, self.settings[USUAL]
        epochs = sum(phase.epochs for phase in usual.phases)
        return {
            "Network": f"{usual.architecture}, {epochs} epochs",
            "Images of a run": f"{images.count} of {images.side_px} px a side",
            "Thresholds chosen on": f"{images.scoring} images of the scoring set",
            "Runs": f"{self.asked.runs} of each of {len(self.variants)} variants; run number = seed",
        }

    @cached_property
    def variants(self) -> dict[str, Variant]:
        """Every variant by its name, but for those that are the same as what they would be compared with."""
        whole, bare = self._without(), self._without(*self.units)
        contents = {ALL: whole} | ({NONE: bare} if bare != whole else {})
        for name in self.units:
            less, more = self._without(name), self._without(*(self.units.keys() - {name}))
            contents |= {f"without_{name}": less} if less != whole else {}
            contents |= {f"only_{name}": more} if more != bare else {}
        usual = self.settings[USUAL]
        found = {name: Variant(name, content, usual, whole=name == ALL) for name, content in contents.items()}
        tried = {f"with_{name}": settings for name, settings in self.settings.items() if settings != usual}
        return found | {name: Variant(name, whole, settings, whole=True) for name, settings in tried.items()}

    @property
    def gains(self) -> list[Gain]:
        """What is compared: a unit left out of all, a unit added to none, a setting tried on all."""
        found = [Gain("leave_one_out", name, ALL, f"without_{name}") for name in self.units]
        found += [Gain("add_one_in", name, f"only_{name}", NONE) for name in self.units]
        found += [Gain("settings", name, f"with_{name}", ALL) for name in self.asked.settings]
        return [gain for gain in found if {gain.a, gain.b} <= self.variants.keys()]

    @property
    def cells(self) -> Iterator[tuple[Variant, int]]:
        """Every run there is to be: number by number, so that what is stopped has something of all."""
        for run in range(1, self.asked.runs + 1):
            for variant in self.variants.values():
                yield variant, run

    def _without(self, *names: str) -> Content:
        side = self.asked.images.side_px
        square = {**self.content, "rows": side, "cols": side}
        return without(square, reduce(or_, (self.units[name] for name in names), Unit()))


def ablation(tree: Mapping[str, Any], use_case: str) -> Plan:
    """Return what params.yaml asks for under a use case; Mistake for the first thing wrong with it."""
    where, kind = f"{use_case}.ablation", instance_kind(use_case)
    written, content = (section(dict(tree), use_case, key) for key in ("ablation", "scenario"))
    asked = typed(ScenarioAblation, written, where)
    for name in (*asked.units, *asked.settings):
        if not name.isidentifier():
            raise Mistake(f"{where}: {name!r} cannot be the name of a unit or setting; use letters and digits.")
    _check_rates(asked.phases, where)
    Scenario.read(kind, content, f"{use_case}.scenario")
    units = units_of(kind, content, asked.units, f"{where}.units")
    train = section(dict(tree), use_case, "train") | {"phases": written["phases"]}
    settings = {USUAL: typed(TrainParameters, train, f"{use_case}.train")}
    for name, changed in asked.settings.items():
        settings[name] = _setting(train, changed, f"{where}.settings.{name}")
    return Plan(asked, content, units, settings)


def _setting(train: Content, changed: Content, where: str) -> TrainParameters:
    for key in WITHOUT_EFFECT & changed.keys():
        raise Mistake(f"{where}.{key} has no effect in an ablation; leave it out.")
    setting = typed(TrainParameters, {**train, **changed}, where)
    one_of(setting.architecture, architectures("mask"), f"{where}.architecture")
    _check_rates(setting.phases, where)
    return setting


def _check_rates(phases: Sequence[Phase], where: str) -> None:
    for number, phase in enumerate(phases):
        if phase.peak_rate == "find":
            raise Mistake(f"{where}.phases.{number}.peak_rate: give a number, so that all variants have the same.")
