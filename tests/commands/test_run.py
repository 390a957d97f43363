"""The whole pipeline by one command: nothing starts on wrong settings, and failures are told."""

import json
import os
import sys
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from micromime.commands.run import run_pipeline
from micromime.mistakes import Mistake
from micromime.scenario.parameters import read_tree


@pytest.fixture
def tree(project):
    return read_tree(project / "params.yaml") | {"profile": "demo"}


@pytest.fixture
def params(tree, tmp_path, monkeypatch):
    """The project's params.yaml in an empty folder, the working directory, on a machine without real pictures."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MICROMIME_REAL", raising=False)
    return written(tree)


def written(tree):
    with Path("params.yaml").open("w") as file:
        YAML().dump(tree, file)
    return Path("params.yaml")


@pytest.fixture
def dvc(monkeypatch):
    """Stands in for DVC: what it was called with, and what it shall do."""

    class Dvc:
        calls: list
        returncode = 0

        def wait(self):
            return self.returncode

        def writes_table(self):
            Path("metrics/demo").mkdir(parents=True)
            for use_case in ("grain_boundaries", "chip_cracks"):
                Path(f"metrics/demo/{use_case}.md").write_text("**Test set: surrogate**\n")
                Path(f"metrics/demo/{use_case}").mkdir()
                Path(f"metrics/demo/{use_case}/report.html").touch()

    stand_in = Dvc()
    stand_in.calls = []

    def start(command, env):
        stand_in.calls.append((command, env, Path("data/sources/grain_boundaries.json").exists()))
        return stand_in

    monkeypatch.setattr("micromime.commands.run.subprocess.Popen", start)
    return stand_in


def test_dvc_runs_with_this_python_once_the_sources_are_written(params, dvc, capsys):
    dvc.writes_table()
    run_pipeline(params)
    ((command, env, sources_written),) = dvc.calls
    assert command == [sys.executable, "-m", "dvc", "repro"]  # there is no remote
    assert env["PATH"].split(os.pathsep)[0] == str(Path(sys.executable).parent)
    assert env == {**os.environ, "PATH": env["PATH"]}
    assert sources_written
    assert json.loads(Path("data/sources/grain_boundaries.json").read_text())["kind"] == "surrogate"
    said = capsys.readouterr().out
    assert "**Test set: surrogate**" in said
    for place in ("metrics/demo/grain_boundaries.json", "metrics/demo/chip_cracks/report.html", "mlflow ui"):
        assert place in said


@pytest.mark.parametrize(
    ("section", "key", "value", "said"),
    [
        ("train", "runs", 0, r"grain_boundaries\.train\.runs: 0 is not allowed"),
        ("render", "cuont", 3, r"grain_boundaries\.render\.cuont is not a known key"),
        ("scenario", "white_noise", {"sd_grey": {"uniform": [5, 5]}}, r"white_noise\.sd_grey: .*empty"),
    ],
)
def test_wrong_settings_stop_everything_before_it_starts(params, tree, dvc, section, key, value, said):
    tree["grain_boundaries"][section][key] = value
    written(tree)
    with pytest.raises(Mistake, match=said):
        run_pipeline(params)
    assert dvc.calls == []
    assert not Path("data").exists()


def test_a_file_that_is_no_yaml_stops_it_too(params, dvc):
    params.write_text("profile: [")
    with pytest.raises(Mistake, match=r"params\.yaml: line 1"):
        run_pipeline(params)
    assert dvc.calls == []


def test_a_missing_file_of_settings_is_said(tmp_path, dvc, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(Mistake, match=r"params\.yaml is not there; run this in the project's folder"):
        run_pipeline(Path("params.yaml"))
    assert dvc.calls == []


def test_a_folder_of_real_pictures_that_is_wrong_stops_it_too(params, dvc, monkeypatch, tmp_path):
    monkeypatch.setenv("MICROMIME_REAL", str(tmp_path / "nowhere"))
    with pytest.raises(Mistake, match="MICROMIME_REAL is set but has no folder grain_boundaries"):
        run_pipeline(params)
    assert dvc.calls == []


@pytest.mark.parametrize("code", [1, 255, -9])
def test_a_dvc_that_fails_is_a_mistake_and_no_old_table_is_shown(params, dvc, capsys, code):
    dvc.writes_table()
    dvc.returncode = code
    with pytest.raises(Mistake, match=r"dvc repro did not end well; .* `make run` goes on from there"):
        run_pipeline(params)
    assert len(dvc.calls) == 1
    assert "Test set" not in capsys.readouterr().out


class Remote:
    """Stands in for the watch over a remote: whether it answers at first, and whether it dies meanwhile."""

    answers, dies = True, False

    def __init__(self, name):
        self.name = name

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass

    def expect_life(self):
        if not self.answers:
            raise Mistake(f"The remote {self.name!r} does not answer.")

    def guard(self, _running, busy):
        assert not busy()
        return not self.dies

    def dead(self):
        return f"The remote {self.name!r} is dead"


@pytest.fixture
def lab(dvc, monkeypatch):
    """A project with the remote `lab`."""
    monkeypatch.setattr("micromime.commands.run.Watch", Remote)
    monkeypatch.setattr("micromime.commands.run.default_remote", lambda: "lab")
    monkeypatch.setattr("micromime.commands.run._runs_a_stage", lambda _: False)
    dvc.writes_table()
    return monkeypatch


@pytest.mark.parametrize(
    ("what", "modules", "said"),
    [
        ({}, ["micromime.team.repro"], ""),
        ({"answers": False}, ["dvc"], "The remote 'lab' does not answer. What it holds is computed here."),
        ({"dies": True}, ["micromime.team.repro", "dvc"], "'lab' is dead. What it holds is computed here."),
    ],
    ids=["alive", "silent", "dies meanwhile"],
)
def test_a_remote_is_pulled_from_as_long_as_it_answers(params, lab, dvc, capsys, what, modules, said):
    for name, value in what.items():
        lab.setattr(Remote, name, value)
    run_pipeline(params)
    assert [command[2] for command, _, _ in dvc.calls] == modules
    assert said in capsys.readouterr().err
