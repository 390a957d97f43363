"""The samplers: one file each, its name the word in params.yaml."""

from collections.abc import Mapping
from importlib import import_module
from pkgutil import iter_modules
from typing import Any

from micromime.mistakes import Mistake
from micromime.sampling.sampler import Sampler
from micromime.scenario.parameters import one_of, typed
from micromime.scenario.scenario import Instance


def samplers() -> list[str]:
    """Return the names of the samplers there are."""
    return sorted(module.name for module in iter_modules(__path__))


def read_sampler(written: Mapping[str, Any], where: str) -> Sampler:
    """Return the sampler that `{name: settings}` in params.yaml stands for."""
    if not isinstance(written, Mapping) or len(written) != 1:
        raise Mistake(f"{where} is {written!r}; give one key, the name of a sampler: {', '.join(samplers())}.")
    name = str(next(iter(written)))
    one_of(name, samplers(), where)
    module = import_module(f"{__name__}.{name}")
    kinds = [each for each in vars(module).values() if isinstance(each, type) and each.__module__ == module.__name__]
    kind = next(each for each in kinds if issubclass(each, Sampler))
    return typed(kind, {} if written[name] is None else written[name], f"{where}.{name}")


def checked_sampler(written: Mapping[str, Any], kind: type[Instance], where: str) -> Sampler:
    """Return the sampler of a round; Mistake where there is none of this name, or its settings do not fit."""
    sampler = read_sampler(written, where)
    sampler.check(kind, f"{where}.{next(iter(written))}")
    return sampler
