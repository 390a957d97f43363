"""Scenario -> Instance -> Sample: the nouns of Figure 1 in Trampert et al. 2021."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Generic, NamedTuple, Self, TypeVar, overload

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from micromime.mistakes import Mistake
from micromime.scenario.arrays import Image, Labels, Mask
from micromime.scenario.distributions import Constant, Distribution
from micromime.scenario.parameters import distributions, unknown_key
from micromime.scenario.partial_model import PartialModel, Quantiles, Step, check_distributions, draw, quantiles, vary
from micromime.scenario.streams import LARGEST_SEED, stream


@dataclass(frozen=True)
class Sample:
    """One image with its exact label; all arrays have the same (rows, cols)."""

    image: Image
    mask: Mask
    labels: Labels | None = None
    """Where there are objects: number of the object at each pixel, 1 to n without gaps."""


class Instance(BaseModel):
    """Everything fixed: one value for each parameter of each partial model, and the seed of all the rest.

    A use case subclasses it with a field for each of its partial models and says how they render.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)
    largest_side: ClassVar[int] = 8192
    classes: ClassVar[tuple[str, ...]] = ()
    """Where an image belongs to a class: their names, that of nothing to be found first. The class is then a field
    `label` of the instance, and a data set has as many of each."""

    rows: int = Field(ge=8, le=largest_side, description="Height of the image, in pixels.")
    cols: int = Field(ge=8, le=largest_side, description="Width of the image, in pixels.")
    seed: int = Field(ge=0, le=LARGEST_SEED, description="Seed of every stream that rendering draws from.")
    style: str = Field("", description="The style it was drawn from; empty where the scenario has none.")

    def render(self) -> Sample:
        """Return the sample: a pure function of the values above."""
        raise NotImplementedError

    @classmethod
    def render_all(cls, instances: Sequence[Self]) -> list[Sample]:
        """Return the sample of each instance: as `render` does, where together is faster than one by one."""
        return [each.render() for each in instances]

    def stream(self, name: str) -> np.random.Generator:
        """Return the random stream of one partial model of this instance."""
        return stream(self.seed, name)

    def varied(self, within: Mapping[str, Mapping[str, Step]], keep_seed: bool, rng: np.random.Generator) -> Self:
        """Return an instance nearby: `within` says for each partial model how far each of its parameters may move.

        With a new seed (from `rng`) geometry, texture and noise are others too; with the same seed only what `within`
        names changes.
        """
        seed = int(rng.integers(LARGEST_SEED, endpoint=True))
        moved = {name: vary(getattr(self, name), each, name, seed) for name, each in within.items()}
        return self.model_copy(update=moved if keep_seed else moved | {"seed": seed})

    @classmethod
    def partial_models(cls) -> dict[str, type[PartialModel]]:
        """Return the use case's partial models by name, in the order of the class."""
        kinds = {name: field.annotation for name, field in cls.model_fields.items()}
        return {name: k for name, k in kinds.items() if isinstance(k, type) and issubclass(k, PartialModel)}

    def row(self) -> dict[str, Any]:
        """Return all values as one flat row: `partial_model.parameter` -> value; `style` only where there is one."""
        nested = self.model_dump()
        models = self.partial_models()
        flat = {key: nested[key] for key in nested if key not in models and (key != "style" or self.style)}
        return flat | {f"{name}.{key}": value for name in models for key, value in nested[name].items()}

    @classmethod
    def from_row(cls, row: Mapping[str, Any]) -> Self:
        """Return the instance that a row describes; columns that are no part of it are passed over."""
        models = cls.partial_models()
        plain = [key for key in cls.model_fields if key not in models and (key != "style" or key in row)]
        nested: dict[str, Any] = {key: _plain(row[key]) for key in plain}
        for name, kind in models.items():
            nested[name] = {key: _plain(row[f"{name}.{key}"]) for key in kind.model_fields}
        return cls.model_validate(nested)


def _plain(value: Any) -> Any:
    """Return a number of a table as Python's own: pydantic takes numpy's integers by way of float and rounds seeds."""
    return value.item() if isinstance(value, np.generic) else value


LARGEST_WEIGHT = 1_000_000
"""Of a style: sums of weights stay numbers."""

InstanceType = TypeVar("InstanceType", bound=Instance)
Parameters = Mapping[str, Mapping[str, Distribution]]
"""Partial model -> parameter -> what it is drawn from."""


class Style(NamedTuple):
    """One way that images of a scenario look: distributions that belong together."""

    name: str
    weight: float
    """Share of the images, where all weights add up to 1; else in proportion."""
    parameters: Parameters
    """Those of the scenario, with the style's own in the place of some."""


@dataclass(frozen=True)
class Scenario(Generic[InstanceType]):
    """Partial models with a distribution for every parameter: what a data set is drawn from.

    With styles it is a mixture: an image is of one style, and all of its parameters are drawn from that one's
    distributions. So parameters that belong together (faint lines and much noise, wide residue and wide masks) vary
    together, while within a style each varies alone.
    """

    kind: type[InstanceType]
    rows: int
    cols: int
    styles: tuple[Style, ...]
    """At least one; a scenario without styles has one without a name."""
    apart: bool = False
    """Whether every partial model is drawn from a style of its own, so that no two of them belong together."""

    @classmethod
    def read(cls, kind: type[InstanceType], content: Mapping[str, Any], where: str) -> Self:
        """Return the scenario that a section of params.yaml describes, with every reachable value checked.

        What it takes from measurements (`{measured: NAME}`) must have been filled in (`parameters.filled_in`) before
        anything is drawn.
        """
        tree = dict(content)
        rows, cols = (_side(tree, key, where) for key in ("rows", "cols"))
        known = ["rows", "cols", *kind.partial_models(), "styles", "styles_apart"]
        for unknown in tree.keys() - set(known):
            raise Mistake(unknown_key(f"{where}.{unknown}", known))
        if not isinstance(apart := tree.get("styles_apart", False), bool):
            raise Mistake(f"{where}.styles_apart is {apart!r}; give true or false.")
        plain = Style("", 1.0, _parameters(kind, tree, {}, where))  # first: a mistake in it is not that of a style
        written = _mapping(tree.get("styles", {}), f"{where}.styles")
        styles = [_style(kind, tree, name, f"{where}.styles.{name}") for name in written]
        if styles and not any(style.weight for style in styles):
            raise Mistake(f"{where}.styles: all weights are 0; give one style a weight, or leave `styles` out.")
        return cls(kind, rows, cols, tuple(style for style in styles if style.weight) or (plain,), apart)

    @property
    def dimensions(self) -> list[str]:
        """What a draw can differ in, as `at` asks for it: the style of several, and each parameter not constant."""
        free = {
            f"{name}.{key}": None
            for style in self.styles
            for name, each in style.parameters.items()
            for key, law in each.items()
            if not isinstance(law, Constant)
        }
        styles = [f"style.{name}" for name in self.kind.partial_models()] if self.apart else ["style"]
        return (styles if len(self.styles) > 1 else []) + list(free)

    def draw(self, rng: np.random.Generator, turn: int | None = None) -> InstanceType:
        """Return an instance: its seed comes from `rng`, every parameter from a stream of that seed.

        Where there are classes, they are drawn in turns; without a `turn`, the class is drawn too.
        """
        seed = int(rng.integers(LARGEST_SEED, endpoint=True))
        drawn = self.at(seed, quantiles(seed))
        if classes := self.kind.classes:
            label = classes[int(rng.integers(len(classes))) if turn is None else turn % len(classes)]
            return drawn.model_copy(update={"label": label})
        return drawn

    def at(self, seed: int, at: Quantiles) -> InstanceType:
        """Return the instance with a seed whose style and parameters lie at the given quantiles.

        `at` is asked for `style` and for `partial_model.parameter`; where there are classes, it is of the first.
        """
        names = self.kind.partial_models()
        style = None if self.apart else self._style_at(at("style"))
        drawn: dict[str, Any] = {}
        for name, kind in names.items():
            own = style or self._style_at(at(f"style.{name}"))
            drawn[name] = draw(kind, own.parameters[name], name, at)
        drawn |= {"label": self.kind.classes[0]} if self.kind.classes else {}
        return self.kind(rows=self.rows, cols=self.cols, seed=seed, style=style.name if style else "", **drawn)

    def _style_at(self, u: float) -> Style:
        """Return the style in whose share of the line from 0 to 1 u lies."""
        ends = np.cumsum([each.weight for each in self.styles])
        return self.styles[int(np.searchsorted(ends, u * ends[-1], side="right"))]

    def draw_one(self, seed: int, index: int, purpose: str = "instance") -> InstanceType:
        """Return instance `index` of the data set with this seed, whatever the others are.

        Data sets with different purposes have nothing in common, even with the same seed.
        """
        return self.draw(stream(seed, purpose, index), index)


@dataclass(frozen=True)
class Drawn(Sequence[Instance]):
    """Instances of a scenario, each drawn whenever it is asked for: ten million take no more memory than one."""

    scenario: Scenario[Any]
    seed: int
    purpose: str
    indices: range
    """Of the data set with this seed and purpose."""

    def __len__(self) -> int:
        """Return how many they are."""
        return len(self.indices)

    @overload
    def __getitem__(self, index: int) -> Instance: ...
    @overload
    def __getitem__(self, index: slice) -> "Drawn": ...
    def __getitem__(self, index: int | slice) -> "Instance | Drawn":
        """Return one of them, or some, which are not drawn yet."""
        if isinstance(index, slice):
            return replace(self, indices=self.indices[index])
        return self.scenario.draw_one(self.seed, self.indices[index], self.purpose)


def _style(kind: type[Instance], tree: Mapping[str, Any], name: str, where: str) -> Style:
    """Return one of the styles under `styles`."""
    own = dict(_mapping(tree["styles"][name], where))
    weight = own.pop("weight", None)
    if isinstance(weight, bool) or not isinstance(weight, (int, float)) or not 0 <= weight <= LARGEST_WEIGHT:
        raise Mistake(f"{where}.weight is {weight!r}; give the style's share of the images, from 0 to a million.")
    for unknown in own.keys() - kind.partial_models().keys():
        raise Mistake(unknown_key(f"{where}.{unknown}", ["weight", *kind.partial_models()]))
    return Style(str(name), float(weight), _parameters(kind, tree, own, where))


def _parameters(kind: type[Instance], common: Mapping[str, Any], own: Mapping[str, Any], where: str) -> Parameters:
    """Return the distributions of every partial model, those under `own` in the place of the common ones."""
    read = {}
    for name, model in kind.partial_models().items():
        place = f"{where}.{name}"
        written = {**_mapping(common.get(name, {}), place), **_mapping(own.get(name, {}), place)}
        read[name] = distributions(written, place)
        check_distributions(model, read[name], place)
    return read


def _mapping(content: Any, where: str) -> Mapping[str, Any]:
    if not isinstance(content, dict):
        raise Mistake(f"{where} is {content!r}; give its parameters as keys, each with a number or a distribution.")
    return content


def _side(tree: Mapping[str, Any], key: str, where: str) -> int:
    side = tree.get(key)
    if not isinstance(side, int) or isinstance(side, bool) or not 8 <= side <= Instance.largest_side:
        raise Mistake(f"{where}.{key} is {side!r}; give the image's side as a whole number of pixels, 8 to 8192.")
    return side
