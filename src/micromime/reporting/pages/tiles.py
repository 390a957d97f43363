"""The page on classifiers of tiles: the verdict, how tiles are made, where networks fail, and how they were trained."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

from micromime.arms.comparisons import ALL, FITTED, MEASURED
from micromime.datasets.store import Dataset
from micromime.judging.tiles import METRIC
from micromime.mistakes import Mistake
from micromime.partial_models.surface.dictionary import Dictionary
from micromime.reporting.charts.base import learning_curves
from micromime.reporting.charts.tiles import error_chart, learning_chart
from micromime.reporting.figures import (
    PATCHES,
    SEEDS,
    SHEET_TILES,
    TILES,
    Parts,
    WrongTile,
    contact_sheet,
    figure_3,
    wrong_tiles,
)
from micromime.reporting.judged import JudgedTiles, origin, phases
from micromime.reporting.pages.page import Reported, page_of
from micromime.reporting.tables.tiles import MODELS, in_order, tile_tables
from micromime.reporting.words import headline
from micromime.scenario.arrays import Image, Mask
from micromime.scenario.parameters import read_tree
from micromime.use_cases.chip_cracks import ChipTile

SHOWN_WRONG = ("synthetic", "real", "mixed")
"""Models whose wrongly classified tiles are shown."""

INTACT, CRACK = range(2)

SAME_CRACK = 0.02
"""Share of a crack's pixels that may differ where it is the same."""


class Sources(NamedTuple):
    """Folders of what the pictures of the page show, each with a folder for each subset."""

    tiles: Path
    synthetic: Path
    exemplars: Path


@dataclass(frozen=True, kw_only=True)
class TileReport(Reported):
    """What the page on classifiers of tiles tells besides."""

    made_after: str
    """The subset of the training tiles that the pictures show, with its pool and its models."""
    counts: Mapping[str, int]
    """How many there are of what figure 3 and the contact sheet show some of: real, synthetic, patches and seeds."""
    fitted: str
    """The chart of what was measured and what was fitted to it, SVG."""
    fitted_to: str
    """The subset that it is about."""
    curves_of: Sequence[str]
    """The arms whose learning curves are shown; there may be many."""


def report_of(judged: JudgedTiles, sources: Sources) -> TileReport:
    """Return all that the page tells; its pictures are of the largest subset."""
    said, kind = judged.verdict, judged.verdict["test_set"]["kind"]
    subsets = sorted(said["subsets"], key=lambda name: int(said["subsets"][name]["tiles"]))
    smallest, largest = subsets[0], subsets[-1]
    real, pool = Dataset(sources.tiles / largest), Dataset(sources.synthetic / largest)
    dictionary = Dictionary.read(Path(read_tree(sources.exemplars / largest / MEASURED)["dictionary"]))
    fitted_to = ALL if ALL in said["subsets"] else next(iter(said["subsets"]))
    arms = [arm for subset in dict.fromkeys((largest, smallest)) for arm in in_order(judged.arms_of(subset)).values()]
    return TileReport(
        verdict=said,
        epochs=judged.epochs,
        rates=phases(judged.arms),
        origin=origin(judged.arms, "path"),
        pictures={
            "figure_3": figure_3(parts_of(real, pool, dictionary), kind),
            "contact_sheet": contact_sheet(of_both_classes(real), of_both_classes(pool), kind),
            "wrong": wrong_tiles(wrong_of(judged, largest), headline(said["test_set"])),
        },
        made_after=largest,
        counts={
            "real": len(real.images),
            "synthetic": len(pool.images),
            "patches": len(dictionary.patches),
            "seeds": len(dictionary.seeds),
        },
        fitted=(sources.exemplars / fitted_to / FITTED).read_text(),
        fitted_to=fitted_to,
        curves_of=[arm.name for arm in arms],
    )


def page(report: TileReport) -> str:
    """Return the page as HTML: pictures as PNG data URIs, charts as inline SVG, no scripts, nothing from elsewhere."""
    values = {
        "scores": error_chart(report.verdict),
        "learning": learning_chart(report.verdict),
        "curves": {arm: learning_curves(report.epochs, arm) for arm in report.curves_of},
    }
    return page_of("tile_report.html.j2", report, tile_tables(report.verdict), values)


def parts_of(real: Dataset, pool: Dataset, dictionary: Dictionary) -> Parts:
    """Return the pictures of figure 3; the synthetic tiles with a crack are those of the cracks alone."""
    cracked = places(pool, CRACK, TILES)
    return Parts(
        cracks=images(real, places(real, CRACK, TILES)),
        patches=[dictionary.patches[n] for n in evenly(len(dictionary.patches), PATCHES)],
        seeds=[dictionary.seeds[n] for n in evenly(len(dictionary.seeds), SEEDS)],
        textures=images(pool, places(pool, INTACT, TILES)),
        alone=[on_white(ChipTile.from_row(dict(pool.samples.iloc[n])), pool.masks[n]) for n in cracked],
        finished=images(pool, cracked),
    )


def on_white(tile: ChipTile, mask: Mask) -> Image:
    """Return what is left of white light where the crack of a tile takes its share.

    Mistake where it is not the crack of the stored mask; a few pixels may differ from machine to machine.
    """
    lost, drawn = tile.crack_alone()
    if (drawn != mask).sum() > SAME_CRACK * mask.sum():
        raise Mistake("The synthetic tiles were rendered by other code than is here now; render them anew: `make run`.")
    return np.rint(255 * (1 - lost)).astype(np.uint8)


def of_both_classes(dataset: Dataset) -> list[Image]:
    """Return as many tiles of both classes as a contact sheet has room for, those with a crack first."""
    return [image for number in (CRACK, INTACT) for image in images(dataset, places(dataset, number, SHEET_TILES // 2))]


def places(dataset: Dataset, class_number: int, count: int) -> list[int]:
    """Return where samples of a class stand in a data set, up to `count` at even distances."""
    there = np.flatnonzero(dataset.class_numbers == class_number)
    return [int(there[n]) for n in evenly(len(there), count)]


def evenly(length: int, count: int) -> list[int]:
    """Return up to `count` places from the first to the last of `length`, at even distances."""
    return [int(place) for place in np.linspace(0, length - 1, min(count, length)).round()]


def images(dataset: Dataset, which: Sequence[int]) -> list[Image]:
    """Return the images at places of a data set."""
    return [np.array(dataset.images[n]) for n in which]


def wrong_of(judged: JudgedTiles, subset: str) -> dict[str, list[WrongTile]]:
    """Return the test tiles that the median run of each model takes for the wrong class, under a title that says so."""
    arms, runs, labels = judged.arms_of(subset), judged.representative, judged.test.samples["label"]
    found = {}
    for model in SHOWN_WRONG:
        run, rows = runs[arms[model]], judged.parts(arms[model])[0].scores
        rows = rows[(rows["run"] == run) & (rows[METRIC] > 0)]
        title = f"{MODELS[model]}, run {run} ({len(rows)} of {len(labels)} test tiles wrong)"
        numbers = [judged.test.index(str(name)) for name in rows["picture"]]
        wrong = zip(images(judged.test, numbers), labels.iloc[numbers], rows["probability"], strict=True)
        found[title] = [WrongTile(image, str(label), float(p)) for image, label, p in wrong]
    return found
