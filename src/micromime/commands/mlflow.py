"""Show arms side by side in MLflow's page: on the server that has the store, or on one that is started here for it."""

import json
import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
import webbrowser
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from tempfile import NamedTemporaryFile
from typing import IO

from micromime.commands.check import use_cases_in
from micromime.mistakes import Mistake
from micromime.project import places
from micromime.project.work import OURS
from micromime.scenario.parameters import one_of, read_tree
from micromime.tracking.store import UNLESS_SET, store_client, tracking_uri, without_password
from micromime.tracking.views import server_address, view_address

HOST, PORT = "127.0.0.1", 5000
"""Where MLflow's page is served for this machine alone, as `mlflow ui` does."""

LOG = OURS / "mlflow_ui.log"
"""What the server that is started here says."""

UP_WITHIN_S, PATIENCE_S = 120, 5
"""After that MLflow's server is given up as it starts (on a busy machine it takes more than a minute), and as it is
asked something."""


def show(use_case: str, port: int, opening: bool) -> None:
    """Print the address of each use case's arms side by side, and open that of `use_case`, or of the first, if asked.

    Where the store is a file of this machine its page is served from here, until Ctrl-C, unless it is served already.
    Raises Mistake where MLflow knows no arms, or where another program has the port.
    """
    known = use_cases_in(read_tree(places.PARAMS))
    if use_case:
        one_of(use_case, known, "use case")
    asked = [use_case] if use_case else known
    pages = pages_of(asked)
    if not pages:
        where = server_address() or without_password(tracking_uri())
        told = "`micromime publish` tells it of those that were trained here"
        raise Mistake(f"MLflow at {where} knows no arms of {' or '.join(asked)}; {told}.")
    if server := server_address():
        _shown(server, pages, opening)
        return
    with served(next(iter(pages)), port) as started:
        _shown(f"http://{HOST}:{port}", pages, opening)
        if started:
            print("It is served until Ctrl-C.", flush=True)
            with suppress(KeyboardInterrupt):
                started.wait()


def pages_of(use_cases: Sequence[str]) -> dict[str, str]:
    """Return use case -> address of its arms side by side, from MLflow's own on, of those whose arms MLflow knows."""
    profile = places.profile(read_tree(places.PARAMS))
    return {each: page for each in use_cases if (page := view_address(each, profile))}


def _shown(server: str, pages: dict[str, str], opening: bool) -> None:
    width = max(map(len, pages)) + 1
    for use_case, page in pages.items():
        print(f"{use_case + ':':{width}} {server}/{page}", flush=True)
    if opening:
        webbrowser.open(f"{server}/{next(iter(pages.values()))}")


@contextmanager
def served(use_case: str, port: int) -> "Iterator[subprocess.Popen[bytes] | None]":
    """Serve the store's page meanwhile; give the server, or nothing where one that is there serves this store."""
    if taken(port):
        if not serves_this_store(use_case, port):
            raise Mistake(
                f"Another program has port {port}; stop it, or choose a port: `micromime mlflow --port 5001`."
            )
        yield None
        return
    words = ["ui", f"--host={HOST}", f"--port={port}", "--workers=1", f"--backend-store-uri={tracking_uri()}"]
    quiet = {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false", **UNLESS_SET, **os.environ}
    command = [sys.executable, "-m", "mlflow", *words, "--uvicorn-opts=--log-level=warning"]
    with _log() as log:  # it says much of itself
        server = subprocess.Popen(command, env=quiet, stdout=log, stderr=log)
    try:
        end = time.monotonic() + UP_WITHIN_S
        while not _said(port, "health"):
            if server.poll() is not None or time.monotonic() > end:
                raise Mistake(f"MLflow's page did not come up on port {port}; {log.name} tells why.")
            time.sleep(0.3)
        yield server
    finally:
        server.terminate()
        with suppress(KeyboardInterrupt):
            server.wait()


def _log() -> IO[bytes]:
    """Open the file for what the server says: one of this machine's where the project may only be read."""
    with suppress(OSError):
        LOG.parent.mkdir(parents=True, exist_ok=True)
        return LOG.open("wb")
    return NamedTemporaryFile(prefix="mlflow_ui-", suffix=".log", delete=False)


def taken(port: int) -> bool:
    """Return whether a program of this machine listens on a port."""
    with socket.socket() as asked:
        asked.settimeout(5)
        return asked.connect_ex((HOST, port)) == 0


def serves_this_store(use_case: str, port: int) -> bool:
    """Return whether MLflow at this port has our experiment: the one of our store's name, number and time of making."""
    text = _said(port, f"api/2.0/mlflow/experiments/get-by-name?experiment_name={use_case}")
    ours = store_client().get_experiment_by_name(use_case)
    try:
        theirs = json.loads(text)["experiment"]
        assert ours is not None, "its page is to be shown"
        return (theirs["experiment_id"], int(theirs["creation_time"])) == (ours.experiment_id, ours.creation_time)
    except (ValueError, KeyError, TypeError):
        return False


def _said(port: int, path: str) -> str:
    """Return what a server of this machine answers; nothing where it does not."""
    with suppress(OSError, urllib.error.HTTPError):
        return urllib.request.urlopen(f"http://{HOST}:{port}/{path}", timeout=PATIENCE_S).read().decode()
    return ""
