"""The cycle in one process: each stage of dvc.yaml in turn, alone in a folder with nothing but what it declares."""

import gc
import inspect
import json
import os
import shlex
import shutil
import traceback
from collections.abc import Container, Iterator, Sequence
from contextlib import chdir, contextmanager
from functools import partial, reduce
from importlib import import_module
from operator import getitem
from pathlib import Path
from pkgutil import walk_packages
from types import CodeType, FunctionType
from typing import Any, NamedTuple

import networkx
import pytest
from dvc.repo import Repo
from numba.core.dispatcher import Dispatcher

import micromime
from micromime.cli import app
from micromime.scenario.parameters import read_tree

ASIDE = ("metrics/tiny/runs", "mlruns")
"""What stages find or leave besides deps and outs: they give the same with it and without."""

SOURCE = Path(micromime.__file__).parents[1]


class Stage(NamedTuple):
    """A stage of dvc.yaml, as DVC reads it."""

    name: str
    words: tuple[str, ...]
    """Its command."""
    deps: tuple[str, ...]
    """Data."""
    code: tuple[str, ...]
    """Files and folders in src/."""
    keys: tuple[str, ...]
    """Of params.yaml."""
    versions: tuple[str, ...]
    """Of results."""
    outs: tuple[str, ...]


def declared(project: Path) -> list[Stage]:
    """Return the stages of a project's dvc.yaml, each after those whose outs it needs."""
    found = []
    with Repo(str(project)) as repo:
        for each in networkx.dfs_postorder_nodes(repo.index.graph):
            if each.path_in_repo != "dvc.yaml":
                continue  # an experiment's
            paths = [dep.def_path for dep in each.deps if dep not in each.params]
            code = [path for path in paths if path.startswith("src/")]
            deps = [path for path in paths if path not in code]
            keys = [key for params in each.params for key in params.params if params.def_path == "params.yaml"]
            versions = [key for params in each.params for key in params.params if params.def_path != "params.yaml"]
            outs = [out.def_path for out in each.outs]
            found.append(
                Stage(each.name, tuple(shlex.split(each.cmd)), *map(tuple, (deps, code, keys, versions, outs)))
            )
    return found


def call(words: Sequence[str], folder: Path) -> None:
    """Run `python -m micromime ...` in this process, in a folder."""
    assert list(words[:3]) == ["python", "-m", "micromime"], words
    with chdir(folder):
        app(list(words[3:]), standalone_mode=False)


def run_alone(stage: Stage, project: Path, desk: Path, aside: Sequence[str] = ()) -> None:
    """Run a stage in an empty folder that has what it declares, of a project, and links to what lies aside."""
    for path in stage.deps:
        (desk / path).parent.mkdir(parents=True, exist_ok=True)
        copy = partial(shutil.copytree, copy_function=os.link) if (project / path).is_dir() else os.link
        copy(project / path, desk / path)
    part = chosen(read_tree(project / "params.yaml"), stage.keys)
    (desk / "params.yaml").write_text(json.dumps(part))  # JSON is YAML, and keeps the order
    for path in aside:
        (project / path).mkdir(parents=True, exist_ok=True)
        (desk / path).parent.mkdir(parents=True, exist_ok=True)
        (desk / path).symlink_to(project / path)
    call(stage.words, desk)


def chosen(tree: dict[str, Any], keys: Sequence[str]) -> dict[str, Any]:
    """Return the part of a tree under these dotted keys."""
    part: dict[str, Any] = {}
    for key in keys:
        *above, last = key.split(".")
        place = reduce(lambda place, word: place.setdefault(word, {}), above, part)
        place[last] = reduce(getitem, key.split("."), tree)
    return part


def undeclared(stage: Stage, desk: Path) -> list[str]:
    """Return the files at a desk that are neither deps nor outs, nor what every stage leaves behind."""
    known = (".micromime", "params.yaml", *ASIDE, *stage.deps, *stage.outs)
    files = [path.relative_to(desk) for path in desk.rglob("*") if path.is_file()]
    return [str(path) for path in files if not any(path.is_relative_to(each) for each in known)]


WATCHED: list[tuple[FunctionType, CodeType]] = []
"""Functions of micromime while it is noted of which files some are called, each with its code."""


def first_call(*args: object, **kwargs: object) -> object:
    """Stand in for a watched function, the one at this place, until a function of its file is called."""
    from cycle import WATCHED, give_back  # this runs among the names of any module

    function, code = WATCHED["PLACE"]  # type: ignore[call-overload]
    give_back({code.co_filename})
    return function(*args, **kwargs)


def give_back(files: Container[str]) -> None:
    """Let the functions of these files be themselves."""
    for function, code in WATCHED:
        if code.co_filename in files and function.__code__ is not code:
            function.__code__ = code
            del function.__signature__


@contextmanager
def noted(files: set[str]) -> Iterator[None]:
    """Add the files of micromime of which a function is called meanwhile, as dvc.yaml writes them.

    A profiler would be asked of every call in all libraries, and take half as long again. Closures and what numba
    compiles do without.
    """
    objects = gc.get_objects()
    compiled = {id(each.py_func) for each in objects if issubclass(type(each), Dispatcher)}
    functions = [each for each in objects if type(each) is FunctionType and id(each) not in compiled]
    ours = [each for each in functions if each.__code__.co_filename.startswith(str(SOURCE)) and not each.__closure__]
    WATCHED[:] = [(each, each.__code__) for each in ours]
    for place, (function, _) in enumerate(WATCHED):
        consts = (place if const == "PLACE" else const for const in first_call.__code__.co_consts)
        function.__signature__ = inspect.signature(function)  # which typer asks for
        function.__code__ = first_call.__code__.replace(co_consts=tuple(consts))
    try:
        yield
    finally:
        called = {code.co_filename for function, code in WATCHED if function.__code__ is code}
        files |= {f"src/{Path(each).relative_to(SOURCE)}" for each in called}
        give_back({code.co_filename for _, code in WATCHED})


class Cycle(NamedTuple):
    """A project in which every stage has run."""

    folder: Path
    stages: list[Stage]
    undeclared: dict[str, list[str]]
    """Stage -> the files that it has left besides its outs."""
    called: dict[str, set[str]]
    """Stage -> the files of code of which it has called a function."""
    failed: dict[str, str]
    """Stage -> how it failed on what it declares."""


@pytest.fixture(scope="session")
def cycle(project: Path, tmp_path_factory: pytest.TempPathFactory) -> Cycle:
    """The tiny profile's project after its whole cycle, on no real pictures."""
    folder = tmp_path_factory.mktemp("cycle")
    for name in ("dvc.yaml", "params.yaml", "src/micromime/project/results.py"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(project / name, folder / name)
    shutil.copytree(project / "profiles", folder / "profiles")
    for each in walk_packages(micromime.__path__, "micromime."):  # so that no stage is the first to import something
        if not each.name.endswith("__main__"):
            import_module(each.name)
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("MICROMIME_REAL", raising=False)
        patch.setenv("MICROMIME_WORKERS", "1")
        patch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{folder / 'mlflow.db'}")
        Repo.init(str(folder), no_scm=True).close()
        for words in (["profile", "tiny", "--force"], ["sources"]):
            call(["python", "-m", "micromime", *words], folder)
        made = Cycle(folder, declared(folder), {}, {}, {})
        for stage in made.stages:
            desk = tmp_path_factory.mktemp("desk")
            with noted(made.called.setdefault(stage.name, set())):
                try:
                    run_alone(stage, folder, desk, ASIDE)
                except Exception:  # go on beside everything, so that all that is wrong is told at once
                    made.failed[stage.name] = traceback.format_exc()
                    call(stage.words, folder)
                    continue
            made.undeclared[stage.name] = undeclared(stage, desk)
            for out in stage.outs:
                (folder / out).parent.mkdir(parents=True, exist_ok=True)
                (desk / out).rename(folder / out)
    return made
