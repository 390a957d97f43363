"""Addresses at which no store can be: each its own sentence, at once, and before MLflow is imported."""

import os
import re
import sqlite3
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from micromime.mistakes import Mistake
from micromime.tracking import address
from micromime.tracking.address import shown, unusable, wrong
from micromime.tracking.publish import publish_arm
from micromime.tracking.registry import SOURCES
from micromime.tracking.store import OFFLINE, Unreachable, check_store, prepare_store, store_client, without_password

WRONG = {
    "./mlruns": "a folder.*sqlite:///mlflow.db",
    "mlruns": "a folder",
    "lab": "a folder.*http://lab:5000",
    "file:///tmp/mlruns": "a folder",
    "file:mlruns": "a folder",
    "mlflow.db": "write sqlite:///mlflow.db$",
    "/tmp/our.sqlite": "write sqlite:////tmp/our.sqlite$",
    "file:///tmp/our.db": "write sqlite:////tmp/our.db$",
    "localhost:5000": "no http:// before it; write http://localhost:5000$",
    "lab.example.org:5000/mlflow": "write http://lab.example.org:5000/mlflow$",
    "[::1]:5000": r"write http://\[::1\]:5000$",
    "ann:secret@lab:5000": r"write http://ann:\*\*\*@lab:5000$",
    "http//lab": "://; write http://lab$",
    "http:/lab": "write http://lab$",
    "https:lab": "write https://lab$",
    "https:/ann:secret@lab": r"write https://ann:\*\*\*@lab$",
    "http:///lab": "write http://lab$",
    "HTTP://lab": "small letters; write http://lab$",
    "http://": "no host",
    "http://:5000": "no host",
    "http://lab:99999": "no port",
    "http://lab:5OOO": "no port",
    "http://[::1": "no port",
    "http://lab:5000/#/experiments/1": "a page.*write http://lab:5000$",
    "http://lab:5000/mlflow/#/models": "write http://lab:5000/mlflow$",
    "http://lab:5000/api/2.0/mlflow": "write http://lab:5000$",
    " http://lab:5000": "around it; write http://lab:5000$",
    "http://lab:5000\n": "around it",
    '"http://lab:5000"': "quotes.*write http://lab:5000$",
    "'sqlite:///mlflow.db'": "write sqlite:///mlflow.db$",
    "\u201chttp://lab:5000\u201d": "around it.*write http://lab:5000$",
    "\ufeffhttp://lab:5000\u00a0": "seen or not.*write http://lab:5000$",
    "<http://lab:5000>,": "write http://lab:5000$",
    "http://ann:se#secret@lab:5000": "in a password.*# %23",
    "http://ann:se/secret@lab:5000": "/ is written %2F",
    " ": "is blank",
    '""': "is blank",
    "http://lab :5000": "a blank",
    "http://lab\n:5000": "within",
    "sqlite:/mlflow.db": "write sqlite:///mlflow.db or sqlite:////mlflow.db$",
    "sqlite://mlflow.db": "three slashes.*four",
    "sqlite:mlflow.db": "three slashes",
    "sqlite://///mlflow.db": "three slashes",
    "sqlite:": "no file",
    "sqlite://": "no file.*gone with the process",
    "sqlite:///": "no file",
    "sqlite:///:memory:": "no file",
    "sqlite:///file::memory:?cache=shared&uri=true": "no file",
    "sqlite:///~/mlflow.db": f"write sqlite:///{Path.home()}/mlflow.db$",
    "postgresql:/lab/mlflow": "no address of a database",
    "postgresql+none://lab/mlflow": "no address of a database",
    "postgres://ann:secret@lab/mlflow": r"write postgresql\+psycopg2://ann:\*\*\*@lab/mlflow$",
    "mssql://lab/mlflow": "needs the Python package pyodbc, which is not installed; install it$",
    "databricks": "DATABRICKS_HOST and DATABRICKS_TOKEN",
    "databricks://lab": "DATABRICKS_HOST",
    "s3://bucket/mlflow": "begins with s3; write",
    "ftp://lab": "begins with ftp",
    "oracle://lab": "begins with oracle",
}

RIGHT = [
    *("http://lab:5000", "https://ann:secret@lab/mlflow/", "http://[::1]:5000", "http://10.0.0.1"),
    *("sqlite:///mlflow.db", "sqlite:////tmp/a folder/mlflow.db", "sqlite+pysqlite:///a.db?timeout=3"),
    *("postgresql+psycopg2://ann:secret@lab:5432/mlflow", "uc:http://lab", "databricks-uc"),
]


@pytest.fixture(autouse=True)
def no_databricks(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith(("DATABRICKS_", "MLFLOW_ALLOW"))]:
        monkeypatch.delenv(name)


@pytest.mark.parametrize("written", WRONG)
def test_an_address_that_can_be_none_is_told_with_what_to_write(written, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv(OFFLINE, "")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", written)
    for stops in (check_store, lambda: publish_arm({}, {})):
        begun = time.monotonic()
        with pytest.raises(Mistake, match=rf"(?s)^MLFLOW_TRACKING_URI is .*: .*{WRONG[written].rstrip('$')}") as told:
            stops()
        assert time.monotonic() - begun < 10
        assert str(told.value).count(". ") == 0
        assert "secret" not in str(told.value)
        if re.search(r"write .*\$$", WRONG[written]):
            assert wrong(str(told.value).rpartition(" or ")[2].rpartition("write ")[2].rstrip(".")) == ""
    assert list(tmp_path.iterdir()) == []
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "sqlite:///mlflow.db")
    monkeypatch.setenv("MLFLOW_REGISTRY_URI", written)
    with pytest.raises(Mistake, match=r"^MLFLOW_REGISTRY_URI is "):
        check_store()


@pytest.mark.parametrize("written", RIGHT)
def test_addresses_that_may_be_one_are_left_to_mlflow(written):
    assert wrong(written) == ""


def test_what_mlflow_s_plug_ins_bring_and_what_a_user_insists_on_is_left_to_mlflow(monkeypatch):
    monkeypatch.setattr(address, "entry_points", lambda group, name: group == "mlflow.tracking_store" and name == "x")
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    monkeypatch.setenv("DATABRICKS_HOST", "https://lab")
    for written in ("x://lab", "./mlruns", "databricks"):
        assert wrong(written) == ""


def test_a_driver_that_is_not_installed_is_named_with_one_that_is(monkeypatch):
    monkeypatch.setitem(sys.modules, "psycopg", None)
    said = "psycopg[binary], which is not installed; write postgresql+psycopg2://"
    assert said in wrong("postgresql://lab/mlflow")
    monkeypatch.setattr(address, "find_spec", lambda name: name == "sqlalchemy")
    assert wrong("postgresql://lab/mlflow").endswith("not installed; install it")
    monkeypatch.setitem(sys.modules, "MySQLdb", None)
    assert "the Python package mysqlclient, which" in wrong("mysql://lab/mlflow")


def test_a_driver_that_lacks_a_library_of_the_system_is_told(tmp_path, monkeypatch):
    (tmp_path / "pyodbc.py").write_text("raise ImportError('libodbc.so.2: cannot open\\nshared')")
    monkeypatch.syspath_prepend(tmp_path)
    assert "cannot be loaded (libodbc.so.2: cannot open); install it anew" in wrong("mssql://lab/mlflow")


def test_a_password_that_is_a_word_of_the_sentence_or_within_one_leaves_it_readable(monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "postgresql+psycopg2://p:p@lab/mlflow")
    said = without_password("The store at postgresql+psycopg2://p:p@lab/mlflow failed (p is wrong): see its port")
    assert said == "The store at postgresql+psycopg2://p:***@lab/mlflow failed (*** is wrong): see its port"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://ann:a%23b@lab")
    assert without_password("user ann, a#b and a%23b") == "user ann, *** and ***"


@pytest.mark.parametrize(
    "written", ["http://ann:p@ss:w@lab", "http:/ann:secret@lab", "ann:secret@lab:5", "'x+y://ann:a/b@l'"]
)
def test_a_password_is_never_shown_however_the_address_is_written(written):
    assert "ann:***@" in shown(written)
    assert not any(part in shown(written) for part in ("ss", "secret", "a/b"))


def files(folder: Path) -> dict[str, str]:
    """Make files and folders of all kinds; return the path of each that cannot be a store -> what is said of it."""
    whole = folder / "whole.db"
    with sqlite3.connect(whole) as made:
        made.execute("CREATE TABLE t (x)")
    made.close()
    (folder / "text.db").write_text("no database " * 99)
    (folder / "short.db").write_text("a note of some words")
    for name in ("read_only.db", "unreadable.db", "closed/mlflow.db"):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_bytes(whole.read_bytes())
    os.mkfifo(folder / "pipe.db")
    (folder / "closed" / "folder").mkdir()
    for name, mode in {"read_only.db": 0o444, "unreadable.db": 0, "closed": 0o555, "": 0o755}.items():
        (folder / name).chmod(mode)
    return {
        "text.db": "is no SQLite database",
        "short.db": "is no SQLite database",
        "read_only.db": "cannot be written to (attempt to write a readonly database)",
        "unreadable.db": "cannot be written to (unable to open database file)",
        "closed/mlflow.db": "cannot be written to (",
        "closed/new.db": "cannot be made (Permission denied)",
        "pipe.db": "is no file",
        "closed": "is a folder; name a file in it, such as sqlite:///",
        "no/mlflow.db": "no is not there; make it first",
        "text.db/mlflow.db": "text.db is not there",
    }


ASKS = """
import os, sys
from micromime.tracking.address import unusable
if os.geteuid() == 0:  # who may do all
    os.setegid(65534), os.seteuid(65534)
for file in sys.argv[1:]:
    print(unusable(f"sqlite:///{file}", True))
assert "mlflow" not in sys.modules
"""


def test_a_file_that_cannot_be_written_is_told_in_a_sentence_of_its_own():
    with TemporaryDirectory() as made:
        folder = Path(made)
        expected, begun = files(folder), time.monotonic()
        command = [sys.executable, "-c", ASKS, *(str(folder / file) for file in expected)]
        ended = subprocess.run(command, env={"PYTHONPATH": str(SOURCES)}, capture_output=True, text=True)
        (folder / "closed").chmod(0o755)
    assert ended.returncode == 0, ended.stderr
    assert time.monotonic() - begun < 10
    for (file, said), line in zip(expected.items(), ended.stdout.splitlines(), strict=True):
        assert said in line, (file, line)


@pytest.mark.usefixtures("store")
def test_a_file_that_another_process_has_locked_is_told_within_seconds(store, monkeypatch):
    prepare_store("grains")
    before = store.read_bytes()
    check_store()
    assert store.read_bytes() == before
    with sqlite3.connect(store, isolation_level=None) as other:
        other.execute("BEGIN IMMEDIATE")
        begun = time.monotonic()
        with pytest.raises(Mistake, match=rf"{store} is locked by another process; end that") as told:
            check_store()
        assert time.monotonic() - begun < 10
        assert not isinstance(told.value, Unreachable)
        monkeypatch.setattr(address, "LOCKED_S", 0.1)
        with pytest.raises(Unreachable, match="is locked"):  # found later it is no reason to stop
            prepare_store("grains")
        assert store_client().get_experiment_by_name("grains")  # reading it does no harm
    other.close()


def test_a_store_that_is_not_there_yet_is_not_made_by_looking(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for where in ("sqlite:///mlflow.db", "sqlite:///a%20b.db"):
        assert unusable(where, writing=True) == unusable(where, writing=False) == ""
    assert list(tmp_path.iterdir()) == []
