"""Divide real tiles: a fixed test set of specimens that differ most, and nested subsets of all others to train on."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from micromime.arms.comparisons import ALL, TileParameters
from micromime.datasets.splits import farthest_specimens, nested_order
from micromime.datasets.store import SHARD_SIZE, write_arrays, write_description
from micromime.judging.tiles import EVERY, TEST
from micromime.judging.two_sample import features
from micromime.mistakes import Mistake
from micromime.pictures.micrographs import read_micrographs
from micromime.pictures.test_set import ORIGIN_FILE, Origin
from micromime.pictures.tiles import Tile, read_tiles
from micromime.project import places
from micromime.project.work import sole_maker
from micromime.scenario.parameters import read_tree
from micromime.scenario.scenario import Sample
from micromime.scenario.streams import stream
from micromime.use_cases import instance_kind


def tile(use_case: str) -> None:
    """Write `test/`, `every/`, and a folder for each subset to train on."""
    asked = TileParameters.of(read_tree(places.PARAMS), use_case, "tiles")
    classes, photographs, out = instance_kind(use_case).classes, places.photographs(use_case), places.tiles(use_case)
    tiles, origin = read_tiles(photographs, classes), Origin.read(photographs / ORIGIN_FILE)
    changes = {each.name: each.changes for each in read_micrographs(photographs, maskless=True) if each.changes}
    also = {"changes": changes} if changes else {}
    with sole_maker(out):
        for name, part in divided(tiles, asked, f"{use_case}.tiles").items():
            about = {"use_case": use_case, "part": name, "classes": classes, "kind": origin.kind}
            write_tiles(part, out / name, about | also)
        origin.write(out / ORIGIN_FILE)


def divided(tiles: Sequence[Tile], asked: TileParameters, where: str) -> dict[str, list[Tile]]:
    """Return the tiles of each part by its name.

    The test set are the specimens chosen by farthest points in the features of their tiles (`splits`), which no part
    to train on has. Of the others a subset of n has the first n of one random order in which the classes take turns.
    """
    chosen = farthest_specimens(
        features(np.stack([tile.image for tile in tiles])), [tile.specimen for tile in tiles], asked.test_tiles
    )
    test = [tile for tile in tiles if tile.specimen in chosen]
    rest = [tile for tile in tiles if tile.specimen not in chosen]
    order = nested_order([tile.label for tile in rest], stream(asked.seed, "subsets"))
    parts = {TEST: test, EVERY: list(tiles)}
    for subset in asked.subsets:
        if subset != ALL and int(subset) > len(rest):
            raise Mistake(f"{where}.subsets: {subset} tiles are more than the {len(rest)} to train on; lower it.")
        taken = sorted(order[: len(rest) if subset == ALL else int(subset)].tolist())
        parts[str(subset)] = [rest[n] for n in taken]
    return parts


def write_tiles(tiles: Sequence[Tile], folder: Path, description: dict[str, Any]) -> None:
    """Write real tiles as a data set, in shards."""
    folder.mkdir(parents=True)
    for number, first in enumerate(range(0, len(tiles), SHARD_SIZE)):
        part = tiles[first:][:SHARD_SIZE]
        columns = ("label", "specimen", "photograph", "row", "col")
        rows = [{"id": tile.name, **{each: getattr(tile, each) for each in columns}} for tile in part]
        write_arrays(folder / f"shard-{number:05d}", [Sample(each.image, each.mask) for each in part], rows)
    specimens = sorted({tile.specimen for tile in tiles})
    write_description(folder, {**description, "count": len(tiles), "specimens": specimens})
