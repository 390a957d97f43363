"""The whole pipeline by one command: check, find the real pictures, run what has changed, say where to look."""

import os
import subprocess
import sys
from pathlib import Path

from micromime.commands.check import check_file, use_cases_in
from micromime.mistakes import Mistake
from micromime.scenario.parameters import read_tree
from micromime.stages.sources import write_sources
from micromime.team.remote import brought

REPRO = ("dvc", "repro")


def run_pipeline(params: Path) -> None:
    """Run `dvc repro` after all that DVC cannot see: machine settings and wrong keys.

    Where the project has a remote that answers, what has not changed is pulled from it instead of computed.
    """
    check_file(params)
    write_sources(use_cases_in(params), Path(), fetch=brought())
    if _started(*REPRO).wait():
        raise Mistake(
            "dvc repro did not end well; what it says above names the stage, and `make run` goes on from there."
        )
    _say_where_to_look(read_tree(params)["profile"], use_cases_in(params))


def _started(*words: str) -> "subprocess.Popen[bytes]":
    """Start a Python module; stages call `python`, and that shall be the one that runs here."""
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    return subprocess.Popen([sys.executable, "-m", *words], env={**os.environ, "PATH": path})


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
