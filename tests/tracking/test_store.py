"""A store that does not answer: one sentence, no password, and work goes on."""

import socket
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from http.server import BaseHTTPRequestHandler, HTTPServer
from multiprocessing import get_context
from pathlib import Path

import pytest
from stores import arm_json, run_json, stored

from micromime.mistakes import Mistake
from micromime.project.versions import TOLD
from micromime.tracking.publish import publish_arm
from micromime.tracking.store import OFFLINE, best_effort, offline, prepare_store, store_client, tracking_uri


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[socket.socket]:
    """A server that takes calls and never answers."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv(OFFLINE, "")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "1")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://ann:secret@127.0.0.1:{silent.getsockname()[1]}")
        yield silent


def test_the_store_is_the_user_s_or_else_lies_in_the_working_directory(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://lab:5000")
    assert tracking_uri() == "http://lab:5000"
    monkeypatch.delenv("MLFLOW_TRACKING_URI")
    assert tracking_uri() == f"sqlite:///{tmp_path}/mlflow.db"


def test_work_goes_on_where_mlflow_is_not_installed(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv(OFFLINE, "")
    monkeypatch.setitem(sys.modules, "mlflow.exceptions", None)
    with best_effort():
        publish_arm(arm_json(), {})
    brought = "micromime: mlflow is not installed; pip install 'micromime[pipeline]' brings it; work goes on, and"
    assert capsys.readouterr().err.startswith(brought)
    assert offline()


def test_work_goes_on_without_a_server_and_says_so_once(server, monkeypatch, capsys):
    monkeypatch.setenv(TOLD, "1")  # as that is said once a process, it depended on the tests before this one
    with best_effort():
        publish_arm(arm_json(), {})
    server.close()
    for _ in range(2):
        with best_effort():
            publish_arm(arm_json(), {})
    said = capsys.readouterr()
    assert (said.out, said.err.count("\n")) == ("", 1)
    assert "http://ann:***@127.0.0.1" in said.err
    assert "failed to take an arm (Read timed out)" in said.err or "failed (Read timed out)" in said.err
    assert "`micromime publish`" in said.err
    assert "secret" not in said.err
    assert offline()
    monkeypatch.setenv(OFFLINE, "")
    with pytest.raises(Mistake, match=r"at http://ann:\*\*\*@.* failed \(.*refused\); .*host and port") as told:
        publish_arm(arm_json(), {})
    assert "secret" not in str(told.value)


def test_who_is_offline_asks_nobody_and_hears_nothing(server, monkeypatch, capsys):
    monkeypatch.setenv(OFFLINE, "1")
    server.close()
    with best_effort():
        publish_arm(arm_json(), {})
    assert capsys.readouterr() == ("", "")
    with pytest.raises(Mistake, match="MICROMIME_OFFLINE is set; unset it"):
        publish_arm(arm_json(), {})


@pytest.mark.usefixtures("store")
def test_other_failures_are_not_for_the_best():
    with pytest.raises(ValueError, match="out of memory"), best_effort():
        raise ValueError("out of memory")
    assert not offline()


class Refusing(BaseHTTPRequestHandler):
    """Lets nobody in."""

    def do_GET(self) -> None:
        self.send_error(401)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


def test_who_is_not_let_in_is_told_which_settings_name_the_user(server, monkeypatch):
    server.close()
    with HTTPServer(("127.0.0.1", 0), Refusing) as refusing:
        threading.Thread(target=refusing.serve_forever, daemon=True).start()
        monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://127.0.0.1:{refusing.server_port}")
        with pytest.raises(Mistake, match="set MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD"):
            publish_arm(arm_json(), {})
        refusing.shutdown()


@pytest.mark.usefixtures("store")
def test_a_deleted_experiment_is_told_with_the_way_back():
    number = prepare_store("grains")
    store_client().delete_experiment(number)
    with pytest.raises(Mistake, match=f"'grains' was deleted.*mlflow experiments restore --experiment-id {number}"):
        publish_arm(arm_json(), {})


@pytest.mark.slow
def test_a_store_of_an_older_mlflow_is_brought_up_to_date(store, monkeypatch):
    from alembic import command
    from mlflow.store.db import utils

    publish_arm(arm_json(), {1: run_json(1), 2: run_json(2)})
    store.rename("older.db")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{Path.cwd()}/older.db")
    command.downgrade(utils._get_alembic_config(tracking_uri()), "17e22815139b")
    monkeypatch.setattr(utils, "_all_tables_exist", lambda engine: engine is not None)  # or MLflow does it unasked
    prepare_store("grains")
    assert [run.info.status for run in stored("arm") + stored("run")] == ["FINISHED"] * 3


@pytest.mark.slow
def test_processes_that_tell_at_once_make_one_store(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.setenv(OFFLINE, "")
    with ProcessPoolExecutor(2, get_context("spawn")) as pool:
        told = pool.map(publish_arm, map(arm_json, ("base", "adaptive")), 2 * [{n: run_json(n) for n in (1, 2)}])
        assert len(set(told)) == 2
    names = ["adaptive", "adaptive 1", "adaptive 2", "base", "base 1", "base 2"]
    found = stored("arm") + stored("run")
    assert sorted((run.info.run_name, run.info.status) for run in found) == [(name, "FINISHED") for name in names]
