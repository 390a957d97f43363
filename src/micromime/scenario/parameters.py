"""From one section of params.yaml to one typed object, with errors that a person can act on."""

import json
import re
import warnings
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Self, TypeVar, get_args

from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic_core import ErrorDetails
from ruamel.yaml import YAML
from ruamel.yaml.constructor import ConstructorError, DuplicateKeyError, SafeConstructor
from ruamel.yaml.error import MarkedYAMLError, ReusedAnchorWarning, YAMLError

from micromime.mistakes import Mistake
from micromime.scenario.distributions import Distribution, Value, distribution


class Section(BaseModel):
    """Settings of one part of the work, as they stand under one key of params.yaml."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, strict=True)

    @classmethod
    def of(cls, tree: Mapping[str, Any], *keys: str) -> Self:
        """Return what stands under a path of keys; Mistake where that is missing, or wrong."""
        return typed(cls, section(tree, *keys), ".".join(keys))


class Measured(Distribution):
    """Stands for what is measured on real specimens before anything is drawn, and checked then: see `filled_in`."""

    name: str

    def at(self, u: float) -> Value:  # noqa: ARG002 - there is none yet
        """Raise Mistake: nothing can be drawn from it."""
        said = f"{{measured: {self.name}}} is not filled in; name a folder of data/exemplars with --exemplars"
        raise Mistake(f"{said}, as `make run` makes them.")


KINDS = ("int", "constrained-int", "float", "str", "bool")
"""What pydantic calls the members of a union, between the keys that lead to what is wrong."""

PLAIN = ("null", "bool", "int", "float", "str", "seq", "map")
"""The kinds of YAML that a file of parameters is made of."""

NOT_ALIKE = re.compile("^%|[\x85\u2028\u2029]", re.MULTILINE)
"""Directives (after `%YAML 1.1` `yes` would be true here, and a word for DVC), and rare line breaks, at which a line
ends for DVC and not here."""

NUMBER = re.compile(r"[-+]?(\d+\.?\d*|\.\d+)(e[-+]?\d+)?", re.IGNORECASE)

MEASURED = "measured"
"""The key in params.yaml that stands for a measured value or distribution."""


def read_tree(path: Path) -> dict[str, Any]:
    """Return the mapping in a YAML file as plain dictionaries, lists, numbers and words."""
    try:
        return parsed(path.read_text(encoding="utf-8"), str(path))
    except FileNotFoundError:
        raise Mistake(f"{path} is not there; run this in the project's folder, or say where the file is.") from None
    except UnicodeDecodeError:
        raise Mistake(f"{path} is not text in UTF-8; save it as such.") from None
    except OSError as error:
        raise Mistake(f"{path} cannot be read ({error.strerror}); give a YAML file.") from None


class _Plain(SafeConstructor):
    """Makes words, numbers, true, false, null, lists and mappings with words as keys; all else is refused by line."""

    def construct_object(self, node: Any, deep: bool = False) -> Any:
        """Return what a node stands for."""
        written, mark = getattr(node, "value", ""), node.start_mark
        if (kind := node.tag.rpartition(":")[2]) not in PLAIN:
            named = f"{written} is no word or number" if isinstance(written, str) else "this is no list or mapping"
            raise ConstructorError(None, None, f"{named} ({kind}); write one of these, words in quotes", mark)
        try:
            return super().construct_object(node, deep)
        except ValueError:
            raise ConstructorError(None, None, f"{_short(written)} is no {kind}", mark) from None

    def construct_mapping(self, node: Any, deep: bool = False) -> Any:
        """Return a mapping whose keys are words."""
        for key, _ in node.value:
            if key.tag.rpartition(":")[2] not in ("str", "merge"):
                written = key.value if isinstance(key.value, str) else "of several parts"
                said = f"the key {written} is no word ({key.tag.rpartition(':')[2]})"
                raise ConstructorError(None, None, f"{said}; put it in quotes, or give another name", key.start_mark)
        return super().construct_mapping(node, deep)


def parsed(text: str, where: str) -> dict[str, Any]:
    """Return the mapping that a YAML text holds, as DVC reads it, too; `where` says whose text it is.

    Raises Mistake for what is no YAML, for what not every reader takes alike, and for a key that stands there twice.
    """
    if otherwise := NOT_ALIKE.search(text):
        number = text.count("\n", 0, otherwise.start()) + 1
        what = "a line that begins with %" if otherwise[0] == "%" else f"the character {otherwise[0]!a}"
        raise Mistake(f"{where}: line {number}: {what} is not read alike by all programs; remove it.")
    reader = YAML(typ="safe", pure=True)
    reader.Constructor = _Plain
    try:
        with warnings.catch_warnings(action="error", category=ReusedAnchorWarning):
            tree = reader.load(text)
        json.dumps(tree)
    except ReusedAnchorWarning:
        raise Mistake(f"{where}: an anchor (&) stands there twice; give each a name of its own.") from None
    except MarkedYAMLError as error:
        line = f"line {error.problem_mark.line + 1}: " if error.problem_mark else ""
        said = error.problem or "not YAML"
        said += "" if ";" in said else "; correct that line"
        twice = "a key stands there twice; keep one of the two"
        raise Mistake(f"{where}: {line}{twice if isinstance(error, DuplicateKeyError) else said}.") from None
    except YAMLError as error:
        raise Mistake(f"{where}: {str(error).splitlines()[0]}; it must be YAML.") from None
    except ValueError:  # of JSON, which has no circles
        raise Mistake(f"{where}: an alias (*) stands within what it stands for; write that out.") from None
    if not isinstance(tree, dict):
        raise Mistake(f"{where} holds no keys; it must be a mapping such as 'profile: demo'.")
    return tree


def section(tree: Mapping[str, Any], *keys: str) -> dict[str, Any]:
    """Return the mapping under a path of keys."""
    found: Any = tree
    for depth, key in enumerate(keys, 1):
        if not isinstance(found, dict) or key not in found:
            raise Mistake(f"{'.'.join(keys[:depth])} is missing from params.yaml; add that section.")
        found = found[key]
    if not isinstance(found, dict):
        raise Mistake(f"{'.'.join(keys)} is {found!r}; it must be a section with keys of its own.")
    return found


S = TypeVar("S", bound=BaseModel)


def typed(kind: type[S], content: Any, where: str) -> S:
    """Return the content of a section as a typed object; Mistake names the first wrong key by its whole path."""
    try:
        return kind.model_validate(content)
    except ValidationError as error:
        first, *others = error.errors()
        path = ".".join([where, *_keys_of(first)])
        if first["type"] == "extra_forbidden":
            raise Mistake(unknown_key(path, _keys_at(kind, first["loc"][:-1]))) from None
        allowed = [first, *(each for each in others if _keys_of(each) == _keys_of(first))]  # of each kind in a union
        raise Mistake(f"{path}: {', or '.join(dict.fromkeys(_either(allowed)))}.") from None


def _keys_of(error: ErrorDetails) -> list[str]:
    """Return the keys on the way to what is wrong, without the kinds that pydantic puts between them."""
    return [str(key) for key in error["loc"] if key not in ("", *KINDS) and not str(key).endswith("]")]


def _either(allowed: Iterable[ErrorDetails]) -> Iterator[str]:
    """Yield what is wrong by the first, and what else would be right by the others."""
    first, *others = map(explain, allowed)
    yield first
    yield from (each.partition(" is not allowed; ")[2] or each for each in others)


def unknown_key(path: str, known: Iterable[str]) -> str:
    """Return the sentence for a key that nothing reads."""
    return f"{path} is not a known key; the keys here are: {', '.join(known)}."


def _keys_at(kind: type[BaseModel], way: tuple[int | str, ...]) -> list[str]:
    """Return the keys of the section that lies at the end of a way through sections and lists of sections."""
    here: Any = kind
    for key in way:
        if isinstance(key, str):
            annotation = here.model_fields[key].annotation
            here = next(iter(get_args(annotation)), annotation)
    return list(here.model_fields)


def distributions(content: Mapping[str, Any], where: str) -> dict[str, Distribution]:
    """Return the distribution of every parameter of a partial model's section."""
    return {key: _distribution(written, f"{where}.{key}") for key, written in content.items()}


def filled_in(content: Any, measured: Mapping[str, Any], where: str) -> Any:
    """Return a scenario's section in which what was measured stands in the place of each `{measured: NAME}`.

    So are sections in it, and all else is as it was. `measured` is in the syntax of params.yaml, by name.
    """
    if not isinstance(content, dict):
        return content
    if set(content) != {MEASURED}:
        return {key: filled_in(written, measured, f"{where}.{key}") for key, written in content.items()}
    if (name := str(content[MEASURED])) not in measured:
        raise Mistake(f"{where}: nothing was measured as {name!r}; use one of: {', '.join(measured)}.")
    return measured[name]


def _distribution(written: Any, where: str) -> Distribution:
    try:
        if isinstance(written, dict) and set(written) == {MEASURED}:
            return Measured(name=written[MEASURED])
        return distribution(written)
    except ValidationError as error:
        first = error.errors()[0]
        inner = "".join(f"{key}: " for key in _keys_of(first))
        raise Mistake(f"{where}: {inner}{explain(first)}.") from None
    except ValueError as error:
        raise Mistake(f"{where}: {error}.") from None


def explain(error: ErrorDetails) -> str:
    """Return what pydantic found wrong as half a sentence: what stands there, and what is allowed."""
    match error["type"]:
        case "missing":
            return "is missing; add it"
        case "extra_forbidden":
            return "is not a known key; remove it or correct its name"
        case "value_error":
            return str(error["ctx"]["error"])
        case "too_short":
            return f"{_short(error['input'])} is not allowed; give {error['ctx']['min_length']} or more"
        case "int_type" | "float_type" if isinstance(error["input"], str) and NUMBER.fullmatch(error["input"]):
            return f"{_short(error['input'])} is not allowed; it should be a number, without quotes"
        case _:
            message = error["msg"].removeprefix("Input ")
            return f"{_short(error['input'])} is not allowed; it {message[:1].lower()}{message[1:]}"


def one_of(name: str, known: Iterable[str], where: str) -> None:
    """Raise Mistake unless the name is among those known."""
    names = sorted(known)
    if name not in names:
        raise Mistake(f"{where}: {name!r} is not known; use one of: {', '.join(names)}.")


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
