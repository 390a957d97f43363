"""Clones of a project in which commands are run as a person gives them; DVC takes each for a machine of its own."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import micromime

VERDICT = Path("metrics/tiny/grain_boundaries.json")
CRACKS = Path("metrics/tiny/chip_cracks.json")
ARMS = ["base", "random", "adaptive"]


class Ran(NamedTuple):
    """A clone in which `micromime run` has ended well, and all that it said."""

    clone: Path
    said: str

    @property
    def stages(self) -> list[str]:
        return re.findall(r"^Running stage '([\w@]+)'", self.said, re.MULTILINE)

    @property
    def verdict(self) -> dict:
        return json.loads((self.clone / VERDICT).read_text())

    @property
    def trained(self) -> list[str]:
        """The arms of grains of which runs were trained, and of how many: `base: 2 of 2`."""
        return [said for said in self.all_trained if said.partition(":")[0] in ARMS]

    @property
    def all_trained(self) -> list[str]:
        """The same of both use cases."""
        return re.findall(r"^(\w+: \d+ of \d+) runs to train", self.said, re.MULTILINE)

    def weights(self, arm: str = "base") -> dict[str, bytes]:
        found = self.clone.glob(f"models/*/{arm}/*/weights.safetensors")
        return {file.parent.name: file.read_bytes() for file in found}


def environment(clone: Path, **settings: object) -> dict[str, str]:
    """The clone's code in front (or ours, where it has none), two workers, and all that is set outside forgotten."""
    # Without bytecode, tens of processes would each compile all of a clone's code anew.
    ours = ("MICROMIME_", "MLFLOW_", "DVC_", "GIT_", "AWS_", "PYTHONDONTWRITEBYTECODE")
    kept = {name: text for name, text in os.environ.items() if not name.startswith(ours)}
    code = clone / "src" if (clone / "src").exists() else Path(micromime.__file__).parents[1]
    given = {"MICROMIME_WORKERS": 2, "PYTHONPATH": code, "DVC_SITE_CACHE_DIR": clone / ".micromime" / "dvc"}
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


def run(clone: Path, **settings: object) -> Ran:
    return Ran(clone, module(clone, "micromime", "run", **settings))


def git(clone: Path, *words: str) -> str:
    settings = ["-c", "user.name=a", "-c", "user.email=a@b", "-c", "commit.gpgsign=false"]
    command = ["git", *settings, *words]
    return subprocess.run(command, cwd=clone, env=environment(clone), check=True, capture_output=True, text=True).stdout


def committed(clone: Path, why: str) -> None:
    git(clone, "add", ".")
    git(clone, "commit", "--quiet", "--allow-empty", "--message", why)


def kept_in_git(clone: Path) -> None:
    """Stage what git keeps of every profile but this one: verdicts, and here the records of the runs, too."""
    for kind in ("runs", "planted_gap", "*.md", "*.json", "*.svg"):
        git(clone, "add", "--force", f"metrics/tiny/{kind}")


def working_tree(project: Path, clone: Path) -> None:
    """Make a repository of the project's files as they are now, uncommitted edits too, set to the tiny profile."""
    listing = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(listing, cwd=project, capture_output=True, text=True, check=True).stdout.split("\0")
    for name in names:
        if (project / name).is_file():
            (clone / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(project / name, clone / name)
    git(clone, "init", "--quiet")
    committed(clone, "as it stands")
    module(clone, "micromime", "profile", "tiny")


def copied(ran: Ran, folder: Path) -> Path:
    """A copy of a clone, for what would change it."""
    return shutil.copytree(ran.clone, folder / "clone", symlinks=True)


def reports(clone: Path) -> list[bytes]:
    """The pages of both use cases."""
    return [(clone / verdict.with_suffix("") / "report.html").read_bytes() for verdict in (VERDICT, CRACKS)]
