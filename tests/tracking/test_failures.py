"""Servers that are none of MLflow's, let nobody in, or do not answer: real ones, each told in its own sentence."""

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from filelock import FileLock, Timeout

from micromime.mistakes import Mistake
from micromime.tracking.failures import failure
from micromime.tracking.store import OFFLINE, UNLESS_SET, Unreachable, best_effort, check_store, offline


@contextmanager
def web(status: int, body: bytes, **headers: str) -> Iterator[int]:
    """Answer everything alike; give the port."""

    class Alike(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            for key, value in headers.items():
                self.send_header(key, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Alike) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_port
        server.shutdown()


@contextmanager
def plain(talk: Callable[[socket.socket], object]) -> Iterator[int]:
    """Take each call, and `talk`; give the port."""
    kept = []

    def take() -> None:
        while True:
            try:
                kept.append(listener.accept()[0])
                talk(kept[-1])
            except OSError:
                return

    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=take, daemon=True).start()
        yield listener.getsockname()[1]
        listener.shutdown(socket.SHUT_RDWR)
    for each in kept:
        each.close()


def banner(call: socket.socket) -> None:
    call.sendall(b"SSH-2.0-OpenSSH_9.2\r\n")
    call.close()


ANOTHER, LOGIN = "another program, or an MLflow before 3.0, answers there", "set MLFLOW_TRACKING_USERNAME and"
SERVERS = {
    "a page": (lambda: web(200, b"<html>Welcome to nginx</html>"), "http", rf"valid JSON format\); {ANOTHER}"),
    "other JSON": (lambda: web(200, b"{}"), "http", rf"names no experiment\); {ANOTHER}"),
    "no such page": (lambda: web(404, b"gone"), "http", rf"error code 404 != 200\); {ANOTHER}"),
    "ssh": (lambda: plain(banner), "http", rf"SSH-2.0-OpenSSH_9.2.*\); {ANOTHER}"),
    "other name": (lambda: web(403, b"Invalid Host header"), "http", r"error code 403 .*; use the name"),
    "http by https": (
        lambda: web(200, b""),
        "https",
        r"WRONG_VERSION_NUMBER.*; no https is spoken there: write http://",
    ),
}
"""What answers there, how it is asked, and what is said of it: all are mistakes that waiting does not mend."""

SILENT = {
    "no login": (lambda: web(401, b""), "http", rf"error code 401 != 200\); {LOGIN}"),
    "no leave": (lambda: web(403, b""), "http", rf"error code 403 != 200\); {LOGIN}"),
    "hangs up": (
        lambda: plain(socket.socket.close),
        "http",
        r"\((Remote end closed connection|Connection reset).*https://",
    ),
    "broken": (
        lambda: web(503, b"", **{"Retry-After": "3600"}),
        "http",
        r"too many 503 error responses\); see that it works",
    ),
    "silent": (lambda: plain(lambda _: None), "http", r"\(Read timed out\); see that it works"),
    "silent database": (
        lambda: plain(lambda _: None),
        "postgresql+psycopg2",
        r"timeout expired\); see that it works, and host and port",
    ),
}
"""The same of what may be mended until tomorrow."""


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = {OFFLINE: "", "MLFLOW_HTTP_REQUEST_TIMEOUT": "1", "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1"}
    for name, value in {**settings, "PGCONNECT_TIMEOUT": "2"}.items():
        monkeypatch.setenv(name, value)


def at(scheme: str, port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"{scheme}://ann:secret@127.0.0.1:{port}/mlflow")


@pytest.mark.parametrize("what", SERVERS)
def test_what_answers_but_is_no_mlflow_for_us_stops_work_before_it_begins(what, monkeypatch):
    server, scheme, says = SERVERS[what]
    with server() as port, best_effort():
        at(scheme, port, monkeypatch)
        begun = time.monotonic()
        with pytest.raises(
            Mistake, match=rf"^MLflow's store at {scheme}://ann:\*\*\*@.* failed to be asked .*{says}"
        ) as told:
            check_store()
        assert time.monotonic() - begun < 60
    assert not isinstance(told.value, Unreachable)
    assert "secret" not in str(told.value)


@pytest.mark.parametrize("what", SILENT)
def test_what_does_not_answer_is_told_and_work_goes_on(what, monkeypatch, capsys):
    server, scheme, says = SILENT[what]
    begun = time.monotonic()
    with server() as port:
        at(scheme, port, monkeypatch)
        with pytest.raises(Unreachable, match=says):
            check_store()
        with best_effort():
            check_store()
    said = capsys.readouterr().err
    assert time.monotonic() - begun < 60
    assert (said.count("work goes on"), "secret" in said) == (1, False)
    assert offline()
    check_store()  # is not asked any more


@pytest.mark.parametrize("scheme", ["http", "postgresql+psycopg2"])
def test_where_nobody_listens_that_is_said(scheme, monkeypatch):
    with plain(lambda _: None) as port:
        at(scheme, port, monkeypatch)
    with pytest.raises(Unreachable, match=r"refused\); see that it is started, and host and port in its address"):
        check_store()


def test_a_host_that_nobody_knows_and_a_proxy_that_is_not_there_are_told(monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://lab.invalid:5000")
    monkeypatch.delenv("HTTP_PROXY", raising=False)
    monkeypatch.delenv("http_proxy", raising=False)
    with pytest.raises(Unreachable, match=r"\(Failed to resolve 'lab.invalid'.*; see the name of the host"):
        check_store()
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    with pytest.raises(Unreachable, match="through a proxy: see HTTP_PROXY"):
        check_store()


@pytest.mark.ci
@pytest.mark.parametrize("scheme", ["http", "postgresql+psycopg2"])
def test_a_server_that_does_not_answer_is_given_up_within_a_minute(scheme, monkeypatch):
    for name in UNLESS_SET:
        monkeypatch.delenv(name, raising=False)
    with ExitStack() as stack:
        at(scheme, stack.enter_context(plain(lambda _: None)), monkeypatch)
        begun = time.monotonic()
        with pytest.raises(Unreachable):
            check_store()
        assert 9 < time.monotonic() - begun < 60


def test_a_store_that_another_command_prepares_is_waited_for_and_told(tmp_path):
    with FileLock(tmp_path / "lock"), pytest.raises(Timeout) as held, FileLock(tmp_path / "lock", timeout=0):
        pass
    assert failure(held.value).advice.startswith("another command prepares it")
