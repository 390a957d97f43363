"""The cycle in one process: each stage of dvc.yaml in turn, alone in a folder with nothing but what it declares."""

import os
import shlex
import shutil
from contextlib import chdir
from functools import reduce
from importlib import import_module
from operator import getitem
from pathlib import Path
from typing import Any, NamedTuple

import networkx
import pytest
import typer
from dvc.repo import Repo
from ruamel.yaml import YAML

from micromime.cli import app
from micromime.scenario.parameters import read_tree

CODE = ("src", "experiments")
SHARED = (".micromime/records", "metrics/tiny/runs", "mlruns")
"""What a stage finds or leaves besides its deps and outs: it gives the same with them and without."""

LEFT_BEHIND = (".micromime", "params.yaml", *SHARED)


class Stage(NamedTuple):
    """A stage of dvc.yaml, as DVC reads it."""

    name: str
    words: tuple[str, ...]
    """Its command."""
    deps: tuple[str, ...]
    keys: tuple[str, ...]
    """Of params.yaml."""
    outs: tuple[str, ...]

    @property
    def code(self) -> list[str]:
        """The files and folders of code that it declares."""
        return [path for path in self.deps if path.startswith(CODE)]


def declared(project: Path) -> list[Stage]:
    """Return the stages of a project's dvc.yaml, each after those whose outs it needs."""
    with Repo(str(project)) as repo:
        return [
            Stage(
                each.name,
                tuple(shlex.split(each.cmd)),
                tuple(dep.def_path for dep in each.deps if dep not in each.params),
                tuple(key for params in each.params for key in params.params),
                tuple(out.def_path for out in each.outs),
            )
            for each in networkx.dfs_postorder_nodes(repo.index.graph)
        ]


def call(words: tuple[str, ...], folder: Path) -> None:
    """Run a command of micromime in this process, in a folder."""
    _python, _m, module, *rest = words
    stage = app
    if module != "micromime":
        stage = typer.Typer()
        stage.command()(import_module(module).main)
    with chdir(folder):
        stage(rest, standalone_mode=False)


def chosen(tree: dict[str, Any], keys: tuple[str, ...]) -> dict[str, Any]:
    """Return the part of a tree under these dotted keys."""
    part: dict[str, Any] = {}
    for key in keys:
        *above, last = key.split(".")
        reduce(lambda place, word: place.setdefault(word, {}), above, part)[last] = reduce(
            getitem, key.split("."), tree
        )
    return part


class Cycle(NamedTuple):
    """A project in which every stage has run."""

    folder: Path
    stages: list[Stage]
    undeclared: dict[str, list[str]]
    """Stage -> the files it has written besides its outs."""


def run_alone(stage: Stage, project: Path, desk: Path) -> list[str]:
    """Run a stage in an empty folder on what it declares, and bring its outs to the project.

    Returns the files that it has left there undeclared.
    """
    for dep in [each for each in stage.deps if each not in stage.code]:
        (desk / dep).parent.mkdir(parents=True, exist_ok=True)
        if (project / dep).is_dir():
            shutil.copytree(project / dep, desk / dep, copy_function=os.link)
        else:
            shutil.copy(project / dep, desk / dep)
    if "params.yaml" not in stage.deps:
        with (desk / "params.yaml").open("w") as file:
            YAML(typ="safe", pure=True).dump(chosen(read_tree(project / "params.yaml"), stage.keys), file)
    for path in SHARED:
        (desk / path).parent.mkdir(parents=True, exist_ok=True)
        (desk / path).symlink_to(project / path)
    call(stage.words, desk)
    known = (*stage.deps, *stage.outs, *LEFT_BEHIND)
    files = [path.relative_to(desk) for path in desk.rglob("*") if path.is_file()]
    for out in stage.outs:
        (project / out).parent.mkdir(parents=True, exist_ok=True)
        (desk / out).rename(project / out)
    return [str(path) for path in files if not any(path.is_relative_to(each) for each in known)]


@pytest.fixture(scope="session")
def cycle(project: Path, tmp_path_factory: pytest.TempPathFactory) -> Cycle:
    """The tiny profile's project after its whole cycle, on no real pictures."""
    folder, desks = tmp_path_factory.mktemp("cycle"), tmp_path_factory.mktemp("desks")
    for name in ("dvc.yaml", "params.yaml"):
        shutil.copy(project / name, folder)
    shutil.copytree(project / "profiles", folder / "profiles")
    for path in SHARED:
        if not path.endswith(".db"):
            (folder / path).mkdir(parents=True)
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("MICROMIME_REAL", raising=False)
        patch.setenv("MICROMIME_WORKERS", "1")
        patch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{folder / 'mlflow.db'}")
        Repo.init(str(folder), no_scm=True).close()
        call(("python", "-m", "micromime", "profile", "tiny", "--force"), folder)
        call(("python", "-m", "micromime", "sources"), folder)
        stages, undeclared = declared(folder), {}
        for stage in stages:
            (desk := desks / stage.name).mkdir()
            try:
                undeclared[stage.name] = run_alone(stage, folder, desk)
            except Exception as error:
                raise AssertionError(f"{stage.name} failed on what it declares in dvc.yaml") from error
    return Cycle(folder, stages, undeclared)
