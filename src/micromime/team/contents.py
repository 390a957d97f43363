"""What the files of a version say: from DVC's cache by their hash, from the working directory, or through DVC."""

import hashlib
import json
from collections.abc import Callable, Mapping
from functools import lru_cache
from pathlib import Path, PurePosixPath
from typing import Any, TypeVar

from micromime.project.dvc_cache import cached_file
from micromime.team.history import HERE, Version, git, git_bytes, late_remote, lock_at

Given = TypeVar("Given")


def listing(version: Version) -> Mapping[str, str] | None:
    """Return name -> MD5 of the files in a folder's version; of a file alone, under `.`; None where it is nowhere.

    The MD5 is empty where only the working directory has the file.
    """
    everything = _of_out(version)
    if everything is None:
        return None
    above = PurePosixPath(version.inner)
    within = {PurePosixPath(name): md5 for name, md5 in everything.items() if PurePosixPath(name).is_relative_to(above)}
    return {name.relative_to(above).as_posix(): md5 for name, md5 in within.items()}


def read(version: Version, name: str = ".") -> bytes | None:
    """Return a file of a version; None where the version has none of that name, or where it cannot be had."""
    if file := at_hand(version, name):
        return file.read_bytes()
    return _through_dvc(version, lambda files: files.cat_file(PurePosixPath(version.path, name).as_posix()))


def at_hand(version: Version, name: str = ".") -> Path | None:
    """Return where this machine has a file of a version; None where DVC would have to fetch it, if it can."""
    md5 = (listing(version) or {}).get(name, "")
    if md5 and (stored := cached_file(md5)):  # whatever is checked out, this is the version's
        return stored
    path = Path(version.path, name)
    return path if is_here(version) and path.is_file() else None


def read_json(version: Version, name: str) -> dict[str, Any] | None:
    """Return what a JSON file of a version says; None as for `read`, and where it is damaged."""
    try:
        said = json.loads(read(version, name) or b"")
    except ValueError:
        return None
    return said if isinstance(said, dict) else None


def is_here(version: Version) -> bool:
    """Return whether it is the version of the working directory, as far as dvc.lock knows."""
    return lock_at().outs.get(version.out, "") == version.digest


def sha256_of(version: Version, name: str = ".") -> str:
    """Return the SHA-256 of a file of a version; empty where it cannot be had."""
    content = read(version, name)
    return hashlib.sha256(content).hexdigest() if content is not None else ""


def committed(path: str, md5: str, near: str) -> Version:
    """Return the version of a file that git itself keeps, by its MD5: that of the commit `near`, or of another one."""
    for commit in dict.fromkeys((near, *git("log", "--format=%H", "HEAD", "--", path).split())):
        content = git_bytes("show", f"{commit}:./{path}") if commit else b""
        if hashlib.md5(content, usedforsecurity=False).hexdigest() == md5:
            return Version(path, path, md5, commit)
    return Version(path, path, md5, HERE)


def _of_out(version: Version) -> Mapping[str, str] | None:
    """Return name -> MD5 of the files in what DVC keeps as one."""
    out, digest = version.out, version.digest
    if digest and not digest.endswith(".dir"):
        return {".": digest}
    if digest and (stored := cached_file(digest)):
        return _entries(stored)
    if is_here(version) and Path(out).exists():
        files = [Path(out)] if Path(out).is_file() else [file for file in Path(out).rglob("*") if file.is_file()]
        return {file.relative_to(out).as_posix(): "" for file in files}
    found = _through_dvc(version, lambda files: files.find(out, detail=True))
    return (
        None
        if found is None
        else {
            PurePosixPath(path).relative_to(out).as_posix(): about["dvc_info"]["md5"] for path, about in found.items()
        }
    )


@lru_cache(maxsize=64)
def _entries(listed: Path) -> Mapping[str, str]:
    """Return name -> MD5 from a listing in DVC's cache, whose name is the hash of its content."""
    return {entry["relpath"]: str(entry["md5"]) for entry in json.loads(listed.read_bytes())}


def _through_dvc(version: Version, ask: Callable[[Any], Given]) -> Given | None:
    """Return what DVC answers of the commit that has a version; it may fetch from a remote. None where it fails."""
    if not version.commit:
        return None
    try:
        return ask(_files_at(Path.cwd(), version.commit, late_remote(version.commit) or None))
    except Exception:  # each kind of remote raises errors of its own; the chain goes on without what the file says
        return None


@lru_cache(maxsize=8)
def _files_at(_project: Path, commit: str, remote: str | None) -> Any:
    from dvc.api import DVCFileSystem

    return DVCFileSystem(url=".", rev=commit, remote=remote)  # as `dvc get .`, which knows the remotes of now
