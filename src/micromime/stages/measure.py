"""Measure real cracks and cut exemplars of the surface, for each subset of the training tiles, and for none other."""

import json
from pathlib import Path

from ruamel.yaml import YAML

from micromime.arms.comparisons import ALL, FITTED, MEASURED, ExemplarParameters, TileParameters
from micromime.datasets.store import identity
from micromime.engines.local import Mapped, Progress, cores, mapping
from micromime.fitting.cracks.statistics import CrackStatistics, crack_statistics
from micromime.fitting.exemplars import calibrated, cut_dictionary, tiles_of, whole_photographs
from micromime.judging.tiles import TEST
from micromime.pictures.micrographs import listed_files
from micromime.project import places
from micromime.project.results import FITTING
from micromime.project.work import fingerprint, sole_maker
from micromime.reporting.charts.fitted import fitted_chart
from micromime.scenario.parameters import read_tree
from micromime.scenario.streams import stream

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


def measure(use_case: str) -> None:
    """Write what the scenario refers to by `{measured: NAME}`, a folder for each subset.

    Of all training tiles whole photographs are measured, of a smaller subset its tiles alone: nothing else is known.
    """
    tree, out = read_tree(places.PARAMS), places.exemplars(use_case)
    subsets = [str(subset) for subset in TileParameters.of(tree, use_case, "tiles").subsets]
    asked = ExemplarParameters.of(tree, use_case, "exemplars")
    done = Progress("measure", "subsets", len(subsets), lambda: len(list(out.glob(f"*/{MEASURED}"))))
    with sole_maker(out), mapping(cores(), done) as mapped:
        for subset in subsets:
            measure_subset(subset, use_case, asked, mapped)


def measure_subset(subset: str, use_case: str, asked: ExemplarParameters, mapped: Mapped) -> None:
    """Measure the cracks of one subset, fit their laws, cut and calibrate its dictionary, and write all of that."""
    tiles, photographs, out = (each(use_case) for each in (places.tiles, places.photographs, places.exemplars))
    ours, whole = tiles_of(tiles / subset), subset == ALL
    seen = whole_photographs(photographs, tiles / TEST) if whole else [(each.image, each.mask) for each in ours]
    found = crack_statistics(seen, whole, asked.seed, asked.simulated_cracks, mapped)
    dictionary = cut_dictionary(ours, asked.patches, stream(asked.seed, "dictionary"))
    calibrated(dictionary, asked.seed).write(out / subset / DICTIONARY)
    photographed = [identity(tiles / TEST), listed_files(photographs)] if whole else None
    write_statistics(
        out / subset, found, fingerprint(identity(tiles / subset), photographed, asked.model_dump(), FITTING)
    )


def write_statistics(folder: Path, found: CrackStatistics, made_from: str) -> None:
    """Write the measured parameters in the syntax of params.yaml, the cracks they come from, and the figure.

    `made_from` is the hash of all that decides them.
    """
    by_value = {f"{key}_empirical": values for key, values in found.empirical.items()}
    written = {"dictionary": (folder / DICTIONARY).as_posix(), **found.parameters, **by_value, "made_from": made_from}
    found.cracks.to_csv(folder / "cracks.csv", index=False)
    found.fits.to_csv(folder / "fits.csv", index=False)
    (folder / FITTED).write_text(fitted_chart(found.parameters, found.cracks, found.simulated, TITLES))
    with (folder / MEASURED).open("w") as file:  # the last one: with it the subset counts as done
        file.write("# Written by the stage measure; params.yaml refers to these as {measured: NAME}.\n")
        YAML(typ="safe", pure=True).dump(json.loads(json.dumps(written)), file)
