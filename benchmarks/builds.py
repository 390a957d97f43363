"""How much faster this build is than an earlier one: the same work by both, in turns, on this machine.

    python benchmarks/builds.py                          writes metrics/builds.json
    python benchmarks/builds.py --rows unet --rows judge

The earlier commit is cloned once to .micromime/builds/, with an environment of its own (`make .venv/installed` there);
a checkout that has one can be named instead. Rows that were not asked for stay as they were measured before.
"""

import json
import os
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Any

from tqdm import tqdm
from typer import Option

from micromime.cli import command
from micromime.mistakes import Mistake

PROJECT = Path(__file__).parents[1]
AGAINST = "7751117"
WORKLOADS = {
    "unet": "U-Net, all layers, 192 px, batch of 4: images",
    "head_64": "U-Net, head alone, 64 px: images",
    "head_96": "U-Net, head alone, 96 px: images",
    "classifier": "classifier of tiles, all layers, 64 px: tiles",
    "resnet50": "ResNet50, all layers, 64 px: tiles",
    "resnet50_head": "ResNet50, head alone, 64 px: tiles",
    "grains_all": "grains rendered, 512 px, all styles: image, mask and labels",
    "grains_paper": "grains rendered, 512 px, the paper's scenario: image, mask and labels",
    "cracks": "crack tiles rendered, 128 px, 12,000 patches",
    "score": "pictures asked in one view and scored, 192 px",
    "judge": "pictures asked in one view and judged, 512 px",
}
"""Rows of one process with one thread (benchmarks/workloads.py), a CPU second."""

COMMANDS = {
    "run": "micromime run, from nothing: the demo, all cores",
    "run_again": "micromime run, nothing changed",
    "status": "dvc status, nothing changed",
    "status_empty": "dvc status of an empty repository",
}
"""Rows of one command, by the clock; all but the last need a project that was run: minutes for each build."""

LONG = ("run", "run_again", "status")
ROWS = WORKLOADS | COMMANDS
OFTEN = [row for row in ROWS if row not in LONG]

Measured = dict[str, float]
"""`per_second`, and of a workload `peak_memory_mib`."""


@dataclass(frozen=True)
class Build:
    """A checkout, and the Python that runs it."""

    folder: Path
    python: Path

    @property
    def commit(self) -> str:
        """The commit it is at."""
        return said(["git", "rev-parse", "--short=7", "HEAD"], self.folder).strip()

    def env(self, code: Path) -> dict[str, str]:
        """Return the environment for what runs the code of a checkout: no other build, no server, no real pictures."""
        path = os.pathsep.join([str(self.python.parent), os.environ["PATH"]])
        ours = {"PATH": path, "PYTHONPATH": f"{code / 'src'}:{code / 'benchmarks'}", "DVC_NO_ANALYTICS": "1"}
        return {key: value for key, value in os.environ.items() if not key.startswith(("MICROMIME_", "MLFLOW_"))} | ours


def said(words: Sequence[str | Path], folder: Path, env: Mapping[str, str] | None = None) -> str:
    """Return what a command prints; Mistake with its last words where it fails."""
    done = subprocess.run(words, cwd=folder, env=env, capture_output=True, text=True)
    if done.returncode:
        last = " ".join((done.stderr or done.stdout).strip().splitlines()[-3:])
        raise Mistake(f"`{' '.join(map(str, words))}` in {folder} failed: {last}")
    return done.stdout


def earlier_build(against: str, folder: Path) -> Build:
    """Return the earlier build in a folder, cloned and installed where it is not there; Mistake if it cannot be."""
    if not folder.exists():
        said(["git", "clone", "--quiet", PROJECT, folder], PROJECT)
        said(["git", "checkout", "--quiet", against], folder)
    if not (folder / ".venv/installed").exists():
        print(f"{folder}: its environment is made, which takes minutes", flush=True)
        try:
            said(["make", ".venv/installed", f"PYTHON={sys.executable}"], folder)
        except Mistake as error:
            raise Mistake(
                f"{error} Without an index of packages, name a checkout that has its .venv by --folder."
            ) from None
    return Build(folder, folder / ".venv/bin/python")


def workload(build: Build, row: str) -> Measured:
    """Return what a workload has measured of a build, in a process of its own."""
    script = PROJECT / "benchmarks/workloads.py"
    out = said([build.python, "-P", script, row], build.folder, build.env(build.folder))
    return json.loads(out.splitlines()[-1])


class Projects:
    """A folder with clones of both builds in which the pipeline runs, from nothing and then again."""

    def __init__(self, folder: Path) -> None:
        """Keep them in a folder."""
        self.folder, self.names = folder, count()
        self.whole: dict[Build, Path] = {}

    def measure(self, build: Build, row: str) -> Measured:
        """Return how long a command has taken a build."""
        if row == "status_empty":
            folder = self.folder / f"empty-{next(self.names)}"
            said(["git", "init", "--quiet", folder], self.folder)
            said([build.python, "-m", "dvc", "init", "--quiet"], folder)
        elif row == "run" or build not in self.whole:
            folder = self.folder / f"project-{next(self.names)}"
            said(["git", "clone", "--quiet", build.folder, folder], self.folder)
            taken = clocked([build.python, "-m", "micromime", "run"], folder, build.env(folder))
            shutil.rmtree(self.whole.pop(build, self.folder / "none"), ignore_errors=True)
            self.whole[build] = folder
            if row == "run":
                return {"per_second": 1 / taken}
        else:
            folder = self.whole[build]
        words = ["micromime", "run"] if row == "run_again" else ["dvc", "status"]
        return {"per_second": 1 / clocked([build.python, "-m", *words], folder, build.env(folder))}


def clocked(words: Sequence[str | Path], folder: Path, env: Mapping[str, str]) -> float:
    """Return the seconds that a command takes."""
    began = time.perf_counter()
    said(words, folder, env)
    return time.perf_counter() - began


def in_turns(measures: Mapping[str, Callable[[], Measured]], turns: int, about: str = "") -> dict[str, Any]:
    """Return the row of two ways to the same, earlier and later: medians, and the ratio of speeds of each turn.

    Which goes first changes from turn to turn.
    """
    first, second = measures
    found: dict[str, list[Measured]] = {name: [] for name in measures}
    for turn in tqdm(range(turns), desc=about, unit=" turns"):
        for name in (first, second) if turn % 2 == 0 else (second, first):
            found[name].append(measures[name]())
    row: dict[str, Any] = {name: summed_up(each) for name, each in found.items()}
    ratios = [later["per_second"] / earlier["per_second"] for earlier, later in zip(*found.values(), strict=True)]
    return row | {"ratio": {"turns": ratios, **spread(ratios)}}


def summed_up(found: Sequence[Measured]) -> dict[str, Any]:
    """Return speeds over turns, and the most memory of all."""
    memory = [each["peak_memory_mib"] for each in found if "peak_memory_mib" in each]
    return {"per_second": spread([each["per_second"] for each in found])} | (
        {"peak_memory_mib": max(memory)} if memory else {}
    )


def spread(values: Sequence[float]) -> dict[str, float]:
    """Return median, least and largest."""
    return {"median": statistics.median(values), "min": min(values), "max": max(values)}


def main(
    against: Annotated[str, Option(help="The earlier commit.")] = AGAINST,
    folder: Annotated[Path | None, Option(help="Its checkout, made where there is none.")] = None,
    rows: Annotated[list[str], Option(help=f"Of {', '.join(ROWS)}; {', '.join(LONG)} take minutes.")] = OFTEN,
    turns: Annotated[int, Option(min=1, help="Of each row.")] = 5,
) -> None:
    """Measure, and write the rows into metrics/builds.json."""
    if unknown := set(rows) - set(ROWS):
        raise Mistake(f"--rows: {', '.join(sorted(unknown))} is not known; give of {', '.join(ROWS)}.")
    out = PROJECT / "metrics/builds.json"
    earlier = earlier_build(against, (folder or PROJECT / f".micromime/builds/{against}").absolute())
    builds = {"earlier": earlier, "now": Build(PROJECT, Path(sys.executable))}
    kept = json.loads(out.read_text())["rows"] if out.exists() else {}
    with TemporaryDirectory() as work:
        projects = Projects(Path(work))
        for row in rows:
            measure = workload if row in WORKLOADS else projects.measure
            ways = {name: lambda build=build: measure(build, row) for name, build in builds.items()}  # noqa: B023
            commits = {"commits": {name: build.commit for name, build in builds.items()}}
            kept[row] = commits | in_turns(ways, turns, row)
            every = {name: kept.get(name, {}) | {"what": what} for name, what in ROWS.items()}
            said_of = {"against": against, "rows": every}
            out.write_text(json.dumps(said_of, indent=1) + "\n")
            ratio = kept[row]["ratio"]
            print(f"{ROWS[row]}: {ratio['median']:.2f} times as fast ({ratio['min']:.2f} to {ratio['max']:.2f})")


if __name__ == "__main__":
    command(main)
