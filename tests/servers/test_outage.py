"""MLflow's server fails people in every way: no run is lost, and none comes twice."""

import subprocess
import sys
import time
from pathlib import Path

import pytest
from clones import environment, module

pytestmark = pytest.mark.slow

STAGE = """
import sys, time
from pathlib import Path
import numpy as np
from safetensors.numpy import save_file
from micromime.tracking.delivery import open_store
from micromime.tracking.letters import tell_file, tell_judged, tell_model
from micromime.tracking.mlflow_arm import RunDescription
from micromime.tracking.tracking import tracked_arm, tracked_run
from micromime.project.versions import DataVersion, Revision

arm, pausing = sys.argv[1], sys.argv[2] == "pausing"
data = (DataVersion("train", "data/grains", "a" * 32 + ".dir"),)
said = RunDescription("outages", arm, "tiny", "f-" + arm, {"epochs": 250}, data, Revision("c" * 40, False), "", "real")
open_store("outages")
with tracked_arm(said) as arm_id:
    for seed in (1, 2):
        with tracked_run(arm_id, seed, said) as log:
            for step in range(250):
                log.metrics({"loss": seed / (step + 1)}, step)
                if pausing and (seed, step) == (2, 130):
                    Path("half").touch()
                    while Path("half").exists():
                        time.sleep(0.1)
network = Path(arm, "run-001")
network.mkdir(parents=True)
save_file({"weight": np.float32([len(arm)])}, network / "weights.safetensors")
(network / "model.json").write_text('{"architecture": "unet_efficientnet_lite0", "run": 1}')
Path(arm, "table.md").write_text(arm)
tell_judged(said, {1: {"iou": 0.5}, 2: {"iou": 0.75}}, {"iou": {"mean": 0.625}}, [Path(arm, "table.md")])
tell_model(said, network)
"""
"""Tells what the stages of an arm tell."""


class Outages:
    """A person whose stages go on whatever the server does."""

    def __init__(self, folder: Path, me: dict[str, str]) -> None:
        self.folder, self.me = folder, me
        (folder / "stage.py").write_text(STAGE)

    def stage(self, arm: str, how: str = "at once", **settings: str) -> "subprocess.Popen[str]":
        env = environment(self.folder, **(self.me | settings))
        command = [sys.executable, "stage.py", arm, how]
        pipe = subprocess.PIPE
        return subprocess.Popen(command, cwd=self.folder, env=env, stdout=pipe, stderr=subprocess.STDOUT, text=True)

    def sync(self, code: int = 0, **settings: str) -> str:
        return module(self.folder, "micromime", "sync", code=code, **(self.me | settings))

    @property
    def letters(self) -> int:
        return len(list((self.folder / ".micromime/outbox").glob("*/letter.json")))


@pytest.fixture(scope="module")
def outages(team, site, tmp_path_factory) -> Outages:
    me = dict(line.removeprefix("export ").split("=", 1) for line in team.add_user(site.folder, "olga"))
    here = {"MLFLOW_TRACKING_URI": f"http://127.0.0.1:{site.port}"}  # the site's name is for browsers
    return Outages(tmp_path_factory.mktemp("outages"), me | here)


def ended_well(stage: "subprocess.Popen[str]") -> str:
    said, _ = stage.communicate(timeout=240)
    assert stage.returncode == 0, said
    assert "Traceback" not in said
    return said


def kill_mlflow(team, site) -> None:
    """As if it had run out of memory."""
    server = team.tracking.mlflow(site).process()
    for each in [server, *server.children(recursive=True)]:
        each.kill()


@pytest.fixture(scope="module")
def after_outages(team, site, outages) -> Outages:
    """Four arms: with a wrong password, with the server killed in the middle, without it, and with all well."""
    said = ended_well(outages.stage("locked_out", MLFLOW_TRACKING_PASSWORD="guessed"))
    assert said.count("set MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD") == 1
    assert outages.letters == 5
    refused = outages.sync(2, MLFLOW_TRACKING_PASSWORD="guessed")
    assert "MLFLOW_TRACKING_PASSWORD" in refused.splitlines()[-1]
    assert outages.letters == 5

    in_the_middle = outages.stage("interrupted", "pausing")
    while not (outages.folder / "half").exists():
        assert in_the_middle.poll() is None, in_the_middle.communicate()[0]
        time.sleep(0.1)
    assert outages.letters == 0  # this stage has sent what had waited
    kill_mlflow(team, site)
    (outages.folder / "half").unlink()
    assert "Work goes on" in ended_well(in_the_middle)
    ended_well(outages.stage("without"))
    waited = outages.letters
    assert waited > 5
    team.start(site)
    assert f"{waited} letters were sent" in outages.sync()
    ended_well(outages.stage("well"))
    assert "0 letters were sent" in outages.sync()
    return outages


@pytest.fixture
def client(after_outages, monkeypatch):
    from mlflow import MlflowClient

    for variable, value in after_outages.me.items():
        monkeypatch.setenv(variable, value)
    return MlflowClient()


def test_no_outage_loses_a_run_or_doubles_one(client):
    experiment = client.get_experiment_by_name("outages").experiment_id
    runs = client.search_runs([experiment])
    arms = ["interrupted", "locked_out", "well", "without"]
    assert sorted(run.info.run_name for run in runs) == sorted(
        f"{arm}{seed}" for arm in arms for seed in ("", " 1", " 2")
    )
    assert {run.info.status for run in runs} == {"FINISHED"}
    for each in runs:
        if seed := int(each.data.tags.get("micromime.seed", 0)):
            losses = sorted((at.step, at.value) for at in client.get_metric_history(each.info.run_id, "loss"))
            assert losses == [(step, seed / (step + 1)) for step in range(250)]
            assert each.data.metrics["real.iou"] == {1: 0.5, 2: 0.75}[seed]
            assert each.data.metrics["system/system_memory_usage_megabytes"] > 0
        else:
            assert [file.path for file in client.list_artifacts(each.info.run_id)] == ["table.md"]
            assert len(each.outputs.model_outputs) == 1
    registered = client.search_model_versions("name = 'micromime-outages-tiny'")
    assert sorted(version.tags["micromime.arm"] for version in registered) == arms
