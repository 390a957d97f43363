"""The storage that a team shares, each kind by its real server on this machine: push, pull, and what fails."""

import hashlib
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import NamedTuple

import numpy as np
import psutil
import pytest
import servers
from clones import committed, git, module, started

from micromime.team import remotes

pytestmark = pytest.mark.slow

MANY = 600
"""Files: enough for a push that takes some seconds."""

A_MINUTE_S = 60


class Storage(NamedTuple):
    """A place to push to, and how a person says where it is and how they get in."""

    url: str
    words: tuple[str, ...]
    environment: dict[str, str]
    secrets: tuple[str, ...]
    objects: Callable[[], dict[str, bytes]]
    """Name (the MD5 it should have) -> content of all that lies there."""
    server: servers.Server | None = None


def objects_in(folder: Path) -> dict[str, bytes]:
    return {
        f"{file.parent.name}{file.name}": file.read_bytes()
        for file in folder.glob("**/files/md5/*/*")
        if not file.name.endswith(".tmp")
    }


def objects_of(server: servers.S3) -> dict[str, bytes]:
    found = {}
    with closing(server.client()) as client:
        for page in client.get_paginator("list_objects_v2").paginate(Bucket=server.bucket):
            for each in page.get("Contents", []):
                with closing(client.get_object(Bucket=server.bucket, Key=each["Key"])["Body"]) as body:
                    found["".join(each["Key"].split("/")[-2:])] = body.read()
    return found


@contextmanager
def storage(kind: str, folder: Path) -> Iterator[Storage]:
    """Start a server of this kind with all its files in a folder."""
    if kind == "folder":
        folder.mkdir()
        yield Storage(str(folder / "shared"), (), {}, (), lambda: objects_in(folder))
        return
    with getattr(servers, f"{kind}_server")(folder) as server:
        if kind == "ssh":
            words = ("--user", server.user, "--keyfile", str(server.keyfile))
            bare = server.url.replace(f"{server.user}@", "")
            yield Storage(bare, words, {}, (str(server.keyfile),), lambda: objects_in(server.files), server)
        elif kind == "s3":
            keys = {"AWS_ACCESS_KEY_ID": server.access_key, "AWS_SECRET_ACCESS_KEY": server.secret_key}
            words = ("--endpoint", server.endpoint, "--save-keys")
            yield Storage(server.url, words, keys, (server.secret_key,), lambda: objects_of(server), server)
        else:
            password = {remotes.PASSWORD: server.password}
            words = ("--user", server.user)
            yield Storage(server.url, words, password, (server.password,), lambda: objects_in(server.folder), server)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project with a folder of small files and a large one, as DVC keeps them."""
    clone = tmp_path / "a"
    (clone / "data").mkdir(parents=True)
    git(clone, "init", "--quiet")
    module(clone, "dvc", "init", "--quiet")
    (clone / "data" / "large.bin").write_bytes(np.random.default_rng(0).bytes(3_000_000))
    add_files(clone, 10)
    return clone


def add_files(clone: Path, number: int) -> None:
    rng = np.random.default_rng(number)
    for each in range(number):
        (clone / "data" / f"{each}-of-{number}.bin").write_bytes(rng.bytes(4000))
    module(clone, "dvc", "add", "--quiet", "data")
    committed(clone, "data")


def contents(clone: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in (clone / "data").iterdir()}


def assert_clean(found: dict[str, bytes]) -> None:
    """Every object has the MD5 that its name says."""
    wrong = [name for name, content in found.items() if hashlib.md5(content).hexdigest() != name.removesuffix(".dir")]
    assert not wrong


def add_remote(clone: Path, place: Storage) -> None:
    module(clone, "micromime", "remote", "add", place.url, *place.words, **place.environment)
    committed(clone, "where the team's storage is")


@pytest.mark.parametrize("kind", ["folder", "ssh", "s3", "webdav"])
def test_what_one_clone_pushes_another_pulls(kind, project, tmp_path):
    with storage(kind, tmp_path / "server") as place:
        add_remote(project, place)
        module(project, "micromime", "push")
        assert_clean(place.objects())
        assert len(place.objects()) == 12
        other = tmp_path / "b"
        git(project, "clone", "--quiet", ".", str(other))
        if place.words:
            login = [word for word in place.words if word not in ("--endpoint", getattr(place.server, "endpoint", ""))]
            module(other, "micromime", "remote", "login", *login, **place.environment)
        module(other, "micromime", "pull")
        assert contents(other) == contents(project)
        local = project / ".dvc" / "config.local"
        assert all(secret in local.read_text() for secret in place.secrets)
        assert not local.exists() or local.stat().st_mode & 0o077 == 0
        for clone in (project, other):
            said = git(clone, "log", "--all", "--patch") + git(clone, "status", "--porcelain", "--untracked-files=all")
            assert not [secret for secret in place.secrets if secret in said]


def until(there: Callable[[], bool], process: "subprocess.Popen[str]") -> None:
    end = time.monotonic() + A_MINUTE_S
    while not there():
        assert process.poll() is None, process.communicate()[0]
        assert time.monotonic() < end
        time.sleep(0.1)


def kill_all(process: "subprocess.Popen[str]") -> None:
    """As if the machine had lost its power."""
    started = psutil.Process(process.pid).children(recursive=True)
    for each in [process, *started]:
        each.kill()
    process.communicate()


def pushed(kind: str, place: Storage) -> int:
    """How many objects are there, counted without reading them."""
    if kind == "ssh":
        return len(objects_in(place.server.files))
    with closing(place.server.client()) as client:
        return client.list_objects_v2(Bucket=place.server.bucket, MaxKeys=1000)["KeyCount"]


@pytest.mark.parametrize("kind", ["ssh", "s3"])
def test_a_push_that_was_killed_is_completed_by_a_rerun(kind, project, tmp_path):
    add_files(project, MANY)
    with storage(kind, tmp_path / "server") as place:
        add_remote(project, place)
        first = started(project, "micromime", "push")
        until(lambda: pushed(kind, place) > 50, first)
        kill_all(first)
        assert pushed(kind, place) < MANY

        second = started(project, "micromime", "push")
        before = pushed(kind, place)
        until(lambda: pushed(kind, place) > before + 50, second)
        place.server.kill()
        began = time.monotonic()
        said, _ = second.communicate(timeout=2 * A_MINUTE_S)
        assert time.monotonic() - began < A_MINUTE_S
        assert second.returncode == 2, said
        assert "Traceback" not in said

        place.server.restart()
        module(project, "micromime", "push")
        found = place.objects()
        assert_clean(found)
        assert len(found) == MANY + 12


def test_a_server_that_hangs_in_the_middle_ends_in_one_sentence(project, tmp_path):
    add_files(project, MANY)
    with storage("s3", tmp_path / "server") as place:
        add_remote(project, place)
        push = started(project, "micromime", "push")
        until(lambda: pushed("s3", place) > 50, push)
        place.server.pause()
        began = time.monotonic()
        said, _ = push.communicate(timeout=2 * A_MINUTE_S)
        assert time.monotonic() - began < A_MINUTE_S
        assert push.returncode == 2
        assert "The remote 'team' at s3://dvc/files does not answer as it should" in said.splitlines()[-1]


@pytest.mark.parametrize("verb", ["push", "pull"])
def test_a_server_that_is_down_is_told_before_anything_is_begun(verb, project, tmp_path):
    with storage("s3", tmp_path / "server") as place:
        add_remote(project, place)
    began = time.monotonic()
    said = module(project, "micromime", verb, code=2)
    assert time.monotonic() - began < A_MINUTE_S
    assert len(said.strip().splitlines()) == 1
    assert "Could not connect" in said


def test_a_server_that_lets_nobody_in_says_what_to_do(project, tmp_path):
    with storage("s3", tmp_path / "server") as place:
        add_remote(project, place)
        other = tmp_path / "b"
        git(project, "clone", "--quiet", ".", str(other))
        wrong = {"AWS_ACCESS_KEY_ID": "micromime", "AWS_SECRET_ACCESS_KEY": "guessed"}
        assert "micromime remote login" in module(other, "micromime", "pull", code=2, **wrong)
        assert not (other / "data").exists()


def test_a_remote_that_does_not_work_is_not_written_down(project, tmp_path):
    with storage("s3", tmp_path / "server") as place:
        pass
    before = (project / ".dvc" / "config").read_bytes()
    said = module(project, "micromime", "remote", "add", place.url, *place.words, code=2, **place.environment)
    assert len(said.strip().splitlines()) == 1
    assert (project / ".dvc" / "config").read_bytes() == before
    assert not (project / ".dvc" / "config.local").exists()


def test_ctrl_c_ends_a_push_without_a_traceback_of_ours(project, tmp_path):
    add_files(project, MANY)
    with storage("ssh", tmp_path / "server") as place:
        add_remote(project, place)
        push = started(project, "micromime", "push")
        until(lambda: pushed("ssh", place) > 20, push)
        os.killpg(push.pid, signal.SIGINT)
        said, _ = push.communicate(timeout=A_MINUTE_S)
        assert push.returncode not in (0, 2)
        assert "micromime/commands" not in said
        module(project, "micromime", "push")
