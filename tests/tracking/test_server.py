"""MLflow's real server: it dies in the middle and loses nothing, and its page shows the arms with their scores."""

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from urllib.parse import quote

import numpy as np
import pytest
from PIL import Image as Picture
from safetensors.numpy import save_file
from stores import arm_json, content, judged_on, run_json, stored

from micromime.tracking.publish import publish_arm, publish_file, publish_model, publish_verdict
from micromime.tracking.store import OFFLINE, UNLESS_SET, best_effort

pytestmark = pytest.mark.slow

ARMS = {"base": ("f0", ""), "random": ("f1", "f0"), "adaptive": ("f2", "f0"), "unrelated": ("f3", "")}
"""Name -> fingerprint and base."""

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


def browser() -> str:
    found = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if not found and os.environ.get("CI"):
        pytest.fail("there is no browser, and CI asks for one: install Debian's chromium")
    return found or pytest.skip("there is no browser: install Debian's chromium")


@contextmanager
def started(command: list[str], out: Path, **environment: str) -> Iterator[subprocess.Popen[bytes]]:
    """Start a process that is killed with all that it has started, as if memory had run out."""
    with out.open("wb") as said, out.with_suffix(".log").open("wb") as log:
        process = subprocess.Popen(
            command, cwd=out.parent, env=os.environ | environment, stdout=said, stderr=log, start_new_session=True
        )
    try:
        yield process
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait(15)


@contextmanager
def serving(folder: Path, port: int) -> Iterator[None]:
    """Start MLflow's server on the store in a folder; it is ready when this begins, and gone when it ends."""
    words = ["--backend-store-uri", f"sqlite:///{folder}/mlflow.db", "--host", "127.0.0.1", "--port", str(port)]
    command = [sys.executable, "-m", "mlflow", "server", *words, "--workers", "1"]
    with started(command, folder / "server.out", **UNLESS_SET, MLFLOW_SERVER_ENABLE_JOB_EXECUTION="false"):
        end = time.monotonic() + 120  # on a busy machine it takes more than a minute
        while time.monotonic() < end:
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=5):
                    break
            except OSError:
                time.sleep(0.5)
        else:
            pytest.fail((folder / "server.log").read_text())
        yield


def tell(arm: str) -> None:
    """Tell all that is told of an arm."""
    said = arm_json(arm, *ARMS[arm])
    publish_arm(said, {1: run_json(1, 30), 2: run_json(2, 30)})
    publish_file(said, Path("table.md"))
    by_run, of_arm = {1: {"mean_iou": 0.6}, 2: {"mean_iou": 0.7}}, {"mean_iou": {"mean": 0.625 + len(arm) / 64}}
    publish_verdict(said, judged_on(), by_run, of_arm, [Path("table.md")], {"panel": Path("panel.png")})
    if arm == "base":
        publish_model(said, judged_on(), Path("run-001"))


@pytest.fixture(scope="module")
def after_an_outage(tmp_path_factory, empty_store) -> Iterator[SimpleNamespace]:
    """A server that was killed while an arm was told, and is there again; what was said, and what should be there."""
    folder = tmp_path_factory.mktemp("server")
    for name in ("mlflow.db", "undisturbed.db"):
        shutil.copy(empty_store, folder / name)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setenv(OFFLINE, "")
        patch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
        Path("run-001").mkdir()
        save_file({"weight": np.float32([0.5])}, Path("run-001/weights.safetensors"))
        Path("run-001/model.json").write_text('{"architecture": "small_unet", "run": 1}')
        Path("table.md").write_text("| a |")
        Path("panel.png").write_bytes(b"\x89PNG")
        patch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{folder}/undisturbed.db")
        for arm in ARMS:
            tell(arm)
        undisturbed = content()
        patch.setenv("MLFLOW_TRACKING_URI", f"http://127.0.0.1:{port}")
        said, base = folder / "said", arm_json()
        with serving(folder, port):
            tell("unrelated")
            publish_arm(base, {1: run_json(1, 30), 2: run_json(2, 5, whole=False)})
        with said.open("w") as err:
            patch.setattr(sys, "stderr", err)
            for _ in range(2):
                with best_effort():
                    tell("base")
        with serving(folder, port):
            patch.setenv(OFFLINE, "")
            left = [(run.info.run_name, run.info.status) for run in stored("arm") + stored("run")]
            for arm in ARMS:
                tell(arm)
            yield SimpleNamespace(port=port, said=said.read_text(), undisturbed=undisturbed, left=left)


def test_an_outage_loses_nothing_and_doubles_nothing(after_an_outage):
    assert after_an_outage.said.count("\n") == 1
    assert "`micromime publish`" in after_an_outage.said
    assert ("base 2", "RUNNING") in after_an_outage.left
    assert content() == after_an_outage.undisturbed


def test_one_filter_finds_three_arms_and_their_page_compares_their_scores(after_an_outage, tmp_path):
    found = stored("arm", " and tags.`micromime.comparison` = 'f0'")
    runs, experiment = [run.info.run_id for run in found], [found[0].info.experiment_id]
    words = [f"--user-data-dir={tmp_path / 'new'}", f"--screenshot={tmp_path / 'page.png'}", "--dump-dom"]
    asked = f"runs={quote(json.dumps(runs))}&experiments={quote(json.dumps(experiment))}"
    address = f"http://127.0.0.1:{after_an_outage.port}/#/compare-runs?{asked}"
    with started([browser(), *QUIET, *words, address], tmp_path / "page.html") as process:
        process.wait(240)
    texts = set(re.findall(r">([^<>]+)<", (tmp_path / "page.html").read_text(errors="replace")))
    assert texts >= {"base", "random", "adaptive", "real.mean_iou.mean", "0.688", "0.719", "0.75"}
    with Picture.open(tmp_path / "page.png") as picture:
        assert picture.size == (1600, 900)
        assert len(picture.convert("L").getcolors()) > 100  # letters with soft edges: no blank page
