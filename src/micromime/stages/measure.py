"""Measure real cracks and cut exemplars of the surface, for each subset of the training tiles, and for none other."""

import json
from pathlib import Path
from typing import Annotated, Any, NamedTuple

from ruamel.yaml import YAML
from typer import Option

from micromime.arms.pools import ALL, FITTED, MEASURED, ExemplarParameters, TileParameters
from micromime.datasets.store import Dataset
from micromime.engines.local import Progress, cores, run_tasks
from micromime.fitting.calibrate import calibrated
from micromime.fitting.cracks.statistics import CrackStatistics, crack_statistics
from micromime.fitting.exemplars import cut_dictionary
from micromime.pictures.micrographs import read_micrographs
from micromime.pictures.tiles import Tile
from micromime.project.work import sole_maker
from micromime.reporting.charts.fitted import fitted_chart
from micromime.scenario.arrays import Image, Mask
from micromime.scenario.parameters import read_tree, section, typed
from micromime.scenario.streams import stream
from micromime.stages import command
from micromime.stages.tile import TEST

DICTIONARY = "dictionary.npz"

TITLES = {
    "segments": "segments",
    "segment_px": "median segment length, px",
    "bend_deg": "median bend, degrees",
    "direction_deg": "direction, degrees",
    "width_px": "width at half depth, px",
    "depth": "depth, share of the light",
    "segment_spread": "spread of segment lengths (log)",
    "bend_spread": "spread of bends (log)",
    "depth_spread": "spread of depth along the crack",
}
"""What the figure shows, in its order."""


class _Subset(NamedTuple):
    """One subset, as it is handed to a worker process."""

    tiles: Path
    name: str
    photographs: Path
    out: Path
    asked: ExemplarParameters


def main(
    use_case: str,
    tiles: Annotated[Path, Option(help="Folder of the divided real tiles.")],
    photographs: Annotated[Path, Option(help="Folder of the photographs that the tiles were cut from.")],
    out: Annotated[Path, Option(help="Folder to make: for each subset measured.yaml, dictionary.npz and a figure.")],
    params: Annotated[Path, Option(help="The file with <use case>.tiles and .exemplars.")] = Path("params.yaml"),
) -> None:
    """Write what the scenario refers to by `{measured: NAME}`, a folder for each subset.

    Of all training tiles whole photographs are measured, of a smaller subset its tiles alone: nothing else is known.
    """
    tree = read_tree(params)
    subsets = typed(TileParameters, section(tree, use_case, "tiles"), f"{use_case}.tiles").subsets
    asked = typed(ExemplarParameters, section(tree, use_case, "exemplars"), f"{use_case}.exemplars")
    with sole_maker(out):
        tasks = [_Subset(tiles, str(subset), photographs, out, asked) for subset in subsets]
        done = Progress("measure", "subsets", len(tasks), lambda: len(list(out.glob(f"*/{MEASURED}"))))
        run_tasks(measure_subset, tasks, cores(), done)


def measure_subset(task: _Subset) -> None:
    """Measure the cracks of one subset, fit their laws, cut and calibrate its dictionary, and write all of that."""
    ours, whole = tiles_of(task.tiles / task.name), task.name == ALL
    pictures = whole_photographs(task.photographs, task.tiles / TEST) if whole else [(t.image, t.mask) for t in ours]
    found = crack_statistics(pictures, whole, task.asked.seed, task.asked.simulated_cracks)
    dictionary = cut_dictionary(ours, task.asked.patches, stream(task.asked.seed, "dictionary"))
    calibrated(dictionary, task.asked.seed).write(task.out / task.name / DICTIONARY)
    write_statistics(task.out / task.name, found)


def tiles_of(folder: Path) -> list[Tile]:
    """Return the real tiles of a data set."""
    dataset = Dataset(folder)
    columns = dataset.samples.rename(columns={"id": "name"})[["name", "label", "specimen", "photograph", "row", "col"]]
    return [
        Tile(**{str(key): value for key, value in row.items()}, image=dataset.images[n], mask=dataset.masks[n])
        for n, row in enumerate(columns.to_dict("records"))
    ]


def whole_photographs(folder: Path, test: Path) -> list[tuple[Image, Mask]]:
    """Return image and mask of every photograph of a specimen that is not in the test set."""
    kept_out = set(Dataset(test).description["specimens"])
    return [(each.image, each.mask) for each in read_micrographs(folder, maskless=True) if each.source not in kept_out]


def write_statistics(folder: Path, found: CrackStatistics) -> None:
    """Write the measured parameters in the syntax of params.yaml, the cracks they come from, and the figure."""
    by_value = {f"{key}_empirical": values for key, values in found.empirical.items()}
    written: dict[str, Any] = {"dictionary": (folder / DICTIONARY).as_posix(), **found.parameters, **by_value}
    found.cracks.to_csv(folder / "cracks.csv", index=False)
    found.fits.to_csv(folder / "fits.csv", index=False)
    (folder / FITTED).write_text(fitted_chart(found.parameters, found.cracks, found.simulated, TITLES))
    with (folder / MEASURED).open("w") as file:  # the last one: with it the subset counts as done
        file.write("# Written by the stage measure; params.yaml refers to these as {measured: NAME}.\n")
        YAML(typ="safe", pure=True).dump(json.loads(json.dumps(written)), file)


if __name__ == "__main__":
    command(main)
