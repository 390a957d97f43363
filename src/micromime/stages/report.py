"""Write the report of a use case: one page and its pictures, of all that came out; then tell MLflow."""

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import pandas as pd
from typer import Option

from experiments.ablation.chart import ablation_chart
from experiments.ablation.tables import gains_and_scores
from micromime.arms.networks import networks_of
from micromime.arms.rounds import arms_of, score_of
from micromime.arms.trained_arms import origin, phases
from micromime.datasets.store import Dataset
from micromime.inference.ask import predictor
from micromime.inference.judge_views import in_views
from micromime.judging.closed_grains import ClosedGrains, close_grains, grains_of_mask
from micromime.judging.grain_sizes import diameters_px
from micromime.judging.metrics import SCORED
from micromime.judging.picture_scores import THRESHOLD
from micromime.judging.tested_pictures import grain_size
from micromime.pictures.micrographs import Micrograph, read_micrographs
from micromime.project.work import sole_maker
from micromime.reporting.failures import SCORE, Score, WorstSample, goodness, lowest, score_title
from micromime.reporting.figures.figure_4 import write_figure_4
from micromime.reporting.figures.panels import Shown, panel, png, write_panel
from micromime.reporting.pages.judged import Judged
from micromime.reporting.pages.page import Report, write_report
from micromime.reporting.tables.verdict import headline, verdict_table
from micromime.scenario.arrays import Probability
from micromime.scenario.parameters import read_tree
from micromime.stages import command
from micromime.stages.judge import CURVES, SCORES
from micromime.stages.publish import publish_judged
from micromime.tracking.store import best_effort

EXAMPLES, WORST = 5, 6
"""Synthetic and real pictures of Figure 4 at most, and samples that are shown as the worst."""

PANEL, FIGURE_4, WORST_PANEL = "panel.png", "figure_4.png", "worst.png"


def main(  # noqa: PLR0913 - one argument an option
    use_case: str,
    models: Annotated[Path, Option(help="Folder of arms.")],
    verdict: Annotated[Path, Option(help="The verdict; scores and learning curves lie in the folder of its name.")],
    scores: Annotated[Path, Option(help="The table of scores of the scoring set.")],
    scoring: Annotated[Path, Option(help="The scoring set.")],
    test_set: Annotated[Path, Option(help="Folder of the test set.")],
    ablation: Annotated[Path, Option(help="What the ablation says, JSON.")],
    out: Annotated[Path, Option(help="The page, HTML; its pictures lie beside it.")],
    params: Annotated[Path, Option(help="The file with the section <use case>.rounds.")] = Path("params.yaml"),
) -> None:
    """Write the page and its pictures, from the network that stands for the first arm; tell MLflow of every arm."""
    with sole_maker(out):
        folder = verdict.with_suffix("")
        tree = read_tree(params)
        judged = Judged(
            json.loads(verdict.read_text()),
            pd.read_parquet(folder / SCORES),
            pd.read_csv(folder / CURVES),
            pd.read_parquet(scores),
            [models / name for name in arms_of(tree, use_case)],
        )
        report = made(judged, score_of(tree, use_case), Dataset(scoring), read_micrographs(test_set))
        if said := json.loads(ablation.read_text()):
            report = replace(report, ablation_svg=ablation_chart(said), ablation_markdown=gains_and_scores(said))
        out.parent.mkdir(parents=True, exist_ok=True)
        write_report(out, report)
        pictures = write_pictures(out.parent, report)
        with best_effort():
            publish_judged(judged, test_set, [verdict.with_suffix(".md"), out, folder / SCORES], pictures)


def made(judged: Judged, metric: str, pool: Dataset, pictures: Sequence[Micrograph]) -> Report:
    """Return all that the page tells; the worst samples are those by a metric, the one that samplers go by."""
    base, run = next(iter(judged.representative.items()))
    ask = in_views(predictor(networks_of(base, [run])[run]), judged.verdict["views"])
    found = [ask(each.image) for each in pictures]
    real = [
        Shown(each.name, each.source, each.image, each.mask, probability > THRESHOLD)
        for each, probability in zip(pictures, found, strict=True)
    ]
    scored = judged.scoring.assign(**{SCORE: goodness(judged.scoring[f"score.{metric}"], metric)})

    def synthetic(index: int) -> Shown:
        image, name = pool.images[index], f"sample {pool.samples['id'].iloc[index]}"
        return Shown(name, "synthetic", np.array(image), np.array(pool.masks[index]), ask(image) > THRESHOLD)

    predicted_by = f"{base.name}, run {run}, the median run by mean IoU on the test set"
    return Report(
        verdict=judged.verdict,
        tables_markdown=verdict_table(judged.verdict),
        predicted_by=predicted_by,
        synthetic=[synthetic(index) for index in range(min(EXAMPLES, len(pool.images)))],
        real=one_of_each_source(real)[:EXAMPLES],
        worst=[worst_sample(row, synthetic(int(str(index)))) for index, row in lowest(scored, WORST).iterrows()],
        scoring=scored,
        scored_by=score_title(metric),
        epochs=judged.epochs,
        rates=phases(judged.arms),
        grains=grains_beside(judged.scores, (base.name, run), pictures),
        diameters=diameters_beside(pictures, found),
        panel=panel(real, f"{headline(judged.verdict['test_set'])}. Predictions: {predicted_by}."),
        origin=origin(judged.arms),
    )


def grains_beside(scores: pd.DataFrame, whose: tuple[str, int], pictures: Sequence[Micrograph]) -> pd.DataFrame:
    """Return a row for every test picture: the grains that a run of an arm has found in it, beside the true ones."""
    arm, run = whose
    found = scores[(scores["arm"] == arm) & (scores["run"] == run)].set_index("picture")
    true = [{"picture": each.name, **grain_size(grains_of_mask(each.mask))} for each in pictures]
    rows = found.join(pd.DataFrame(true).set_index("picture").add_prefix("true_"))
    rows = rows.astype(dict.fromkeys(("intercept_px", "true_intercept_px", "astm_lo", "astm_hi"), float))
    return rows.assign(astm_difference=(rows["astm_lo"] + rows["astm_hi"]) / 2).reset_index()


def diameters_beside(pictures: Sequence[Micrograph], found: Sequence[Probability]) -> pd.DataFrame:
    """Return a row for every grain of the test pictures: source, kind (`true` or `found`) and diameter_px."""
    rows = []
    for each, probability in zip(pictures, found, strict=True):
        kinds = {"true": grains_of_mask(each.mask), "found": close_grains(ClosedGrains(), probability)}
        rows += [
            {"source": each.source, "kind": kind, "diameter_px": float(diameter)}
            for kind, grains in kinds.items()
            for diameter in diameters_px(grains)
        ]
    return pd.DataFrame(rows, columns=["source", "kind", "diameter_px"])


def write_pictures(folder: Path, report: Report) -> dict[str, Path]:
    """Write the pictures of the page as files of their own; return name -> file."""
    files = {"panel": folder / PANEL, "figure_4": folder / FIGURE_4, "worst": folder / WORST_PANEL}
    title = f"{headline(report.verdict['test_set'])}. Predictions: {report.predicted_by}."
    files["panel"].write_bytes(png(report.panel))
    write_figure_4(files["figure_4"], report.synthetic, report.real, report.verdict["test_set"]["kind"])
    write_panel(files["worst"], [each.shown for each in report.worst], title)
    return files


def one_of_each_source(shown: Sequence[Shown]) -> list[Shown]:
    """Return the pictures in an order in which every source comes once before any comes again."""
    seen: dict[str, int] = {}
    turns = []
    for each in shown:
        seen[each.source] = turn = seen.get(each.source, 0) + 1
        turns.append(turn)
    order = sorted(range(len(shown)), key=turns.__getitem__)
    return [shown[n] for n in order]


def worst_sample(row: "pd.Series[Any]", shown: Shown) -> WorstSample:
    """Return a sample of the scoring table with its scores over the runs and its parameters."""
    scores = {}
    for metric in SCORED:
        by_run = row[[name for name in row.index if str(name).startswith(f"score.{metric}.run-")]].astype(float)
        scores[metric] = Score(float(row[f"score.{metric}"]), float(by_run.std()) if len(by_run) > 1 else None)
    kinds = ("score.", "before.")
    parameters = {str(name): row[name] for name in row.index if "." in str(name) and not str(name).startswith(kinds)}
    return WorstSample(str(row["id"]), shown, scores, parameters)


if __name__ == "__main__":
    command(main)
