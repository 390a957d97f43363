"""What MLflow is told while its server does not answer is kept, and comes to it later: all of it, in order, once."""

import dataclasses
import json
import os
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

import micromime
from micromime.mistakes import Mistake
from micromime.project.versions import DataVersion, Revision
from micromime.tracking.delivery import deliver, open_store
from micromime.tracking.letters import tell_file, tell_judged, tell_pictures
from micromime.tracking.mlflow_arm import RunDescription
from micromime.tracking.outbox import OFFLINE, OUTBOX, Diary, letters, new_letter, offline, read_letter, told
from micromime.tracking.run_log import RunLog
from micromime.tracking.store import Unreachable, prepare_store, store_client
from micromime.tracking.sync import sync
from micromime.tracking.tracking import tracked_arm, tracked_run

MD5 = "0123456789abcdef0123456789abcdef.dir"
DESCRIBED = RunDescription(
    "grains", "base", "tiny", "f1", {"epochs": 3}, (DataVersion("train", "data/grains", MD5),), Revision("c" * 40, True)
)
JUDGED = dataclasses.replace(DESCRIBED, test_set="real")
PNG = b"\x89PNG\r\n\x1a\n a picture"

KILLED_RUN = """
import time
from micromime.tracking.tracking import tracked_run
from micromime.tracking.mlflow_arm import RunDescription
from micromime.project.versions import DataVersion, Revision
with tracked_run("", 3, {described!r}) as log:
    for step in range(120):
        log.metrics({{"loss": 1 / (step + 1)}}, step)
    print("logged", flush=True)
    time.sleep(600)
"""


@pytest.fixture
def nobody(store: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The address of a server that is down; beside it, mlflow.db is a store that works."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"http://ann:secret@127.0.0.1:{free.getsockname()[1]}"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", address)
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    monkeypatch.setenv(OFFLINE, "")
    assert store.exists()
    return address


@pytest.fixture
def back(nobody: str, monkeypatch: pytest.MonkeyPatch):
    """What makes the server that is down answer again: as the next command finds it, at another address."""
    assert nobody

    def answer(name: str = "mlflow.db") -> None:
        monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{Path.cwd()}/{name}")
        monkeypatch.setenv(OFFLINE, "")
        prepare_store("grains")

    return answer


def stored(level: str) -> list:
    experiment = store_client().get_experiment_by_name("grains").experiment_id
    where = f"tags.`micromime.level` = '{level}'"
    return list(store_client().search_runs([experiment], where, order_by=["attributes.start_time ASC"]))


def history(run, key: str = "loss") -> list[tuple[int, float]]:
    return sorted((each.step, each.value) for each in store_client().get_metric_history(run.info.run_id, key))


def train(seed: int) -> None:
    with tracked_arm(DESCRIBED) as arm_id, tracked_run(arm_id, seed, DESCRIBED) as log:
        for step in range(250):
            log.metrics({"loss": seed / (step + 1)}, step)


def all_told() -> None:
    """All that a stage tells of an arm with two runs."""
    open_store("grains")
    train(1)
    train(2)
    Path("table.csv").write_bytes(b"1,2\r\n")
    Path("panel.png").write_bytes(PNG)
    tell_judged(JUDGED, {1: {"mean_iou": 0.5, "none": None}, 2: {"mean_iou": 0.75}}, {"mean_iou": {"mean": 0.625}})
    tell_file(DESCRIBED, Path("table.csv"))
    tell_pictures(DESCRIBED, {"panel": Path("panel.png")})


def what_is_there() -> dict:
    """All that a store has, but for times and ids."""
    found: dict = {}
    for run in stored("arm") + stored("run"):
        own = {key: text for key, text in run.data.tags.items() if key.startswith("micromime.")}
        own.pop("micromime.attempt", None)
        numbers = {key: history(run, key) for key in run.data.metrics if not key.startswith("system/")}
        inputs = [(each.dataset.name, each.dataset.digest) for each in run.inputs.dataset_inputs]
        key = run.info.run_name
        found.setdefault(key, []).append((run.info.status, own, numbers, dict(run.data.params), inputs))
    (arm,) = stored("arm")
    files = [file.path for file in store_client().list_artifacts(arm.info.run_id)]
    assert {run.data.tags["mlflow.parentRunId"] for run in stored("run")} == {arm.info.run_id}
    return found | {"files": files}


def test_all_comes_as_if_the_server_had_answered(nobody, back, monkeypatch, capsys):
    shutil.copy("mlflow.db", "answering.db")
    back("answering.db")
    all_told()
    expected = what_is_there()
    monkeypatch.setenv("MLFLOW_TRACKING_URI", nobody)
    all_told()
    said = capsys.readouterr().err
    assert said.count("failed (") == 1
    assert "secret" not in said
    assert offline()
    assert not any("secret" in file.read_text() for file in OUTBOX.rglob("*.json"))
    Path("table.csv").write_text("edited since")
    back()
    sync(moved=True)
    assert what_is_there() == expected
    assert letters() == []
    (arm,) = stored("arm")
    table = store_client().download_artifacts(arm.info.run_id, "table.csv")
    assert Path(table).read_bytes() == b"1,2\r\n"


def test_sent_again_it_doubles_nothing(back):
    all_told()
    kept = shutil.copytree(OUTBOX, "kept")
    back()
    sync(moved=True)
    before = what_is_there()
    shutil.copytree(kept, OUTBOX, dirs_exist_ok=True)  # as if it had been killed before it threw them away
    sync(moved=True)
    assert what_is_there() == before


def test_times_are_those_of_the_training(back):
    began = time.time() * 1000
    train(1)
    ended = time.time() * 1000
    time.sleep(0.05)
    back()
    sync(moved=True)
    (run,) = stored("run")
    times = [each.timestamp for each in store_client().get_metric_history(run.info.run_id, "loss")]
    assert began - 1 <= min(times) <= max(times) <= ended
    assert run.info.end_time <= ended
    assert run.data.metrics["system/system_memory_usage_megabytes"] > 0


@pytest.mark.usefixtures("store")
def test_a_store_that_fails_in_the_middle_gets_the_rest(monkeypatch):
    monkeypatch.setenv(OFFLINE, "")
    prepare_store("grains")
    whole = type(store_client()).log_batch
    with tracked_arm(DESCRIBED) as arm_id, tracked_run(arm_id, 1, DESCRIBED) as log:
        for step in range(250):
            if step == 150:  # 100 points are there

                def fails(*_args, **_words):
                    raise OSError("the disk is full")

                monkeypatch.setattr(type(store_client()), "log_batch", fails)
            log.metrics({"loss": 1 / (step + 1)}, step)
    monkeypatch.setattr(type(store_client()), "log_batch", whole)
    assert [run.info.status for run in stored("run")] == ["RUNNING"]
    monkeypatch.setenv(OFFLINE, "")
    sync(moved=False)
    (run,) = stored("run")
    assert run.info.status == "FINISHED"
    assert [step for step, _ in history(run)] == list(range(250))


@pytest.mark.usefixtures("store")
def test_a_run_that_the_store_has_begun_without_our_knowing_is_gone_on_with(monkeypatch):
    monkeypatch.setenv(OFFLINE, "")
    prepare_store("grains")
    whole = type(store_client()).log_inputs

    def lost(*_args, **_words):
        raise OSError("connection reset")

    with tracked_arm(DESCRIBED) as arm_id:
        monkeypatch.setattr(type(store_client()), "log_inputs", lost)
        with tracked_run(arm_id, 1, DESCRIBED) as log:
            log.metrics({"loss": 0.5})
        monkeypatch.setattr(type(store_client()), "log_inputs", whole)
    monkeypatch.setenv(OFFLINE, "")
    sync(moved=False)
    (run,) = stored("run")
    assert (run.info.status, run.data.metrics["loss"]) == ("FINISHED", 0.5)
    assert run.inputs.dataset_inputs[0].dataset.digest == MD5


def test_a_killed_process_leaves_what_it_had_written(back):
    command = [sys.executable, "-c", KILLED_RUN.format(described=DESCRIBED)]
    paths = {"PYTHONPATH": str(Path(micromime.__file__).parents[1]), OFFLINE: "1"}
    with subprocess.Popen(command, env=os.environ | paths, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "logged\n"
            back()
            assert deliver(letters()).unfinished == 1  # it is its process's as long as that lives
        finally:
            process.kill()
    sync(moved=True)
    (run,) = stored("run")
    assert run.info.status == "KILLED"
    assert len(history(run)) == 100


@pytest.mark.usefixtures("store")
def test_a_line_that_was_cut_off_is_passed_over():
    diary = Diary.begin("run", {})
    diary.write([("loss", 0.5, 1, 0)])
    with (diary.folder / "points.jsonl").open("a") as file:
        file.write('["loss", 0.25, 2')
    assert told(diary.folder) == ([("loss", 0.5, 1, 0)], None)
    diary.end("FINISHED")
    assert told(diary.folder)[1]["status"] == "FINISHED"


def test_a_run_that_somebody_has_finished_meanwhile_stays_as_it_is(back):
    train(1)
    back()
    with tracked_arm(DESCRIBED) as arm_id, tracked_run(arm_id, 1, DESCRIBED) as log:
        log.metrics({"loss": 7.0})
    sync(moved=True)
    (run,) = stored("run")
    assert history(run) == [(0, 7.0)]


def test_the_next_stage_sends_what_waits_before_it_says_more(back, monkeypatch, capsys):
    monkeypatch.setattr("micromime.tracking.outbox.store_name", lambda: f"sqlite:///{Path.cwd()}/mlflow.db")
    train(1)
    back()
    open_store("grains")
    assert "2 of 2 letters that waited were sent" in capsys.readouterr().out
    assert [run.info.status for run in stored("arm") + stored("run")] == ["FINISHED", "FINISHED"]


def test_what_waits_for_another_store_is_not_sent_unasked(back, capsys):
    train(1)
    back()
    open_store("grains")
    assert stored("run") == []
    with pytest.raises(Mistake, match=r"2 for http://127\.0\.0\.1:\d+; set MLFLOW_TRACKING_URI .*--moved"):
        sync(moved=False)
    assert stored("run") == []
    assert "0 letters were sent" in capsys.readouterr().out


def test_a_letter_that_is_refused_stays_and_holds_up_no_other(back):
    train(1)
    broken = new_letter("file", {"described": DESCRIBED.dumped(), "files": ["gone.csv"]})
    tell_file(DESCRIBED, Path(__file__))
    back()
    with pytest.raises(Mistake, match=rf"did not take 1 letters.*{broken.name}.*gone\.csv is no file"):
        sync(moved=True)
    assert letters() == [broken]
    assert [file.path for file in store_client().list_artifacts(stored("arm")[0].info.run_id)] == [Path(__file__).name]


@pytest.mark.usefixtures("nobody")
def test_a_server_that_is_still_down_is_told_and_nothing_is_lost():
    train(1)
    before = letters()
    with pytest.raises(Unreachable, match=r"MLflow's store at http://ann:\*\*\*@127.*failed"):
        sync(moved=False)
    assert letters() == before


def test_two_do_not_send_at_once(back):
    from micromime.engines.local import alone

    train(1)
    back()
    with alone(OUTBOX), pytest.raises(Mistake, match="is being worked on by another micromime"):
        sync(moved=True)
    assert len(letters()) == 2


def test_a_stage_goes_on_while_somebody_else_sends(back, monkeypatch):
    from micromime.engines.local import alone

    train(1)
    back()
    monkeypatch.setattr("micromime.tracking.delivery.letters_for", lambda _: letters())
    with alone(OUTBOX):
        open_store("grains")
        assert offline()
        train(2)
    assert len(letters()) == 4


@pytest.mark.usefixtures("store")
def test_offline_asks_nobody(monkeypatch):
    monkeypatch.setenv(OFFLINE, "1")
    monkeypatch.setattr(RunLog, "_sent", lambda *_: pytest.fail("asked") if _[0].client else False)
    all_told()
    kinds = [read_letter(each)["kind"] for each in letters()]
    assert kinds == ["run", "run", "run", "run", "judged", "file", "pictures"]


@pytest.mark.parametrize("seed", [None, 0, 3])
def test_a_description_comes_back_from_json(seed):
    assert RunDescription.loaded(json.loads(json.dumps(JUDGED.dumped()))) == JUDGED
    assert RunLog(JUDGED, seed).seed == seed
