"""What code needs where it runs, read from its import statements: files of this package, and packages of others."""

import sys
from contextlib import suppress
from functools import cache
from importlib.metadata import packages_distributions
from importlib.metadata import version as installed
from modulefinder import ModuleFinder
from pathlib import Path
from typing import Any

import micromime

SOURCES = Path(micromime.__file__).parents[1]

packages = cache(packages_distributions)  # reads the lists of files of everything that is installed


class Ours(ModuleFinder):
    """Follows imports within this package, and only counts those of others."""

    def find_module(self, name: str, path: Any, parent: Any = None) -> Any:
        """Return where a module lies; ImportError, by which it is counted as missing, where that is elsewhere."""
        if path is None and name != "micromime":
            raise ImportError(name)
        return super().find_module(name, path, parent)


def needed_by(*modules: str) -> tuple[set[Path], list[str]]:
    """Return the files of this package that modules need, late imports included, and what they import of others.

    Files are `micromime/arrays.py` and so on: the modules' own, those of all that they import, and the packages' above.
    Packages are `name==version` for pip, in the versions installed here, without what follows a plus sign (2.14.1+cpu):
    that names a build for one kind of machine.
    """
    finder = Ours([str(SOURCES)])
    for module in modules:
        with suppress(ImportError):  # an architecture may lie elsewhere, and is not brought
            finder.import_hook(module)
    roots = {name.partition(".")[0] for name in finder.badmodules} - sys.stdlib_module_names - {"micromime"}
    names = {name for root in roots for name in packages()[root]}
    files = {Path(vars(module)["__file__"]).relative_to(SOURCES) for module in finder.modules.values()}
    return files, [f"{name}=={installed(name).partition('+')[0]}" for name in sorted(names)]
