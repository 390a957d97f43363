"""The whole pipeline by one command: nothing starts on wrong settings, and failures are told."""

import json
import os
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
from dvc.repo import Repo

from micromime.commands.run import run_pipeline
from micromime.mistakes import Mistake
from micromime.pictures.micrographs import Micrograph
from micromime.pictures.surrogates.grains import write_micrographs
from micromime.stages.train import train
from micromime.tracking.store import OFFLINE
from micromime.tracking.views import View, publish_view

DVC = """
import json, os, sys
from pathlib import Path
Path("called.json").write_text(json.dumps([sys.argv[1:], os.environ["PATH"], Path("data/sources").exists()]))
sys.exit(int(os.environ.get("ENDS_WITH", "0")))
"""
"""Stands in for DVC: `python -m dvc` finds it first in the working directory."""


@pytest.fixture
def params(project, tmp_path, monkeypatch):
    """A project without a remote that has once run, the working directory, on a machine without real pictures."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MICROMIME_REAL", raising=False)
    shutil.copy(project / "params.yaml", tmp_path)
    Path("dvc.py").write_text(DVC)
    profile = next(line for line in Path("params.yaml").read_text().splitlines() if line.startswith("profile:"))
    metrics = Path("metrics", profile.split()[1])
    for use_case in ("grain_boundaries", "chip_cracks"):
        (metrics / use_case).mkdir(parents=True)
        (metrics / f"{use_case}.md").write_text("**Test set: surrogate**\n")
    return tmp_path / "params.yaml"


@pytest.mark.usefixtures("params")
def test_dvc_runs_with_this_python_once_the_sources_are_written(capfd):
    run_pipeline()
    words, path, sources_written = json.loads(Path("called.json").read_text())
    assert words == ["repro"]
    assert path.split(os.pathsep)[0] == str(Path(sys.executable).parent)
    assert sources_written
    assert json.loads(Path("data/sources/grain_boundaries.json").read_text())["kind"] == "surrogate"
    said = capfd.readouterr().out
    assert "**Test set: surrogate**" in said
    for place in ("grain_boundaries.json", "chip_cracks/report.html", "micromime mlflow"):
        assert place in said
    assert not Path("mlflow.db").exists()


@pytest.mark.usefixtures("params", "store")
@pytest.mark.parametrize("server", ["", "http://127.0.0.1:9"])
def test_it_ends_with_the_address_of_the_arms_side_by_side(server, monkeypatch, capfd):
    for use_case in ("grain_boundaries", "chip_cracks"):
        publish_view(use_case, "demo", View(["mean_iou"], False, "Arms."))
    monkeypatch.setattr("micromime.commands.run.server_address", lambda: server)
    run_pipeline()
    last = [line.split() for line in capfd.readouterr().out.splitlines()[-2:]]
    base = server or "http://127.0.0.1:5000"
    page = "runs?viewStateShareKey=arms-demo&workflowType=machine_learning"
    assert last == [
        [f"{use_case}:", f"{base}/#/experiments/{number}/{page}"]
        for number, use_case in enumerate(("grain_boundaries", "chip_cracks"), 2)
    ]


@pytest.mark.usefixtures("params")
def test_dvc_repro_is_started_where_dvc_status_sees_a_change_and_only_there(capfd):
    settings = Path("params.yaml").read_text()
    Repo.init(no_scm=True).close()
    run_pipeline()  # there is no dvc.yaml, which is dvc repro's to say
    stage = {"cmd": "echo made > out", "params": ["grain_boundaries.train.runs"], "deps": ["dep"], "outs": ["out"]}
    Path("dvc.yaml").write_text(json.dumps({"stages": {"only": stage}}))
    changes = (
        (lambda: Path("dep").write_text("new"), True),
        (lambda: Path("params.yaml").write_text(f"{settings}# A comment more.\n"), False),
        (lambda: Path("dep").write_text("newer"), True),
        (lambda: Path("params.yaml").write_text(settings.replace("runs: ", "runs: 2", 1)), True),
        (lambda: Path("out").unlink(), True),
        (lambda: shutil.rmtree(".dvc/cache"), True),
    )
    for number, (change, starts) in enumerate(changes):
        change()
        Path("called.json").unlink()
        capfd.readouterr()
        run_pipeline()
        assert (Path("called.json").exists(), number) == (starts, number)
        assert ("Data and pipelines are up to date." in capfd.readouterr().out) != starts
        Path("called.json").touch()
        with Repo() as repo:
            repo.reproduce()


def wrong_value(params, _monkeypatch):
    params.write_text(params.read_text().replace("runs: ", "runs: -", 1))


def wrong_key(params, _monkeypatch):
    params.write_text(params.read_text().replace("diameter_px", "diametre_px", 1))


def no_yaml(params, _monkeypatch):
    params.write_text("profile: [")


def no_file(params, _monkeypatch):
    params.unlink()


def no_memory(params, monkeypatch):
    pictures = params.parent / "given/grain_boundaries"
    pictures.mkdir(parents=True)
    mask = np.zeros((1024, 3072), np.bool_)
    mask[500] = True
    write_micrographs([Micrograph("large", "steel", np.where(mask, 9, 200).astype(np.uint8), mask)], pictures)
    monkeypatch.setenv("MICROMIME_REAL", str(pictures.parent))
    monkeypatch.setattr("micromime.commands.check.whole_bytes", lambda: 1.5 * 2**30)


def no_pictures(params, monkeypatch):
    monkeypatch.setenv("MICROMIME_REAL", str(params.parent / "nowhere"))


def wrong_store(_params, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "localhost:5000")


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (wrong_value, r"runs: -\d+ is not allowed"),
        (wrong_key, "diametre_px is not a known key"),
        (no_yaml, r"params\.yaml: line 1"),
        (no_file, r"params\.yaml is not there"),
        (
            no_memory,
            r"^images/large\.png has 3\.0 million .* takes \d\.\d GiB of memory to see it whole, and there are 1\.5",
        ),
        (no_pictures, "MICROMIME_REAL is set but has no folder grain_boundaries"),
        (wrong_store, "MLFLOW_TRACKING_URI is 'localhost:5000': it has no http://"),
    ],
)
def test_what_is_wrong_stops_everything_before_it_starts(params, monkeypatch, spoil, said):
    spoil(params, monkeypatch)
    with pytest.raises(Mistake, match=said):
        run_pipeline()
    assert not Path("called.json").exists()
    assert not Path("data").exists()


@pytest.mark.usefixtures("params")
def test_a_wrong_address_of_mlflow_stops_training_too_and_a_server_that_is_not_there_stops_nothing(monkeypatch, capsys):
    monkeypatch.setenv(OFFLINE, "")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "sqlite:///no/mlflow.db")
    with pytest.raises(Mistake, match="the folder no is not there; make it first"):
        train("grain_boundaries", ["base"])
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    run_pipeline()
    assert Path("called.json").exists()
    assert capsys.readouterr().err.count("refused); see that it is started") == 1


@pytest.mark.usefixtures("params")
def test_a_dvc_that_fails_is_a_mistake_and_no_old_table_is_shown(monkeypatch, capfd):
    monkeypatch.setenv("ENDS_WITH", "255")
    with pytest.raises(Mistake, match=r"dvc repro did not end well; .* `make run` goes on from there"):
        run_pipeline()
    assert "Test set" not in capfd.readouterr().out
