import csv

import numpy as np
import PIL.Image
import pytest

from micromime.mistakes import Mistake
from micromime.pictures.tiles import COLUMNS, read_tiles, tile_files

CLASSES = ("intact", "crack")


@pytest.fixture
def folder(tmp_path):
    """Two tiles of 40 x 30 px: one intact, one with a crack and its mask."""
    for name in ("tiles", "tile_masks"):
        (tmp_path / name).mkdir()
    grey = np.arange(1200, dtype=np.uint8).reshape(40, 30)
    for name in ("a", "b"):
        PIL.Image.fromarray(grey).save(tmp_path / "tiles" / f"{name}.png")
    mask = np.zeros((40, 30), np.uint8)
    mask[7] = 255
    PIL.Image.fromarray(mask).save(tmp_path / "tile_masks" / "b.png")
    write(
        tmp_path,
        [["tiles/a.png", "intact", "p1", "photo.png", "3", "5"], ["tiles/b.png", "crack", "p2", "photo.png", "0", "9"]],
    )
    return tmp_path


def write(folder, rows, columns=COLUMNS):
    with (folder / "tiles.csv").open("w", newline="") as file:
        csv.writer(file).writerows([columns, *rows])


def test_tiles_are_read_with_their_class_place_and_mask(folder):
    intact, crack = read_tiles(folder, CLASSES)
    assert (intact.name, intact.label, intact.specimen, intact.row, intact.col) == ("a", "intact", "p1", 5, 3)
    assert intact.image.shape == (40, 30)
    assert not intact.mask.any()
    assert np.flatnonzero(crack.mask.any(axis=1)).tolist() == [7]


def test_the_specimens_column_may_be_called_group(folder):
    text = (folder / "tiles.csv").read_text()
    (folder / "tiles.csv").write_text(text.replace("source,", "group,", 1))
    assert [tile.specimen for tile in read_tiles(folder, CLASSES)] == ["p1", "p2"]


def test_files_are_named_with_their_hashes(folder):
    files = tile_files(folder)
    assert set(files) == {"tiles.csv", "tiles/a.png", "tiles/b.png", "tile_masks/b.png"}
    assert all(len(each) == 64 for each in files.values())
    assert tile_files(folder / "tiles") == {}


GOOD = ["tiles/b.png", "crack", "p2", "photo.png", "0", "9"]
WRONG = {
    "label": ([*GOOD[:1], "scratch", *GOOD[2:]], "label 'scratch' is not known; use one of: intact, crack"),
    "corner": ([*GOOD[:4], "-1", "9"], "x and y must be whole numbers"),
    "outside": (["../b.png", *GOOD[1:]], "leaves the folder"),
    "empty": ([*GOOD[:2], "", *GOOD[3:]], "the cell source is empty"),
    "missing": (["tiles/c.png", *GOOD[1:]], "is not there"),
    "twice": (["tiles/a.png", "intact", *GOOD[2:]], "stands there twice"),
    "maskless": (["tiles/a.png", *GOOD[1:]], "tile_masks/a.png is not there"),
}


@pytest.mark.parametrize("wrong", WRONG)
def test_what_is_wrong_is_told_in_one_sentence(folder, wrong):
    row, told = WRONG[wrong]
    write(folder, [["tiles/a.png", "intact", "p1", "photo.png", "3", "5"], row])
    with pytest.raises(Mistake, match=told):
        read_tiles(folder, CLASSES)


def test_every_class_must_have_a_tile(folder):
    write(folder, [["tiles/a.png", "intact", "p1", "photo.png", "3", "5"]])
    with pytest.raises(Mistake, match="no tile of the class crack"):
        read_tiles(folder, CLASSES)


def test_tiles_of_two_sizes_are_refused(folder):
    PIL.Image.fromarray(np.zeros((30, 40), np.uint8)).save(folder / "tiles" / "a.png")
    with pytest.raises(Mistake, match="tile b has 30 x 40 px, the first one 40 x 30"):
        read_tiles(folder, CLASSES)
