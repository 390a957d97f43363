"""The use cases: one file each, its name the key in params.yaml."""

from importlib import import_module
from pkgutil import iter_modules

from micromime.scenario.parameters import one_of
from micromime.scenario.scenario import Instance


def use_cases() -> list[str]:
    """Return the names of the use cases there are."""
    return sorted(module.name for module in iter_modules(__path__))


def instance_kind(use_case: str) -> type[Instance]:
    """Return the class of a use case's instances: the subclass of Instance that its file defines."""
    one_of(use_case, use_cases(), "use case")
    module = import_module(f"{__name__}.{use_case}")
    kinds = [each for each in vars(module).values() if isinstance(each, type) and each.__module__ == module.__name__]
    return next(kind for kind in kinds if issubclass(kind, Instance))
