"""Which version of the code and of each data set a run has seen: git's commit, and DVC's hash of the content.

DVC's hashes are those in dvc.lock: of every stage, of what it has read and what it has made.
"""

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

import yaml  # type: ignore[import-untyped]  # libyaml reads a dvc.lock in a tenth of ruamel's time; every stage does

from micromime.mistakes import Mistake

LOCK = "dvc.lock"

WRITTEN_BY_STAGES = (":!dvc.lock", ":!metrics")
"""Files in git that differ from the commit while stages run, though nobody has edited anything."""

OF_HOOKS = {f"GIT_{each}" for each in ("DIR", "WORK_TREE", "INDEX_FILE", "PREFIX", "COMMON_DIR", "OBJECT_DIRECTORY")}
"""Environment variables that say which repository is meant."""

TOLD = "MICROMIME_UNVERSIONED"
"""Environment variable that is set once it was said that runs are logged without a commit."""

ADVICE = "git config --global --add safe.directory"
"""How git's own advice begins where a folder is another user's."""

BEGIN = "`git init && git add --all && git commit --message Begin`"

HERE = ""
"""Stands for the working directory where a commit could stand."""

DATA = ("data/", "models/")
MARKER = "data/checked.txt"
"""A file that stages wait for, and that none takes anything from."""


class Lock(NamedTuple):
    """What one dvc.lock says."""

    outs: Mapping[str, str]
    """Path -> DVC's hash, of everything that stages have made."""
    deps: Mapping[str, Mapping[str, str]]
    """Path of an out -> path -> hash of the data and networks that its stage has read."""


def revision() -> dict[str, Any]:
    """Return the version of the code and of params.yaml that is checked out: its commit, and whether it is dirty.

    The commit has 40 hexadecimal digits, or none where git has none of this folder; why not is said, once. It is dirty
    where a file that git knows or would add differs from the commit (not those that the stages write).
    """
    commit, why = head()
    if why and not os.environ.get(TOLD):
        print(f"micromime: Runs are logged without a commit: {why}.", file=sys.stderr, flush=True)
        os.environ[TOLD] = "1"  # for the processes that this one starts, too
    seen = ("status", "--porcelain", "--untracked-files=normal", "--", ".", *WRITTEN_BY_STAGES)
    return {"commit": commit, "dirty": bool(commit and git(*seen))}


def head() -> tuple[str, str]:
    """Return the 40 digits of the commit that is checked out, or none and why there is none: half a sentence.

    A commit of a repository further up that has nothing of this folder is none.
    """
    asked = run_git("rev-parse", "--verify", "HEAD")
    if asked is None:
        return "", "git is not installed; install it"
    if asked.returncode == 0 and not git("ls-tree", "HEAD", "./"):
        return "", f"the repository {git('rev-parse', '--show-toplevel')} has nothing of this folder; {BEGIN} here"
    return (asked.stdout.strip(), "") if asked.returncode == 0 else ("", _why(asked.stderr))


def _why(said: str) -> str:
    """Return why git gives no commit, by what it has said in English, and what helps."""
    if ADVICE in said:  # in git's own words, which quote the folder where that is needed
        command = f"{ADVICE} {said.partition(ADVICE)[2].partition(chr(10))[0].strip()}"
        return f"git refuses this folder, as it is another user's; `{command}` has it trust that user"
    if "not a git repository" in said and not Path(".git").exists():
        return f"this folder is in no git repository; {BEGIN}"
    if git("rev-parse", "--git-dir"):
        return "nothing is committed yet; `git add --all && git commit --message Begin` does it"
    return f"git cannot read its repository ({said.strip().partition(chr(10))[0].rstrip('.')}); clone it anew"


def data_version(name: str, path: Path, context: str = "training") -> dict[str, str]:
    """Return the version of the data set that DVC last recorded for `path`: its name, path, digest and context.

    The path is as dvc.yaml writes it: relative to the project's folder, the working directory, with `..` where the data
    set lies outside of it. The digest has at most 36 characters: DVC's md5, with `.dir` behind it for a folder. Of a
    data set that is one of several in a folder that DVC keeps as one, that is the version of the folder. Where DVC has
    recorded none, the digest is made of the hashes of the data set's files: `unversioned-` and 24 digits. `context` is
    what it is for: training, validation or testing. Raises Mistake where there is no data set either.
    """
    written = Path(os.path.relpath(path)).as_posix()
    kept = kept_whole(lock_at().outs, written)
    digest = kept[1] if kept and kept[1] else _counted(path)
    return {"name": name, "path": written, "digest": digest, "context": context}


def lock_at(commit: str = HERE) -> Lock:
    """Return what dvc.lock says at a commit, or in the working directory; nothing where there is none."""
    if commit:
        return _parsed(git("show", f"{commit}:./{LOCK}"), f"at {commit}")
    return _parsed(Path(LOCK).read_text() if Path(LOCK).is_file() else "", "here")


@lru_cache(maxsize=64)  # many arms and chains ask for the same few again and again
def _parsed(text: str, where: str) -> Lock:
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        stages = (yaml.load(text, loader) or {}).get("stages", {})
    except (yaml.YAMLError, AttributeError):
        raise Mistake(f"{LOCK} {where} is not what DVC writes; if two branches were merged, run `dvc repro`.") from None
    outs: dict[str, str] = {}
    deps: dict[str, Mapping[str, str]] = {}
    for stage in stages.values():
        read = {each["path"]: str(each["md5"]) for each in stage.get("deps", []) if "md5" in each}
        data = {path: md5 for path, md5 in read.items() if path.startswith(DATA) and path != MARKER}
        for out in stage.get("outs", []):
            outs[out["path"]], deps[out["path"]] = str(out.get("md5", "")), data
    return Lock(outs, deps)


def kept_whole(hashes: Mapping[str, str], path: str) -> tuple[str, str] | None:
    """Return which of these paths holds `path`, and its hash: the path itself, or the nearest folder above it."""
    whole = (each.as_posix() for each in (PurePosixPath(path), *PurePosixPath(path).parents))
    return next(((each, hashes[each]) for each in whole if each in hashes), None)


def _counted(folder: Path) -> str:
    if (folder / "dataset.json").is_file():  # it holds the hash of every file
        content = (folder / "dataset.json").read_bytes()
    elif (folder / "images.csv").is_file():
        files = sorted(file for file in folder.rglob("*") if file.is_file())
        hashes = {file.relative_to(folder).as_posix(): hashlib.sha256(file.read_bytes()).hexdigest() for file in files}
        content = json.dumps(hashes, sort_keys=True).encode()
    else:
        raise Mistake(f"{folder} is no data set: it has neither dataset.json nor images.csv; make it with `make run`.")
    return f"unversioned-{hashlib.sha256(content).hexdigest()[:24]}"


def git(*words: str) -> str:
    """Return what git says, or nothing where it fails: no git, no repository, no such commit (`head` tells which)."""
    asked = run_git(*words)
    return asked.stdout.strip() if asked and asked.returncode == 0 else ""


def run_git(*words: str) -> "subprocess.CompletedProcess[str] | None":
    """Return how git ended, in English, asked about the working directory; None where it is not installed.

    A hook of git that starts us has set which repository it is about: that need not be this one, and DVC heeds it not.
    """
    settings = {name: text for name, text in os.environ.items() if name not in OF_HOOKS} | {"LC_ALL": "C"}
    try:  # without its optional locks git cannot get in the way of a DVC that asks at the same time
        command = ["git", "--no-optional-locks", *words]
        return subprocess.run(
            command, env=settings, capture_output=True, encoding="utf-8", errors="surrogateescape", check=False
        )
    except OSError:
        return None
