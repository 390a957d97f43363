"""What the ablation of a scenario asks for: its settings, its variants, and which of them are compared.

A unit is what is taken out of the scenario together, to see what it is worth. It names that by paths; what is no longer
given has the partial model's default, which does nothing:

partial_model, partial_model.parameter                          of the common section and of every style
styles.partial_model, styles.partial_model.parameter            of every style: what is common holds for all of them
styles.STYLE.partial_model, styles.STYLE.partial_model.parameter   of one style
styles                                                          that parameters vary together: see `styles_apart`
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any, NamedTuple

from pydantic import Field

from micromime.mistakes import Mistake
from micromime.scenario.parameters import Section, one_of, section, typed
from micromime.scenario.scenario import Scenario
from micromime.training.architectures import architectures
from micromime.training.settings import Phase, TrainParameters
from micromime.use_cases import instance_kind

USE_CASE = "grain_boundaries"
KIND = instance_kind(USE_CASE)

ALL, NONE = "all", "none"
"""The variants that others are compared with: the whole scenario, and what is left of it without any unit."""

STYLES, APART = "styles", "styles_apart"

Content = Mapping[str, Any]
"""A scenario as in params.yaml."""

Unit = frozenset[tuple[str | None, str, str]]
"""What is taken out together: style (None: the common section), partial model, parameter; or `TOGETHER`."""

TOGETHER = (None, STYLES, APART)
"""That the parameters of a style belong together."""


class Images(Section):
    """What each run draws; in runs of one number, images differ in nothing but what was taken out."""

    count: int = Field(ge=8, le=100_000, description="Images of each run, drawn anew for each number of a run.")
    side_px: int = Field(ge=32, le=2048, description="Their rows and columns, px.")
    scoring: int = Field(ge=1, le=100_000, description="Of the scoring set, those that a run's threshold is chosen on.")


class Ablation(Section):
    """The settings of the experiment."""

    runs: int = Field(ge=1, le=1000, description="Runs of each variant, paired by their number.")
    images: Images
    phases: tuple[Phase, ...] = Field(strict=False, min_length=1, description="In the place of those of train.")
    units: dict[str, Annotated[list[str], Field(min_length=1)]] = Field(
        description="Name -> paths of what is taken out together."
    )
    settings: dict[str, dict[str, Any]] = Field(description="Name -> keys of train, tried on the whole scenario.")


class Variant(NamedTuple):
    """What runs of one number differ in."""

    name: str
    content: Content
    settings: TrainParameters
    whole: bool = False
    """Whether nothing was taken out: among these variants settings are compared."""


class Gain(NamedTuple):
    """A comparison: what a unit or a setting earns is what variant `a` scores more than `b`."""

    kind: str
    name: str
    a: str
    b: str


class Plan(NamedTuple):
    """All that is trained and compared."""

    asked: Ablation
    usual: TrainParameters
    variants: Mapping[str, Variant]
    """By name: all but for those that are the same as what they would be compared with."""

    @property
    def made(self) -> dict[str, str]:
        """How variants are trained, in words."""
        images = self.asked.images
        return {
            "Network": f"{self.usual.architecture}, {self.usual.epochs} epochs",
            "Images of a run": f"{images.count} of {images.side_px} px a side",
            "Thresholds chosen on": f"{images.scoring} images of the scoring set",
            "Runs": f"{self.asked.runs} of each of {len(self.variants)} variants; run number = seed",
        }

    @property
    def gains(self) -> list[Gain]:
        """What is compared: a unit left out of all, a unit added to none, a setting tried on all."""
        found = [Gain("leave_one_out", name, ALL, f"without_{name}") for name in self.asked.units]
        found += [Gain("add_one_in", name, f"only_{name}", NONE) for name in self.asked.units]
        found += [Gain("settings", name, f"with_{name}", ALL) for name in self.asked.settings]
        return [gain for gain in found if {gain.a, gain.b} <= self.variants.keys()]


def ablation(written: Mapping[str, Any], project: Mapping[str, Any]) -> Plan:
    """Return what params.yaml of the experiment asks for, of the project's scenario and settings of training.

    Raises Mistake for the first thing wrong with it.
    """
    asked, content = typed(Ablation, written, "ablation"), section(project, USE_CASE, "scenario")
    Scenario.read(KIND, content, f"{USE_CASE}.scenario")
    units = units_of(content, asked.units)
    train = section(project, USE_CASE, "train") | {"phases": written["phases"]}
    usual = _settings(train, f"{USE_CASE}.train")
    content = {**content, "rows": asked.images.side_px, "cols": asked.images.side_px}
    whole, bare = without(content), without(content, *units.values())
    contents = {ALL: whole} | ({NONE: bare} if bare != whole else {})
    for name, unit in units.items():
        less = without(content, unit)
        more = without(content, *(each for other, each in units.items() if other != name))
        contents |= {f"without_{name}": less} if less != whole else {}
        contents |= {f"only_{name}": more} if more != bare else {}
    variants = {name: Variant(name, each, usual, name == ALL) for name, each in contents.items()}
    for name, changed in asked.settings.items():
        settings = _settings(train | changed, f"ablation.settings.{name}")
        if settings != usual:
            variants[f"with_{name}"] = Variant(f"with_{name}", whole, settings, True)
    plan = Plan(asked, usual, variants)
    if not plan.gains:
        raise Mistake("ablation names no unit or setting that changes anything; there is nothing to compare.")
    return plan


def _settings(train: Content, where: str) -> TrainParameters:
    settings = typed(TrainParameters, train, where)
    one_of(settings.architecture, architectures("mask"), f"{where}.architecture")
    if settings.rates is None:
        raise Mistake(f"{where}.phases: give every peak_rate as a number, so that all variants have the same.")
    return settings


def units_of(content: Content, written: Mapping[str, Sequence[str]]) -> dict[str, Unit]:
    """Return the units by name. What several of them name belongs to the first; so nothing is in two of them.

    Raises Mistake for a path that names nothing known, or what cannot be taken out.
    """
    found: dict[str, Unit] = {}
    for name, paths in written.items():
        named = frozenset(place for path in paths for place in _named(content, name, path))
        found[name] = named.difference(*found.values())
    return found


def _named(content: Content, unit: str, path: str) -> Iterator[tuple[str | None, str, str]]:
    """Yield what a path names."""
    if path == STYLES:
        yield TOGETHER
        return
    where, models, words = f"ablation.units.{unit}: {path!r}", KIND.partial_models(), path.split(".")
    sections = {None: content, **content.get(STYLES, {})}
    if words[0] == STYLES:
        words = words[1:]
        named = words.pop(0) if words[0] in sections else None
        sections = {style: each for style, each in sections.items() if style and named in (None, style)}
    if not 1 <= len(words) <= 2:
        raise Mistake(f"{where} is no path; give partial_model, or partial_model.parameter, also with styles. ahead.")
    one_of(words[0], models, where)
    fields = models[words[0]].model_fields
    for parameter in words[1:]:
        one_of(parameter, fields, where)
    for style, each in sections.items():
        for key in each.get(words[0], {}).keys() & set(words[1:] or fields):
            if style is None and fields[key].is_required():
                said = f"{where} would take out {words[0]}.{key}, which every scenario must give"
                raise Mistake(f"{said}; name styles.{words[0]}.{key}, which takes out what styles say of it.")
            yield style, words[0], key


def without(content: Content, *units: Unit) -> dict[str, Any]:
    """Return a scenario's section without units, and without what is then empty: models, or styles that say nothing.

    Styles of weight 0 are left out, too: sections that draw the same are equal.
    """
    out = Unit().union(*units)

    def left(tree: Content, style: str | None) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for model, given in tree.items():
            if not isinstance(given, Mapping):  # rows, cols, weight
                found[model] = given
            elif kept := {key: law for key, law in given.items() if (style, model, key) not in out}:
                found[model] = kept
        return found

    common = left({key: each for key, each in content.items() if key not in (STYLES, APART)}, None)
    styles = {name: left(each, name) for name, each in content.get(STYLES, {}).items() if each.get("weight") != 0}
    if all(each.keys() <= {"weight"} for each in styles.values()):
        return common
    apart = content.get(APART, False) or TOGETHER in out
    return common | {STYLES: styles} | ({APART: True} if apart else {})
