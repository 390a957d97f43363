"""What MLflow has of arms after it was told from their records: all of it, once, whatever happened meanwhile."""

import math
import os
import shutil
import signal
import socket
import sqlite3
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from clones import started
from safetensors.numpy import save_file
from stores import MD5, arm_json, content, history, judged_on, run_json, stored

from micromime.tracking.publish import publish_arm, publish_file, publish_model, publish_verdict
from micromime.tracking.store import OFFLINE, UNLESS_SET, Unreachable, best_effort, store_client

pytestmark = pytest.mark.usefixtures("store")

RUNS = {1: run_json(1), 2: run_json(2)}

OF_ARM = {"n_runs": 2, "mean_iou": {"mean": 0.65, "sd": math.nan, "ci99_student": {"lo": 0.6}, "p": None}}


def judge(said=None, kind="real", reason=None):
    Path("table.md").write_text("| a |")
    Path("panel.png").write_bytes(b"\x89PNG")
    by_run = {1: {"mean_iou": 0.6}, 2: {"mean_iou": 0.7, "every": {"mean_iou": 0.5}}}
    pictures = {"panel": Path("panel.png")}
    publish_verdict(said or arm_json(), judged_on(kind, reason), by_run, OF_ARM, [Path("table.md")], pictures)


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
    lambda: publish_model(arm_json(), judged_on(), network()),
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
    facts = {"seconds": 1.5, "peak_rate.phase_1": 0.25, "peak_rate.phase_2": 0.125}
    assert second.data.metrics == {"train_loss": 2 / 3, "images_per_second": 8 + 3 / 64, **facts}
    assert arm.data.metrics == {}


def test_settings_and_versions_stand_with_the_arm_and_with_each_run(monkeypatch):
    from mlflow.data import get_source

    monkeypatch.setenv("MLFLOW_TRUNCATE_LONG_VALUES", "false")  # or MLflow cuts, and grumbles
    many = {f"setting_{n}": n for n in range(120)}
    nested = {"phases": [{"epochs": 3}, {"epochs": 1}], "sizes": (8, 6), "none": None, "empty": {}}
    publish_arm(arm_json(base="f1", note="n" * 7000, **nested, **many), RUNS)
    for run in stored("arm") + stored("run", f" and dataset.digest = '{MD5}'"):
        own = {"data.seed": "1", "train.runs": "2", "train.note": "n" * 6000, "train.none": "None", "train.empty": "{}"}
        own |= {"train.phases.0.epochs": "3", "train.phases.1.epochs": "1", "train.sizes.0": "8", "train.sizes.1": "6"}
        assert run.data.params == own | {f"train.{key}": str(n) for key, n in many.items()}
        tags = {key.removeprefix("micromime."): value for key, value in run.data.tags.items()}
        said = {"use_case": "grains", "arm": "base", "profile": "tiny", "fingerprint": "f0", "comparison": "f1"}
        said |= {"git_commit": "c" * 40, "git_dirty": "true", "data.train": MD5, "mlflow.source.git.commit": "c" * 40}
        assert said.items() <= tags.items()
        assert "test_set" not in tags
        (seen,) = run.inputs.dataset_inputs
        assert (seen.dataset.name, seen.dataset.source_type, seen.tags[0].value) == ("train", "dvc", "training")
        assert get_source(seen.dataset).to_dict() == {"path": "data/grains", "md5": MD5, "rev": "c" * 40}
    assert len(stored("run", f" and dataset.digest = '{MD5}' and tags.`micromime.comparison` = 'f1'")) == 2


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
    assert arm.data.metrics == {"real.n_runs": 2, "real.mean_iou.mean": 0.65, "real.mean_iou.ci99_student.lo": 0.6}
    assert [(run.data.metrics["seconds"], run.data.metrics["real.mean_iou"]) for run in runs] == [
        (1.5, 0.6),
        (1.5, 0.7),
    ]
    assert runs[1].data.metrics["real.every.mean_iou"] == 0.5
    assert [[tag.value for tag in each.tags] for each in runs[0].inputs.dataset_inputs] == [["training"], ["testing"]]
    client = store_client()
    assert [file.path for file in client.list_artifacts(arm.info.run_id)] == ["pictures", "table.md"]
    assert [file.path for file in client.list_artifacts(arm.info.run_id, "pictures")] == ["pictures/panel.png"]


def test_numbers_on_a_surrogate_are_never_mixed_with_real_ones():
    judge(kind="surrogate", reason="no real set here")  # of an arm that MLflow does not know yet
    (run, other) = stored("run")
    assert run.data.metrics == {"surrogate.mean_iou": 0.6}
    assert (run.data.tags["mlflow.parentRunId"], other.info.status) == (stored("arm")[0].info.run_id, "FINISHED")
    own = [run.data.tags[f"micromime.{key}"] for key in ("test_set", "test_set_reason")]
    assert own == ["surrogate, not real", "no real set here"]
    judge()
    later = stored("run")[0]
    assert later.data.metrics == {"surrogate.mean_iou": 0.6, "real.mean_iou": 0.6}
    assert [later.data.tags[f"micromime.{key}"] for key in ("test_set", "test_set_reason")] == ["real", ""]


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
