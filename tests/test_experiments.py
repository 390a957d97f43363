"""Experiments stand apart: DVC's commands in the project's folder name none, and each says what it is made of."""

import shutil

import pytest
from clones import committed, git, module
from ruamel.yaml import YAML

EXPERIMENTS = ("ablation", "planted_gap")


@pytest.fixture(scope="module")
def copy(project, tmp_path_factory):
    """A repository with the project's pipeline and its experiments."""
    folder = tmp_path_factory.mktemp("copy")
    without = shutil.ignore_patterns("__pycache__", "tests", "tmp", "cache")
    for name in (".dvc", "experiments", "metrics/evidence"):
        shutil.copytree(project / name, folder / name, ignore=without)
    for name in ("dvc.yaml", "params.yaml", ".dvcignore", ".gitignore"):
        shutil.copy(project / name, folder)
    git(folder, "init", "--quiet")
    committed(folder, "as it stands")
    return folder


@pytest.mark.parametrize("command", ["status", "metrics show", "exp show --csv"])
def test_dvcs_commands_in_the_projects_folder_name_no_experiment(copy, command):
    found = module(copy, "dvc", *command.split())
    assert found
    assert "experiments/" not in found
    assert "planted_gap" not in found


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_an_experiment_depends_on_its_code_and_settings_and_makes_what_git_keeps(project, copy, name):
    folder = project / "experiments" / name
    (stage,) = YAML(typ="safe").load((folder / "dvc.yaml").read_text())["stages"].values()
    own = {each.name for each in folder.iterdir() if each.suffix in (".py", ".yaml")} - {"__init__.py", "dvc.yaml"}
    assert own | {"../gains.py", "../runs.py"} <= set(stage["deps"])
    assert stage.keys() == {"desc", "cmd", "deps", "outs"}
    outs = {key: each for out in stage["outs"] for key, each in out.items()}
    assert all(each == {"cache": False} and (folder / out).is_file() for out, each in outs.items())
    assert "results.json" in outs
    assert module(copy, "dvc", "--cd", f"experiments/{name}", "stage", "list").startswith(name)
