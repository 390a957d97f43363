"""Versions of what DVC keeps: the commit that has each, what it was made from, and what its files say.

dvc.lock names the hash of every out and of all that its stage has read: so one hash leads to all that is behind it.
Runs know hashes only, as they begin before the dvc.lock that names their networks is committed.
"""

import json
import os
import re
from collections.abc import Iterable, Mapping, Set
from functools import lru_cache
from pathlib import Path, PurePosixPath
from shlex import quote
from typing import Any, NamedTuple

from micromime.project.versions import DATA, HERE, LOCK, git, kept_whole, lock_at
from micromime.team.remote import default_remote


class Version(NamedTuple):
    """A version of a file or folder."""

    path: str
    """As dvc.yaml writes it; it may lie within a folder that DVC keeps as one."""
    out: str
    """What DVC keeps as one: the path itself, or a folder above it."""
    digest: str
    """DVC's hash of `out`; empty where DVC has recorded none."""
    commit: str
    """The first commit whose dvc.lock has it, 40 digits; empty where none has."""


def commit_of(revision: str) -> str:
    """Return the 40 digits of a commit that is named by a tag, a branch or its first digits; empty if none is."""
    return git("rev-parse", "--verify", "--quiet", "--end-of-options", f"{revision}^{{commit}}") if revision else ""


def short(commit: str) -> str:
    """Return the first digits of a commit, as many as tell it from all others."""
    return git("rev-parse", "--short", commit) or commit[:7]


def commits(digest: str) -> list[str]:
    """Return the commits up to HEAD that changed how often dvc.lock has a hash, parents first, merges too."""
    found = git(
        "log",
        "--no-show-signature",
        "-m",
        "--topo-order",
        "--reverse",
        "--format=%H",
        f"-S{digest}",
        "HEAD",
        "--",
        LOCK,
    )
    return list(dict.fromkeys(found.split()))


def version_at(path: str, commit: str = HERE) -> Version | None:
    """Return the version of a path that a dvc.lock records, with the first commit that has it; None if it has none."""
    kept = kept_whole(lock_at(commit).outs, path)
    return version_of(path, kept[1], commit) if kept else None


def version_of(path: str, digest: str, near: str = HERE) -> Version:
    """Return the version of a path whose hash is known, with the first commit that has it.

    Where none up to HEAD has, that is `near` if it has it, or if git itself keeps the file there.
    """
    for commit in (*commits(digest), near):
        kept = kept_whole(lock_at(commit).outs, path)
        if kept and kept[1] == digest:
            return Version(path, kept[0], digest, commit)
    in_git = near if kept is None and _in_git(path, near) else HERE
    return Version(path, path if kept is None else kept[0], digest, in_git)


def _in_git(path: str, commit: str) -> bool:
    return bool(commit) and git("cat-file", "-t", f"{commit}:./{path}") == "blob"


def made_from(version: Version) -> Mapping[str, str]:
    """Return path -> hash of the data and networks that the stage which has made a version has read."""
    lock = lock_at(version.commit)
    return lock.deps.get(version.out, {}) if lock.outs.get(version.out) == version.digest else {}


def ancestor(version: Version, path: str) -> Version:
    """Return the version of a path that a version was made from, over however many stages; else that of its commit."""
    waiting = [version]
    for each in waiting:
        read = made_from(each)
        if kept := kept_whole(read, path):
            return version_of(path, kept[1], each.commit)
        waiting += [version_of(dep, digest, each.commit) for dep, digest in read.items()]
    return version_at(path, version.commit) or Version(path, path, "", HERE)


def made_of(version: Version) -> list[Version]:
    """Return the versions of data and networks that were made from a version, and from those in turn."""
    found: dict[tuple[str, str], None] = {}
    waiting = [(version.out, version.digest)] if version.digest else []
    for path, digest in waiting:
        for lock in map(lock_at, (HERE, *commits(digest))):
            made = [(out, lock.outs[out]) for out, deps in lock.deps.items() if deps.get(path) == digest]
            waiting += [each for each in made if each not in found]
            found |= dict.fromkeys(made)
    return [version_of(*each) for each in sorted(found) if each[0].startswith(DATA)]


def tags_of(version: Version) -> list[str]:
    """Return the names of the tags, the oldest first, at which git has this very version."""
    names = git("tag", "--sort=creatordate", "--contains", version.commit).split() if version.commit else []
    return [name for name in names if lock_at(f"refs/tags/{name}").outs.get(version.out) == version.digest]


def command_for(version: Version) -> str:
    """Return the command that brings a version back into this folder; empty where no commit has it."""
    if not version.commit:
        return ""
    revision, remote = short(version.commit), _late_remote(version.commit)
    if _in_git(version.path, version.commit):
        return f"git show {quote(f'{revision}:./{version.path}')}"
    return f"dvc get . {quote(_from_top(version))} --rev {revision}{f' --remote {quote(remote)}' if remote else ''}"


def _from_top(version: Version) -> str:
    """Return a version's path as DVC takes it at a commit: from the top of the repository, which may lie above."""
    top = PurePosixPath(git("rev-parse", "--show-prefix") if version.commit else "")
    return Path(os.path.normpath(top / version.path)).as_posix()


def _late_remote(commit: str) -> str | None:
    """Return the name of DVC's default remote where it became that after a commit: DVC must be told it there."""
    name = default_remote()
    return None if f"remote = {name}" in git("show", f"{commit}:./.dvc/config") else name or None


def names_in(version: Version) -> Set[str] | None:
    """Return the names of the files in a folder's version; None where it is neither here nor to be had by DVC."""
    try:
        place = _from_top(version)
        if not (version.commit or Path(version.out).exists()):
            return None
        found = _files_at(Path.cwd(), version.commit).find(place)
    except Exception:  # each kind of remote raises errors of its own; a chain goes on without what files say
        return None
    return {os.path.relpath(each, place) for each in found}


def read_json(version: Version, name: str = ".") -> dict[str, Any]:
    """Return what a JSON file of a version says; nothing where there is none, it cannot be had, or it is damaged."""
    try:
        content = _files_at(Path.cwd(), version.commit).cat_file(PurePosixPath(_from_top(version), name).as_posix())
        return dict(json.loads(content))
    except Exception:  # as above
        return {}


def arms_in(version: Version) -> dict[Version, dict[str, Any]]:
    """Return what arm.json says of each arm in a folder's version, by the version of the arm."""
    names = sorted(name for name in names_in(version) or () if PurePosixPath(name).name == "arm.json")
    arms = [version._replace(path=PurePosixPath(version.path, name).parent.as_posix()) for name in names]
    return {arm: read_json(arm, "arm.json") for arm in arms}


def run_numbers(names: Iterable[str]) -> list[int]:
    """Return the numbers of an arm's runs, by the names of its files."""
    return sorted(int(name[4:-9]) for name in names if re.fullmatch(r"run-\d+/run\.json", name))


@lru_cache(maxsize=8)
def _files_at(_project: Path, commit: str) -> Any:
    """Return DVC's files at a commit, as `dvc get .` has them; without one those of the working directory."""
    from dvc.api import DVCFileSystem
    from dvc.fs import LocalFileSystem

    if not commit:
        return LocalFileSystem()
    below = bool(git("rev-parse", "--show-prefix"))  # this project is not all of the repository
    return DVCFileSystem(url=".", rev=commit, remote=_late_remote(commit), subrepos=below)
