"""From one section of params.yaml to one typed object, with errors that a person can act on."""

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Self, TypeVar, get_args

from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic_core import ErrorDetails
from ruamel.yaml import YAML
from ruamel.yaml.constructor import DuplicateKeyError
from ruamel.yaml.error import MarkedYAMLError, YAMLError

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

MEASURED = "measured"
"""The key in params.yaml that stands for a measured value or distribution."""


def read_tree(path: Path) -> dict[str, Any]:
    """Return the mapping in a YAML file as plain dictionaries, lists, numbers and words."""
    try:
        tree = YAML(typ="safe", pure=True).load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise Mistake(f"{path} is not there; run this in the project's folder, or say where the file is.") from None
    except UnicodeDecodeError:
        raise Mistake(f"{path} is not text in UTF-8; save it as such.") from None
    except MarkedYAMLError as error:
        line = f"line {error.problem_mark.line + 1}: " if error.problem_mark else ""
        said = f"{error.problem or 'not YAML'}; correct that line"
        twice = "a key stands there twice; keep one of the two"
        raise Mistake(f"{path}: {line}{twice if isinstance(error, DuplicateKeyError) else said}.") from None
    except YAMLError as error:
        raise Mistake(f"{path}: {str(error).splitlines()[0]}; it must be YAML.") from None
    except OSError as error:
        raise Mistake(f"{path} cannot be read ({error.strerror}); give a YAML file.") from None
    if not isinstance(tree, dict):
        raise Mistake(f"{path} holds no keys; it must be a mapping such as 'profile: demo'.")
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
    if isinstance(written, dict) and set(written) == {MEASURED}:
        return Measured(name=str(written[MEASURED]))
    try:
        return distribution(written)
    except ValidationError as error:
        first = error.errors()[0]
        inner = "".join(f"{key}: " for key in first["loc"])
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
