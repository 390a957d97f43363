"""Two builds in turns: what comes of made-up measurements; and a workload of this build in earnest."""

import json
import subprocess
import sys
from pathlib import Path

import builds
import pytest
import workloads
from clones import committed

from docs.speed import compared
from micromime.mistakes import Mistake


def test_each_turn_has_a_ratio_of_its_own_and_the_first_to_go_changes():
    asked, speeds = [], {"earlier": iter([2.0, 4.0, 5.0]), "now": iter([6.0, 6.0, 5.0])}

    def measure(name):
        asked.append(name)
        return {"per_second": next(speeds[name]), "peak_memory_mib": 10.0 * len(asked)}

    row = builds.in_turns({name: lambda name=name: measure(name) for name in speeds}, 3)
    assert asked == ["earlier", "now", "now", "earlier", "earlier", "now"]
    assert row["ratio"] == {"turns": [3, 1.5, 1], "median": 1.5, "min": 1, "max": 3}
    assert row["earlier"] == {"per_second": {"median": 4, "min": 2, "max": 5}, "peak_memory_mib": 50}
    assert row["now"]["peak_memory_mib"] == 60


@pytest.fixture
def earlier(project):
    return builds.Build(project, Path(sys.executable))


def test_rows_are_written_beside_those_of_before(tmp_path, monkeypatch, earlier):
    monkeypatch.setattr(builds, "PROJECT", tmp_path)
    monkeypatch.setattr(builds, "earlier_build", lambda *_: earlier)
    monkeypatch.setattr(builds.Build, "commit", "1234567")
    speeds = iter([1.0, 2.0, 0.5, 2.0])
    monkeypatch.setattr(builds, "workload", lambda *_: {"per_second": next(speeds), "peak_memory_mib": 300})
    monkeypatch.setattr(builds.Projects, "measure", lambda *_: {"per_second": next(speeds)})
    (tmp_path / "metrics").mkdir()
    builds.main(rows=["unet"], turns=1)
    builds.main(rows=["run_again"], turns=1)
    text = compared(json.loads((tmp_path / "metrics/builds.json").read_text()))
    assert "batch of 4: images | 1/s | 2/s | 2 (2 to 2) | 0.50 | 300 -> 300 |" in text
    assert "| 2 s | 0.5 s | 4 (4 to 4) | 0.25 |" in text
    assert text.count("not measured") == len(builds.ROWS) - 2
    with pytest.raises(Mistake, match="unett is not known; give of unet, "):
        builds.main(rows=["unett"])


def test_a_build_without_an_environment_says_what_helps(tmp_path):
    (tmp_path / "Makefile").write_text(".venv/installed:\n\t@echo no index >&2; exit 1\n")
    with pytest.raises(Mistake, match=r"failed: no index.* name a checkout that has its \.venv by --folder\."):
        builds.earlier_build("1234567", tmp_path)
    (tmp_path / ".venv").mkdir()
    (tmp_path / ".venv/installed").touch()
    assert builds.earlier_build("1234567", tmp_path).python == tmp_path / ".venv/bin/python"


def test_projects_run_from_nothing_once_and_again_as_often_as_asked(tmp_path):
    build = tmp_path / "build"
    subprocess.run(["git", "init", "--quiet", build], check=True)
    committed(build, "nothing")
    python, log = tmp_path / "python", tmp_path / "log"
    python.write_text(f'#!/bin/sh\necho "$(basename "$PWD") $*" >>{log}\n')
    python.chmod(0o755)
    projects, build = builds.Projects(tmp_path), builds.Build(build, python)
    for row in ("run_again", "status", "run", "run_again", "status_empty"):
        assert projects.measure(build, row)["per_second"] > 0
    assert log.read_text().splitlines() == [
        "project-0 -m micromime run",
        "project-0 -m micromime run",
        "project-0 -m dvc status",
        "project-1 -m micromime run",
        "project-1 -m micromime run",
        "empty-2 -m dvc init --quiet",
        "empty-2 -m dvc status",
    ]
    assert not (tmp_path / "project-0").exists()


def test_names_are_those_of_the_build(monkeypatch):
    for name in workloads.PLACES:
        assert getattr(workloads.named(name), "__name__", name) == name
    monkeypatch.setitem(workloads.PLACES, "scored", ("no_such:scored", "mistakes:scored"))
    with pytest.raises(ImportError, match="this build has none of no_such:scored, mistakes:scored"):
        workloads.named("scored")
    assert {*workloads.WORKLOADS} == {*builds.WORKLOADS}


def test_what_comes_before_the_first_unit_is_not_timed():
    asked = []
    assert workloads.rate(lambda turn: asked.append(turn) or 10, 1e-9) > 0
    assert asked == [0, 1]


@pytest.mark.slow
@pytest.mark.parametrize("row", ["unet", "classifier", "score", "judge", "grains_paper", "cracks"])
def test_a_workload_is_measured_in_this_build(row, earlier):
    pytest.importorskip("noise", reason="what is rendered comes from benchmarks/render.py, which needs it")
    found = builds.workload(earlier, row)
    assert found["per_second"] > 0
    assert found["peak_memory_mib"] > 50
