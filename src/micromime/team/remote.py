"""The storage that a team shares: a DVC remote, its address in git and its secrets never; what moves data to and fro.

DVC's own time-outs hold for one request: a push of many files to a server that hangs tries each of them, over and over.
So the remote is asked now and then whether it is there, and DVC is ended where it is not.
"""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from getpass import getpass
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal, NamedTuple
from urllib.parse import unquote, urlsplit
from uuid import uuid4

from micromime.mistakes import Mistake
from micromime.project.dvc_cache import dvc_settings, expect_repository
from micromime.project.extras import what_to_install
from micromime.project.versions import LOCK, git, head

PASSWORD = "MICROMIME_REMOTE_PASSWORD"
"""Environment variable with the password of an SSH or WebDAV remote, for where nobody can be asked."""

KEYS = {"access_key_id": "AWS_ACCESS_KEY_ID", "secret_access_key": "AWS_SECRET_ACCESS_KEY"}

TIMEOUTS: Mapping[str, Mapping[str, int]] = {
    "": {},
    "s3": {"connect_timeout": 10, "read_timeout": 20},
    "ssh": {"timeout": 20},
    "webdav": {"timeout": 20},
    "webdavs": {"timeout": 20},
}
"""Seconds, by the scheme of an address. DVC's own are up to half an hour: a dead server would look like a slow one."""

EVERY_S, PATIENCE_S = 15.0, 30.0
"""How often a remote is asked, and how long it may be silent: with DVC's end a person waits less than a minute."""


class Login(NamedTuple):
    """How one person gets into a remote."""

    user: str = ""
    keyfile: Path | None = None
    save_keys: bool = False
    """Whether AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY are written to .dvc/config.local."""

    def settings(self, scheme: str, password: str = "") -> dict[str, str]:
        """Return DVC's settings of a remote that are this person's, by what is given, set or typed."""
        found = {"user": self.user, "keyfile": str(self.keyfile.expanduser().absolute()) if self.keyfile else ""}
        if self.keyfile and not Path(found["keyfile"]).is_file():
            raise Mistake(f"{found['keyfile']} is no file; --keyfile is the private key that opens the SSH server.")
        if scheme == "s3" and self.save_keys:
            found |= {key: os.environ.get(variable, "") for key, variable in KEYS.items()}
            if missing := [variable for key, variable in KEYS.items() if not found[key]]:
                raise Mistake(
                    f"{missing[0]} is not set; set it to what the storage's admin has given you, do it again."
                )
        if scheme not in ("", "s3"):
            found["password"] = password or os.environ.get(PASSWORD, "")
            if scheme.startswith("webdav") and self.user and not found["password"]:
                if not sys.stdin.isatty():
                    raise Mistake(f"Nobody can be asked for the password of {self.user}; set {PASSWORD}.")
                found["password"] = getpass(f"Password of {self.user}: ")
        return {key: text for key, text in found.items() if text}


def default_remote() -> str:
    """Return the name of the remote that push, pull and run use; empty where there is none."""
    return str(dvc_settings()["core"].get("remote") or "") if Path(".dvc").is_dir() else ""


def address(name: str) -> str:
    """Return where a remote is."""
    return str(dvc_settings()["remote"][name]["url"])


def add_remote(url: str, name: str, endpoint: str, login: Login, check: bool = True) -> None:
    """Make `url` the project's default remote: address and time-outs in .dvc/config, what is personal beside it.

    Before it counts, the remote is written to and read from. Raises Mistake where it does not answer, and where the
    address is none of DVC's.
    """
    expect_repository()
    parts = urlsplit(url)
    scheme, user, password = parts.scheme.replace("file", ""), unquote(parts.username or ""), parts.password or ""
    if scheme not in TIMEOUTS:
        raise Mistake(f"{url!r} is no folder, ssh://, s3://, webdav:// or webdavs:// address; give one of these.")
    if scheme and not parts.hostname:
        raise Mistake(f"{url!r} names no host or bucket; write it as {scheme}://host-or-bucket/folder.")
    folder = Path(unquote(parts.path)).expanduser().resolve()
    if not scheme and not folder.parent.is_dir():
        raise Mistake(f"{folder.parent} is not there; mount or make it first, then add {folder} as a remote.")
    bare = parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl() if scheme else str(folder)
    if endpoint and scheme != "s3":
        raise Mistake(f"--endpoint is for S3-compatible servers, and {bare} is none; leave it out.")
    if name in dvc_settings()["remote"] and address(name) != bare:
        raise Mistake(f"The remote {name!r} is {address(name)} already; give the new one another --name.")
    personal = login._replace(user=login.user or user).settings(scheme, unquote(password))
    _write(name, {"url": bare, **TIMEOUTS[scheme], **({"endpointurl": endpoint} if endpoint else {})}, personal, check)


def log_in(login: Login) -> None:
    """Write down how this person gets into the remote that the project has, in .dvc/config.local alone."""
    name = _remote_or_mistake()
    own = dict(dvc_settings().load_one("local").get("remote", {}).get(name, {}))
    _write(name, None, own | login.settings(urlsplit(address(name)).scheme))


def _remote_or_mistake() -> str:
    expect_repository()
    if name := default_remote():
        return name
    raise Mistake("This project has no shared storage yet; add it with `micromime remote add URL`.")


def _write(name: str, shared: Mapping[str, Any] | None, personal: Mapping[str, str], check: bool = True) -> None:
    """Write both files of DVC's settings, or neither: the remote is tried in between, and they are put back."""
    config = dvc_settings()
    files = [Path(config.files["repo"]), Path(config.files["local"])]
    before = [file.read_bytes() if file.exists() else None for file in files]
    try:
        with config.edit("local", validate=False) as own:
            own["remote"].pop(name, None)  # what another kind had would be an error
            own["remote"] |= {name: dict(personal)} if personal else {}
        files[1].chmod(0o600)
        if shared is not None:
            with config.edit("repo", validate=False) as ours:
                ours["remote"][name], ours["core"]["remote"] = dict(shared), name
        if check:
            expect_life(name, "--write")
    except BaseException:
        for file, content in zip(files, before, strict=True):
            file.unlink(missing_ok=True) if content is None else file.write_bytes(content)
        raise


def expect_life(name: str, *words: str) -> None:
    """Raise Mistake where a remote does not answer; with `--write` something is written there, and removed."""
    scheme = urlsplit(address(name)).scheme
    plugin = f"dvc_{scheme.removesuffix('s')}"  # DVC would name an extra of its own
    if TIMEOUTS.get(scheme) and not find_spec(plugin):
        raise Mistake(what_to_install(ModuleNotFoundError(name=plugin)))
    if why := _silence(name, *words):
        raise _dead(name, f"{why}); see that it can be reached, and say how you get in by `micromime remote login`")


def _dead(name: str, why: str) -> Mistake:
    return Mistake(f"The remote {name!r} at {address(name)} does not answer as it should ({why}.")


def _silence(name: str, *words: str) -> str:
    """Return why a remote does not answer, empty where it does: what hangs in a process of its own hangs nobody."""
    command = [sys.executable, "-m", "micromime.team.remote", name, *words]
    try:
        asked = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=PATIENCE_S, check=False
        )
    except subprocess.TimeoutExpired:
        return f"nothing came for {PATIENCE_S:g} s"
    return asked.stdout.strip()[:300]


def _asked(name: str, writing: bool) -> str:
    """Ask a remote for its folder by DVC's own means; return the failure, empty where it answers."""
    from dvc.repo import Repo

    try:
        with Repo() as repo:
            odb = repo.cloud.get_remote_odb(name)
            if writing:
                odb.fs.makedirs(odb.path, exist_ok=True)
                file = odb.fs.join(odb.path, f"micromime-{uuid4().hex}")
                odb.fs.pipe_file(file, b"written to see whether that can be done")
                odb.fs.remove(file)
            with suppress(FileNotFoundError):  # DVC's files/md5 is there after the first push
                odb.fs.info(odb.path)  # `exists` says no where the server is gone
            folder = Path(odb.path).parents[1]
            return f"{folder} is not there" if odb.fs.protocol == "local" and not folder.is_dir() else ""
    except Exception as error:  # whatever it is, it is what the person who waits must read
        return f"{type(error).__name__}: {' '.join(str(error).split())}"


def _dvc(name: str, *words: str) -> int:
    """Run DVC on a remote and return its exit code; Mistake within a minute after the remote has fallen silent."""
    expect_life(name)
    running, alive_s = subprocess.Popen([sys.executable, "-m", "dvc", *words, "--remote", name]), time.monotonic()
    try:
        while running.poll() is None:
            with suppress(subprocess.TimeoutExpired):
                return running.wait(EVERY_S)
            if not (why := _silence(name)):
                alive_s = time.monotonic()
            elif running.poll() is None and time.monotonic() - alive_s > PATIENCE_S:
                running.send_signal(signal.SIGINT)  # so DVC gives back its locks
                raise _dead(name, f"{why}); what was moved is whole, and the same command goes on when it is back")
    finally:  # also where Ctrl-C has reached DVC, too
        with suppress(subprocess.TimeoutExpired):
            running.wait(5)
        running.kill()
    return running.wait()


def transfer(verb: Literal["push", "pull"]) -> None:
    """Run `dvc push` or `dvc pull`; Mistake where it fails, or within a minute after the remote has fallen silent.

    What was transferred stays, whole object by whole object: done again, it goes on from there.
    """
    if _dvc(_remote_or_mistake(), verb):
        raise Mistake(f"dvc {verb} did not end well; what it says above names the files, the rest was {verb}ed.")
    if verb == "push" and head()[0] and git("status", "--porcelain", "--", LOCK):
        print(f"Others find this by {LOCK}, which is not committed as it is: git commit, micromime tag, git push.")


def brought() -> bool:
    """Bring what dvc.lock names, as far as the remote has it, so that `dvc repro` computes the rest alone.

    Return whether the project has a remote that answers; of one that does not, say so.
    """
    if not (name := default_remote()):
        return False
    try:
        whole, alive = _dvc(name, "pull", "--allow-missing") == 0, True
    except Mistake as silent:
        print(f"micromime: {silent} What it holds is computed here.", file=sys.stderr, flush=True)
        whole, alive = False, False
    if not whole:
        subprocess.run([sys.executable, "-m", "dvc", "checkout", "--allow-missing"], check=False)
    return alive


if __name__ == "__main__":
    print(_asked(sys.argv[1], "--write" in sys.argv))
