"""The storage that a team shares: a DVC remote, its address in git and its secrets never."""

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from getpass import getpass
from pathlib import Path
from typing import Any
from urllib.parse import SplitResult, unquote, urlsplit

from micromime.mistakes import Mistake
from micromime.project.dvc_cache import dvc_settings
from micromime.team.watch import Watch

PASSWORD = "MICROMIME_REMOTE_PASSWORD"
"""Environment variable with the password of an SSH or WebDAV remote, for where nobody can be asked."""

TIMEOUTS: Mapping[str, Mapping[str, int]] = {
    "s3": {"connect_timeout": 10, "read_timeout": 20},
    "ssh": {"timeout": 20},
    "webdav": {"timeout": 20},
    "webdavs": {"timeout": 20},
}
"""Seconds. DVC's own are up to half an hour, so that a dead server looks like a slow one."""

SECRET = ("password", "passphrase", "secret_access_key", "session_token", "token", "access_key_id")
PERSONAL = ("user", "keyfile", *SECRET)
"""What is one person's: it stands in .dvc/config.local, which git does not see."""


@dataclass(frozen=True)
class Login:
    """How one person gets into a remote."""

    user: str = ""
    keyfile: Path | None = None
    save_keys: bool = False
    """Whether AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY are written to .dvc/config.local."""


def default_remote(project: Path = Path()) -> str:
    """Return the name of the remote that push, pull and run use; empty where there is none."""
    if not (project / ".dvc").is_dir():
        return ""
    return str(dvc_settings(project)["core"].get("remote") or "")


def remote_or_mistake(project: Path = Path()) -> str:
    """Return the name of the default remote; Mistake where there is none."""
    if name := default_remote(project):
        return name
    raise Mistake("This project has no shared storage yet; add it with `micromime remote add URL`.")


def add_remote(url: str, name: str, endpoint: str, login: Login, check: bool = True) -> None:
    """Make `url` the project's default remote: address and time-outs in .dvc/config, what is personal beside it.

    Before anything is written, the remote is written to and read from. Raises Mistake where it does not answer, and
    where the address is none of DVC's.
    """
    address, said = _understood(url)
    if endpoint and address.scheme != "s3":
        raise Mistake(f"--endpoint is for S3-compatible servers, and {_shown(address)} is none; leave it out.")
    settings = {"url": _shown(address), **TIMEOUTS.get(address.scheme, {})}
    settings |= {"endpointurl": endpoint} if endpoint else {}
    there = dvc_settings(Path())["remote"].get(name)
    if there and there["url"] != settings["url"]:
        raise Mistake(f"The remote {name!r} is {there['url']} already; give the new one another --name.")
    personal = said | _personal(address.scheme, login, said)
    _write(name, settings, personal, check)


def log_in(login: Login) -> None:
    """Write down how this person gets into the remote that the project has, in .dvc/config.local alone."""
    name = remote_or_mistake()
    scheme = urlsplit(dvc_settings(Path())["remote"][name]["url"]).scheme
    _write(name, None, _personal(scheme, login, {}), check=True)


def _understood(url: str) -> tuple[SplitResult, dict[str, str]]:
    """Return an address without user and password, and these; Mistake where it is none that we know."""
    parts = urlsplit(url)
    if not parts.scheme or parts.scheme == "file":
        folder = Path(unquote(parts.path)).expanduser().resolve()
        if not folder.parent.is_dir():
            raise Mistake(f"{folder.parent} is not there; mount or make it first, then add {folder} as a remote.")
        return SplitResult("", "", str(folder), "", ""), {}
    if parts.scheme not in TIMEOUTS:
        raise Mistake(f"{url!r} is no folder, ssh://, s3://, webdav:// or webdavs:// address; give one of these.")
    if not parts.hostname:
        raise Mistake(f"{url!r} names no host or bucket; write it as {parts.scheme}://host-or-bucket/folder.")
    said = {"user": unquote(parts.username or ""), "password": unquote(parts.password or "")}
    bare = parts._replace(netloc=parts.netloc.rpartition("@")[2])
    return bare, {key: text for key, text in said.items() if text}


def _shown(address: SplitResult) -> str:
    return address.geturl() if address.scheme else address.path


def _personal(scheme: str, login: Login, said: Mapping[str, str]) -> dict[str, str]:
    found = {"user": login.user} if login.user else {}
    if login.keyfile:
        keyfile = login.keyfile.expanduser().absolute()
        if not keyfile.is_file():
            raise Mistake(f"{keyfile} is no file; --keyfile is the private key that opens the SSH server.")
        found["keyfile"] = str(keyfile)
    if scheme == "s3" and login.save_keys:
        found |= {key.removeprefix("aws_"): _from_environment(key.upper()) for key in AWS}
    needs_password = scheme.startswith("webdav") and (login.user or said.get("user")) and "password" not in said
    if os.environ.get(PASSWORD) and scheme != "s3":
        found["password"] = os.environ[PASSWORD]
    elif needs_password:
        found["password"] = _asked(login.user or said["user"])
    return found


AWS = ("aws_access_key_id", "aws_secret_access_key")


def _from_environment(variable: str) -> str:
    if text := os.environ.get(variable):
        return text
    raise Mistake(f"{variable} is not set; set it to what the storage's admin has given you, then do this again.")


def _asked(user: str) -> str:
    if sys.stdin.isatty():
        return getpass(f"Password of {user}: ")
    raise Mistake(f"Nobody can be asked for the password of {user}; set {PASSWORD}.")


def _write(name: str, settings: Mapping[str, Any] | None, personal: Mapping[str, str], check: bool) -> None:
    """Write both files of DVC's settings, or neither: the remote is tried in between, and they are put back."""
    config = dvc_settings(Path())
    files = [Path(config.files["repo"]), Path(config.files["local"])]
    before: list[bytes | None] = [file.read_bytes() if file.exists() else None for file in files]
    try:
        with config.edit("local", validate=False) as own:
            kept = own["remote"].pop(name, {}) if settings is None else {}  # another kind's would be an error
            own["remote"] |= {name: {**kept, **personal}} if kept or personal else {}
        files[1].chmod(0o600)
        if settings is not None:
            with config.edit("repo", validate=False) as shared:
                shared["remote"][name] = dict(settings)
                shared["core"]["remote"] = name
        if check:
            with Watch(name, writing=True) as watch:
                watch.expect_life()
    except BaseException:
        for file, content in zip(files, before, strict=True):
            _put_back(file, content)
        raise


def _put_back(file: Path, content: bytes | None) -> None:
    if content is None:
        file.unlink(missing_ok=True)
    else:
        file.write_bytes(content)
