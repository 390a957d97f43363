"""What README.md tells a reader to do is done here, in a copy of the project."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
from ruamel.yaml import YAML


def blocks(project: Path, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", (project / "README.md").read_text(), re.MULTILINE | re.DOTALL)


def run(*words: object, cwd: Path) -> str:
    """Run this Python on the copy's own code."""
    path = {**os.environ, "PYTHONPATH": str(cwd / "src")}
    ended = subprocess.run(
        [sys.executable, *map(str, words)], cwd=cwd, env=path, capture_output=True, text=True, check=False
    )
    assert ended.returncode == 0, ended.stderr
    return ended.stdout


def render(copy: Path, out: str, count: int = 1) -> None:
    run("-m", "micromime", "render", "grain_boundaries", "--count", count, "--out", out, cwd=copy)


@pytest.fixture(scope="module")
def copy(project, tmp_path_factory):
    folder = tmp_path_factory.mktemp("copy")
    for name in ("src", "tests", "profiles"):
        # What numba has compiled comes along: compiling anew takes most of a test's time.
        shutil.copytree(project / name, folder / name, ignore=shutil.ignore_patterns("*.pyc*", "*.tmp.*"))
    for name in ("params.yaml", "dvc.yaml", "pyproject.toml"):
        shutil.copy(project / name, folder)
    return folder


@pytest.fixture(scope="module")
def dusty(project, copy):
    """The copy with README's partial model added as README says; `before` was rendered without it."""
    render(copy, "before")
    (dust,) = [block for block in blocks(project, "python") if "class Dust" in block]
    (copy / "src/micromime/partial_models/dust.py").write_text(dust)
    (patch,) = blocks(project, "diff")
    subprocess.run(["git", "apply", "-"], input=patch, cwd=copy, text=True, check=True)
    return copy


def test_its_numbers_are_those_in_metrics(project):
    changed = subprocess.run(["git", "diff", "--quiet", "HEAD", "--", "metrics"], cwd=project, check=False)
    if changed.returncode:
        pytest.skip("metrics/ is not what was committed: somebody has run the pipeline since")
    run("docs/write_readme.py", "--check", cwd=project)


def test_its_round_is_that_of_params(project):
    (written,) = [block for block in blocks(project, "yaml") if "rounds" in block]
    read = YAML(typ="safe", pure=True).load
    rounds = read((project / "params.yaml").read_text())["grain_boundaries"]["rounds"]
    assert read(written)["rounds"] == {"adaptive": rounds["adaptive"]}


@pytest.mark.pipeline
def test_its_commands_and_python_work(project, copy):
    alone = [block for block in blocks(project, "sh") if "team_server" not in block]  # a team's: team/test_story.py
    commands = [line for block in alone for line in block.splitlines() if line.startswith("micromime")]
    assert len(commands) == 3
    for command in commands:
        run("-m", *command.split(), cwd=copy)
    (reading,) = [block for block in blocks(project, "python") if "my_set" in block]
    assert "count" in run("-c", reading, cwd=copy)


@pytest.mark.pipeline
def test_a_new_partial_model_moves_no_other_pixel(dusty):
    render(dusty, "after")
    for name in ("images", "masks", "labels"):
        file = f"shard-00000/{name}.npy"
        assert (dusty / "before" / file).read_bytes() == (dusty / "after" / file).read_bytes()


@pytest.mark.pipeline
def test_its_partial_model_is_drawn_stored_and_tested(project, dusty):
    (values,) = [block for block in blocks(project, "yaml") if "dust" in block]
    params = (dusty / "params.yaml").read_text()
    (dusty / "params.yaml").write_text(params.replace("    illumination:\n", f"{values}    illumination:\n", 1))
    run("-m", "micromime", "check", cwd=dusty)
    render(dusty, "dusty", count=2)
    specks = pd.read_parquet(dusty / "dusty/shard-00000/samples.parquet")["dust.specks"]
    assert specks.between(0, 40).all()
    run("-m", "micromime", "rerender", "dusty", "--sample", 1, cwd=dusty)
    found = run("-m", "pytest", "-q", "tests/partial_models/test_every_partial_model.py", "-k", "Dust", cwd=dusty)
    assert "5 passed" in found
