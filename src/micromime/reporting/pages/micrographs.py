"""The page on micrographs: the verdict, what is found in them, where networks fail, and how they were trained."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from micromime.datasets.store import Dataset
from micromime.judging.grain_size import diameters_px, grain_size
from micromime.judging.grains import ClosedGrains, close_grains, grains_of_mask
from micromime.judging.metrics import SCORED
from micromime.judging.micrographs import THRESHOLD
from micromime.pictures.micrographs import Micrograph
from micromime.reporting.charts.base import (
    charted,
    diameters_chart,
    grains_chart,
    learning_curves,
    score_by_parameter,
    scores_chart,
)
from micromime.reporting.failures import SCORE, goodness, in_common, lowest, parameter_columns, percentile, score_title
from micromime.reporting.figures import LEGEND, Colours, Shown, figure_4, panel, reduced, triple
from micromime.reporting.judged import Judged, origin, phases
from micromime.reporting.pages.page import LARGEST_SIDE_PX, Reported, number, page_of
from micromime.reporting.tables.verdict import verdict_table
from micromime.reporting.words import TITLES, cell, headline, title
from micromime.scenario.arrays import Image, Probability

EXAMPLES, WORST = 5, 6
"""Synthetic and test pictures of Figure 4 at most, and samples that are shown as the worst."""


class WorstSample(NamedTuple):
    """A synthetic sample that networks are bad at, as the page shows it."""

    id: str
    shown: Shown
    scores: Mapping[str, str]
    """By the metric's title: mean over runs, ± sd where there are several."""
    parameters: Sequence[Mapping[str, Any]]
    """The name, value and percentile of each; see `failures.percentile`."""

    @property
    def pictures(self) -> dict[str, Colours]:
        """Image, truth and prediction by their titles."""
        named = zip(("image", "truth", "prediction"), triple(self.shown), strict=True)
        return {title: reduced(each, LARGEST_SIDE_PX) for title, each in named}


@dataclass(frozen=True, kw_only=True)
class Report(Reported):
    """What the page on micrographs tells besides."""

    predicted_by: str
    """The network whose predictions are shown, in words that follow "predictions of"."""
    synthetic: Sequence[Shown]
    real: Sequence[Shown]
    """Test pictures, also where they are a surrogate; `pictures` has all of them."""
    worst: Sequence[WorstSample]
    scoring: pd.DataFrame
    """A row for every sample of the scoring set: a column for each parameter, and `failures.SCORE`."""
    scored_by: str
    """What that score is: see `failures.score_title`."""
    grains: pd.DataFrame
    """A row for every test picture, of the grains that the network above has found: see `grains_chart`."""
    diameters: pd.DataFrame
    """A row for every grain, found or true: see `diameters_chart`."""


def shown_sample(samples: Dataset, ask: Callable[[Image], Probability], index: int) -> Shown:
    """Return a synthetic sample with what a network finds in it."""
    image, name = np.array(samples.images[index]), f"sample {samples.samples['id'].iloc[index]}"
    return Shown(name, "synthetic", image, np.array(samples.masks[index]), ask(image) > THRESHOLD)


def report_of(
    judged: Judged,
    scored: tuple[Dataset, pd.DataFrame, str],
    pictures: Sequence[Micrograph],
    ask: Callable[[Image], Probability],
) -> Report:
    """Return all that the page tells; `ask` is the network that stands for the first arm.

    `scored` has the scoring set, the base arm's table of scores on it, and the metric that samplers go by: the worst
    samples are those by it.
    """
    samples, scoring, metric = scored
    base, run = next(iter(judged.representative.items()))
    answered = [(each, ask(each.image)) for each in pictures]
    sample = partial(shown_sample, samples, ask)
    real = [Shown(p.name, p.source, p.image, p.mask, probability > THRESHOLD) for p, probability in answered]
    scoring = scoring.assign(**{SCORE: goodness(scoring[f"score.{metric}"], metric)})
    predicted_by = f"{base.name}, run {run}, the median run by mean IoU on the test set"
    said = f"{headline(judged.verdict['test_set'])}. Predictions: {predicted_by}."
    synthetic = [sample(index) for index in range(min(EXAMPLES, len(samples.images)))]
    examples = one_of_each_source(real)[:EXAMPLES]
    worst = [worst_sample(row, sample(int(str(n))), scoring) for n, row in lowest(scoring, WORST).iterrows()]
    return Report(
        verdict=judged.verdict,
        epochs=judged.epochs,
        rates=phases(judged.arms),
        origin=origin(judged.arms),
        pictures={
            "panel": panel(real, said),
            "figure_4": figure_4(synthetic, examples, judged.verdict["test_set"]["kind"]),
            "worst": panel([each.shown for each in worst], said),
        },
        predicted_by=predicted_by,
        synthetic=synthetic,
        real=examples,
        worst=worst,
        scoring=scoring,
        scored_by=score_title(metric),
        grains=grains_beside(judged.scores, (base.name, run), pictures),
        diameters=diameters_beside(answered),
    )


def page(report: Report) -> str:
    """Return the page as HTML: pictures as PNG data URIs, charts as inline SVG, no scripts, nothing from elsewhere."""
    differing = in_common(report.scoring)
    values = {
        "scores": scores_chart(report.verdict, TITLES),
        "legend": LEGEND,
        "grains": grains_chart(report.grains, report.predicted_by),
        "diameters": None if report.diameters.empty else diameters_chart(report.diameters, report.predicted_by),
        "by_parameter": None if differing.empty else score_by_parameter(report.scoring, report.scored_by),
        "charted": charted(report.scoring),
        "in_common": differing.to_dict("records"),
        "curves": {arm: learning_curves(report.epochs, arm) for arm in report.epochs["arm"].unique()},
    }
    return page_of("report.html.j2", report, verdict_table(report.verdict), values)


def one_of_each_source(shown: Sequence[Shown]) -> list[Shown]:
    """Return the pictures in an order in which every source comes once before any comes again."""
    turns = [sum(other.source == each.source for other in shown[:n]) for n, each in enumerate(shown)]
    return [shown[n] for n in sorted(range(len(shown)), key=turns.__getitem__)]


def worst_sample(row: "pd.Series[Any]", shown: Shown, scoring: pd.DataFrame) -> WorstSample:
    """Return a row of the scoring table as the page shows it."""
    scores = {}
    for metric in SCORED:
        by_run = row.filter(like=f"score.{metric}.run-").to_numpy(np.float64)
        sd = float(np.std(by_run, ddof=1)) if len(by_run) > 1 else None
        scores[title(metric)] = cell({"mean": row[f"score.{metric}"], "sd": sd})
    parameters = [
        {"name": name, "value": number(row[name]), "percentile": percentile(scoring, name, row[name])}
        for name in parameter_columns(row.index)
    ]
    return WorstSample(str(row["id"]), shown, scores, parameters)


def grains_beside(scores: pd.DataFrame, whose: tuple[str, int], pictures: Sequence[Micrograph]) -> pd.DataFrame:
    """Return a row for every test picture: the grains that a run of an arm has found in it, beside the true ones."""
    arm, run = whose
    found = scores[(scores["arm"] == arm) & (scores["run"] == run)].set_index("picture")
    true = [{"picture": each.name, **grain_size(grains_of_mask(each.mask))} for each in pictures]
    rows = found.join(pd.DataFrame(true).set_index("picture").add_prefix("true_"))
    rows = rows.astype(dict.fromkeys(("intercept_px", "true_intercept_px", "astm_lo", "astm_hi"), float))
    return rows.assign(astm_difference=(rows["astm_lo"] + rows["astm_hi"]) / 2).reset_index()


def diameters_beside(answered: Sequence[tuple[Micrograph, Probability]]) -> pd.DataFrame:
    """Return a row for every grain of pictures, each with its answer: source, kind (`true` or `found`), diameter_px."""
    rows = []
    for each, probability in answered:
        kinds = {"true": grains_of_mask(each.mask), "found": close_grains(ClosedGrains(), probability)}
        rows += [(each.source, kind, float(px)) for kind, grains in kinds.items() for px in diameters_px(grains)]
    return pd.DataFrame(rows, columns=["source", "kind", "diameter_px"])
