import csv
from pathlib import Path

import numpy as np
import PIL.Image
import pytest
from scipy import ndimage
from skimage.morphology import skeletonize

from micromime.mistakes import Mistake
from micromime.pictures.surrogates.parts import TILE_PX, TILES
from micromime.pictures.surrogates.parts import write as write_parts

ROWS = 272
PARTS = 4


def pixels(path: Path) -> np.ndarray:
    with PIL.Image.open(path) as picture:
        assert picture.mode == "L"
        assert picture.format == "PNG"
        return np.array(picture)


def lines(folder: Path, name: str) -> list[dict[str, str]]:
    return list(csv.DictReader((folder / name).read_text().splitlines()))


@pytest.fixture(scope="module")
def parts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("parts")
    write_parts(PARTS, ROWS, 0, folder)
    return folder


def test_same_seed_same_bytes_and_a_larger_count_only_adds(parts: Path, tmp_path: Path) -> None:
    write_parts(2, ROWS, 0, tmp_path)
    names = sorted(path.relative_to(tmp_path) for path in tmp_path.rglob("*.png"))
    assert len(names) == 2 * (3 + 3 * TILES)
    for name in names:
        assert (tmp_path / name).read_bytes() == (parts / name).read_bytes()
    for table in ("images.csv", "tiles.csv"):
        assert (parts / table).read_bytes().startswith((tmp_path / table).read_bytes())


def test_another_seed_gives_other_parts(parts: Path, tmp_path: Path) -> None:
    write_parts(1, ROWS, 1, tmp_path)
    for name in ("images/part_000_cracked.png", "images/part_000_intact.png", "masks/part_000_cracked.png"):
        one, other = pixels(parts / name), pixels(tmp_path / name)
        assert (one != other).mean() > (0.5 if "images" in name else 0.005)


def test_photographs_are_listed_one_cracked_and_one_not_of_each_part(parts: Path) -> None:
    listed = lines(parts, "images.csv")
    assert list(listed[0]) == ["image", "mask", "group"]
    assert [bool(line["mask"]) for line in listed] == [True, False] * PARTS
    assert [line["group"] for line in listed] == [f"part_{i:03d}" for i in range(PARTS) for _ in range(2)]
    for kind in ("image", "mask"):
        names = {line[kind] for line in listed if line[kind]}
        assert {f"{kind}s/{path.name}" for path in (parts / f"{kind}s").iterdir()} == names
    for line in listed:
        assert pixels(parts / line["image"]).shape == (ROWS, 500)
        assert pixels(parts / line["image"]).std() > 5


def test_masks_follow_one_long_crack_about_9_px_wide(parts: Path) -> None:
    for path in sorted((parts / "masks").iterdir()):
        mask = pixels(path)
        rows, cols = np.nonzero(mask)
        assert (rows.min() > 40, rows.max() < ROWS - 40, cols.min() < 100, cols.max() > 400) == (True,) * 4
        assert mask.shape == (ROWS, 500)
        assert set(np.unique(mask)) == {0, 255}
        assert ndimage.label(mask, np.ones((3, 3)))[1] == 1
        assert np.ptp(np.nonzero(mask)[1]) > 280
        assert np.ptp(np.nonzero(mask)[1]) > np.ptp(np.nonzero(mask)[0])
        assert 8 < (mask > 0).sum() / skeletonize(mask > 0).sum() < 11


def test_cracks_are_darker_than_their_surroundings(parts: Path) -> None:
    for line in lines(parts, "images.csv")[::2]:
        image, mask = pixels(parts / line["image"]), pixels(parts / line["mask"]) > 0
        inside = ndimage.distance_transform_edt(mask) >= 4
        assert image[inside].mean() < image[~mask].mean() - 5


def test_every_tile_is_its_cut_out_of_the_photograph(parts: Path) -> None:
    masks = {line["image"]: line["mask"] for line in lines(parts, "images.csv")}
    for tile in lines(parts, "tiles.csv"):
        row, col = int(tile["y"]), int(tile["x"])
        window = np.s_[row : row + TILE_PX, col : col + TILE_PX]
        cut = pixels(parts / tile["tile"])
        assert cut.shape == (TILE_PX, TILE_PX)
        assert np.array_equal(cut, pixels(parts / tile["source_image"])[window])
        assert tile["source_image"].startswith(f"images/{tile['group']}_")
        mask = masks[tile["source_image"]]
        if tile["label"] == "crack":
            tile_mask = pixels(parts / "tile_masks" / Path(tile["tile"]).name)
            assert np.array_equal(tile_mask, pixels(parts / mask)[window])
            assert (tile_mask > 0).sum() > 450
            assert tile_mask[32:96, 32:96].any()
        elif mask:
            assert not pixels(parts / mask)[window].any()


def test_tiles_csv_lists_every_file_and_both_labels_of_each_part(parts: Path) -> None:
    listed = lines(parts, "tiles.csv")
    assert list(listed[0]) == ["tile", "label", "group", "source_image", "x", "y"]
    assert {path.relative_to(parts).as_posix() for path in parts.glob("tiles/*/*")} == {line["tile"] for line in listed}
    assert {path.name for path in parts.glob("tile_masks/*")} == {path.name for path in parts.glob("tiles/crack/*")}
    expected = [(f"part_{i:03d}", label) for i in range(PARTS) for label in ("crack", "intact") for _ in range(TILES)]
    assert [(line["group"], line["label"]) for line in listed] == expected
    assert all(line["tile"].startswith(f"tiles/{line['label']}/") for line in listed)


def test_tiles_of_one_photograph_are_not_nearly_the_same(parts: Path) -> None:
    corners: dict[tuple[str, str], list[tuple[int, int]]] = {}
    for line in lines(parts, "tiles.csv"):
        corners.setdefault((line["source_image"], line["label"]), []).append((int(line["y"]), int(line["x"])))
    for places in corners.values():
        apart = np.abs(np.array(places)[:, None] - np.array(places)).max(axis=2)
        assert (apart + 1000 * np.eye(len(places)) >= 30).all()


def test_darkness_alone_does_not_tell_the_labels_apart(parts: Path) -> None:
    darkest: dict[str, list[int]] = {"crack": [], "intact": []}
    for line in lines(parts, "tiles.csv"):
        darkest[line["label"]].append(pixels(parts / line["tile"]).min())
    assert max(darkest["crack"]) > min(darkest["intact"])
    assert np.mean(darkest["crack"]) < np.mean(darkest["intact"])


def test_too_few_rows_or_a_used_folder_are_refused(parts: Path, tmp_path: Path) -> None:
    with pytest.raises(Mistake, match="256 rows or more, not 255"):
        write_parts(1, 255, 0, tmp_path)
    assert not list(tmp_path.iterdir())
    with pytest.raises(FileExistsError):
        write_parts(1, ROWS, 0, parts)
