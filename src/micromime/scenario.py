"""Scenario -> Instance -> Sample: the nouns of Figure 1 in Trampert et al. 2021."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Generic, Self, TypeVar

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from micromime.arrays import Image, Labels, Mask
from micromime.distributions import Distribution
from micromime.mistakes import Mistake
from micromime.parameters import distributions, unknown_key
from micromime.partial_model import PartialModel, check_distributions, draw, vary
from micromime.streams import LARGEST_SEED, stream


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

    def varied(self, within: Mapping[str, Mapping[str, float]], keep_seed: bool, rng: np.random.Generator) -> Self:
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
        """Return all values as one flat row: `partial_model.parameter` -> value."""
        nested = self.model_dump()
        models = self.partial_models()
        flat = {key: nested[key] for key in nested if key not in models}
        return flat | {f"{name}.{key}": value for name in models for key, value in nested[name].items()}

    @classmethod
    def from_row(cls, row: Mapping[str, Any]) -> Self:
        """Return the instance that a row describes; columns that are no part of it are passed over."""
        models = cls.partial_models()
        nested: dict[str, Any] = {key: _plain(row[key]) for key in cls.model_fields if key not in models}
        for name, kind in models.items():
            nested[name] = {key: _plain(row[f"{name}.{key}"]) for key in kind.model_fields}
        return cls.model_validate(nested)


def _plain(value: Any) -> Any:
    """Return a number of a table as Python's own: pydantic takes numpy's integers by way of float and rounds seeds."""
    return value.item() if isinstance(value, np.generic) else value


InstanceType = TypeVar("InstanceType", bound=Instance)


@dataclass(frozen=True)
class Scenario(Generic[InstanceType]):
    """Partial models with a distribution for every parameter: what a data set is drawn from."""

    kind: type[InstanceType]
    rows: int
    cols: int
    parameters: Mapping[str, Mapping[str, Distribution]]

    @classmethod
    def read(cls, kind: type[InstanceType], content: Mapping[str, Any], where: str) -> Self:
        """Return the scenario that a section of params.yaml describes, with every reachable value checked.

        What it takes from measurements (`{measured: NAME}`) must have been filled in (`parameters.filled_in`) before
        anything is drawn.
        """
        tree = dict(content)
        rows, cols = (_side(tree, key, where) for key in ("rows", "cols"))
        models = kind.partial_models()
        for unknown in tree.keys() - models.keys() - {"rows", "cols"}:
            raise Mistake(unknown_key(f"{where}.{unknown}", ["rows", "cols", *models]))
        read = {}
        for name, model in models.items():
            place = f"{where}.{name}"
            read[name] = distributions(_mapping(tree.get(name, {}), place), place)
            check_distributions(model, read[name], place)
        return cls(kind, rows, cols, read)

    def draw(self, rng: np.random.Generator, turn: int | None = None) -> InstanceType:
        """Return an instance: its seed comes from `rng`, every parameter from a stream of that seed.

        Where there are classes, they are drawn in turns; without a `turn`, the class is drawn too.
        """
        seed = int(rng.integers(LARGEST_SEED, endpoint=True))
        drawn: dict[str, Any] = {
            name: draw(kind, self.parameters[name], name, seed) for name, kind in self.kind.partial_models().items()
        }
        if classes := self.kind.classes:
            drawn["label"] = classes[int(rng.integers(len(classes))) if turn is None else turn % len(classes)]
        return self.kind(rows=self.rows, cols=self.cols, seed=seed, **drawn)

    def draw_one(self, seed: int, index: int, purpose: str = "instance") -> InstanceType:
        """Return instance `index` of the data set with this seed, whatever the others are.

        Data sets with different purposes have nothing in common, even with the same seed.
        """
        return self.draw(stream(seed, purpose, index), index)


def _mapping(content: Any, where: str) -> Mapping[str, Any]:
    if not isinstance(content, dict):
        raise Mistake(f"{where} is {content!r}; give its parameters as keys, each with a number or a distribution.")
    return content


def _side(tree: Mapping[str, Any], key: str, where: str) -> int:
    side = tree.get(key)
    if not isinstance(side, int) or isinstance(side, bool) or not 8 <= side <= Instance.largest_side:
        raise Mistake(f"{where}.{key} is {side!r}; give the image's side as a whole number of pixels, 8 to 8192.")
    return side
