"""Render a new data version from a table of scores that a run in MLflow has logged."""

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from micromime.stages.resample import BASE, resample
from micromime.stages.work import sole_maker
from micromime.training.logged_files import fetch_logged


def resample_logged(tree: dict[str, Any], which: tuple[str, str], run_id: str, out: Path, workers: int) -> None:
    """Render a round (`which`: use case and round) from the scores that an arm's run has logged: the same bytes."""
    with sole_maker(out), TemporaryDirectory() as folder:
        resample(tree, which, fetch_logged(run_id, f"{BASE}.parquet", Path(folder)), out, workers)
