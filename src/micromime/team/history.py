"""Which commit first recorded which version of a file or folder that DVC keeps, and what that version was made from.

dvc.lock says both: the hash of every out, and those of all that its stage has read. Runs know hashes only, as they
begin before the dvc.lock that names their networks is committed.
"""

import subprocess
from collections.abc import Iterator, Mapping
from functools import lru_cache
from pathlib import Path, PurePosixPath
from shlex import quote
from typing import NamedTuple

from micromime.project.dvc_cache import dvc_settings
from micromime.project.dvc_lock import LOCK, recorded_stages

HERE = ""
"""Stands for the working directory where a commit could stand."""

MARKER = "data/checked.txt"
"""A file that stages wait for, and that none takes anything from."""


class Lock(NamedTuple):
    """What one dvc.lock says."""

    outs: Mapping[str, str]
    """Path -> DVC's hash, of everything that stages have made."""
    deps: Mapping[str, Mapping[str, str]]
    """Path of an out -> path -> hash of the data and networks that its stage has read."""


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

    @property
    def inner(self) -> str:
        """The path within `out`; `.` for `out` itself."""
        return PurePosixPath(self.path).relative_to(self.out).as_posix()

    def part(self, name: str) -> "Version":
        """Return the same version of a file or folder within it."""
        return self._replace(path=f"{self.path}/{name}")


def git(*words: str) -> str:
    """Return what git says, or nothing where it fails: no git, no repository, no such commit."""
    return git_bytes(*words).decode(errors="replace").strip()


def git_bytes(*words: str) -> bytes:
    """Return what git writes, byte for byte, or nothing where it fails."""
    try:
        return subprocess.run(["git", "--no-optional-locks", *words], capture_output=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError):
        return b""


def commit_of(revision: str) -> str:
    """Return the 40 digits of a commit that is named by a tag, a branch or its first digits; empty if none is."""
    return git("rev-parse", "--verify", "--quiet", "--end-of-options", f"{revision}^{{commit}}") if revision else ""


def short(commit: str) -> str:
    """Return the first digits of a commit, as many as tell it from all others."""
    return git("rev-parse", "--short", commit) or commit[:7]


def lock_at(commit: str = HERE) -> Lock:
    """Return what dvc.lock says at a commit, or in the working directory; nothing where there is none."""
    if commit == HERE:
        return _parsed(Path(LOCK).read_text(), "here") if Path(LOCK).is_file() else Lock({}, {})
    return _parsed(git("show", f"{commit}:./{LOCK}"), f"at {commit}")


def kept_whole(hashes: Mapping[str, str], path: str) -> tuple[str, str] | None:
    """Return which of these paths holds `path`, and its hash: the path itself, or the nearest folder above it."""
    whole = (each.as_posix() for each in (PurePosixPath(path), *PurePosixPath(path).parents))
    return next(((each, hashes[each]) for each in whole if each in hashes), None)


def version_at(path: str, commit: str = HERE) -> Version | None:
    """Return the version of a path that a dvc.lock records, with the first commit that has it; None if it has none."""
    kept = kept_whole(lock_at(commit).outs, path)
    return version_of(path, kept[1], kept[0]) if kept else None


def version_of(path: str, digest: str, out: str = "") -> Version:
    """Return the version of a path whose hash is known, with the first commit that has it."""
    for commit in commits(digest):
        kept = kept_whole(lock_at(commit).outs, path)
        if kept and kept[1] == digest:
            return Version(path, kept[0], digest, commit)
    here = kept_whole(lock_at().outs, path)
    return Version(path, out or (here[0] if here else path), digest, HERE)


def versions(path: str) -> Iterator[Version]:
    """Yield every version of a path that a commit has recorded, the newest first."""
    found = set()
    for commit in reversed(list(commits())):
        kept = kept_whole(lock_at(commit).outs, path)
        if kept and kept not in found:
            found.add(kept)
            yield version_of(path, kept[1])


def commits(digest: str = "") -> Iterator[str]:
    """Yield the commits that changed dvc.lock (how often a hash stands there), parents first, those of HEAD first."""
    given = set()
    pickaxe = [f"-S{digest}"] if digest else []
    for references in (["HEAD"], ["--branches", "--tags", "--remotes"]):
        # -m: a version may have been recorded first where two branches were merged
        order = ("-m", "--topo-order", "--reverse", "--format=%H")
        for commit in git("log", *order, *pickaxe, *references, "--", LOCK).split():
            if commit not in given:
                given.add(commit)
                yield commit


def made_from(version: Version) -> Mapping[str, str]:
    """Return path -> hash of the data and networks that the stage which has made a version has read."""
    lock = lock_at(version.commit)
    return lock.deps.get(version.out, {}) if lock.outs.get(version.out) == version.digest else {}


def made_of(version: Version) -> list[Version]:
    """Return the versions of data and networks that were made from a version, and from those in turn."""
    found: dict[tuple[str, str], None] = {}
    waiting = [(version.out, version.digest)]
    while waiting:
        path, digest = waiting.pop(0)
        for lock in map(lock_at, (HERE, *commits(digest)) if digest else ()):
            read_by = (out for out, deps in lock.deps.items() if deps.get(path) == digest)
            made = [(out, lock.outs[out]) for out in read_by if out.startswith(("data/", "models/"))]
            waiting += [each for each in made if each not in found]
            found |= dict.fromkeys(made)
    return [version_of(out, digest) for out, digest in sorted(found)]


def tags_of(version: Version) -> list[str]:
    """Return the names of the tags, the oldest first, at which git has this very version."""
    names = git("tag", "--sort=creatordate", "--contains", version.commit).split() if version.commit else []
    return [name for name in names if lock_at(f"refs/tags/{name}").outs.get(version.out) == version.digest]


def command_for(version: Version) -> str:
    """Return the command that brings a version back; empty where no commit has it."""
    if not version.commit:
        return ""
    path, revision = quote(version.path), short(version.commit)
    if version.out in lock_at(version.commit).outs:
        remote = late_remote(version.commit)
        return f"dvc get . {path} --rev {revision}{remote and f' --remote {quote(remote)}'}"
    return f"git show {revision}:{path}"


def late_remote(commit: str) -> str:
    """Return the name of DVC's default remote where it became that after a commit: DVC must be told it there."""
    name = str(dvc_settings(Path())["core"].get("remote") or "") if Path(".dvc").is_dir() else ""
    return "" if f"remote = {name}" in git("show", f"{commit}:./.dvc/config") else name


@lru_cache(maxsize=64)  # a chain asks for the same few again and again
def _parsed(text: str, where: str) -> Lock:
    stages = recorded_stages(text, where)
    outs: dict[str, str] = {}
    deps: dict[str, Mapping[str, str]] = {}
    for stage in stages.values():
        read = {each["path"]: str(each["md5"]) for each in stage.get("deps", []) if "md5" in each}
        data = {path: md5 for path, md5 in read.items() if path.startswith(("data/", "models/")) and path != MARKER}
        for out in stage.get("outs", []):
            outs[out["path"]] = str(out.get("md5", ""))
            deps[out["path"]] = data
    return Lock(outs, deps)
