import csv
import json
import shutil
from pathlib import Path

import numpy as np
import PIL.Image
import pytest

from micromime.arms.comparisons import TileParameters
from micromime.datasets.store import Dataset
from micromime.mistakes import Mistake
from micromime.pictures.surrogates.parts import write as write_parts
from micromime.pictures.test_set import NO_REAL_SET, ORIGIN_FILE, Origin
from micromime.pictures.tiles import read_tiles
from micromime.project import places
from micromime.stages.tile import divided, tile

ASKED = TileParameters(test_tiles=6, seed=0, subsets=("all", 8, 4))


@pytest.fixture
def parts(gravel_tiles):
    return divided(gravel_tiles(24), ASKED, "chips.tiles")


def names(tiles):
    return {tile.name for tile in tiles}


def test_no_specimen_of_the_test_set_is_in_any_other_part(parts):
    tested = {tile.specimen for tile in parts["test"]}
    assert len(parts["test"]) == 6  # two tiles a specimen
    for name in ("all", "8", "4"):
        assert tested.isdisjoint(tile.specimen for tile in parts[name])
    assert names(parts["every"]) == names(parts["test"]) | names(parts["all"])
    assert len(parts["every"]) == 24


def test_subsets_are_nested_and_their_classes_even(parts):
    assert names(parts["4"]) < names(parts["8"]) < names(parts["all"])
    assert [len(parts[name]) for name in ("4", "8", "all")] == [4, 8, 18]
    for name in ("4", "8"):
        labels = [tile.label for tile in parts[name]]
        assert labels.count("crack") == labels.count("intact")


def test_the_test_set_depends_on_the_tiles_alone(gravel_tiles, parts):
    other = divided(gravel_tiles(24), ASKED.model_copy(update={"seed": 5, "subsets": (4,)}), "chips.tiles")
    assert names(other["test"]) == names(parts["test"])
    assert names(other["4"]) != names(parts["4"])


def test_more_tiles_than_there_are_is_one_sentence(gravel_tiles):
    with pytest.raises(Mistake, match=r"chips.tiles.subsets: 30 tiles are more than the 18 to train on; lower it"):
        divided(gravel_tiles(24), ASKED.model_copy(update={"subsets": (30,)}), "chips.tiles")


def test_the_stage_writes_a_data_set_for_each_part(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    given, out = places.photographs("chip_cracks"), places.tiles("chip_cracks")
    write_parts(3, 256, 0, given)
    Origin(kind="surrogate", reason=NO_REAL_SET, files={}).write(given / ORIGIN_FILE)
    asked = {"test_tiles": 10, "seed": 0, "subsets": ["all"]}
    Path("params.yaml").write_text(json.dumps({"chip_cracks": {"tiles": asked}}))
    tile("chip_cracks")
    every, training = Dataset(out / "every"), Dataset(out / "all")
    tiles = read_tiles(given, ["intact", "crack"])
    assert every.description["classes"] == ["intact", "crack"]
    assert every.class_numbers.tolist() == [int(tile.label == "crack") for tile in tiles]
    assert len(training.images) == 20
    assert training.description["specimens"] == sorted(set(training.samples["specimen"]))
    assert np.array_equal(every.images[3], tiles[3].image)
    assert np.array_equal(every.masks[3], tiles[3].mask)
    assert Origin.read(out / ORIGIN_FILE).kind == "surrogate"
    assert "changes" not in every.description
    squeezed = next(iter({each.photograph for each in tiles}))
    for file in [given / squeezed, *(given / each for each in tiles_of(given, squeezed))]:
        with PIL.Image.open(file) as picture:
            narrow = picture.point(lambda grey: 100 + grey // 8)
        narrow.save(file)
    shutil.rmtree(out)
    tile("chip_cracks")
    (clauses,) = Dataset(out / "every").description["changes"].values()
    assert len(clauses) == 1
    assert clauses[0].endswith("were stretched over 0 to 255")


def tiles_of(folder, photograph):
    """The files of the tiles that were cut from a photograph."""
    with (folder / "tiles.csv").open() as file:
        rows = csv.DictReader(file)
        return [row["tile"] for row in rows if row["source_image"] == photograph]
