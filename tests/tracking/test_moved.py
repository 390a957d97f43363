"""A project's store after its folder was moved or copied: its own files are read and written, and no other's."""

import hashlib
import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from clones import module
from one_conv import registered
from stores import arm_json, judged_on, run_json, stored

from micromime.mistakes import Mistake
from micromime.tracking.moved import follow
from micromime.tracking.publish import publish_arm, publish_file, publish_model
from micromime.tracking.store import OFFLINE, absent_file, prepare_store, store_client, tracking_uri
from micromime.tracking.views import View, publish_view, remembered_address

RUNS = {number: run_json(number) for number in (1, 2)}
EARLIER, LATER = arm_json("base", "f0"), arm_json("adaptive", "f1", "f0")
MODEL = "models:/micromime-grains-tiny@base"


@pytest.fixture(autouse=True)
def nothing_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.setenv(OFFLINE, "")


@pytest.fixture
def project(tmp_path: Path, empty_store: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A project in a folder of some name, the working directory, with an arm, its files and its model in the store."""
    folder = tmp_path / "Körner; #1" / "project"
    folder.mkdir(parents=True)
    shutil.copy(empty_store, folder)
    monkeypatch.chdir(folder)
    from micromime.training.architectures import build
    from micromime.training.networks import save_network

    with registered():
        publish_arm(EARLIER, RUNS)
        save_network(build("one_conv", pretrained=False), {"architecture": "one_conv", "run": 1}, Path("run-001"))
        publish_model(EARLIER, judged_on(), Path("run-001"))
        yield folder


def content(folder: Path) -> dict[str, str]:
    """The hash of every file by its path."""
    files = (file for file in folder.rglob("*") if file.is_file())
    return {str(file.relative_to(folder)): hashlib.md5(file.read_bytes()).hexdigest() for file in files}


def opened() -> list[str]:
    """The first word of a file of each arm in the store."""
    fetched = [store_client().download_artifacts(run.info.run_id, "scenario.yaml") for run in stored("arm")]
    return [Path(file).read_text()[:5] for file in fetched]


def test_a_copy_leaves_the_original_alone_and_needs_it_no_more(project, monkeypatch, capsys):
    import mlflow

    before, copy, away = content(project), project.parent / "copy", project.parent / "away"
    shutil.copytree(project, copy)
    monkeypatch.chdir(copy)
    capsys.readouterr()
    publish_arm(LATER, RUNS)
    Path("note.txt").write_text("a note")
    publish_file(LATER, Path("note.txt"))
    told = f"this project was moved or copied from {project}; MLflow's store now names the files in {copy}"
    assert capsys.readouterr().err == f"micromime: {told}.\n"
    assert content(project) == before
    project.rename(away)
    assert opened() == ["data:"] * 2
    assert mlflow.pyfunc.load_model(MODEL).predict(np.zeros((1, 3, 8, 12), np.uint8)).shape == (1, 8, 12)
    (run,) = [run for run in stored("arm") if run.info.run_name == "base"]
    files = Path(run.info.artifact_uri)
    assert files.is_relative_to(copy)
    assert files.is_dir()
    away.rename(project)
    store_client().delete_run(run.info.run_id)
    words = "mlflow", "gc", "--backend-store-uri", tracking_uri(), "--run-ids", run.info.run_id
    module(copy, *words, MLFLOW_TRACKING_URI=tracking_uri())
    assert not files.exists()
    assert content(project) == before
    assert capsys.readouterr().err == ""


def test_a_project_is_moved_and_moved_back(project, monkeypatch, capsys):
    view, moved = View(["mean_iou"], False, ""), project.parent / "moved"
    publish_view("grains", "tiny", view)
    address = remembered_address("grains", "tiny")
    for old, new in ((project, moved), (moved, project)):
        old.rename(new)
        monkeypatch.chdir(new)
        if new == project:  # where nothing has changed MLflow is not even imported
            assert remembered_address("grains", "tiny") == address
        assert opened() == ["data:"]
        assert capsys.readouterr().err.count(f"copied from {old}; MLflow's store now names the files in {new}.\n") == 1


def test_a_folder_of_any_name_has_its_runs(tmp_path):
    """In a process of its own: MLflow knows a store again by its address, which is relative for such a name."""
    folder = tmp_path / "50 % #1? %41"
    folder.mkdir()
    code = "import test_moved; test_moved.tell_and_open()"
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([*sys.path, str(Path(__file__).parent)])}
    subprocess.run([sys.executable, "-W", "ignore", "-c", code], cwd=folder, env=environment, check=True)
    assert [each.name for each in tmp_path.iterdir()] == [folder.name]
    assert {".micromime", "mlflow.db", "mlruns"} == {each.name for each in folder.iterdir()}


def tell_and_open() -> None:
    assert absent_file() == "mlflow.db"
    publish_arm(EARLIER, RUNS)
    assert opened() == ["data:"]
    assert not absent_file()


def database(folder: Path, *files: str, table: str = "experiments", column: str = "artifact_location") -> Path:
    """A store with no more than one column of paths."""
    folder.mkdir(parents=True, exist_ok=True)
    with closing(sqlite3.connect(folder / "mlflow.db")) as db, db:
        db.execute(f"CREATE TABLE IF NOT EXISTS {table} ({column} TEXT)")
        db.executemany(f"INSERT INTO {table} VALUES (?)", [(each,) for each in files])
    return folder / "mlflow.db"


def named(file: Path, table: str = "experiments", column: str = "artifact_location") -> list[str]:
    with closing(sqlite3.connect(file)) as db:
        return [text for (text,) in db.execute(f"SELECT {column} FROM {table}")]


@pytest.mark.parametrize("new", ["old/deeper", "", "elsewhere"])
def test_what_lies_in_the_project_is_named_by_its_new_place_wherever_that_is(tmp_path, new):
    """Also what a notebook in a folder of the project has made; what lies there already keeps its name."""
    place, kept = tmp_path / new, ["s3://ours/1", "mlflow-artifacts:/2", f"{tmp_path}/older/mlruns-2/1"]
    before = [f"{tmp_path}/old/mlruns/1", f"file://{tmp_path}/old/mlruns/2", f"{tmp_path}/old/notes/mlruns/3", None]
    file = database(place, *before, *kept, f"{place}/mlruns/4")
    (place / "mlruns" / "1").mkdir(parents=True)
    follow(file, place)
    now = [f"{place}/mlruns/1", f"{place}/mlruns/2", f"{place}/notes/mlruns/3", None]
    assert named(file) == [*now, *kept, f"{place}/mlruns/4"]


def test_every_table_is_brought_along(tmp_path):
    old, new = f"{tmp_path}/old/mlruns/1", f"{tmp_path}/new/mlruns/1"
    of = {
        "runs": "artifact_uri",
        "logged_models": "artifact_location",
        "model_versions": "source",
        "trace_tags": "value",
    }
    file = database(tmp_path / "new", old)
    for table, column in of.items():
        database(tmp_path / "new", f"{old}/x", "other", table=table, column=column)
    follow(file, file.parent)
    assert [named(file, *each) for each in of.items()] == [[f"{new}/x", "other"]] * 4


def test_files_that_lie_elsewhere_on_purpose_stay_there(tmp_path, capsys):
    """Where MLflow's server was started with another folder for files, or the store is another project's, too."""
    large, here = tmp_path / "large" / "mlruns" / "1", tmp_path / "here"
    large.mkdir(parents=True)
    file = database(here, str(large))
    follow(file, here)
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "mlflow.db").symlink_to(file)
    follow(tmp_path / "other" / "mlflow.db", tmp_path / "other")
    follow(file, tmp_path / "other")
    assert named(file) == [str(large)]
    assert capsys.readouterr().err == ""


def test_a_copy_without_the_files_is_told_so(tmp_path, capsys):
    (tmp_path / "old" / "mlruns" / "1").mkdir(parents=True)
    old = database(tmp_path / "old", f"{tmp_path}/old/mlruns/1")
    (tmp_path / "new").mkdir()
    shutil.copy(old, tmp_path / "new")
    follow(tmp_path / "new" / "mlflow.db", tmp_path / "new")
    assert named(tmp_path / "new" / "mlflow.db") == [f"{tmp_path}/new/mlruns/1"]
    assert capsys.readouterr().err.endswith("/new, but there is no mlruns here: bring it, too.\n")


def test_a_store_that_cannot_be_written_is_told_in_one_sentence(project, monkeypatch):
    new = project.rename(project.parent / "new")
    monkeypatch.chdir(new)
    monkeypatch.setattr(sqlite3, "connect", read_only)
    with pytest.raises(Mistake, match=r"mlflow\.db still names files .*: attempt to write a readonly data"):
        prepare_store("grains")


CONNECT = sqlite3.connect


def read_only(file: str | Path, **settings: object) -> sqlite3.Connection:
    """Connect as told; to what is no address, for reading alone."""
    return CONNECT(file, **settings) if settings.get("uri") else CONNECT(f"{file.as_uri()}?mode=ro", uri=True)
