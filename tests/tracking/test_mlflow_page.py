"""MLflow's own page in a real browser: one filter shows the arms that go on from one another, and no other."""

import dataclasses
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import quote

import pytest
from micromime.tracking.mlflow_arm import RunDescription
from micromime.tracking.tracking import log_judged
from PIL import Image as Picture

from micromime.project.versions import Revision
from micromime.tracking.store import UNLESS_SET, prepare_store, store_client

BASE = RunDescription("grains", "base", "tiny", "f0", {}, (), Revision("", dirty=False), test_set="surrogate")
ARMS = (
    BASE,
    dataclasses.replace(BASE, arm="random", fingerprint="f1", base="f0"),
    dataclasses.replace(BASE, arm="adaptive", fingerprint="f2", base="f0"),
    dataclasses.replace(BASE, arm="unrelated", fingerprint="f3"),
)

ARMS_ONLY = "tags.micromime.level = 'arm'"
SIDE_BY_SIDE = f"tags.micromime.comparison = 'f0' and {ARMS_ONLY}"

QUIET = [
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--window-size=1600,900",
    "--virtual-time-budget=30000",
]
"""A browser that calls nobody but the page's server; its clock stands still while the page waits for answers."""


class Texts(HTMLParser):
    """Gathers the texts of a page, each as it stands between two tags."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: set[str] = set()
        self.feed(page)

    def handle_data(self, data: str) -> None:
        self.found.add(data.strip())


def browser() -> str:
    found = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if not found and os.environ.get("CI"):
        pytest.fail("there is no browser, and CI asks for one: install Debian's chromium")
    return found or pytest.skip("there is no browser: install Debian's chromium")


@contextmanager
def started(command: list[str], out: Path, **environment: str) -> Iterator[subprocess.Popen[bytes]]:
    """Start a process that is ended with all that it has started, whatever happens."""
    with out.open("wb") as said, out.with_suffix(".log").open("wb") as log:
        process = subprocess.Popen(
            command, cwd=out.parent, env=os.environ | environment, stdout=said, stderr=log, start_new_session=True
        )
    try:
        yield process
    finally:
        for ending, seconds in ((signal.SIGTERM, 15), (signal.SIGKILL, 15)):
            try:
                os.killpg(process.pid, ending)
                process.wait(seconds)
            except (ProcessLookupError, subprocess.TimeoutExpired):
                continue


def wait_for(url: str, log: Path) -> None:
    """Wait until a server says that it is well: on a busy machine that takes more than a minute."""
    end = time.monotonic() + 120
    while time.monotonic() < end:
        try:
            with urllib.request.urlopen(url, timeout=5) as answer:
                assert answer.status == 200
                return
        except OSError:
            time.sleep(0.5)
    pytest.fail(f"no answer from {url}: {log.read_text()}")


@pytest.fixture(scope="module")
def runs_page(tmp_path_factory: pytest.TempPathFactory, empty_store: Path) -> Iterator[str]:
    """The address of the page with the runs of a small store, as far as the filter."""
    browser()
    folder = tmp_path_factory.mktemp("page")
    shutil.copy(empty_store, folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.delenv("MLFLOW_TRACKING_URI", raising=False)
        prepare_store("grains")
        for arm in ARMS:
            log_judged(arm, {1: {"mean_iou": 0.6}, 2: {"mean_iou": 0.7}}, {"mean_iou": {"mean": 0.65}})
        experiment = store_client().get_experiment_by_name("grains").experiment_id
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    host, _, port = address.partition(":")
    words = ["--backend-store-uri", f"sqlite:///{folder}/mlflow.db", "--host", host, "--port", port, "--workers", "1"]
    command = [sys.executable, "-m", "mlflow", "server", *words]
    with started(command, folder / "server.out", **UNLESS_SET, MLFLOW_SERVER_ENABLE_JOB_EXECUTION="false"):
        wait_for(f"http://{address}/health", folder / "server.log")
        yield f"http://{address}/#/experiments/{experiment}/runs?searchFilter="


def opened(address: str, folder: Path) -> set[str]:
    """Open a page in a browser, make a picture of it, and return its texts."""
    words = [f"--user-data-dir={folder / 'new'}", f"--screenshot={folder / 'page.png'}", "--dump-dom", address]
    with started([browser(), *QUIET, *words], folder / "page.html") as process:
        process.wait(240)
    return Texts((folder / "page.html").read_text(errors="replace")).found


@pytest.mark.slow
def test_one_filter_shows_three_arms_side_by_side_and_no_other(runs_page, tmp_path):
    texts = opened(runs_page + quote(SIDE_BY_SIDE), tmp_path)
    assert texts >= {"base", "random", "adaptive", "grains"}
    assert not texts & {"unrelated", "base 1", "adaptive 2"}
    with Picture.open(tmp_path / "page.png") as picture:
        assert picture.size == (1600, 900)
        assert len(picture.convert("L").getcolors()) > 100  # letters with soft edges: no blank page


@pytest.mark.slow
def test_without_the_tag_of_the_comparison_the_other_arm_is_there_too(runs_page, tmp_path):
    assert opened(runs_page + quote(ARMS_ONLY), tmp_path) >= {"base", "random", "adaptive", "unrelated"}


def test_without_a_browser_it_is_skipped_but_not_in_ci(monkeypatch):
    monkeypatch.setattr(shutil, "which", lambda _: None)
    monkeypatch.delenv("CI", raising=False)
    with pytest.raises(pytest.skip.Exception, match="install Debian's chromium"):
        browser()
    monkeypatch.setenv("CI", "true")
    with pytest.raises(pytest.fail.Exception, match="CI asks for one"):
        browser()
