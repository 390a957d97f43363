"""Which version of the code and of each data set a run has seen: git's commit, and DVC's hash of the content."""

import hashlib
import json
import os
import subprocess
from functools import lru_cache
from pathlib import Path
from typing import Any

from micromime.mistakes import Mistake
from micromime.project.dvc_lock import LOCK, recorded_stages

WRITTEN_BY_STAGES = (":!dvc.lock", ":!metrics")
"""Files in git that differ from the commit while stages run, though nobody has edited anything."""


def revision() -> dict[str, Any]:
    """Return the version of the code and of params.yaml that is checked out: its commit, and whether it is dirty.

    The commit has 40 hexadecimal digits, or none outside a git repository. It is dirty where a file that git knows or
    would add differs from the commit (not those that the stages write).
    """
    commit = git("rev-parse", "--verify", "HEAD")
    return {"commit": commit, "dirty": bool(commit and git("status", "--porcelain", "--", ".", *WRITTEN_BY_STAGES))}


def data_version(name: str, path: Path, context: str = "training") -> dict[str, str]:
    """Return the version of the data set that DVC last recorded for `path`: its name, path, digest and context.

    The path is as dvc.yaml writes it: relative to the project's folder, the working directory, with `..` where the data
    set lies outside of it. The digest has at most 36 characters: DVC's md5, with `.dir` behind it for a folder. Of a
    data set that is one of several in a folder that DVC keeps as one, that is the version of the folder. Where DVC has
    recorded none, the digest is made of the hashes of the data set's files: `unversioned-` and 24 digits. `context` is
    what it is for: training, validation or testing. Raises Mistake where there is no data set either.
    """
    written = Path(os.path.relpath(path)).as_posix()
    return {"name": name, "path": written, "digest": _recorded(written) or _counted(path), "context": context}


def _recorded(path: str) -> str | None:
    lock = Path(LOCK).absolute()
    outs = _outs(lock, lock.stat().st_mtime_ns) if lock.is_file() else {}
    whole = (each.as_posix() for each in (Path(path), *Path(path).parents))
    return next((outs[each] for each in whole if each in outs), None)


@lru_cache(maxsize=1)  # many arms ask
def _outs(lock: Path, _changed_ns: int) -> dict[str, str]:
    """Return path -> hash of every out in a dvc.lock, as it was when it was changed last."""
    stages = recorded_stages(lock.read_text(), "here")
    return {out["path"]: str(out["md5"]) for stage in stages.values() for out in stage.get("outs", [])}


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
    """Return what git says, or nothing where it fails: no git, no repository, no such commit."""
    try:  # without its optional locks git cannot get in the way of a DVC that asks at the same time
        command = ["git", "--no-optional-locks", *words]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return ""
