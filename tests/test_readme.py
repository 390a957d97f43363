"""What README.md tells a reader to do is done here; tests/test_extending.py adds its partial model."""

import io
import shutil
import subprocess
from contextlib import chdir, redirect_stdout

import pytest
from clones import module
from cycle import call
from readme import blocks
from ruamel.yaml import YAML


def test_its_numbers_are_those_in_metrics(project):
    changed = subprocess.run(["git", "diff", "--quiet", "HEAD", "--", "metrics"], cwd=project, check=False)
    if changed.returncode:
        pytest.skip("metrics/ is not what was committed: somebody has run the pipeline since")
    module(project, "docs.write_readme", "--check")


def test_its_round_is_that_of_params(project):
    (written,) = [block for block in blocks(project, "yaml") if "rounds" in block]
    read = YAML(typ="safe", pure=True).load
    rounds = read((project / "params.yaml").read_text())["grain_boundaries"]["rounds"]
    assert read(written)["rounds"] == {"adaptive": rounds["adaptive"]}


def test_its_commands_and_python_work(project, tmp_path):
    for name in ("params.yaml", "dvc.yaml"):
        shutil.copy(project / name, tmp_path)
    alone = [block for block in blocks(project, "sh") if "team_server" not in block]  # a team's: servers/test_story.py
    commands = [line for block in alone for line in block.splitlines() if line.startswith("micromime")]
    assert len(commands) == 3
    for command in commands:
        call(["python", "-m", *command.split()], tmp_path)
    (reading,) = [block for block in blocks(project, "python") if "my_set" in block]
    with chdir(tmp_path), redirect_stdout(io.StringIO()) as said:
        exec(reading, {})
    assert "count" in said.getvalue()
