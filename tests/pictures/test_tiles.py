import csv
import shutil

import numpy as np
import PIL.Image
import pytest

from micromime.mistakes import Mistake
from micromime.pictures.surrogates.parts import write as write_parts
from micromime.pictures.tiles import COLUMNS, read_tiles, tile_files

CLASSES = ("intact", "crack")
PHOTOGRAPHS = [["images/p1.png", "", "p1"], ["images/p2.png", "masks/p2.png", "p2"]]
ROWS = [
    ["tiles/a.png", "intact", "p1", "images/p1.png", "3", "5"],
    ["tiles/b.png", "crack", "p2", "images/p2.png", "0", "9"],
]


def texture(seed, rows=100, cols=80):
    """A surface with a soft pattern and noise, over most greys."""
    rng, slow = np.random.default_rng(seed), np.linspace(0, 9, rows)[:, None] + np.linspace(0, 7, cols)
    return np.clip(128 + 60 * np.sin(slow + seed) + rng.normal(0, 25, (rows, cols)), 0, 255).astype(np.uint8)


def save(folder, name, pixels, **how):
    (folder / name).parent.mkdir(exist_ok=True)
    PIL.Image.fromarray(pixels).save(folder / name, **how)


def write(folder, rows, columns=COLUMNS, name="tiles.csv"):
    with (folder / name).open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([columns, *rows])


def write_photographs(folder, *rows):
    write(folder, rows, ("image", "mask", "group"), "images.csv")


@pytest.fixture
def folder(tmp_path):
    """Two photographs of 100 x 80 px, and a tile of 40 x 30 px of each: one intact, one with a crack and its mask."""
    mask = np.zeros((100, 80), np.uint8)
    mask[16] = 255
    save(tmp_path, "masks/p2.png", mask)
    save(tmp_path, "tile_masks/b.png", mask[9:49, :30])
    for n, (tile, row, col) in enumerate([("a", 5, 3), ("b", 9, 0)], 1):
        save(tmp_path, f"images/p{n}.png", texture(n))
        save(tmp_path, f"tiles/{tile}.png", texture(n)[row : row + 40, col : col + 30])
    write_photographs(tmp_path, *PHOTOGRAPHS)
    write(tmp_path, ROWS)
    return tmp_path


def test_tiles_are_read_with_their_class_place_and_mask(folder):
    intact, crack = read_tiles(folder, CLASSES)
    assert (intact.name, intact.label, intact.specimen, intact.row, intact.col) == ("a", "intact", "p1", 5, 3)
    assert intact.photograph == "images/p1.png"
    assert np.array_equal(intact.image, texture(1)[5:45, 3:33])
    assert not intact.mask.any()
    assert np.flatnonzero(crack.mask.any(axis=1)).tolist() == [7]


def test_tiles_keep_the_order_of_the_list_whichever_photographs_they_come_from(folder):
    save(folder, "tiles/c.png", texture(1)[50:90, :30])
    write(folder, [*ROWS, ["tiles/c.png", "intact", "p1", "images/p1.png", "0", "50"]])
    assert [tile.name for tile in read_tiles(folder, CLASSES)] == ["a", "b", "c"]


def test_the_specimens_column_may_be_called_group_and_paths_may_have_backslashes(folder):
    text = (folder / "tiles.csv").read_text().replace("source,", "group,", 1)
    (folder / "tiles.csv").write_text(text.replace("/", "\\"))
    assert [tile.specimen for tile in read_tiles(folder, CLASSES)] == ["p1", "p2"]
    assert "tiles/a.png" in tile_files(folder)


def test_a_tile_is_stretched_as_its_whole_photograph_is(folder):
    narrow = (100 + texture(1) // 16).astype(np.uint8)
    narrow[60:] = 101
    save(folder, "images/p1.png", narrow)
    save(folder, "tiles/a.png", narrow[5:45, 3:33])
    low, high = np.percentile(narrow, (0.5, 99.5))
    expected = np.rint(np.clip((narrow[5:45, 3:33] - low) / (high - low), 0, 1) * 255)
    assert np.array_equal(read_tiles(folder, CLASSES)[0].image, expected)
    dark = texture(2)
    dark[9:49, :30] //= 10  # the tile uses few greys, its photograph many
    save(folder, "images/p2.png", dark)
    save(folder, "tiles/b.png", dark[9:49, :30])
    assert np.array_equal(read_tiles(folder, CLASSES)[1].image, dark[9:49, :30])


def test_a_tile_of_16_bits_is_stretched_with_its_photograph_and_one_of_8_is_none_of_it(folder):
    for name in ("images/p1.png", "images/p2.png", "tiles/a.png", "tiles/b.png"):
        save(folder, name, np.array(PIL.Image.open(folder / name)) * np.uint16(16))
    low, high = np.percentile(texture(1)[texture(1) > 0] * 16.0, (0.5, 99.5))  # black does not count
    expected = np.rint(np.clip((texture(1)[5:45, 3:33] * 16.0 - low) / (high - low), 0, 1) * 255)
    assert np.array_equal(read_tiles(folder, CLASSES)[0].image, expected)
    save(folder, "tiles/a.png", texture(1)[5:45, 3:33])
    with pytest.raises(Mistake, match="the tile has 8 bits a pixel, its photograph 16; cut it from the photograph"):
        read_tiles(folder, CLASSES)


def test_rows_that_show_the_specimen_say_how_its_tiles_are_stretched_and_where_they_may_lie(folder):
    narrow = (100 + texture(1) // 16).astype(np.uint8)
    narrow[90:] = np.arange(80) * 3  # an information strip
    save(folder, "images/p1.png", narrow)
    save(folder, "tiles/a.png", narrow[5:45, 3:33])
    lists = [[*PHOTOGRAPHS[0], "0-89"], [*PHOTOGRAPHS[1], ""]]
    write(folder, lists, ("image", "mask", "group", "rows"), "images.csv")
    low, high = np.percentile(narrow[:90], (0.5, 99.5))
    expected = np.rint(np.clip((narrow[5:45, 3:33] - low) / (high - low), 0, 1) * 255)
    assert np.array_equal(read_tiles(folder, CLASSES)[0].image, expected)
    save(folder, "tiles/a.png", narrow[51:91, 3:33])
    write(folder, [[*ROWS[0][:5], "51"], ROWS[1]])
    with pytest.raises(Mistake, match="the rows 51 to 90 of its photograph, of which 0 to 89 show the specimen; leave"):
        read_tiles(folder, CLASSES)


def test_tiles_of_one_page_of_several_are_cut_from_that_page(folder):
    first, second = (PIL.Image.fromarray(texture(n)) for n in (5, 1))
    first.save(folder / "images/p1.tif", save_all=True, append_images=[second])
    lists = [["images/p1.tif", "", "p1", "2"], [*PHOTOGRAPHS[1], ""]]
    write(folder, lists, ("image", "mask", "group", "page"), "images.csv")
    write(folder, [[*ROWS[0][:3], "images/p1.tif", *ROWS[0][4:]], ROWS[1]])
    assert len(read_tiles(folder, CLASSES)) == 2
    write(folder, [*lists, ["images/p1.tif", "", "p1", "1"]], ("image", "mask", "group", "page"), "images.csv")
    with pytest.raises(Mistake, match=r"line 4: images/p1\.tif stands in .* line 2 too, and tiles do not say of which"):
        read_tiles(folder, CLASSES)


def test_files_are_named_with_their_hashes(folder):
    files = tile_files(folder)
    assert set(files) == {"tiles.csv", "tiles/a.png", "tiles/b.png", "tile_masks/b.png"}
    assert all(len(each) == 64 for each in files.values())
    assert tile_files(folder / "tiles") == {}


GOOD = ROWS[1]
WRONG = {
    "label": ([*GOOD[:1], "scratch", *GOOD[2:]], "label 'scratch' is not known; use one of: intact, crack"),
    "corner": ([*GOOD[:4], "-1", "9"], "x and y must be whole numbers"),
    "leaves": (["../b.png", *GOOD[1:]], "leaves the folder"),
    "photograph leaves": ([*GOOD[:3], "../p2.png", *GOOD[4:]], "source_image '../p2.png' leaves the folder"),
    "empty": ([*GOOD[:2], "", *GOOD[3:]], "the cell source is empty"),
    "missing": (["tiles/d.png", *GOOD[1:]], "is not there"),
    "name twice": (["more/a.png", "intact", "p1", "images/p1.png", "4", "6"], "the name 'a' stands there twice"),
    "place twice": (["tiles/b.png", *ROWS[0][1:4], "03", "5"], r"x 3, y 5 of images/p1.png is a tile in .* line 2 too"),
    "maskless": (["tiles/c.png", "crack", "p1", "images/p1.png", "0", "50"], "tile_masks/c.png is not there"),
    "not listed": ([*GOOD[:3], "images/p3.png", *GOOD[4:]], "images.csv does not list its photograph images/p3.png"),
    "specimen": (
        [*GOOD[:2], "p1", *GOOD[3:]],
        "line 3: the tile is of 'p1', but .*images.csv line 3 says that images/p2.png is of 'p2'; correct one",
    ),
    "photograph of another": ([*GOOD[:3], "images/p1.png", *GOOD[4:]], "the tile is of 'p2', but .* of 'p1'"),
    "outside": (
        [*GOOD[:4], "800", "9"],
        "a tile of 30 x 40 px at x 800, y 9 of images/p2.png is not inside its 80 x 100",
    ),
    "partly outside": ([*GOOD[:4], "51", "9"], "is not inside its 80 x 100 px; correct x and y"),
    "exchanged": ([*GOOD[:4], "9", "0"], "x and y are exchanged: the tile has the pixels of x 0, y 9; write that"),
    "beside": (
        [*GOOD[:4], "1", "9"],
        "the tile does not have the pixels of x 1, y 9 of images/p2.png; correct x, y or",
    ),
}


@pytest.mark.parametrize("wrong", WRONG)
def test_what_is_wrong_is_told_in_one_sentence(folder, wrong):
    row, told = WRONG[wrong]
    save(folder, "tiles/c.png", texture(1)[50:90, :30])
    save(folder, "more/a.png", texture(1)[6:46, 4:34])
    write(folder, [ROWS[0], row])
    with pytest.raises(Mistake, match=told) as caught:
        read_tiles(folder, CLASSES)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("column", ["page", "rows"])
def test_what_belongs_to_photographs_is_not_passed_over(folder, column):
    write(folder, [[*row, "2"] for row in ROWS], [*COLUMNS, column])
    with pytest.raises(Mistake, match=r"line 2: page and rows are those of photographs; write them into images\.csv"):
        read_tiles(folder, CLASSES)


def test_exchanged_corners_are_told_also_where_they_lie_outside(folder):
    save(folder, "tiles/b.png", texture(2)[60:100, 5:35])
    write(folder, [ROWS[0], [*GOOD[:4], "60", "5"]])
    with pytest.raises(Mistake, match="x and y are exchanged: the tile has the pixels of x 5, y 60"):
        read_tiles(folder, CLASSES)


def test_labels_and_masks_are_those_of_the_photographs(folder):
    write(folder, [ROWS[0], [GOOD[0], "intact", *GOOD[2:]]])
    with pytest.raises(Mistake, match=r"labelled intact, but the mask of images/p2\.png has 30 px in it; correct the"):
        read_tiles(folder, CLASSES)
    write(folder, ROWS)
    save(folder, "tile_masks/b.png", np.eye(40, 30, dtype=np.uint8) * 255)
    with pytest.raises(Mistake, match="its mask differs from that of its photograph in 58 px; cut it from there"):
        read_tiles(folder, CLASSES)
    save(folder, "tile_masks/b.png", np.zeros((40, 30), np.uint8))
    with pytest.raises(Mistake, match="labelled crack, but its mask is empty; correct one of them"):
        read_tiles(folder, CLASSES)


def test_an_intact_tile_has_no_mask_with_a_crack_of_its_own(folder):
    save(folder, "tile_masks/a.png", np.eye(40, 30, dtype=np.uint8) * 255)
    with pytest.raises(Mistake, match=r"line 2: .* labelled intact, but its own, tile_masks/a\.png, has 30 px in it"):
        read_tiles(folder, CLASSES)
    save(folder, "tile_masks/a.png", np.zeros((40, 30), np.uint8))
    assert len(read_tiles(folder, CLASSES)) == 2


@pytest.mark.parametrize("ending", ["tif", "bmp"])
def test_other_lossless_formats_are_compared_pixel_by_pixel_but_for_rounding(folder, ending):
    (folder / "tiles/a.png").unlink()
    cut = texture(1)[5:45, 3:33]
    write(folder, [[f"tiles/a.{ending}", *ROWS[0][1:]], ROWS[1]])
    save(folder, f"tiles/a.{ending}", np.where(cut < 255, cut + 1, cut).astype(np.uint8))
    assert len(read_tiles(folder, CLASSES)) == 2
    cut = cut.copy()
    cut[3, 4] ^= 128
    save(folder, f"tiles/a.{ending}", cut)
    with pytest.raises(Mistake, match="does not have the pixels of x 3, y 5"):
        read_tiles(folder, CLASSES)


LOSSY = {"jpg": {"quality": 40}, "tif": {"compression": "jpeg", "quality": 40}}


@pytest.mark.parametrize("ending", LOSSY)
def test_lossy_tiles_may_differ_as_much_as_their_format_makes_them(folder, ending):
    """And their masks are PNGs, as no lossy format can hold one."""
    save(folder, f"tiles/b.{ending}", texture(2)[9:49, :30], **LOSSY[ending])
    write(folder, [ROWS[0], [f"tiles/b.{ending}", *GOOD[1:]]])
    assert read_tiles(folder, CLASSES)[1].mask.sum() == 30
    assert "tile_masks/b.png" in tile_files(folder)
    for place, told in ((("9", "0"), "x and y are exchanged"), (("40", "9"), "does not have the pixels of x 40, y 9")):
        write(folder, [ROWS[0], [f"tiles/b.{ending}", *GOOD[1:4], *place]])
        with pytest.raises(Mistake, match=told):
            read_tiles(folder, CLASSES)


def test_every_class_must_have_a_tile(folder):
    write(folder, ROWS[:1])
    with pytest.raises(Mistake, match="no tile of the class crack"):
        read_tiles(folder, CLASSES)


def test_tiles_of_two_sizes_are_refused(folder):
    save(folder, "tiles/a.png", texture(1)[5:35, 3:43])
    with pytest.raises(Mistake, match="tile b has 30 x 40 px, the first one 40 x 30"):
        read_tiles(folder, CLASSES)


def test_the_surrogate_s_tiles_are_those_of_their_photographs(tmp_path):
    write_parts(2, 256, 0, tmp_path)
    cut = read_tiles(tmp_path, CLASSES)
    assert len(cut) == 20
    shutil.copy(tmp_path / cut[0].photograph, tmp_path / cut[-1].photograph)  # another part's
    with pytest.raises(Mistake, match="does not have the pixels of"):
        read_tiles(tmp_path, CLASSES)
