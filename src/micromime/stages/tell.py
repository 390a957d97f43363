"""Tell MLflow what the judge has found: beside the runs of each arm, by the fingerprint they were trained under."""

import json
from pathlib import Path
from typing import Any

import pandas as pd

from micromime.evaluation.metrics import SEGMENTATION
from micromime.evaluation.verdict import Verdict
from micromime.training.mlflow_arm import RunDescription
from micromime.training.tracking import log_judged, prepare_store
from micromime.training.versions import DataVersion, data_version, revision


def tell(  # noqa: PLR0913 - all that the judge has, called in one place
    use_case: str, models: Path, test_set: Path, said: Verdict, scores: pd.DataFrame, files: Path
) -> None:
    """Log each run's means over the pictures, each arm's part of the verdict, and the files beside the verdict."""
    prepare_store(use_case)
    for arm, part in said["arms"].items():
        trained = json.loads((models / arm / "arm.json").read_text())
        means = scores[scores["arm"] == arm].groupby("run")[list(SEGMENTATION)].mean()
        by_run = {int(str(run)): row.to_dict() for run, row in means.iterrows()}
        log_judged(_described(use_case, trained, test_set, said), by_run, part, sorted(files.iterdir()))


def _described(use_case: str, trained: dict[str, Any], test_set: Path, said: Verdict) -> RunDescription:
    """Return the description of a trained arm, now with the test set it was judged on."""
    seen = tuple(DataVersion(**version) for version in trained["data"])
    return RunDescription(
        use_case=use_case,
        arm=trained["arm"],
        profile=trained["profile"],
        fingerprint=trained["fingerprint"],
        params=trained["params"],
        data=(*seen, data_version("test_set", test_set, "testing")),
        revision=revision(),
        test_set=said["test_set"]["kind"],
        test_set_reason=said["test_set"]["reason"] or "",
    )
