"""What code needs where it runs, read from its import statements: files of this package, and packages of others."""

import ast
import sys
from collections.abc import Iterable
from functools import cache
from importlib.metadata import packages_distributions
from importlib.metadata import version as installed
from pathlib import Path

import micromime

SOURCES = Path(micromime.__file__).parents[1]

packages = cache(packages_distributions)  # reads the lists of files of everything that is installed


def files_of(*modules: str) -> set[Path]:
    """Return the files of this package that modules need, late imports included, as paths below `micromime`'s folder.

    They are `micromime/arrays.py` and so on: the modules' own, those of all that they import, and the packages' above.
    """
    found: set[Path] = set()
    waiting = list(modules)
    while waiting:
        path = waiting.pop().replace(".", "/")
        for file in (Path(path, "__init__.py"), Path(f"{path}.py")):  # of a name that is no module there is neither
            if path.startswith("micromime") and file not in found and (SOURCES / file).is_file():
                found.add(file)
                waiting += [path.rpartition("/")[0], *_imported(file)]
    return found


def requirements_of(files: Iterable[Path]) -> list[str]:
    """Return what such files import of others, as `name==version` for pip, in the versions installed here.

    Without what follows a plus sign (2.14.1+cpu): that names a build for one kind of machine.
    """
    roots = {name.partition(".")[0] for file in files for name in _imported(file)}
    names = {name for root in roots - sys.stdlib_module_names - {"micromime"} for name in packages()[root]}
    return [f"{name}=={installed(name).partition('+')[0]}" for name in sorted(names)]


def _imported(file: Path) -> list[str]:
    """Return what a file imports: modules, and all that may be one."""
    found: list[str] = []
    for node in ast.walk(ast.parse((SOURCES / file).read_text())):
        if isinstance(node, ast.Import):
            found += [each.name for each in node.names]
        elif isinstance(node, ast.ImportFrom):
            found += [str(node.module), *(f"{node.module}.{each.name}" for each in node.names)]
    return found
