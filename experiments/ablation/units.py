"""Units of a scenario: what is taken out of it together, to see what it is worth.

A unit names what is taken out by paths. What is no longer given has the partial model's default, which does nothing:

partial_model, partial_model.parameter                          of the common section and of every style
styles.partial_model, styles.partial_model.parameter            of every style: what is common holds for all of them
styles.STYLE.partial_model, styles.STYLE.partial_model.parameter   of one style
styles                                                          that parameters vary together: see `styles_apart`
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from micromime.mistakes import Mistake
from micromime.scenario.parameters import unknown_key
from micromime.scenario.scenario import Instance

STYLES, APART = "styles", "styles_apart"

Content = Mapping[str, Any]
"""A scenario as in params.yaml."""


class Place(NamedTuple):
    """A parameter in a scenario's section."""

    style: str | None
    """None in the common section."""
    partial_model: str
    parameter: str


@dataclass(frozen=True)
class Unit:
    """What is taken out together."""

    places: frozenset[Place] = frozenset()
    together: bool = False
    """Whether it is that the parameters of a style belong together."""

    def __or__(self, other: "Unit") -> "Unit":
        """Return what both take out."""
        return Unit(self.places | other.places, self.together or other.together)


def units_of(
    kind: type[Instance], content: Content, written: Mapping[str, Sequence[str]], where: str
) -> dict[str, Unit]:
    """Return the units by name. What several of them name belongs to the first; so nothing is in two of them.

    Raises Mistake for a path that names nothing known, or what cannot be taken out.
    """
    found: dict[str, Unit] = {}
    taken: frozenset[Place] = frozenset()
    for name, paths in written.items():
        named = frozenset(place for path in paths for place in _named(kind, content, path, f"{where}.{name}"))
        found[name] = Unit(named - taken, STYLES in paths)
        taken |= named
    return found


def without(content: Content, unit: Unit) -> dict[str, Any]:
    """Return a scenario's section without a unit, and without what is then empty: models, or styles that say nothing.

    Styles of weight 0 are left out, too: sections that draw the same are equal.
    """
    kept = {key: each for key, each in content.items() if key not in (STYLES, APART)}
    common = _without(kept, None, unit)
    styles = {name: _without(each, name, unit) for name, each in _styles(content).items() if each.get("weight") != 0}
    if all(each.keys() <= {"weight"} for each in styles.values()):
        return common
    apart = unit.together or content.get(APART, False)
    return common | {STYLES: styles} | ({APART: True} if apart else {})


def _without(tree: Content, style: str | None, unit: Unit) -> dict[str, Any]:
    """Return the common section, or a style, without a unit."""
    found: dict[str, Any] = {}
    for model, given in tree.items():
        if not isinstance(given, Mapping):  # rows, cols, weight
            found[model] = given
            continue
        kept = {key: law for key, law in given.items() if Place(style, model, key) not in unit.places}
        found |= {model: kept} if kept else {}
    return found


def _places(content: Content) -> Iterator[Place]:
    """Yield every parameter that a scenario's section gives."""
    parts: list[tuple[str | None, Content]] = [(None, content), *_styles(content).items()]
    for style, tree in parts:
        for model, given in tree.items():
            if isinstance(given, Mapping) and model != STYLES:
                yield from (Place(style, model, key) for key in given)


def _named(kind: type[Instance], content: Content, path: str, where: str) -> Iterator[Place]:
    """Yield what a path names."""
    first, *rest = path.split(".")
    in_styles = first == STYLES
    words = rest if in_styles else [first, *rest]
    if in_styles and not rest:
        return
    styles: Collection[str | None] = [*_styles(content), *([] if in_styles else [None])]
    if in_styles and rest[0] in styles:
        styles, words = [rest[0]], rest[1:]
    elif in_styles and rest[0] not in kind.partial_models():
        raise Mistake(unknown_key(f"{where}: {path!r}: {rest[0]}", [*_styles(content), *kind.partial_models()]))
    model, parameter = _checked(kind, words, f"{where}: {path!r}")
    for place in _places(content):
        if place.style in styles and place.partial_model == model and parameter in (None, place.parameter):
            _check_optional(kind, place, f"{where}: {path!r}")
            yield place


def _checked(kind: type[Instance], words: Sequence[str], path: str) -> tuple[str, str | None]:
    """Return the partial model that a path ends with, and the parameter if it names one."""
    models = kind.partial_models()
    if not 1 <= len(words) <= 2:
        raise Mistake(
            f"{path} is no path; give partial_model, or partial_model.parameter, with or without styles. ahead."
        )
    if words[0] not in models:
        raise Mistake(unknown_key(f"{path}: {words[0]}", models))
    known = models[words[0]].model_fields
    if len(words) == 2 and words[1] not in known:
        raise Mistake(unknown_key(f"{path}: {words[1]}", known))
    return words[0], words[1] if len(words) == 2 else None


def _check_optional(kind: type[Instance], place: Place, path: str) -> None:
    """Raise Mistake where the common section would lack what a scenario cannot do without."""
    if place.style is None and kind.partial_models()[place.partial_model].model_fields[place.parameter].is_required():
        parameter = f"{place.partial_model}.{place.parameter}"
        raise Mistake(
            f"{path} would take out {parameter}, which every scenario must give; name styles.{parameter}, which takes "
            "out what styles say of it."
        )


def _styles(content: Content) -> Content:
    found: Content = content.get(STYLES, {})
    return found
