"""Say why the networks of an arm, or of one run of it, fail: in the terminal, and on a page."""

import json
import math
import os
import re
from collections.abc import Callable, Mapping
from pathlib import Path

import pandas as pd

from micromime.arms.rounds import score_of
from micromime.mistakes import Mistake
from micromime.project import places
from micromime.project.work import OURS
from micromime.reporting.explanation import page
from micromime.reporting.explanation.scored_arm import ScoredArm
from micromime.reporting.failures import SCORE, in_common, lowest
from micromime.scenario.parameters import read_tree
from micromime.stages.explain import told_by
from micromime.tracking.logged import Logged

PAGES = OURS / "explanations"
"""Where pages lie that were not wanted elsewhere; neither git nor DVC looks there."""

LINES = 8
"""Of the table of parameters; the page has all."""

HEADS = {
    "rank_correlation": "rank correlation",
    "p_holm": "p (Holm)",
    "importance": "importance",
    "median": "median",
    "worst_median": "of the worst tenth",
}

GIVE = "give the folder of an arm or of a run (models/grain_boundaries/adaptive/run-002), or the id of a run in MLflow"


def explain(named: str, out: Path | None = None, score: str | None = None) -> None:
    """Print why networks fail, and write the page: to `out`, or else to .micromime/explanations/.

    `named` is the folder of an arm or of a run, or the id of a run in MLflow; `score` is a metric, or else it is
    the one that samplers go by. Raises Mistake where `named` is none of these, where there is no table of its scores,
    or none by that metric, and where the page cannot be written.
    """
    arm = arm_of(named)
    metric = usual_score(arm.use_case) if score is None else score
    told = told_by(arm, metric)
    run = "" if arm.run is None else f"-run-{arm.run:03d}"
    file = out or PAGES / f"{arm.use_case}-{arm.name}{run}{'' if score is None else f'-{score}'}.html"
    try:
        page.write_explanation(file, told)
    except OSError as error:
        raise Mistake(f"{file} cannot be written ({error.strerror}); give another file with --out.") from None
    show(told)
    print(f"The page: {file}")


def arm_of(named: str) -> ScoredArm:
    """Return the arm or run that a path or an id of MLflow names; Mistake where there is none."""
    if not named:
        raise Mistake(f"No arm is named; {GIVE}.")
    if re.fullmatch(r"[0-9a-f]{32}", named) and not Path(named).exists():
        return _in_mlflow(named)
    path = Path(os.path.relpath(named))
    path = path.parent if path.suffix == ".safetensors" else path
    run = re.fullmatch(r"run-(\d+)", path.name)
    return ScoredArm.read(path.parent, int(run[1])) if run else ScoredArm.read(path)


def _in_mlflow(run_id: str) -> ScoredArm:
    logged = Logged()
    run = logged.run(run_id)
    if run is None:
        raise Mistake(logged.why_not or f"MLflow has no run {run_id}; {GIVE}.")
    tags = run.data.tags
    if "micromime.arm" not in tags:
        raise Mistake(f"The run {run_id} in MLflow belongs to no arm: it has no tag micromime.arm; {GIVE}.")
    use_case, name, fingerprint = (tags[f"micromime.{key}"] for key in ("use_case", "arm", "fingerprint"))
    data = [
        (json.loads(used.dataset.source)["path"], used.dataset.digest)
        for used in (run.inputs.dataset_inputs if run.inputs else [])
        if any(tag.value == "training" for tag in used.tags)
    ]
    number = int(tags["micromime.seed"]) if "micromime.seed" in tags else None
    parent = tags.get("mlflow.parentRunId", run_id)
    used = next(iter(data), None)
    return ScoredArm(use_case, name, fingerprint, used, number, logged=parent, named=run_id)


def usual_score(use_case: str) -> str:
    """Return the metric that samplers go by here; mean IoU where there is no params.yaml that says so."""
    tree = read_tree(places.PARAMS) if places.PARAMS.is_file() else {}
    return score_of(tree, use_case) if "resample" in (tree.get(use_case) or {}) else "mean_iou"


def show(told: page.Told) -> None:
    """Print the score, the first lines of the page's table of parameters, the worst samples, and the round."""
    print(f"Why networks fail: {told.subject}\n\n{page.about_scores(told)}\n")
    table = told.explanation.table.set_index("parameter")
    table["rank_correlation"] = [page.correlation(row) for row in told.explanation.table.to_dict("records")]
    if not told.explanation.explains:
        table["importance"] = math.nan
    written = {"p (Holm)": page.p_value, "importance": "{:.3f}".format}
    _print(table.rename(columns=HEADS)[list(HEADS.values())].head(LINES), written)
    if len(table) > LINES:
        print(f"{len(table) - LINES} more parameters are on the page.\n")
    worst = lowest(told.scoring, page.WORST).rename(columns={"id": "worst samples", SCORE: told.score})
    differing = in_common(told.scoring)["parameter"].head(3)
    _print(worst.set_index("worst samples")[[told.score, *differing]], {told.score: "{:.3f}".format})
    print(f"{page.about_round(told) or told.remark}")


def _print(table: pd.DataFrame, written: Mapping[str, Callable[[float], str]]) -> None:
    if len(table):
        named = table.rename_axis(str(table.index.name), axis=1).rename_axis(None)
        print(named.to_string(float_format="{:.3g}".format, formatters=dict(written), na_rep="none") + "\n")
