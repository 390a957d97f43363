"""Before DVC starts: write down for each use case which test set this machine, its cache or its remote can give."""

import hashlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

from micromime.pictures.test_set import Source, check_given, choose_source
from micromime.project.dvc_cache import cached_file, dvc_settings
from micromime.project.dvc_lock import LOCK, recorded_stages
from micromime.use_cases import instance_kind

PATIENCE_S = 60.0
"""How long a remote may take to give the stored test set before it counts as dead."""


def write_sources(use_cases: Iterable[str], project: Path, fetch: bool = True) -> dict[str, Source]:
    """Write data/sources/<use case>.json for each use case and return what stands there, by use case.

    `project` is the folder with dvc.yaml and dvc.lock; a test set is fetched from its remote unless that is known not
    to answer. A file whose content stays the same is not touched, so DVC sees a change only where the test set is
    another one.
    """
    use_cases, sources = list(use_cases), {}
    check_given(use_cases)
    for use_case in use_cases:
        sources[use_case] = _write_source(use_case, project, fetch)
    return sources


def stored_files(use_case: str, file: Path, project: Path) -> dict[str, Path]:
    """Return relative name -> file in DVC's cache of the test set last brought in from the source `file`.

    Empty unless dvc.lock records stage `import_<use case>` with `file` as it stands now and the cache holds
    all of its out. Neither DVC nor the network is started.
    """
    listing = _recorded_out(use_case, file, project)
    if listing is None:
        return {}
    listed = cached_file(listing, project)
    entries = json.loads(listed.read_bytes()) if listed else []
    files = {entry["relpath"]: cached_file(entry["md5"], project) for entry in entries}
    found = {name: path for name, path in files.items() if path}
    return found if len(found) == len(files) else {}


def _write_source(use_case: str, project: Path, fetch: bool) -> Source:
    file = project / "data" / "sources" / f"{use_case}.json"

    def stored() -> bool:
        return _stored(use_case, file, project, fetch)

    source = choose_source(use_case, instance_kind(use_case).classes, file, stored)
    source.write(file)
    return source


def _stored(use_case: str, file: Path, project: Path, fetch: bool) -> bool:
    """Return whether the cache holds the test set that `file` describes, fetched from the remote if need be."""
    if stored_files(use_case, file, project):
        return True
    remote = dvc_settings(project)["core"].get("remote")
    if remote is None or _recorded_out(use_case, file, project) is None:
        return False
    stage = f"import_{use_case}"
    dead = f"no answer within {PATIENCE_S:g} s" if fetch else "it does not answer"
    ended = fetch and _fetch(stage, project)
    if stored_files(use_case, file, project):
        return True
    why = f"`dvc fetch {stage}` says why" if ended else dead
    print(
        f"micromime: the DVC remote {remote!r} does not give the stored test set of {use_case} ({why}); "
        f"a surrogate takes its place until {file.name} is restored.",
        file=sys.stderr,
    )
    return False


def _recorded_out(use_case: str, file: Path, project: Path) -> str | None:
    """Return the hash in dvc.lock of the folder that was brought in from `file` as it stands now, or None."""
    lock = project / LOCK
    stages = recorded_stages(lock.read_text(), "here") if lock.exists() else {}
    stage = stages.get(f"import_{use_case}", {})
    recorded = {entry["path"]: entry.get("md5") for entry in stage.get("deps", [])}
    now = hashlib.md5(file.read_bytes(), usedforsecurity=False).hexdigest()
    if recorded.get(Path(os.path.relpath(file, project)).as_posix()) != now:
        return None
    folders = [entry["md5"] for entry in stage.get("outs", []) if entry.get("md5", "").endswith(".dir")]
    return folders[0] if folders else None


def _fetch(stage: str, project: Path) -> bool:
    """Try to fetch a stage's outs from the default remote into the cache; return whether DVC ended in time.

    How DVC ended says little: it ends well where the remote cannot be reached. A session of its own keeps it
    from asking for a password and lets all its processes be ended at once.
    """
    command = [sys.executable, "-m", "dvc", "fetch", "--quiet", stage]
    none = subprocess.DEVNULL
    fetch = subprocess.Popen(command, cwd=project, stdin=none, stdout=none, stderr=none, start_new_session=True)
    try:
        fetch.wait(PATIENCE_S)
    except subprocess.TimeoutExpired:
        return False
    finally:
        if fetch.poll() is None:
            os.killpg(fetch.pid, signal.SIGKILL)
            fetch.wait()
    return True
