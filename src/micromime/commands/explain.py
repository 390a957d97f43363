"""Say why the networks of an arm, or of one run of it, fail: in the terminal, and on a page."""

import json
import os
import re
from pathlib import Path
from tempfile import TemporaryDirectory

from rich import box
from rich.console import Console
from rich.table import Table

from micromime.arms.rounds import score_of
from micromime.mistakes import Mistake
from micromime.project.versions import data_version
from micromime.project.work import OURS
from micromime.reporting.explanation.page import (
    WORST,
    Told,
    about_round,
    about_scores,
    correlation,
    p_value,
    write_explanation,
)
from micromime.reporting.explanation.scored_arm import ScoredArm, ScoreTable, told_of
from micromime.reporting.failures import SCORE, in_common, lowest, percentile
from micromime.scenario.parameters import read_tree
from micromime.team.logged import Logged
from micromime.tracking.logged_files import fetch_logged

PARAMS = Path("params.yaml")

PAGES = OURS / "explanations"
"""Where pages lie that were not wanted elsewhere; neither git nor DVC looks there."""

LINES = 8
"""Of the table of parameters; the page has all."""

COLUMNS = 100
"""Width of what is written to a file, or to a terminal that does not tell its own."""

GIVE = "give the folder of an arm or of a run (models/grain_boundaries/adaptive/run-002), or the id of a run in MLflow"


def explain(named: str, out: Path | None = None, score: str | None = None) -> None:
    """Print why networks fail, and write the page: to `out`, or else to .micromime/explanations/.

    `named` is the folder of an arm or of a run, or the id of a run in MLflow; `score` is a metric, or else it is
    the one that samplers go by. Raises Mistake where `named` is none of these, where there is no table of its scores,
    or none by that metric, and where the page cannot be written.
    """
    arm = arm_of(named)
    metric = usual_score(arm.use_case) if score is None else score
    told = told_of(arm, scores_of(arm), metric, earlier_than(arm), trained_on(arm))
    run = "" if arm.run is None else f"-run-{arm.run:03d}"
    page = out or PAGES / f"{arm.use_case}-{arm.name}{run}{'' if score is None else f'-{score}'}.html"
    try:
        write_explanation(page, told)
    except OSError as error:
        raise Mistake(f"{page} cannot be written ({error.strerror}); give another file with --out.") from None
    show(told)
    print(f"The page: {page}")


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
    try:
        here = ScoredArm.read(Path("models", use_case, name))
        start = here.start if here.fingerprint == fingerprint else None
    except Mistake:
        start = None
    number, parent = tags.get("micromime.seed"), tags.get("mlflow.parentRunId", run_id)
    own = int(number) if number else None
    return ScoredArm(use_case, name, fingerprint, next(iter(data), None), own, start, parent, run_id)


def usual_score(use_case: str) -> str:
    """Return the metric that samplers go by here; mean IoU where there is no params.yaml that says so."""
    tree = read_tree(PARAMS) if PARAMS.is_file() else {}
    return score_of(tree, use_case) if "resample" in (tree.get(use_case) or {}) else "mean_iou"


def scores_of(arm: ScoredArm) -> ScoreTable:
    """Return the table of an arm's scores: the one here, or else the one logged; Mistake where there is none."""
    here = ScoreTable.read(arm.table) if arm.table.is_file() or not arm.logged else None
    if here and here.origin["fingerprint"] == arm.fingerprint:
        return here
    if arm.logged:
        with TemporaryDirectory() as folder:
            file = fetch_logged(arm.logged, arm.table.name, Path(folder))
            return ScoreTable.read(file, f"{arm.table.name}, logged to MLflow's run {arm.logged}")
    raise Mistake(f"{arm.table} has the scores of other networks than the {arm.title}; make it anew with `make run`.")


def earlier_than(arm: ScoredArm) -> ScoreTable | None:
    """Return the scores of the arm that an arm goes on with, where they are here."""
    try:
        return scores_of(ScoredArm(arm.use_case, *arm.start)) if arm.start else None
    except Mistake:
        return None


def trained_on(arm: ScoredArm) -> tuple[Path | None, str]:
    """Return the folder of what the networks were trained on, if it is here as it was; or why it is left out."""
    if arm.data is None:
        return None, "What a sampler requested is left out: MLflow does not say what these networks were trained on."
    path, digest = Path(arm.data[0]), arm.data[1]
    if not (path / "dataset.json").is_file():
        return None, f"What a sampler requested is left out: {path} is not here; `micromime pull` brings it."
    here = data_version("", path).digest
    if here != digest:
        return None, f"What a sampler requested is left out: {path} has the hash {here} here, and had {digest}."
    return path, ""


def show(told: Told) -> None:
    """Print the score, the first lines of the page's table of parameters, the worst samples, and the round."""
    console = Console(highlight=False)
    if not console.is_terminal:
        console.width = COLUMNS
    console.print(f"[bold]Why networks fail: {told.subject}[/bold]")
    console.print(about_scores(told), markup=False)
    if len(told.explanation.table):
        console.print(parameter_table(told))
    console.print(worst_table(told))
    if line := about_round(told) or told.remark:
        console.print(line, markup=False)


def parameter_table(told: Told) -> Table:
    """Return the parameters that tell most, as the page has them."""
    rows = told.explanation.table
    table = _table("parameter", "rank correlation", "p (Holm)", "importance", "median", "of the worst tenth")
    for row in rows.head(LINES).to_dict("records"):
        importance = f"{row['importance']:.3f}" if told.explanation.explains else "none"
        medians = (f"{row[key]:.3g}".replace("nan", "none") for key in ("median", "worst_median"))
        table.add_row(row["parameter"], correlation(row), p_value(row["p_holm"]), importance, *medians)
    left = len(rows) - LINES
    table.caption = f"{left} more are on the page" if left > 0 else None
    return table


def worst_table(told: Told) -> Table:
    """Return the worst samples with those parameters in which the worst tenth differ most: value (percentile)."""
    scoring = told.scoring
    names = in_common(scoring)["parameter"].head(3).tolist()
    table = _table("worst samples", told.score, *(name.replace(".", ".\n") for name in names))
    for _, row in lowest(scoring, WORST).iterrows():
        places = [f"{row[name]:.3g} ({percentile(scoring, name, row[name]):.0f})" for name in names]
        table.add_row(str(row["id"]), f"{row[SCORE]:.3f}", *places)
    table.caption = "in brackets: percentile among all samples of the scoring set" if names else None
    return table


def _table(first: str, *others: str) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column(first, no_wrap=True)
    for head in others:
        table.add_column(head, justify="right")
    return table
