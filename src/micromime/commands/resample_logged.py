"""Render a new data version from a table of scores that a run in MLflow has logged."""

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from micromime.arms.rounds import rounds_of
from micromime.project.work import sole_maker
from micromime.scenario.parameters import one_of
from micromime.stages.resample import render_round
from micromime.tracking.logged import fetch_logged
from micromime.use_cases import use_cases


def resample_logged(tree: dict[str, Any], which: tuple[str, str], run_id: str, out: Path, workers: int) -> None:
    """Render a round (`which`: use case and round) from the scores that an arm's run has logged: the same bytes."""
    use_case, name = which
    one_of(use_case, use_cases(), "use case")
    one_of(name, rounds := rounds_of(tree, use_case), f"{use_case}.rounds")
    with sole_maker(out), TemporaryDirectory() as folder:
        table = fetch_logged(run_id, f"{rounds[name].parent}.parquet", Path(folder))
        render_round(tree, which, table, out, workers)
