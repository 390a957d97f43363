"""What MLflow has of arms after it was told from their records: all of it, once, whatever happened meanwhile."""

import json
import math
import os
import re
import shutil
import signal
import socket
import sqlite3
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pandas as pd
import pytest
import yaml
from clones import started
from safetensors.numpy import save_file
from stores import MD5, arm_json, content, history, judged_on, run_json, stored

from micromime.scenario.parameters import read_tree
from micromime.tracking.logged import fetch_logged
from micromime.tracking.publish import Kept, ScoredOn, publish_arm, publish_file, publish_model, publish_verdict
from micromime.tracking.settings import settings_of
from micromime.tracking.store import OFFLINE, UNLESS_SET, Unreachable, best_effort, store_client
from micromime.training.settings import TrainParameters

pytestmark = pytest.mark.usefixtures("store")

RUNS = {1: run_json(1), 2: run_json(2)}

OF_ARM = {"mean_iou": 0.65, "boundary_f1": math.nan, "astm_g_error": None}

SCORED = [
    ScoredOn("steel", "5" * 16, {"mean_iou": 0.9, "boundary_f1": 0.5}),
    ScoredOn("iron", "6" * 16, {"mean_iou": 0.3, "boundary_f1": math.nan}),
    ScoredOn("test_set", judged_on()["data"]["digest"], {"mean_iou": 0.6, "boundary_f1": 0.5}),
]
"""What the network of run 1 scored on each source of test pictures, and on all."""


def judge(kind="real", reason=None, of_arm=None):
    Path("table.md").write_text("| a |")
    Path("panel.png").write_bytes(b"\x89PNG")
    by_run = {1: {"mean_iou": 0.6}, 2: {"mean_iou": 0.7, "error_rate": None}}
    tables = {"tests.json": pd.DataFrame({"a": ["base"], "p": [0.5]})}
    kept = Kept([Path("table.md")], tables, [Path("panel.png")])
    publish_verdict(arm_json(), judged_on(kind, reason), by_run, of_arm or OF_ARM, kept)


def network(folder="run-001", weight=0.5):
    import numpy as np

    Path(folder).mkdir(exist_ok=True)
    save_file({"weight": np.float32([weight])}, Path(folder, "weights.safetensors"))
    Path(folder, "model.json").write_text(f'{{"architecture": "small_unet", "run": {int(folder[-3:])}}}')
    return Path(folder)


def keep_scores():
    Path("base.parquet").write_bytes(b"scores")
    publish_file(arm_json(), Path("base.parquet"))


TELLING = [
    lambda: publish_arm(arm_json(), {1: run_json(1)}),
    lambda: publish_arm(arm_json(), {1: run_json(1), 2: run_json(2, 2, whole=False)}),
    lambda: publish_arm(arm_json(), RUNS),
    keep_scores,
    judge,
    lambda: publish_model(arm_json(), judged_on(), network(), SCORED),
]
"""All that is told of an arm, in the order of the stages."""


def all_told():
    for tell in TELLING:
        tell()


def test_an_arm_is_a_parent_with_a_child_for_each_run():
    parent = publish_arm(arm_json(), {1: run_json(1, 45), 2: run_json(2)})
    (arm,), (first, second) = stored("arm"), stored("run")
    assert arm.info.run_id == parent
    assert [run.info.run_name for run in (arm, first, second)] == ["base", "base 1", "base 2"]
    assert {run.data.tags["mlflow.parentRunId"] for run in (first, second)} == {parent}
    assert "mlflow.parentRunId" not in arm.data.tags
    assert [run.data.tags["micromime.seed"] for run in (first, second)] == ["1", "2"]
    assert {run.info.status for run in (arm, first, second)} == {"FINISHED"}
    assert history(first) == [(n, 1 / n) for n in range(1, 46)]
    curves = {"train_loss": 2 / 3, "valid_mean_iou": 3 / 8, "system/gpu_0_utilization_percentage": 90}
    assert second.data.metrics == {**curves, "images_per_second": 8 + 3 / 64, "seconds": 1.5}
    assert history(second, "valid_mean_iou") == [(n, n / 8) for n in (1, 2, 3)]
    assert arm.data.metrics == {"images_per_second": 8 + (45 + 3) / 64 / 2, "seconds": 1.5}


def test_an_arm_has_the_means_of_time_and_speed_and_the_largest_memory():
    seconds, memory = (1, 2.5), (600, 900.5)
    runs = {n: run_json(n) | {"seconds": seconds[n - 1], "peak_gpu_memory_mib": memory[n - 1]} for n in (1, 2)}
    publish_arm(arm_json(), runs)
    (arm,), every = stored("arm"), stored("run")
    assert [run.data.metrics["peak_gpu_memory_mib"] for run in every] == [600, 900.5]
    assert arm.data.metrics == {"images_per_second": 8 + 3 / 64, "seconds": 1.75, "peak_gpu_memory_mib": 900.5}


def test_settings_and_versions_stand_with_the_arm_and_with_each_run(monkeypatch):
    from mlflow.data import get_source

    monkeypatch.setenv("MLFLOW_TRUNCATE_LONG_VALUES", "false")  # or MLflow cuts, and grumbles
    phases = [{"size_px": 32, "epochs": 3, "peak_rate": "find"}, {"size_px": 64, "epochs": 1, "peak_rate": 0.5}]
    said = arm_json(base="f1", note="n" * 7000, phases=phases, zoom={"by": 2}, none=None)
    said |= {"start": "models/grains/base", "rates": [0.25, 0.5]}
    drawn = {"scenario": {"rows": {"uniform": [1, 2]}}, "sampler": {"worst_fraction": {"fraction": 0.1}}}
    said["params"]["data"] |= {**drawn, "specimens": ["a", "b"], "parent": {"path": "data/base", "sha256": "0"}}
    publish_arm(said, RUNS)
    for run in stored("arm") + stored("run", f" and dataset.digest = '{MD5}'"):
        scenario = run.data.params.pop("data.scenario")
        assert re.fullmatch("[0-9a-f]{12}", scenario)
        assert run.data.params == {
            **{"train.runs": "2", "train.note": "n" * 6000, "train.zoom.by": "2", "train.found_rates": "0.25, 0.5"},
            **{"train.phases.size_px": "32, 64", "train.phases.epochs": "3, 1", "train.phases.peak_rate": "find, 0.5"},
            **{"data.seed": "1", "data.specimens": "a, b", "data.parent": "data/base"},
            **{"data.sampler": "worst_fraction", "data.sampler.settings": '{"fraction": 0.1}'},
            "goes_on_with": "models/grains/base",
        }
        tags = {key.removeprefix("micromime."): value for key, value in run.data.tags.items()}
        own = {"use_case": "grains", "arm": "base", "profile": "tiny", "fingerprint": "f0", "comparison": "f1"}
        own |= {"git_commit": "c" * 40, "git_dirty": "true", "data.train": MD5, "mlflow.source.git.commit": "c" * 40}
        assert own.items() <= tags.items()
        assert "test_set" not in tags
        (seen,) = run.inputs.dataset_inputs
        assert (seen.dataset.name, seen.dataset.source_type, seen.tags[0].value) == ("train", "dvc", "training")
        assert get_source(seen.dataset).to_dict() == {"path": "data/grains", "md5": MD5, "rev": "c" * 40}
    assert len(stored("run", f" and dataset.digest = '{MD5}' and tags.`micromime.comparison` = 'f1'")) == 2
    (arm,) = stored("arm")
    whole = fetch_logged(arm.info.run_id, "scenario.yaml", Path("fetched"))
    assert yaml.safe_load(whole.read_text()) == json.loads(json.dumps(said["params"]))


@pytest.mark.parametrize("profile", ["tiny", "demo", "evidence", "paper"])
def test_an_arm_has_at_most_forty_parameters(project, profile):
    tree = read_tree(project / "profiles" / f"{profile}.yaml")
    for use_case in ("grain_boundaries", "chip_cracks"):
        train = read_tree(project / "params.yaml")[use_case]["train"] | tree[use_case].get("train", {})
        filled = TrainParameters.model_validate(train).model_dump(mode="json")
        drawn = {"scenario": {"rows": 1}, "count": 1, "seed": 1, "part": "all", "specimens": ["a"]}
        drawn |= {"parent": {"path": "x"}, "sampler": {"learning_progress": dict.fromkeys("abcdefghijkl", 1)}}
        said = arm_json() | {"params": {"data": drawn, "train": filled}, "start": "a", "beside": "b", "rates": [1]}
        assert 25 < len(settings_of(said)) <= 40


def test_told_again_nothing_changes(store):
    dumps = []
    for _ in range(2):
        all_told()
        with sqlite3.connect(store) as database:
            dumps.append(list(database.iterdump()))
    assert dumps[0] == dumps[1]


def test_a_run_that_goes_on_gets_each_epoch_once():
    for epochs in (0, 1, 1, 3):
        publish_arm(arm_json(), {1: run_json(1), 2: run_json(2, epochs, whole=False)})
        going_on = stored("run")[1]
        assert [run.info.status for run in stored("arm") + stored("run")] == ["RUNNING", "FINISHED", "RUNNING"]
        assert history(going_on) == [(n, 2 / n) for n in range(1, epochs + 1)]
    publish_arm(arm_json(), {2: run_json(2, 4)})
    assert [run.info.status for run in stored("arm") + stored("run")] == ["FINISHED"] * 3
    assert stored("run")[1].info.run_id == going_on.info.run_id
    assert history(stored("run")[1]) == [(n, 2 / n) for n in range(1, 5)]


def test_what_an_abandoned_attempt_has_left_is_killed_and_the_run_is_told_anew():
    publish_arm(arm_json(), {1: run_json(1, 2, whole=False), 2: run_json(2, 1, whole=False)})
    publish_arm(arm_json(runs=1), {1: run_json(1, 3, attempt=0.5)})
    assert [run.info.status for run in stored("arm")] == ["FINISHED"]
    found = [(run.info.run_name, run.info.status, len(history(run))) for run in stored("run")]
    assert found == [("base 1", "KILLED", 2), ("base 1", "FINISHED", 3), ("base 2", "KILLED", 1)]


def test_a_finished_run_stays_as_it_is_and_one_more_is_added():
    publish_arm(arm_json(), RUNS)
    first = stored("run")[0]
    publish_arm(arm_json(runs=3, note="later"), {1: run_json(1, 2), 3: run_json(3, 1, whole=False)})
    assert stored("arm")[0].info.status == "RUNNING"
    publish_arm(arm_json(runs=3), {3: run_json(3)})
    (arm,) = stored("arm")
    assert (arm.info.status, arm.data.params["train.runs"], arm.data.params["train.note"]) == ("FINISHED", "2", "later")
    assert len(stored("run")) == 3
    again = stored("run")[0]
    assert (again.info.end_time, history(again)) == (first.info.end_time, history(first))


def test_another_fingerprint_is_another_arm():
    publish_arm(arm_json(), RUNS)
    publish_arm(arm_json(fingerprint="f1"), RUNS)
    assert sorted(arm.data.tags["micromime.fingerprint"] for arm in stored("arm")) == ["f0", "f1"]
    assert len(stored("run")) == 4


def test_a_verdict_joins_the_runs_that_were_trained():
    publish_arm(arm_json(), RUNS)
    judge()
    (arm,), runs = stored("arm"), stored("run")
    assert arm.data.metrics == {"mean_iou": 0.65, "images_per_second": 8 + 3 / 64, "seconds": 1.5}
    assert [(run.data.metrics["seconds"], run.data.metrics["mean_iou"]) for run in runs] == [(1.5, 0.6), (1.5, 0.7)]
    assert "error_rate" not in runs[1].data.metrics
    assert [[tag.value for tag in each.tags] for each in runs[0].inputs.dataset_inputs] == [["training"], ["testing"]]
    client = store_client()
    files = [file.path for file in client.list_artifacts(arm.info.run_id)]
    assert files == ["pictures", "scenario.yaml", "table.md", "tests.json"]
    assert [file.path for file in client.list_artifacts(arm.info.run_id, "pictures")] == ["pictures/panel.png"]
    assert client.get_experiment(arm.info.experiment_id).name == "grains"


def test_a_table_is_one_that_mlflow_reads_and_told_again_it_does_not_grow():
    for _ in range(2):
        judge()
    (arm,) = stored("arm")
    table = store_client().load_table(arm.info.experiment_id, "tests.json", [arm.info.run_id])
    assert table.to_dict("list") == {"a": ["base"], "p": [0.5]}


def test_numbers_on_a_surrogate_are_never_mixed_with_real_ones():
    judge("surrogate", "no real set here", {"mean_iou": 0.5, "astm_g_error": 0.25})  # MLflow does not know the arm yet
    (run, other), (arm,) = stored("run"), stored("arm")
    assert run.data.metrics == {"mean_iou": 0.6}
    assert (run.data.tags["mlflow.parentRunId"], other.info.status) == (arm.info.run_id, "FINISHED")
    own = [run.data.tags[f"micromime.{key}"] for key in ("test_set", "test_set_reason")]
    assert own == ["surrogate, not real", "no real set here"]
    for _ in range(2):
        judge()
        (arm,), run = stored("arm"), stored("run")[0]
        assert (arm.data.metrics["mean_iou"], len(history(arm, "astm_g_error"))) == (0.65, 2)
        assert math.isnan(arm.data.metrics["astm_g_error"])  # there is none on the real set
        assert [run.data.tags[f"micromime.{key}"] for key in ("test_set", "test_set_reason")] == ["real", ""]


def test_a_model_has_its_scores_by_source_and_its_run_those_on_the_whole_test_set():
    publish_arm(arm_json(), RUNS)
    judge()
    for _ in range(2):
        made = publish_model(arm_json(), judged_on(), network(), SCORED)
        found = store_client().get_logged_model(made.model_id).metrics
        assert sorted((each.dataset_name, each.dataset_digest, each.key, each.value) for each in found) == sorted(
            (on.name, on.digest, key, value) for on in SCORED for key, value in on.scores.items() if value == value
        )
        (run, other), (arm,) = stored("run"), stored("arm")
        assert {each.run_id for each in found} == {run.info.run_id}
        assert [run.data.metrics[key] for key in ("mean_iou", "boundary_f1")] == [0.6, 0.5]
        assert (other.data.metrics["mean_iou"], arm.data.metrics["mean_iou"]) == (0.7, 0.65)
    later = [SCORED[0]._replace(digest="7" * 16), *SCORED[1:]]  # other pictures of steel
    publish_model(arm_json(), judged_on(), network(), later)
    assert stored("run")[0].data.metrics["mean_iou"] == 0.6


def test_what_an_earlier_build_told_is_left_as_it_is():
    publish_arm(arm_json(), RUNS)
    client = store_client()
    for run in (old := stored("arm") + stored("run")):
        client.delete_tag(run.info.run_id, "micromime.layout")
    publish_arm(arm_json(), RUNS)
    found = [run for run in stored("arm") + stored("run") if "micromime.layout" in run.data.tags]
    assert len(found) == 3
    assert not {run.info.run_id for run in found} & {run.info.run_id for run in old}


WRITES = """
create_experiment create_run log_batch log_inputs set_terminated create_registered_model create_logged_model
log_model_artifacts finalize_logged_model log_outputs create_model_version set_logged_model_tags
set_registered_model_alias
"""
"""What is asked of MLflow that changes its store."""


def test_a_store_that_dies_at_every_write_loses_and_doubles_nothing(empty_store, monkeypatch):
    """Each attempt comes one write further, and ends as the answer to that is lost."""
    from mlflow import MlflowClient

    all_told()
    undisturbed = content()
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{Path.cwd()}/another.db")
    shutil.copy(empty_store, "another.db")
    died_at: list[str] = []

    def dying(name, whole):
        def write(*args, **words):
            answer = whole(*args, **words)
            nothing = name == "log_batch" and not any([*args[2:], *words.values()])
            if nothing or (name == "log_model_artifacts" and name in died_at):
                return answer  # what is unfinished is sent whole again, and nothing is not sent
            died_at.append(name)
            raise OSError("connection reset")

        return write

    for name in WRITES.split():
        monkeypatch.setattr(MlflowClient, name, dying(name, getattr(MlflowClient, name)))
    for tell in TELLING:
        for _ in range(20):
            with suppress(Unreachable):
                tell()
                break
    assert set(died_at) == set(WRITES.split())
    assert content() == undisturbed


@contextmanager
def serving(port: int) -> Iterator[None]:
    """MLflow's server on a store in the working directory; it is killed at the end, as if memory had run out."""
    words = ["--backend-store-uri=sqlite:///served.db", "--workers=1", "--uvicorn-opts=--log-level=error"]
    settings = UNLESS_SET | {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
    server = started(Path.cwd(), "mlflow", "server", f"--port={port}", *words, **settings)
    try:
        for _ in range(240):  # on a busy machine it takes more than a minute
            with suppress(OSError), urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=5):
                break
            time.sleep(0.5)
        yield
    finally:
        os.killpg(server.pid, signal.SIGKILL)
        server.communicate()


@pytest.mark.slow
def test_a_server_that_is_killed_in_the_middle_loses_and_doubles_nothing(empty_store, monkeypatch, capsys):
    all_told()
    undisturbed = content()
    shutil.copy(empty_store, "served.db")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://127.0.0.1:{port}")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    with serving(port):
        publish_arm(arm_json(), {1: run_json(1), 2: run_json(2, 2, whole=False)})
    for _ in range(2):
        with best_effort():
            all_told()
    said = capsys.readouterr().err
    assert said.count("micromime: ") == said.count("`micromime publish`") == 1  # beside what MLflow itself says
    monkeypatch.setenv(OFFLINE, "")
    with serving(port):
        assert [run.info.status for run in stored("run")] == ["FINISHED", "RUNNING"]
        all_told()
        assert content() == undisturbed
