"""Runs in MLflow: written whole, found again, never doubled; the store itself is opened to look."""

import dataclasses
import math
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import micromime
from micromime.mistakes import Mistake
from micromime.project.versions import DataVersion, Revision
from micromime.tracking.mlflow_arm import RunDescription
from micromime.tracking.run_log import RunLog
from micromime.tracking.store import prepare_store, tracking_uri
from micromime.tracking.tracking import log_judged, tracked_arm, tracked_run

MD5 = "0123456789abcdef0123456789abcdef.dir"

DESCRIBED = RunDescription(
    use_case="grains",
    arm="synthetic",
    profile="tiny",
    fingerprint="f1",
    params={"train": {"phases": [{"epochs": 3}], "note": "n" * 7000}},
    data=(DataVersion("train", "data/grains", MD5),),
    revision=Revision("c" * 40, dirty=True),
)

JUDGED = dataclasses.replace(
    DESCRIBED, test_set="real", data=(*DESCRIBED.data, DataVersion("test", "data/real", "1" + MD5[1:], "testing"))
)

ONE_RUN = """
import sys, time
from micromime.tracking.mlflow_arm import RunDescription
from micromime.tracking.tracking import tracked_run
from micromime.project.versions import DataVersion, Revision
with tracked_run(sys.argv[1], int(sys.argv[2]), {described!r}) as log:
    for step in range(150):
        log.metrics({{"loss": 1 / (step + 1)}}, step)
    print("logged", flush=True)
    time.sleep(float(sys.argv[3]))
"""


@pytest.fixture
def project(store: Path) -> Path:
    """A project's folder with a store of its own, the working directory."""
    return store.parent


def client():
    from mlflow import MlflowClient

    return MlflowClient(tracking_uri())


def stored(level: str, query: str = "") -> list:
    """Runs in the store, the oldest first."""
    experiment = client().get_experiment_by_name("grains").experiment_id
    where = f"tags.`micromime.level` = '{level}'{query}"
    return list(client().search_runs([experiment], where, order_by=["attributes.start_time ASC"]))


def statuses(level: str) -> list[str]:
    return [run.info.status for run in stored(level)]


def train(*seeds: int) -> None:
    with tracked_arm(DESCRIBED) as arm_id:
        for seed in seeds:
            with tracked_run(arm_id, seed, DESCRIBED) as log:
                log.metrics({"loss": 1 / seed}, step=4)


def start(arm_id: str, seed: int, seconds: float) -> subprocess.Popen[str]:
    """Start a process that trains, and goes on for a while after its numbers are logged."""
    command = [sys.executable, "-c", ONE_RUN.format(described=DESCRIBED), arm_id, str(seed), str(seconds)]
    paths = {"PYTHONPATH": str(Path(micromime.__file__).parents[1])}
    return subprocess.Popen(command, env=os.environ | paths, stdout=subprocess.PIPE, text=True)


def test_importing_it_brings_in_nothing_slow():
    slow = {"mlflow", "torch", "fastai"}
    code = f"import sys, micromime.tracking.tracking; print({slow} & set(sys.modules))"
    paths = {"PYTHONPATH": str(Path(micromime.__file__).parents[1])}
    assert (
        subprocess.run(
            [sys.executable, "-c", code], env=os.environ | paths, capture_output=True, text=True, check=True
        ).stdout
        == "set()\n"
    )


def test_store_is_the_users_or_else_lies_in_the_working_directory(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://lab:5000")
    assert tracking_uri() == "http://lab:5000"
    monkeypatch.delenv("MLFLOW_TRACKING_URI")
    assert tracking_uri() == f"sqlite:///{tmp_path}/mlflow.db"


@pytest.mark.usefixtures("project")
def test_an_arm_is_a_parent_with_a_child_for_each_seed():
    train(1, 2)
    (arm,) = stored("arm")
    first, second = stored("run")
    assert [arm.info.run_name, first.info.run_name, second.info.run_name] == ["synthetic", "synthetic 1", "synthetic 2"]
    assert "mlflow.parentRunId" not in arm.data.tags
    assert {run.data.tags["mlflow.parentRunId"] for run in (first, second)} == {arm.info.run_id}
    assert [run.data.tags["micromime.seed"] for run in (first, second)] == ["1", "2"]
    assert {run.info.status for run in (arm, first, second)} == {"FINISHED"}
    assert (first.data.metrics["loss"], second.data.metrics["loss"]) == (1.0, 0.5)


@pytest.mark.usefixtures("project")
def test_settings_and_versions_stand_with_the_arm_and_with_each_run(monkeypatch):
    monkeypatch.setenv("MLFLOW_TRUNCATE_LONG_VALUES", "false")  # or MLflow cuts, and grumbles
    train(1)
    for run in stored("arm") + stored("run"):
        assert run.data.params == {"train.phases.0.epochs": "3", "train.note": "n" * 6000}
        own = {key.removeprefix("micromime."): value for key, value in run.data.tags.items()}
        assert (own["use_case"], own["arm"], own["profile"], own["fingerprint"]) == (
            "grains",
            "synthetic",
            "tiny",
            "f1",
        )
        assert (own["git_commit"], own["git_dirty"], own["data.train"]) == ("c" * 40, "true", MD5)
        assert own["mlflow.source.git.commit"] == "c" * 40
        assert "test_set" not in own


@pytest.mark.usefixtures("project")
def test_runs_are_found_by_the_data_they_have_seen():
    from mlflow.data import get_source

    train(1)
    (run,) = stored("run", f" and dataset.digest = '{MD5}'")
    (seen,) = run.inputs.dataset_inputs
    assert (seen.dataset.name, seen.dataset.source_type, seen.tags[0].value) == ("train", "dvc", "training")
    assert get_source(seen.dataset).to_dict() == {"path": "data/grains", "md5": MD5, "rev": "c" * 40}
    assert stored("run", f" and dataset.digest = '{MD5[1:]}'") == []


@pytest.mark.usefixtures("project")
def test_numbers_go_out_in_batches(monkeypatch):
    sizes: list[int] = []
    with tracked_arm(DESCRIBED) as arm_id, tracked_run(arm_id, 1, DESCRIBED) as log:
        whole = type(log.client).log_batch

        def counted(self, run_id, metrics=(), **entries):
            sizes.append(len([point for point in metrics if not point.key.startswith("system/")]))
            return whole(self, run_id, metrics=metrics, **entries)

        monkeypatch.setattr(type(log.client), "log_batch", counted)
        for step in range(250):
            log.metrics({"loss": step / 2}, step)
    assert [size for size in sizes if size] == [100, 100, 50]
    history = client().get_metric_history(log.run_id, "loss")
    assert sorted((point.step, point.value) for point in history) == [(step, step / 2) for step in range(250)]


@pytest.mark.usefixtures("project")
@pytest.mark.parametrize(("error", "status"), [(ValueError, "FAILED"), (KeyboardInterrupt, "KILLED")])
def test_what_fails_says_so_and_keeps_its_numbers(error, status):
    def fail() -> None:
        with tracked_arm(DESCRIBED) as arm_id, tracked_run(arm_id, 1, DESCRIBED) as log:
            log.metrics({"loss": 0.5})
            raise error

    with pytest.raises(error):
        fail()
    assert statuses("arm") == statuses("run") == [status]
    assert stored("run")[0].data.metrics["loss"] == 0.5


@pytest.mark.usefixtures("project")
def test_the_load_of_the_machine_stands_with_runs_only():
    train(1)
    assert stored("run")[0].data.metrics["system/system_memory_usage_megabytes"] > 0
    assert stored("arm")[0].data.metrics == {}


@pytest.mark.usefixtures("project")
def test_repeating_doubles_nothing():
    train(1, 2)
    before = [run.info.run_id for run in stored("arm") + stored("run")]
    train(1, 2)
    assert [run.info.run_id for run in stored("arm") + stored("run")] == before
    assert [len(client().get_metric_history(run_id, "loss")) for run_id in before] == [0, 1, 1]
    assert statuses("arm") + statuses("run") == ["FINISHED"] * 3


@pytest.mark.usefixtures("project")
def test_another_fingerprint_is_another_arm():
    train(1)
    with tracked_arm(dataclasses.replace(DESCRIBED, fingerprint="f2")):
        pass
    assert [arm.data.tags["micromime.fingerprint"] for arm in stored("arm")] == ["f1", "f2"]


@pytest.mark.usefixtures("project")
def test_settings_outside_the_fingerprint_may_change_and_the_first_stay():
    train(1)
    with tracked_arm(dataclasses.replace(DESCRIBED, params={"train": {"note": "other"}, "threads": 2})):
        pass
    params = stored("arm")[0].data.params
    assert (params["train.note"], params["threads"]) == ("n" * 6000, "2")


@pytest.mark.usefixtures("project")
def test_an_abandoned_run_is_ended_and_done_again():
    train(1, 2)
    for run in stored("arm") + stored("run"):  # as a killed process leaves them
        client().update_run(run.info.run_id, status="RUNNING")
    train(2)
    assert len(statuses("arm")) == 1
    assert [(run.data.tags["micromime.seed"], run.info.status) for run in stored("run")] == [
        ("1", "KILLED"),
        ("2", "KILLED"),
        ("2", "FINISHED"),
    ]


def judge(described: RunDescription = JUDGED) -> None:
    Path("panel.png").write_bytes(b"panel")
    of_arm = {
        "n_runs": 2,
        "mean_iou": {"mean": 0.65, "sd": math.nan, "ci99_student": {"lo": 0.6, "hi": 0.7}, "p": None},
    }
    log_judged(described, {1: {"mean_iou": 0.6}, 2: {"mean_iou": 0.7}}, of_arm, [Path("panel.png")])


@pytest.mark.usefixtures("project")
def test_a_verdict_joins_the_runs_that_were_trained():
    train(1, 2)
    for _ in range(2):
        judge()
    (arm,) = stored("arm")
    assert arm.data.metrics == {
        "real.n_runs": 2,
        "real.mean_iou.mean": 0.65,
        "real.mean_iou.ci99_student.lo": 0.6,
        "real.mean_iou.ci99_student.hi": 0.7,
    }
    runs = stored("run")
    assert [(run.data.metrics["loss"], run.data.metrics["real.mean_iou"]) for run in runs] == [(1, 0.6), (0.5, 0.7)]
    assert [len(client().get_metric_history(run.info.run_id, "real.mean_iou")) for run in runs] == [1, 1]
    assert [file.path for file in client().list_artifacts(arm.info.run_id)] == ["panel.png"]
    assert [[tag.value for tag in each.tags] for each in runs[0].inputs.dataset_inputs] == [["training"], ["testing"]]
    assert runs[0].data.tags["micromime.test_set"] == "real"


@pytest.mark.usefixtures("project")
def test_a_verdict_in_a_store_without_the_runs_makes_them():
    for _ in range(2):
        judge()
    assert statuses("arm") + statuses("run") == ["FINISHED"] * 3
    first = stored("run")[0]
    assert first.data.tags["mlflow.parentRunId"] == stored("arm")[0].info.run_id
    assert first.data.params["train.phases.0.epochs"] == "3"
    assert "no learning curves" in first.data.tags["mlflow.note.content"]


@pytest.mark.usefixtures("project")
def test_numbers_on_a_surrogate_are_never_mixed_with_real_ones():
    judge(dataclasses.replace(JUDGED, test_set="surrogate", test_set_reason="no real set here"))
    run = stored("run")[0]
    assert run.data.metrics == {"surrogate.mean_iou": 0.6}
    own = [run.data.tags[f"micromime.{key}"] for key in ("test_set", "test_set_reason")]
    assert own == ["surrogate, not real", "no real set here"]
    judge()
    later = stored("run")[0]
    assert later.data.metrics == {"surrogate.mean_iou": 0.6, "real.mean_iou": 0.6}
    assert [later.data.tags[f"micromime.{key}"] for key in ("test_set", "test_set_reason")] == ["real", ""]


@pytest.mark.usefixtures("project")
def test_judging_must_say_on_what():
    with pytest.raises(ValueError, match="which kind of test set"):
        judge(DESCRIBED)


@pytest.fixture
def silent_port() -> Iterator[int]:
    """A server that takes calls and never answers."""
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        yield server.getsockname()[1]


def test_a_server_that_does_not_answer_is_named_without_its_password(silent_port, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://ann:secret@127.0.0.1:{silent_port}")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "1")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    with pytest.raises(
        Mistake, match=rf"at http://ann:\*\*\*@127.0.0.1:{silent_port} failed \(Read timed out\)"
    ) as told:
        prepare_store("grains")
    assert "secret" not in str(told.value)


@pytest.mark.usefixtures("project")
def test_losing_the_store_does_not_hide_why_a_run_failed(monkeypatch):
    def lost(log: RunLog, status: str) -> None:
        raise Mistake(f"no store for {log.run_id} {status}")

    monkeypatch.setattr(RunLog, "end", lost)
    with pytest.raises(ValueError, match="out of memory"), tracked_arm(DESCRIBED):
        raise ValueError("out of memory")


@pytest.mark.usefixtures("project")
def test_a_deleted_experiment_is_told_with_the_way_back():
    prepare_store("grains")
    client().delete_experiment(client().get_experiment_by_name("grains").experiment_id)
    with pytest.raises(Mistake, match=r"'grains' was deleted.*mlflow experiments restore"):
        prepare_store("grains")


@pytest.mark.slow
def test_four_processes_log_at_once_into_a_store_that_was_just_made(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    prepare_store("grains")
    with tracked_arm(DESCRIBED) as arm_id:
        processes = [start(arm_id, seed, 0) for seed in (1, 2, 3, 4)]
        assert [process.communicate()[0] for process in processes] == ["logged\n"] * 4
    assert [process.returncode for process in processes] == [0] * 4
    runs = stored("run")
    assert sorted(run.data.tags["micromime.seed"] for run in runs) == ["1", "2", "3", "4"]
    assert statuses("arm") + statuses("run") == ["FINISHED"] * 5
    assert [len(client().get_metric_history(run.info.run_id, "loss")) for run in runs] == [150] * 4
    assert len(stored("run", f" and dataset.digest = '{MD5}'")) == 4


@pytest.mark.slow
@pytest.mark.usefixtures("project")
def test_a_process_killed_in_its_run_is_followed_by_another():
    arm = tracked_arm(DESCRIBED)
    with start(arm.__enter__(), 1, 600) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "logged\n"
        process.send_signal(signal.SIGKILL)
    assert statuses("arm") + statuses("run") == ["RUNNING", "RUNNING"]
    train(1)
    assert statuses("arm") == ["FINISHED"]
    assert statuses("run") == ["KILLED", "FINISHED"]
    killed, finished = stored("run")
    assert len(client().get_metric_history(killed.info.run_id, "loss")) == 100  # what had been sent
    assert finished.data.metrics["loss"] == 1


@pytest.mark.slow
@pytest.mark.usefixtures("project")
def test_a_store_of_an_older_mlflow_is_brought_up_to_date(monkeypatch):
    from alembic import command
    from mlflow.store.db import utils

    train(1)
    Path("mlflow.db").rename("older.db")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{Path.cwd()}/older.db")
    command.downgrade(utils._get_alembic_config(tracking_uri()), "17e22815139b")
    monkeypatch.setattr(utils, "_all_tables_exist", lambda engine: engine is not None)  # or MLflow does it unasked
    prepare_store("grains")
    assert statuses("run") == ["FINISHED"]
