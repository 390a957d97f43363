"""Arms side by side by one command: on the team's server, on a page that is served already, or not at all."""

import json
import shutil
import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from micromime.commands import mlflow
from micromime.commands.mlflow import show
from micromime.mistakes import Mistake
from micromime.tracking.store import store_client
from micromime.tracking.views import View, publish_view

PAGE = "#/experiments/{}/runs?viewStateShareKey=arms-tiny&workflowType=machine_learning"


@pytest.fixture
def opened(store: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The addresses that a browser is asked for; two use cases have arms in the store, a third has none."""
    addresses: list[str] = []
    monkeypatch.setattr("webbrowser.open", addresses.append)
    Path("params.yaml").write_text("{profile: tiny, cracks: {}, grains: {}, new: {}}")
    for use_case in ("cracks", "grains"):
        publish_view(use_case, "tiny", View(["error_rate"], True, ""))
    assert store.is_file()
    return addresses


class Page(BaseHTTPRequestHandler):
    """Stands in for MLflow's server of a store."""

    made = 0

    def do_GET(self) -> None:
        name = self.path.partition("experiment_name=")[2]
        found = store_client().get_experiment_by_name(name)
        said = {"experiment_id": found.experiment_id, "creation_time": found.creation_time + self.made}
        self.send_response(200)
        self.end_headers()
        self.wfile.write(json.dumps({"experiment": said}).encode())

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def port() -> Iterator[int]:
    with HTTPServer(("127.0.0.1", 0), Page) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_port
        server.shutdown()


def test_a_page_that_serves_this_store_already_is_used(opened, port, capsys):
    show("", port, opening=True)
    page = f"http://127.0.0.1:{port}/"
    assert opened == [page + PAGE.format(2)]
    assert [line.split() for line in capsys.readouterr().out.splitlines()] == [
        ["cracks:", page + PAGE.format(2)],
        ["grains:", page + PAGE.format(3)],
    ]
    show("grains", port, opening=True)
    show("grains", port, opening=False)
    assert opened[1:] == [page + PAGE.format(3)]


@pytest.mark.usefixtures("opened")
def test_a_page_of_another_store_or_another_program_is_none(port, monkeypatch):
    monkeypatch.setattr(Page, "made", 1)
    with pytest.raises(Mistake, match=f"Another program has port {port}; .*--port 5001"):
        show("", port, opening=True)
    monkeypatch.setattr(mlflow, "PATIENCE_S", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as silent, pytest.raises(Mistake, match="Another program"):
        show("", silent.getsockname()[1], opening=True)


@pytest.mark.usefixtures("opened")
def test_what_the_server_says_is_kept_also_where_the_project_may_only_be_read(tmp_path, monkeypatch):
    monkeypatch.setattr("sys.executable", shutil.which("ls"))
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with socket.create_server(("127.0.0.1", 0)) as held:
        free = held.getsockname()[1]
    for file, kept in ((mlflow.LOG, str(mlflow.LOG)), (Path("/dev/null/mlflow_ui.log"), f"{tmp_path}/mlflow_ui-")):
        monkeypatch.setattr(mlflow, "LOG", file)
        with pytest.raises(Mistake, match=rf"did not come up on port {free}; \S+ tells why") as told:
            show("grains", free, opening=False)
        log = str(told.value).partition("; ")[2].partition(" ")[0]
        assert log.startswith(kept)
        assert "--host" in Path(log).read_text()


def test_a_server_s_own_page_is_opened_without_the_login(opened, monkeypatch):
    monkeypatch.setattr(mlflow, "server_address", lambda: "http://lab:5000")
    show("cracks", 1, opening=True)
    assert opened == ["http://lab:5000/" + PAGE.format(2)]


@pytest.mark.usefixtures("opened")
def test_what_has_no_arms_is_one_sentence():
    with pytest.raises(Mistake, match=r"MLflow at \S+/mlflow\.db knows no arms of new; `micromime publish`"):
        show("new", 1, opening=True)
    with pytest.raises(Mistake, match="unknown"):
        show("unknown", 1, opening=True)
