"""The storage that a team shares, each kind by its real server on this machine: push, pull, and what fails."""

import hashlib
import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any, NamedTuple

import loopback
import numpy as np
import pytest
from clones import committed, git, module, started

from micromime.team.remote import PASSWORD

pytestmark = [pytest.mark.ci, pytest.mark.xdist_group("servers")]

KINDS = ("folder", "ssh", "s3", "webdav")
A_MINUTE_S = 60
SMALL, LARGE = 4_000, 3_000_000
"""Bytes of the ten small files of a project, and of its large one."""


class Storage(NamedTuple):
    """A place to push to, and how a person says where it is and how they get in."""

    url: str
    words: tuple[str, ...]
    environment: dict[str, str]
    secret: str
    objects: Callable[[], dict[str, bytes]]
    """Name (the MD5 it should have) -> content of all that lies there."""
    port: int = 0

    def through(self, line: loopback.Line) -> "Storage":
        """The same place at the end of a line that may be cut."""
        words = tuple(word.replace(f":{self.port}", f":{line.port}") for word in self.words)
        return self._replace(url=self.url.replace(f":{self.port}", f":{line.port}"), words=words)


def objects_in(folder: Path) -> dict[str, bytes]:
    files = (file for file in folder.glob("**/files/md5/*/*") if not file.name.endswith(".tmp"))
    return {f"{file.parent.name}{file.name}": file.read_bytes() for file in files}


@pytest.fixture(scope="session")
def ssh(tmp_path_factory: pytest.TempPathFactory) -> Iterator[loopback.Server]:
    with loopback.ssh_server(tmp_path_factory.mktemp("ssh")) as server:
        yield server


@pytest.fixture(scope="session")
def webdav(tmp_path_factory: pytest.TempPathFactory) -> Iterator[loopback.Server]:
    with loopback.webdav_server(tmp_path_factory.mktemp("webdav")) as server:
        yield server


@pytest.fixture
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[str], Storage]:
    """What gives the storage of a kind, in a folder of its own; the servers are those of the session."""
    name = tmp_path.name

    def given(kind: str) -> Storage:
        if kind == "folder":
            return Storage(str(tmp_path / name), (), {}, "", lambda: objects_in(tmp_path / name))
        if kind == "s3":
            return in_bucket(name, request.getfixturevalue("team"), request.getfixturevalue("site"))
        port, url, settings, files = request.getfixturevalue(kind)
        (files / name).mkdir()
        there, found = f"{url.rstrip('/')}/{name}", lambda: objects_in(files / name)
        if kind == "ssh":
            return Storage(there, ("--keyfile", settings["keyfile"]), {}, settings["keyfile"], found, port)
        password = settings["password"]
        return Storage(there, ("--user", settings["user"]), {PASSWORD: password}, password, found, port)

    return given


def in_bucket(name: str, team: Any, site: Any) -> Storage:
    """A place in the bucket of the team's server."""
    keys = site.secrets["s3"]["dvc"]

    def objects() -> dict[str, bytes]:
        with closing(team.s3_client(site, "dvc")) as client:
            found = client.list_objects_v2(Bucket="dvc", Prefix=f"{name}/").get("Contents", [])
            read = {each["Key"]: client.get_object(Bucket="dvc", Key=each["Key"])["Body"].read() for each in found}
        return {"".join(key.split("/")[-2:]): content for key, content in read.items()}

    environment = {"AWS_ACCESS_KEY_ID": keys["access_key"], "AWS_SECRET_ACCESS_KEY": keys["secret_key"]}
    words = ("--endpoint", f"http://127.0.0.1:{site.s3_port}", "--save-keys")
    return Storage(f"s3://dvc/{name}", words, environment, keys["secret_key"], objects, site.s3_port)


@pytest.fixture(scope="session")
def full_project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project with a folder of small files and a large one, as DVC keeps them."""
    clone = tmp_path_factory.mktemp("project") / "a"
    (clone / "data").mkdir(parents=True)
    git(clone, "init", "--quiet")
    module(clone, "dvc", "init", "--quiet")
    rng = np.random.default_rng(0)
    for number in range(11):
        (clone / "data" / f"{number}.bin").write_bytes(rng.bytes(SMALL if number else LARGE))
    module(clone, "dvc", "add", "--quiet", "data")
    committed(clone, "data")
    return clone


@pytest.fixture
def mine(full_project: Path, tmp_path: Path) -> Path:
    """A clone of it with all its files, and no remote."""
    git(full_project, "clone", "--quiet", ".", str(tmp_path / "a"))
    (tmp_path / "a" / ".dvc" / "cache").symlink_to(full_project / ".dvc" / "cache")
    module(tmp_path / "a", "dvc", "checkout", "--quiet")
    return tmp_path / "a"


def add_remote(clone: Path, place: Storage, code: int = 0) -> str:
    said = module(clone, "micromime", "remote", "add", place.url, *place.words, code=code, **place.environment)
    committed(clone, "where the team's storage is")
    return said


def assert_clean(found: dict[str, bytes], count: int = 12) -> None:
    """So many objects are there, and each has the MD5 that its name says."""
    assert len(found) == count
    assert {hashlib.md5(content).hexdigest(): "" for content in found.values()}.keys() == {
        name.removesuffix(".dir") for name in found
    }


@pytest.mark.parametrize("kind", KINDS)
def test_what_one_clone_pushes_another_pulls(kind, place, mine, tmp_path):
    there, other = place(kind), tmp_path / "b"
    add_remote(mine, there)
    module(mine, "micromime", "push")
    assert_clean(there.objects())
    git(mine, "clone", "--quiet", ".", str(other))
    if there.words:
        login = [word for word in there.words if word != "--endpoint" and not word.startswith("http:")]
        module(other, "micromime", "remote", "login", *login, **there.environment)
    module(other, "micromime", "pull")
    assert {file.name: file.read_bytes() for file in (other / "data").iterdir()} == {
        file.name: file.read_bytes() for file in (mine / "data").iterdir()
    }
    local = mine / ".dvc" / "config.local"
    if there.secret:
        assert there.secret in local.read_text()
        assert local.stat().st_mode & 0o077 == 0
        for clone in (mine, other):
            said = git(clone, "log", "--all", "--patch") + git(clone, "status", "--porcelain", "--untracked-files=all")
            assert there.secret not in said


def test_a_server_that_hangs_in_the_middle_ends_in_one_sentence_and_a_rerun_completes_it(place, mine):
    line = loopback.Line((there := place("s3")).port, 1_000_000)
    add_remote(mine, there.through(line))
    push = started(mine, "micromime", "push")
    assert line.dead.wait(A_MINUTE_S)
    began = time.monotonic()
    said, _ = push.communicate(timeout=2 * A_MINUTE_S)
    assert time.monotonic() - began < A_MINUTE_S
    assert push.returncode == 2, said
    assert "The remote 'team' at s3://dvc/" in said.splitlines()[-1]
    assert "does not answer as it should" in said.splitlines()[-1]
    line.mended()
    module(mine, "micromime", "push")
    assert_clean(there.objects())


def test_a_push_that_was_killed_or_whose_server_was_is_completed_by_a_rerun(place, mine):
    line = loopback.Line((there := place("ssh")).port, 1_000_000)
    add_remote(mine, there.through(line))
    killed = started(mine, "micromime", "push")
    assert line.dead.wait(A_MINUTE_S)
    os.killpg(killed.pid, signal.SIGKILL)
    killed.communicate()
    line.mended(1_000_000)
    second = started(mine, "micromime", "push")
    assert line.dead.wait(A_MINUTE_S)
    line.hang_up()
    began = time.monotonic()
    said, _ = second.communicate(timeout=2 * A_MINUTE_S)
    assert time.monotonic() - began < A_MINUTE_S
    assert second.returncode == 2, said
    assert "Traceback" not in said
    assert len(there.objects()) < 12
    line.mended()
    module(mine, "micromime", "push")
    assert_clean(there.objects())


def test_a_server_that_is_gone_or_lets_nobody_in_is_told_before_anything_is_begun(place, mine, tmp_path):
    line = loopback.Line((there := place("s3")).port, 1_000_000_000)
    add_remote(mine, there.through(line))
    git(mine, "clone", "--quiet", ".", str(other := tmp_path / "b"))
    wrong = there.environment | {"AWS_SECRET_ACCESS_KEY": "guessed"}
    assert "micromime remote login" in module(other, "micromime", "pull", code=2, **wrong)
    assert not (other / "data").exists()
    line.cut()
    said = module(mine, "micromime", "push", code=2)
    assert len(said.strip().splitlines()) == 1
    assert "does not answer as it should" in said
    before = (other / ".dvc" / "config").read_bytes()
    said = module(other, "micromime", "remote", "add", there.through(line).url, "--name", "new", code=2, **wrong)
    assert len(said.strip().splitlines()) == 1
    assert (other / ".dvc" / "config").read_bytes() == before
    assert not (other / ".dvc" / "config.local").exists()
