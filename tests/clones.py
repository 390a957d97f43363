"""Clones of a project in which commands are run as a person gives them; DVC takes each for a machine of its own."""

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import NamedTuple

import psutil

import micromime
from micromime.project import places

VERDICTS = [places.verdict("tiny", use_case) for use_case in ("grain_boundaries", "chip_cracks")]
IN_GIT = [f"metrics/tiny/{each}" for each in ("runs", "*.md", "*.json", "*/details.md", "*/verdict.json")]
"""What git keeps of every profile but the tiny one: verdicts, and here the records of the runs, too."""

PATIENCE_S = 600


class Ran(NamedTuple):
    """A clone as it was when `micromime run` had ended."""

    clone: Path
    said: str
    verdicts: list[dict]
    weights: dict[str, str]
    """The MD5 of every network, by its path."""
    pages: list[bytes]

    @property
    def made(self) -> tuple[object, ...]:
        """All that came out."""
        return self.verdicts, self.weights, self.pages

    @property
    def stages(self) -> list[str]:
        return stages_in(self.said)

    @property
    def trained(self) -> list[str]:
        """The arms of which runs were trained, and of how many: `base: 2 of 2`."""
        return re.findall(r"^(\w+: \d+ of \d+) runs to train", self.said, re.MULTILINE)


def stages_in(said: str) -> list[str]:
    """Return the stages that DVC says it runs."""
    return re.findall(r"^Running stage '([\w@]+)'", said, re.MULTILINE)


def environment(clone: Path, **settings: object) -> dict[str, str]:
    """Our environment, active, the clone's code in front (or ours), one worker; all else that is set is forgotten."""
    ours = ("MICROMIME_", "MLFLOW_", "DVC_", "GIT_", "AWS_")
    kept = {name: text for name, text in os.environ.items() if not name.startswith(ours)}
    code = clone / "src" if (clone / "src").exists() else Path(micromime.__file__).parents[1]
    given = {"MICROMIME_WORKERS": 1, "PYTHONPATH": code, "DVC_SITE_CACHE_DIR": clone / ".micromime" / "dvc"}
    given["PATH"] = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    return kept | {name: str(text) for name, text in (given | settings).items()}


def started(clone: Path, *words: str, **settings: object) -> "subprocess.Popen[str]":
    """Start a Python module in the clone; nobody answers its questions."""
    return subprocess.Popen(
        [sys.executable, "-m", *words],
        cwd=clone,
        env=environment(clone, **settings),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def module(clone: Path, *words: str, code: int = 0, **settings: object) -> str:
    """Run a Python module in the clone and return all that it says."""
    process = started(clone, *words, **settings)
    said, _ = process.communicate()
    assert process.returncode == code, said
    return said


def ran(clone: Path, said: str) -> Ran:
    """What a clone holds now."""
    files = sorted(clone.glob("models/*/**/weights.safetensors"))
    weights = {str(file.relative_to(clone)): hashlib.md5(file.read_bytes()).hexdigest() for file in files}
    verdicts = [json.loads((clone / each).read_text()) for each in VERDICTS]
    pages = [(clone / each.with_name("report.html")).read_bytes() for each in VERDICTS]
    return Ran(clone, said, verdicts, weights, pages)


def run(clone: Path, **settings: object) -> Ran:
    return ran(clone, module(clone, "micromime", "run", **settings))


def run_killed(clone: Path, *when: str, **settings: object) -> str:
    """Start plain `dvc repro`, and kill it and all that it has started as soon as these paths are there."""
    running = started(clone, "dvc", "repro", **settings)
    deadline = time.monotonic() + PATIENCE_S
    while not all(any(clone.glob(each)) for each in when):
        assert running.poll() is None, running.communicate()[0]
        assert time.monotonic() < deadline
        time.sleep(0.05)
    children = psutil.Process(running.pid).children(recursive=True)
    for each in [running, *children]:
        each.kill()
    psutil.wait_procs(children, timeout=PATIENCE_S)  # DVC takes those not reaped yet for running
    return running.communicate()[0]


def git(clone: Path, *words: str) -> str:
    settings = ["-c", "user.name=a", "-c", "user.email=a@b", "-c", "commit.gpgsign=false"]
    command = ["git", *settings, *words]
    return subprocess.run(command, cwd=clone, env=environment(clone), check=True, capture_output=True, text=True).stdout


def committed(clone: Path, why: str) -> None:
    git(clone, "add", ".")
    git(clone, "commit", "--quiet", "--allow-empty", "--message", why)


def kept_in_git(clone: Path) -> None:
    """Stage what git keeps of every profile but this one."""
    git(clone, "add", "--force", *IN_GIT)


def working_tree(project: Path, clone: Path) -> Path:
    """Make a repository of the project's files as they are now, uncommitted edits too, set to the tiny profile."""
    listing = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(listing, cwd=project, capture_output=True, text=True, check=True).stdout.split("\0")
    for name in names:
        if (project / name).is_file() and not name.startswith("metrics/evidence/"):
            (clone / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(project / name, clone / name)
    as_compiled(project, clone)
    git(clone, "init", "--quiet")
    for key, value in {"user.name": "a", "user.email": "a@b"}.items():
        git(clone, "config", key, value)  # DVC's experiments are commits
    module(clone, "micromime", "profile", "tiny", "--force")
    committed(clone, "the tiny profile")
    return clone


def as_compiled(project: Path, clone: Path) -> None:
    """Give a clone what is compiled of the same code in the project: numba takes up to a minute for it."""
    for theirs in (clone / "src").rglob("*.py"):
        ours = project / theirs.relative_to(clone)
        if ours.is_file() and ours.read_bytes() == theirs.read_bytes():
            shutil.copystat(ours, theirs)  # what is compiled goes by the time of its source
    for compiled in (project / "src").rglob("__pycache__"):
        shutil.copytree(compiled, clone / compiled.relative_to(project), dirs_exist_ok=True)
