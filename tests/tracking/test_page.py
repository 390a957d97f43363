"""MLflow's own page in a browser: by the address that `micromime mlflow` prints, and by clicks from its front page."""

import json
import os
import signal
import socket
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing
from pathlib import Path
from typing import NamedTuple

import pytest
from browser import Page, opened
from clones import started
from stores import stored
from workshop import Workshop

from micromime.project import places
from micromime.stages.judge import judge
from micromime.stages.publish import publish
from micromime.tracking.store import store_client
from micromime.tracking.views import CHARTS

pytestmark = [pytest.mark.ci, pytest.mark.xdist_group("mlflow_page"), pytest.mark.timeout(900)]

GRAINS = "grain_boundaries"
SHOWN = ("mean_iou", "boundary_f1", "pixel_error", "matched_grains", "astm_g_error")
VIEW = "viewStateShareKey=arms-tiny"


class Served(NamedTuple):
    """A page of MLflow, and what it must show."""

    address: str
    """As it was printed."""
    means: dict[str, dict[str, float]]
    """Arm -> score -> the verdict's mean."""

    @property
    def root(self) -> str:
        return self.address.partition("#")[0]


@pytest.fixture
def project(workshop: Workshop, store: Path, scoring: Path, micrographs: Path) -> Path:
    """A project whose arms were judged and published; its folder is the working directory."""
    for arm, start in (("base", ""), ("random", "base"), ("adaptive", "base")):
        workshop.write(rounds={"random": "base", "adaptive": "base"})
        workshop.train(arm, start)
    judge(GRAINS)
    publish(GRAINS)
    assert scoring.is_dir() == micrographs.is_dir() == store.is_file()
    return store


@pytest.fixture
def served(project: Path) -> Iterator[Served]:
    """Its page, served by `micromime mlflow`."""
    verdict = json.loads(places.verdict("tiny", GRAINS).read_text())
    sizes = verdict["grain_size"]["all"]["arms"]
    means = {
        arm: {name: said[name]["mean"] for name in SHOWN[:-1]}
        | {"astm_g_error": sizes[arm]["astm_absolute_difference"]["mean"]}
        for arm, said in verdict["arms"].items()
    }
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    server = started(project.parent, "micromime", "mlflow", "--no-open", f"--port={port}")
    try:
        lines = [server.stdout.readline()]
        while "http://" not in lines[-1]:
            assert lines[-1], "".join(lines)
            lines.append(server.stdout.readline())
        yield Served(lines[-1].split()[-1], means)
    finally:
        os.killpg(server.pid, signal.SIGTERM)
        server.communicate()


@pytest.fixture
def browsing(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], AbstractContextManager[Page]]:
    """What opens an address in a browser that has never been there."""
    return lambda address: opened(address, tmp_path_factory.mktemp("new"))


@pytest.fixture
def shots(tmp_path: Path) -> Path:
    """Where pictures of the page are kept."""
    return Path(os.environ.get("SHOTS", tmp_path))


CELLS = """[...document.querySelectorAll(".ag-row")].flatMap(row => [...row.querySelectorAll(".ag-cell")].map(cell =>
  [row.getAttribute("row-id"), cell.getAttribute("col-id"), cell.innerText.trim()]))"""


def rows(page: Page, arms: set[str]) -> dict[str, dict[str, str]]:
    """What the table of runs shows of these arms, column by column, as soon as it shows all or as time is up."""
    end = time.monotonic() + 60
    while time.monotonic() < end:
        found: dict[str, dict[str, str]] = {}
        for row, column, text in page.said(CELLS):
            found.setdefault(row, {})[column] = text
        shown = {row.get("attributes.`Run Name`", "").split()[-1:][0]: row for row in found.values() if len(row) > 6}
        if shown and shown.keys() >= arms and all("tags.`micromime.test_set`" in row for row in shown.values()):
            break
        time.sleep(0.3)
    return shown


def assert_shown(page: Page, means: dict[str, dict[str, float]]) -> None:
    """The table has the verdict's numbers, and says what was tested on."""
    assert page.texts_with({*SHOWN}) >= {*SHOWN}
    shown = rows(page, {*means})
    assert shown.keys() == means.keys()
    for arm, scores in means.items():
        assert {name: float(shown[arm][f"metrics.`{name}`"]) for name in SHOWN} == pytest.approx(scores)
        assert shown[arm]["tags.`micromime.test_set`"] == "surrogate, not real"


def test_a_person_finds_the_arms_and_their_scores(served, browsing, shots):
    with browsing(served.address) as page:
        assert_shown(page, served.means)
        page.picture(shots / "address.png")
    with browsing(f"{served.address}&compareRunsMode=CHART") as page:
        assert page.texts_with({"Scores", f"({CHARTS})", *SHOWN[:CHARTS]}) >= {"Scores", f"({CHARTS})", *SHOWN[:CHARTS]}
        assert SHOWN[-1] not in page.texts()  # its chart lies in a section that is closed
        page.picture(shots / "charts.png")
    with browsing(served.root) as page:  # three clicks from the front page
        page.texts_with({GRAINS})
        page.picture(shots / "root.png")
        for said in ("Model training", GRAINS, "tiny table"):
            page.click(said)
        page.follow(VIEW)
        assert_shown(page, served.means)
        page.picture(shots / "clicked.png")
    models = served.address.partition("/runs")[0] + "/models?workflowType=machine_learning&viewMode=CHART"
    with browsing(models) as page:
        wanted = {"surrogate_steel", "base-run-002", *SHOWN[:CHARTS], *first_bars()}
        assert page.texts_with(wanted) >= wanted
        page.picture(shots / "models.png")


def first_bars() -> set[str]:
    """What stands on the bars of the first chart, of the first source of test pictures."""
    client = store_client()
    models = client.search_logged_models([client.get_experiment_by_name(GRAINS).experiment_id])
    wanted = ("average_precision", "surrogate_steel")
    return {f"{e.value:.2f}" for model in models for e in model.metrics if (e.key, e.dataset_name) == wanted}


def copied(store: Path, times: int) -> None:
    """Add copies of all runs to the store, each of a fingerprint of its own: MLflow itself would take a minute."""
    with closing(sqlite3.connect(store)) as database, database:
        for table in ("runs", "tags", "params", "metrics", "latest_metrics"):
            columns = [column[1] for column in database.execute(f"PRAGMA table_info({table})")]
            id_ = {"run_uuid": "new_id(run_uuid, n)"}
            if table == "tags":
                of = "CASE key WHEN 'mlflow.parentRunId' THEN new_id(value, n) WHEN 'micromime.fingerprint'"
                id_["value"] = f"{of} THEN value || '-' || n ELSE value END"
            database.create_function("new_id", 2, lambda run, n: f"{run[:28]}{n:04x}")
            database.execute(
                f"WITH RECURSIVE copies(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM copies WHERE n < {times})"
                f" INSERT INTO {table} ({', '.join(columns)})"
                f" SELECT {', '.join(id_.get(column, column) for column in columns)} FROM {table}, copies"
            )


def test_six_hundred_runs_are_shown_and_none_is_told_twice(project, served, browsing, shots):
    copied(project, 60)
    runs = len(stored("arm", use_case=GRAINS) + stored("run", use_case=GRAINS))
    assert runs == 610
    with closing(sqlite3.connect(project)) as database:
        before = list(database.iterdump())
    publish(GRAINS)
    with closing(sqlite3.connect(project)) as database:
        assert list(database.iterdump()) == before
    with browsing(served.address) as page:
        assert page.texts_with({"100 matching runs"}) >= {"100 matching runs"}
        shown = rows(page, set())
        page.picture(shots / "many.png")
        assert shown
        for arm, row in shown.items():
            assert {name: float(row[f"metrics.`{name}`"]) for name in SHOWN} == pytest.approx(served.means[arm])
