import csv
from pathlib import Path

import numpy as np
import pytest
from scipy import ndimage
from skimage.morphology import skeletonize

from micromime.pictures.micrographs import Micrograph, read_micrographs
from micromime.pictures.surrogates.grains import write, write_micrographs


def skeleton(mask: np.ndarray) -> np.ndarray:
    return np.asarray(skeletonize(mask))  # type: ignore[no-untyped-call]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("grains")
    write(9, 96, 3, folder)
    return folder


@pytest.fixture(scope="module")
def micrographs(folder: Path) -> list[Micrograph]:
    return read_micrographs(folder)


def test_same_seed_same_bytes_and_a_larger_count_only_adds(folder: Path, tmp_path: Path) -> None:
    write(2, 96, 3, tmp_path)
    names = sorted(path.relative_to(tmp_path) for path in tmp_path.rglob("*.*"))
    assert len(names) == 5
    for name in names:
        assert (folder / name).read_bytes().startswith((tmp_path / name).read_bytes())


def test_another_seed_gives_another_picture(micrographs: list[Micrograph], tmp_path: Path) -> None:
    write(1, 96, 4, tmp_path)
    assert (read_micrographs(tmp_path)[0].image != micrographs[0].image).mean() > 0.5


def test_sources_take_turns_and_sizes_differ(micrographs: list[Micrograph]) -> None:
    assert [each.source for each in micrographs[:4]] == [
        "surrogate_etched",
        "surrogate_shaded",
        "surrogate_faint",
        "surrogate_etched",
    ]
    assert {each.image.shape for each in micrographs} == {(96, 96), (72, 96), (96, 84)}
    assert len({each.name for each in micrographs}) == 9


def test_images_and_masks_are_like_those_of_a_microscope(micrographs: list[Micrograph]) -> None:
    for each in micrographs:
        assert each.image.dtype == np.uint8
        assert each.image.shape == each.mask.shape
        assert each.image.std() > 5
        assert 0.04 < each.mask.mean() < 0.3
        assert ndimage.label(~each.mask)[1] > 4


def test_mask_lines_are_about_3_px_wide(micrographs: list[Micrograph]) -> None:
    for each in micrographs:
        assert 2.2 < each.mask.sum() / skeleton(each.mask).sum() < 3.8


def test_etched_lines_are_dark_and_vary(micrographs: list[Micrograph]) -> None:
    for each in micrographs[::3]:
        lines, grains = each.image[skeleton(each.mask)], each.image[~each.mask]
        assert np.median(lines) < np.median(grains) - 10
        assert np.std(lines) > np.std(grains)


def test_written_set_is_read_back_equal(micrographs: list[Micrograph], tmp_path: Path) -> None:
    write_micrographs(micrographs[:4], tmp_path)
    for written, read in zip(micrographs, read_micrographs(tmp_path), strict=False):
        assert (written.name, written.source) == (read.name, read.source)
        assert np.array_equal(written.image, read.image)
        assert np.array_equal(written.mask, read.mask)


def test_list_gives_size_and_boundary_fraction(tmp_path: Path) -> None:
    mask = np.zeros((2, 5), bool)
    mask[0, :3] = True
    write_micrographs([Micrograph("m", "s", np.zeros((2, 5), np.uint8), mask)], tmp_path)
    (row,) = csv.DictReader((tmp_path / "images.csv").read_text().splitlines())
    assert row["image"] == "images/m.png"
    assert (row["width"], row["height"], row["boundary_fraction"]) == ("5", "2", "0.3000")
