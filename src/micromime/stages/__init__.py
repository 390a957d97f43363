"""One thin command for each DVC stage: read sections of params.yaml, call, write."""

import logging
import sys
from collections.abc import Callable

import typer

from micromime.mistakes import Mistake


def command(main: Callable[..., object]) -> None:
    """Run a stage's `main` on the words of the command line, then end the process.

    Plain parameters are arguments, those annotated with `typer.Option()` are options. A Mistake is said in
    one sentence on stderr and ends with exit code 2; anything else keeps its plain traceback.
    """
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    logging.getLogger("alembic").setLevel(logging.WARNING)  # else it tells of every plugin of MLflow's database
    app = typer.Typer(pretty_exceptions_enable=False, add_completion=False)
    app.command()(main)
    try:
        app()
    except Mistake as mistake:
        print(f"micromime: {mistake}", file=sys.stderr)
        raise SystemExit(2) from None
