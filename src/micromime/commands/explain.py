"""Say why the networks of an arm, or of one run of it, fail: in the terminal, and on a page."""

from pathlib import Path

from rich import box
from rich.console import Console
from rich.table import Table

from micromime.commands.scored_arm import chosen_by, earlier_than, scores_of, trained_on, usual_score
from micromime.mistakes import Mistake
from micromime.project.work import OURS
from micromime.reporting.explanation.page import WORST, Told, write_explanation
from micromime.reporting.explanation.scored_arm import Chosen, told_of
from micromime.reporting.explanation.words import (
    about_parameters,
    about_round,
    about_scores,
    about_together,
    correlation,
    p_value,
)
from micromime.reporting.failures import SCORE, in_common, lowest, percentile

PAGES = OURS / "explanations"
"""Where pages lie that were not asked for elsewhere; neither git nor DVC looks there."""

LINES = 8
"""Of the table of parameters; the page has all."""

COLUMNS = 100
"""Width of what is written to a file, or to a terminal that does not tell its own."""


def explain(asked: str, out: Path | None = None, score: str | None = None) -> None:
    """Print why networks fail, and write the page: to `out`, or else to .micromime/explanations/.

    `asked` is the folder of an arm or of a run, or the id of a run in MLflow; `score` is a metric, or else it is
    the one that samplers go by. Raises Mistake where `asked` is none of these, where there is no table of its scores,
    or none by that metric, and where the page cannot be written.
    """
    chosen = chosen_by(asked)
    metric = usual_score(chosen.use_case) if score is None else score
    told = told_of(chosen, scores_of(chosen), metric, earlier_than(chosen), trained_on(chosen))
    page = out or PAGES / page_name(chosen, score)
    try:
        write_explanation(page, told)
    except OSError as error:
        raise Mistake(f"{page} cannot be written ({error.strerror}); give another file with --out.") from None
    show(told)
    print(f"The page: {page}")


def page_name(chosen: Chosen, score: str | None) -> str:
    """Return the name of a page's file, one for each arm and run, and for each score that is asked for."""
    run = "" if chosen.run is None else f"-run-{chosen.run:03d}"
    return f"{chosen.use_case}-{chosen.arm}{run}{'' if score is None else f'-{score}'}.html"


def show(told: Told) -> None:
    """Print the sentences of the page, the first lines of its table of parameters, and the worst samples."""
    console = Console(highlight=False)
    if not console.is_terminal:
        console.width = COLUMNS
    console.print(f"[bold]Why networks fail: {told.subject}[/bold]")
    scored = about_scores(told.scoring, told.score, told.whose)
    for sentence in (scored, *about_parameters(told.explanation, told.scoring)):
        console.print(f"- {sentence}", markup=False)
    if told.explanation.together:
        console.print(f"- {about_together(told.explanation)}", markup=False)
    if len(told.explanation.table):
        console.print(parameter_table(told))
    console.print(worst_table(told))
    for sentence in about_round(told.asked, told.score) if told.asked else told.remarks:
        console.print(f"- {sentence}", markup=False)


def parameter_table(told: Told) -> Table:
    """Return the parameters that tell most, as the page has them."""
    rows = told.explanation.table
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("parameter", no_wrap=True)
    heads = ("rank correlation", "p (Holm)", "importance", "median", "of the worst tenth")
    for head in heads:
        table.add_column(head, justify="right")
    for row in rows.head(LINES).to_dict("records"):
        importance = f"{row['importance']:.3f}" if told.explanation.explains else "none"
        medians = (f"{row[key]:.3g}".replace("nan", "none") for key in ("median", "worst_median"))
        ranks = (correlation(row), p_value(row["p_holm"]))
        table.add_row(row["parameter"], *ranks, importance, *medians)
    left = len(rows) - LINES
    table.caption = f"{left} more are on the page" if left > 0 else None
    return table


def worst_table(told: Told) -> Table:
    """Return the worst samples with those parameters in which the worst tenth differ most: value (percentile)."""
    scoring = told.scoring
    names = in_common(scoring)["parameter"].head(3).tolist()
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("worst samples")
    for head in (told.score, *(name.replace(".", ".\n") for name in names)):
        table.add_column(head, justify="right")
    for _, row in lowest(scoring, WORST).iterrows():
        places = [f"{row[name]:.3g} ({percentile(scoring, name, row[name]):.0f})" for name in names]
        table.add_row(str(row["id"]), f"{row[SCORE]:.3f}", *places)
    table.caption = "in brackets: percentile among all samples of the scoring set" if names else None
    return table
