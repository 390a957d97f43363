"""What code needs where it runs, read from its import statements: files of this package, and packages of others."""

import ast
import sys
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from importlib.metadata import packages_distributions
from importlib.metadata import version as installed
from pathlib import Path

import micromime

SOURCES = Path(micromime.__file__).parents[1]


def files_of(*modules: str) -> set[Path]:
    """Return the files of this package that modules need, late imports included, as paths below `micromime`'s folder.

    They are `micromime/arrays.py` and so on: the modules' own, those of all that they import, and the packages' above.
    """
    found: set[Path] = set()
    waiting = list(modules)
    while waiting:
        name = waiting.pop()
        file = _file(name)
        if file and file not in found:
            found.add(file)
            waiting += [name.rpartition(".")[0], *_imported(file)]
    return found


def requirements_of(files: Iterable[Path]) -> list[str]:
    """Return what such files import of others, as `name==version` for pip, in the versions installed here.

    Without what follows a plus sign (2.14.1+cpu): that names a build for one kind of machine.
    """
    roots = {name.partition(".")[0] for file in files for name in _imported(file)} - {"micromime"}
    others = _others()
    names = {name for root in roots - sys.stdlib_module_names for name in others[root]}
    return [f"{name}=={installed(name).partition('+')[0]}" for name in sorted(names)]


@cache  # reads the lists of files of everything that is installed
def _others() -> Mapping[str, list[str]]:
    """Return what installed each package that can be imported."""
    return packages_distributions()


def _file(module: str) -> Path | None:
    """Return the file of a module of this package; what is imported from a module may be none."""
    path = module.replace(".", "/")
    below = (Path(path, "__init__.py"), Path(f"{path}.py"))
    return next((file for file in below if file.parts[0] == "micromime" and (SOURCES / file).is_file()), None)


def _imported(file: Path) -> Iterator[str]:
    """Name what a file imports: modules, and all that may be one."""
    for node in ast.walk(ast.parse((SOURCES / file).read_text())):
        if isinstance(node, ast.Import):
            yield from (each.name for each in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (f"{node.module}.{each.name}" for each in node.names)
            yield str(node.module)
