"""The whole pipeline by one command: check, find the real pictures, run what has changed, say where to look."""

import os
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import psutil

from micromime.commands.check import check_file, use_cases_in
from micromime.mistakes import Mistake
from micromime.scenario.parameters import read_tree
from micromime.stages.sources import write_sources
from micromime.team.remote import default_remote
from micromime.team.watch import Watch

INSTEAD = "What it holds is computed here."

REPRO, PULLING = ("dvc", "repro"), ("micromime.team.repro",)


def run_pipeline(params: Path) -> None:
    """Run `dvc repro` after all that DVC cannot see: machine settings and wrong keys.

    Where the project has a remote that answers, what has not changed is pulled from it instead of computed.
    """
    check_file(params)
    remote = living(default_remote())
    write_sources(use_cases_in(params), Path(), fetch=bool(remote))
    if not reproduced(remote):
        raise Mistake(
            "dvc repro did not end well; what it says above names the stage, and `make run` goes on from there."
        )
    _say_where_to_look(read_tree(params)["profile"], use_cases_in(params))


def living(remote: str) -> str:
    """Return the name of a remote that answers; of one that does not, say so and return nothing."""
    if remote:
        try:
            with Watch(remote) as watch:
                watch.expect_life()
        except Mistake as silent:
            print(f"micromime: {silent} {INSTEAD}", file=sys.stderr, flush=True)
            return ""
    return remote


def reproduced(remote: str) -> bool:
    """Return whether `dvc repro` ended well; it pulls from the remote of this name as long as that answers."""
    if remote:
        with Watch(remote) as watch:
            running = _started(*PULLING)
            if watch.guard(running, lambda: _runs_a_stage(running)):
                return running.returncode == 0
            print(f"micromime: {watch.dead()}. {INSTEAD}", file=sys.stderr, flush=True)
    return _started(*REPRO).wait() == 0


def _started(*words: str) -> "subprocess.Popen[bytes]":
    """Start a Python module; stages call `python`, and that shall be the one that runs here."""
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    return subprocess.Popen([sys.executable, "-m", *words], env={**os.environ, "PATH": path})


def _runs_a_stage(dvc: "subprocess.Popen[bytes]") -> bool:
    """Return whether DVC waits for a stage, and not for a remote."""
    with suppress(psutil.NoSuchProcess):
        return bool(psutil.Process(dvc.pid).children())
    return False


def _say_where_to_look(profile: str, use_cases: list[str]) -> None:
    metrics = Path("metrics") / profile
    for use_case in use_cases:
        table = metrics / f"{use_case}.md"
        if not table.exists():
            raise Mistake(f"{table} was not made; add the stages of {use_case} to dvc.yaml.")
        print(f"\n{table.read_text()}")
        print(f"The report:         {metrics / use_case / 'report.html'}, its pictures beside it (dvc plots show)")
        print(f"This table:         {table}, its numbers {metrics / use_case}.json (dvc metrics show)")
        print(f"Synthetic pictures: data/synthetic/{use_case}/, preview.png in each folder")
        print(f"Networks:           models/{use_case}/")
    print("Every run:          mlflow ui")
