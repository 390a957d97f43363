"""Experiments that DVC tries in a copy of the project and then deletes: what they leave, with networks of one layer.

In a group of its own: the pipeline's is the one that all others are waited for.
"""

import hashlib
import json
import re
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
import yaml
from clones import committed, git, module
from one_conv import FILES, registered

import micromime
from micromime.tracking.store import OFFLINE, store_client

pytestmark = [pytest.mark.ci, pytest.mark.xdist_group("tried"), pytest.mark.timeout(900)]

VERBS = ("import {0}", "render {0} base scoring", "train {0} base", "judge {0}", "publish {0}")
GRAINS, BASE = "grain_boundaries", "models/grain_boundaries/base"
OUTS = ["data/test_set/{0}", "data/synthetic/{0}/base", "data/synthetic/{0}/scoring", "models/{0}/base"]
NETWORKS = [f"{BASE}/run-{run:03d}/weights.safetensors" for run in (1, 2)]
PHASE = {"size_px": 64, "trainable": "all", "epochs": 1, "peak_rate": 0.01, "batch_size": 4}


def said_by(project: Path, *words: str) -> str:
    code = Path(micromime.__file__).parents[1]
    return module(project, *words, PYTHONPATH=f"{FILES}:{code}")


class Tried(NamedTuple):
    """A project in which nothing ever ran but two experiments in copies, and what each said."""

    project: Path
    temporary: str
    queued: str


@pytest.fixture(scope="module")
def tried(project: Path, tmp_path_factory: pytest.TempPathFactory) -> Tried:
    """One stage does all of it; the second experiment judges by other pictures, so that it can keep the networks."""
    folder = tmp_path_factory.mktemp("tried") / "project"
    shutil.copytree(project / ".dvc", folder / ".dvc", ignore=shutil.ignore_patterns("cache", "tmp", "*.local"))
    shutil.copytree(project / "profiles", folder / "profiles")
    for name in ("params.yaml", ".gitignore", ".dvcignore"):
        shutil.copy(project / name, folder)
    git(folder, "init", "--quiet")
    for key, value in {"user.name": "a", "user.email": "a@b"}.items():
        git(folder, "config", key, value)
    module(folder, "micromime", "profile", "tiny", "--force")
    part = yaml.safe_load((folder / "params.yaml").read_text())[GRAINS] | {"rounds": {}}
    part["train"] |= {"architecture": "one_conv", "phases": [PHASE]}
    (folder / "params.yaml").write_text(yaml.safe_dump({"profile": "tiny", GRAINS: part}))
    commands = [f"python -m micromime {verb.format(GRAINS)}" for verb in VERBS]
    stage = {"cmd": commands, "params": [GRAINS], "outs": [out.format(GRAINS) for out in OUTS]}
    (folder / "dvc.yaml").write_text(yaml.safe_dump({"stages": {"all": stage}}))
    module(folder, "micromime", "sources")
    committed(folder, "a small cycle")
    temporary = said_by(folder, "dvc", "exp", "run", "--temp", "--name", "temporary")
    other = f"{GRAINS}.test_set.surrogate_count=2"
    said_by(folder, "dvc", "exp", "run", "--queue", "--name", "queued", "--set-param", other)
    said_by(folder, "dvc", "queue", "start")  # ends with the worker that it starts
    return Tried(folder, temporary, said_by(folder, "dvc", "queue", "logs", "queued"))


def test_each_trains_what_no_record_tells(tried):
    assert "base: 2 of 2 runs to train" in tried.temporary
    assert "runs to train" not in tried.queued
    assert "Traceback" not in tried.temporary + tried.queued


def test_what_they_did_is_in_the_project_s_store_and_opens(tried, monkeypatch):
    import mlflow

    monkeypatch.chdir(tried.project)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.setenv(OFFLINE, "")
    client, (uri,) = store_client(), {*re.findall(r"is registered as (\S+)", tried.temporary + tried.queued)}
    experiment = client.get_experiment_by_name(GRAINS)
    runs = {run.info.run_name: run for run in client.search_runs([experiment.experiment_id])}
    ended = dict.fromkeys(("base", "base 1", "base 2"), "FINISHED")
    assert {name: run.info.status for name, run in runs.items()} == ended
    assert Path(client.download_artifacts(runs["base"].info.run_id, "scenario.yaml")).read_text().startswith("data:")
    with registered():
        predicted = mlflow.pyfunc.load_model(uri).predict(np.zeros((1, 3, 8, 12), np.uint8))
    assert predicted.shape == (1, 8, 12)
    with closing(sqlite3.connect("mlflow.db")) as db:
        assert not [line for line in db.iterdump() if ".dvc/tmp" in line]


def weights(project: Path) -> list[str]:
    return [hashlib.md5((project / file).read_bytes()).hexdigest() for file in NETWORKS]


def test_networks_come_back_by_dvc_and_records_from_the_project(tried):
    project = tried.project
    assert not (project / BASE).exists()
    said_by(project, "dvc", "exp", "apply", "temporary")
    before = weights(project)
    told = [json.loads((project / file).with_name("run.json").read_text()) for file in NETWORKS]
    assert [each["weights_md5"] for each in told] == before
    shutil.rmtree(project / BASE)
    assert "to train" not in said_by(project, "micromime", "train", GRAINS, "base")
    assert weights(project) == before
