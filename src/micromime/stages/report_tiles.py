"""Write the report on classifiers of tiles: one page and its pictures, of all that came out; then tell MLflow."""

from pathlib import Path
from typing import Annotated, NamedTuple

import numpy as np
from typer import Option

from micromime.arms.pools import ALL, FITTED, measured
from micromime.arms.trained_arms import origin, phases
from micromime.datasets.store import Dataset
from micromime.mistakes import Mistake
from micromime.partial_models.surface.dictionary import Dictionary
from micromime.project.work import sole_maker
from micromime.reporting.figures.figure_3 import PATCHES, SEEDS, TILES, Parts, figure_3
from micromime.reporting.figures.panels import png
from micromime.reporting.figures.tiles import SHEET_TILES, WrongTile, contact_sheet, wrong_tiles
from micromime.reporting.pages.judged_tiles import JudgedTiles
from micromime.reporting.pages.tile_page import TileReport, write_tile_report
from micromime.reporting.tables.tiles import METRIC, MODELS, in_order, tile_tables
from micromime.reporting.tables.verdict import headline
from micromime.scenario.arrays import Image, Mask
from micromime.scenario.parameters import read_tree
from micromime.stages import command
from micromime.stages.judge import SCORES
from micromime.stages.publish import publish_judged
from micromime.stages.tile import TEST
from micromime.stages.train_pools import Model
from micromime.tracking.store import best_effort
from micromime.use_cases.chip_cracks import ChipTile

SHOWN_WRONG: tuple[Model, ...] = ("synthetic", "real", "mixed")
"""Models whose wrongly classified tiles are shown."""

INTACT, CRACK = range(2)

SAME_CRACK = 0.02
"""Share of a crack's pixels that may differ where it is the same."""


class Sources(NamedTuple):
    """Folders of what the pictures of the page show, each with a folder for each subset."""

    tiles: Path
    synthetic: Path
    exemplars: Path


def main(  # noqa: PLR0913 - one argument an option
    use_case: str,
    models: Annotated[Path, Option(help="Folder of the models' arms.")],
    tiles: Annotated[Path, Option(help="Folder of the divided real tiles.")],
    synthetic: Annotated[Path, Option(help="Folder of the pools.")],
    exemplars: Annotated[Path, Option(help="Folder of what was measured on each subset.")],
    verdict: Annotated[Path, Option(help="The verdict; answers and learning curves lie in the folder of its name.")],
    out: Annotated[Path, Option(help="The page, HTML; its pictures lie beside it.")],
    params: Annotated[Path, Option(help="The file with <use case>.tiles and .ablation.")] = Path("params.yaml"),
) -> None:
    """Write the page and its pictures, and tell MLflow of every arm."""
    with sole_maker(out):
        judged = JudgedTiles.read(verdict, models, tiles / TEST, (read_tree(params), use_case))
        report = made(judged, Sources(tiles, synthetic, exemplars))
        out.parent.mkdir(parents=True, exist_ok=True)
        write_tile_report(out, report)
        pictures = write_pictures(out.parent, report)
        files = [verdict.with_suffix(".md"), out, verdict.with_suffix("") / SCORES]
        with best_effort():
            publish_judged(judged, tiles / TEST, files, pictures)


def made(judged: JudgedTiles, sources: Sources) -> TileReport:
    """Return all that the page tells; its pictures are of the largest subset."""
    said, (smallest, largest) = judged.verdict, (judged.by_tiles[0], judged.by_tiles[-1])
    kind = said["test_set"]["kind"]
    real, pool = Dataset(sources.tiles / largest), Dataset(sources.synthetic / largest)
    dictionary = Dictionary.read(Path(measured(sources.exemplars / largest)["dictionary"]))
    counts = {
        "real": len(real.images),
        "synthetic": len(pool.images),
        "patches": len(dictionary.patches),
        "seeds": len(dictionary.seeds),
    }
    fitted_to = ALL if ALL in said["subsets"] else next(iter(said["subsets"]))
    return TileReport(
        verdict=said,
        tables_markdown=tile_tables(said),
        epochs=judged.epochs,
        rates=phases(judged.arms),
        origin=origin(judged.arms, "path"),
        figure_3=figure_3(parts_of(real, pool, dictionary), kind),
        made_after=largest,
        counts=counts,
        contact_sheet=contact_sheet(of_both_classes(real), of_both_classes(pool), kind),
        fitted=(sources.exemplars / fitted_to / FITTED).read_text(),
        fitted_to=fitted_to,
        wrong=wrong_tiles(wrong_of(judged, largest), headline(said["test_set"])),
        curves_of=[
            arm.name for each in dict.fromkeys((largest, smallest)) for arm in in_order(judged.arms_of(each)).values()
        ],
    )


def write_pictures(folder: Path, report: TileReport) -> dict[str, Path]:
    """Write the pictures of the page as files of their own; return name -> file."""
    pictures = {"figure_3": report.figure_3, "contact_sheet": report.contact_sheet, "wrong": report.wrong}
    files = {name: folder / f"{name}.png" for name in pictures}
    for name, file in files.items():
        file.write_bytes(png(pictures[name]))
    return files


def parts_of(real: Dataset, pool: Dataset, dictionary: Dictionary) -> Parts:
    """Return the pictures of figure 3; the synthetic tiles with a crack are those of the cracks alone."""
    cracked = places(pool, CRACK, TILES)
    rows = pool.samples.iloc[cracked].to_dict("records")
    tiles = [ChipTile.from_row({str(key): row[key] for key in row}) for row in rows]
    return Parts(
        cracks=images(real, places(real, CRACK, TILES)),
        patches=[dictionary.patches[n] for n in evenly(len(dictionary.patches), PATCHES)],
        seeds=[dictionary.seeds[n] for n in evenly(len(dictionary.seeds), SEEDS)],
        textures=images(pool, places(pool, INTACT, TILES)),
        alone=[on_white(*each) for each in zip(tiles, [pool.masks[n] for n in cracked], strict=True)],
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


def images(dataset: Dataset, which: list[int]) -> list[Image]:
    """Return the images at places of a data set."""
    return [np.array(dataset.images[n]) for n in which]


def wrong_of(judged: JudgedTiles, subset: str) -> dict[str, list[WrongTile]]:
    """Return the test tiles that the median run of each model takes for the wrong class, under a title that says so."""
    arms, runs, found = judged.arms_of(subset), judged.representative, {}
    for model in SHOWN_WRONG:
        arm = arms[model]
        rows = judged.parts(arm)[0].scores
        rows = rows[(rows["run"] == runs[arm]) & (rows[METRIC] > 0)]
        title = f"{MODELS[model]}, run {runs[arm]} ({len(rows)} of {len(judged.test.samples)} test tiles wrong)"
        numbers = [judged.test.index(str(name)) for name in rows["picture"]]
        found[title] = [
            WrongTile(np.array(judged.test.images[n]), str(judged.test.samples["label"].iloc[n]), float(probability))
            for n, probability in zip(numbers, rows["probability"], strict=True)
        ]
    return found


if __name__ == "__main__":
    command(main)
